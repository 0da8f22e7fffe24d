from helpers import find_brightest
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skpose.sampling import (
    AutoregressiveSampler,
    ConfidenceSampler,
    EnsembleSampler,
    EntropySampler,
    KMeansSampler,
    MotionSampler,
    RandomSampler,
)
from skpose.sampling._base import pick_apart


class Oracle:
    """Finds one bodypart where a frame is brightest, the less surely the darker the frame is."""

    n_keypoints_ = 1

    def predict(self, X, return_confidence=False):
        brightest, level = find_brightest(np.asarray(X)[..., 0])
        keypoints = brightest[:, None]
        return (keypoints, level[:, None]) if return_confidence else keypoints

    def predict_maps(self, X):
        return np.asarray(X) / 255


def make_video(n_frames=60, seed=0):
    """A bright pixel that hops about in a dark frame."""
    rng = np.random.default_rng(seed)
    video = rng.integers(0, 20, (n_frames, 8, 8, 1), dtype=np.uint8)
    where = rng.integers(0, 8, (n_frames, 2))
    video[np.arange(n_frames), where[:, 0], where[:, 1], 0] = rng.integers(100, 256, n_frames)
    return video


SAMPLERS = [
    RandomSampler(),
    KMeansSampler(n_clusters=3),
    ConfidenceSampler(Oracle()),
    EntropySampler(Oracle()),
    MotionSampler(Oracle()),
    AutoregressiveSampler(Oracle()),
    EnsembleSampler([Oracle(), Oracle()]),
]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)


@each_sampler
@pytest.mark.parametrize("min_separation", [1, 4])
def test_select_gives_sorted_frames_that_are_apart(sampler, min_separation):
    sampler.set_params(n_frames=8, min_separation=min_separation, random_state=0)
    index = sampler.select(make_video())
    assert index.shape == (8,)
    assert np.issubdtype(index.dtype, np.integer)
    assert np.diff(index).min() >= min_separation
    assert index.min() >= 0
    assert index.max() < 60


@each_sampler
def test_same_seed_gives_same_frames(sampler):
    sampler.set_params(n_frames=8, min_separation=2, random_state=3)
    np.testing.assert_array_equal(sampler.select(make_video()), sampler.select(make_video()))


@each_sampler
def test_excluded_frames_and_their_neighbours_are_not_chosen(sampler):
    sampler.set_params(n_frames=5, min_separation=3, random_state=0)
    exclude = np.array([10, 30, 50])
    index = sampler.select(make_video(), exclude=exclude)
    assert np.abs(index[:, None] - exclude).min() >= 3
    mask = np.isin(np.arange(60), exclude)
    np.testing.assert_array_equal(sampler.select(make_video(), exclude=mask), index)


@each_sampler
def test_too_few_frames_warn_and_give_what_there_is(sampler):
    sampler.set_params(n_frames=8, min_separation=30, random_state=0)
    with pytest.warns(UserWarning, match="of 8 frames were chosen"):
        index = sampler.select(make_video())
    assert 1 <= len(index) <= 2


@each_sampler
def test_wrong_parameters_raise(sampler):
    for name, value in (("n_frames", 0), ("min_separation", 0), ("random_state", "no")):
        wrong = clone(sampler, safe=False).set_params(**{name: value})
        with pytest.raises(ValueError, match=name):
            wrong.select(make_video())


@each_sampler
def test_neither_images_nor_poses_raises(sampler):
    with pytest.raises(ValueError, match="needs images X"):
        sampler.select()


def test_sampler_is_cloned_with_its_parameters():
    sampler = KMeansSampler(7, n_clusters=3, n_components=5, image_size=16, random_state=2)
    assert clone(sampler).get_params() == sampler.get_params()
    with pytest.raises(NotFittedError):
        clone(sampler).predict(make_video())


def test_random_frames_are_all_equally_probable():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[RandomSampler(2, random_state=seed).select(confidence=np.ones((10, 1)))] += 1
    # binomial with 2000 tries of 0.2: a standard deviation of 18 around 400
    assert np.abs(counts - 400).max() < 5 * 18


def test_pick_apart_takes_the_best_that_is_free():
    index = pick_apart([5, 4, 9, 0, 2], 3, 2, n_samples=10)
    assert index.tolist() == [0, 5, 9]
    assert pick_apart([5, 4, 9], 3, 1, n_samples=10, excluded=[4]).tolist() == [5, 9]


def test_ties_are_broken_by_the_seed():
    ties = np.ones((100, 1))
    chosen = [
        ConfidenceSampler(n_frames=5, random_state=seed).select(confidence=ties).tolist()
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_frames_without_a_score_are_never_chosen():
    confidence = np.full((20, 2), np.nan)
    confidence[[3, 7], 0] = 0.5
    sampler = ConfidenceSampler(n_frames=2, min_separation=1)
    assert sampler.select(confidence=confidence).tolist() == [3, 7]
    assert np.isnan(sampler.scores(confidence=confidence)[0])


@pytest.mark.parametrize(("reduce", "expected"), [("mean", [0.2, 0.35]), ("max", [0.3, 0.6])])
def test_keypoints_are_reduced_to_a_score_for_each_frame(reduce, expected):
    confidence = [[0.9, 0.7, np.nan], [0.4, 0.9, np.nan]]
    scores = ConfidenceSampler(reduce=reduce).scores(confidence=confidence)
    np.testing.assert_allclose(scores, expected)


def test_arrays_of_different_frames_raise():
    with pytest.raises(ValueError, match="X of 60, confidence of 59"):
        RandomSampler().select(make_video(), confidence=np.ones((59, 1)))


@pytest.mark.parametrize("exclude", [[60], [-1], [[1, 2]], [0.5], np.zeros(59, dtype=bool)])
def test_wrong_exclude_raises(exclude):
    with pytest.raises(ValueError, match="exclude must"):
        RandomSampler().select(make_video(), exclude=exclude)
