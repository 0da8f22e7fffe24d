import numpy as np
import pytest

from skpose.sampling import KMeansSampler


class MadeFrames:
    """Frames that are made when they are read, and a record of the most that were read at once."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, n_frames, side, rare=()):
        self.shape = (n_frames, side, side, 1)
        self.is_rare = np.isin(np.arange(n_frames), rare)
        self.largest = self.n_read = 0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        number = np.arange(len(self))[key]
        self.largest = max(self.largest, number.size * self.shape[1] * self.shape[2])
        self.n_read += number.size
        frames = np.zeros((number.size, *self.shape[1:]), dtype=np.uint8)
        frames[...] = (number % 7 * 5).astype(np.uint8)[:, None, None, None]
        frames[self.is_rare[number], : self.shape[1] // 2] = 250
        return frames


def test_clusters_count_alike_however_rare_they_are():
    X = MadeFrames(1000, 16, rare=[100, 101, 500, 900])
    sampler = KMeansSampler(6, n_clusters=2, random_state=0)
    index = sampler.select(X)
    assert X.is_rare[index].sum() == 3
    assert sampler.labels_.shape == (1000,)
    assert len(set(sampler.labels_[X.is_rare])) == 1


def test_frames_that_are_all_the_same_are_one_cluster():
    X = np.full((30, 8, 8, 1), 7, dtype=np.uint8)
    sampler = KMeansSampler(5, random_state=0)
    assert len(sampler.select(X)) == 5
    assert set(sampler.labels_) == {0}


def test_with_as_many_clusters_as_frames_each_gives_one():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 256, (5, 12, 12, 1))
    X = np.clip(kinds[rng.integers(0, 5, 300)] + rng.integers(-3, 4, (300, 12, 12, 1)), 0, 255)
    sampler = KMeansSampler(5, n_clusters=5, random_state=0)
    index = sampler.select(X.astype(np.uint8))
    assert sorted(sampler.labels_[index]) == [0, 1, 2, 3, 4]


def test_excluded_frames_count_as_chosen_from_their_clusters():
    X = np.repeat(np.arange(0, 240, 40, dtype=np.uint8), 10)[:, None, None, None]
    X = X.repeat(8, axis=1).repeat(8, axis=2)  # 6 kinds of frames, 10 each
    sampler = KMeansSampler(3, random_state=0)
    first = sampler.select(X)
    second = sampler.select(X, exclude=first)
    assert len(set(first // 10) | set(second // 10)) == 6


def test_there_are_as_many_clusters_as_frames_but_not_too_many():
    X = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), dtype=np.uint8)
    for n_frames, n_clusters in ((5, 5), (250, 100)):
        sampler = KMeansSampler(n_frames, random_state=0).fit(X)
        assert sampler.kmeans_.n_clusters == n_clusters


def test_a_small_cluster_is_made_up_for_by_the_others():
    X = MadeFrames(200, 16, rare=[100])
    index = KMeansSampler(10, n_clusters=2, random_state=0).select(X)
    assert len(index) == 10
    assert 100 in index


def test_a_hundred_thousand_frames_are_read_once_and_few_at_a_time():
    X = MadeFrames(100_000, 8, rare=range(0, 100_000, 1000))
    sampler = KMeansSampler(20, n_clusters=10, n_components=2, image_size=2, random_state=0)
    index = sampler.select(X)
    assert X.n_read == 100_000
    assert X.largest <= 1024 * 8 * 8
    assert X.is_rare[index].sum() >= 2  # one frame in a thousand, but one of 10 clusters


def test_large_frames_are_read_a_few_at_a_time():
    X = MadeFrames(40, 2048)
    KMeansSampler(3, n_components=2, random_state=0).fit(X)
    assert X.n_read == 40
    assert X.largest <= 2**25


def test_predict_gives_the_clusters_of_fit_and_of_new_frames():
    X = MadeFrames(100, 16, rare=range(10))
    sampler = KMeansSampler(n_clusters=2, random_state=0).fit(X)
    np.testing.assert_array_equal(sampler.predict(X), sampler.labels_)
    assert sampler.predict(X[:0]).shape == (0,)
    np.testing.assert_array_equal(sampler.predict(X[[3, 50]]), sampler.labels_[[3, 50]])
    with pytest.raises(ValueError, match="frames of 12 x 16 pixels"):
        sampler.predict(np.zeros((1, 12, 16, 1), dtype=np.uint8))


@pytest.mark.parametrize("shape", [(1, 5, 9, 1), (3, 2, 2, 3), (11, 40, 20, 3)])
def test_any_number_and_size_of_frames_will_do(shape):
    X = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    sampler = KMeansSampler(1, random_state=0)
    assert sampler.select(X).shape == (1,)
    assert sampler.pca_.n_components_ <= len(X)


def test_small_frames_keep_their_aspect_and_are_not_enlarged():
    sampler = KMeansSampler(image_size=32)
    assert sampler._small_size(np.empty((1, 480, 640, 3))) == (24, 32)
    assert sampler._small_size(np.empty((1, 10, 20, 3))) == (10, 20)
    assert sampler._small_size(np.empty((1, 2, 2000, 3))) == (1, 32)


def test_no_frames_raise():
    with pytest.raises(ValueError, match="no frames"):
        KMeansSampler().fit(np.empty((0, 8, 8, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match="needs images X"):
        KMeansSampler().select(confidence=np.ones((5, 1)))


def test_the_size_of_small_frames_can_be_chosen_for_both_sides():
    X = np.random.default_rng(0).integers(0, 256, (12, 20, 40, 1), dtype=np.uint8)
    sampler = KMeansSampler(4, image_size=(5, 7), random_state=0).fit(X)
    assert sampler.pca_.n_features_in_ == 35
    assert KMeansSampler(4, image_size=10, random_state=0).fit(X).pca_.n_features_in_ == 50
