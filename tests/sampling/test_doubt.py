import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skpose.preprocessing import ImageResizer
from skpose.sampling import ConfidenceSampler, EnsembleSampler, EntropySampler, _doubt as doubt


class MapEstimator:
    """Draws the images themselves as maps."""

    n_keypoints_ = 1

    def fit(self, X, y=None):
        return self

    def predict(self, X, return_confidence=False):
        keypoints = np.zeros((len(X), 1, 2))
        return (keypoints, self.confidence[: len(X)]) if return_confidence else keypoints

    def predict_maps(self, X):
        maps = np.asarray(X) / 255.0
        return np.concatenate([maps, 1 - maps], axis=3)  # the second is no keypoint's


def draw_peaks(centres, sigma=2.0, size=48):
    y, x = np.mgrid[:size, :size]
    peaks = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * sigma**2)) for a, b in centres]
    return np.max(peaks, axis=0)[..., None]


def test_least_confident_frames_are_chosen():
    confidence = np.full((50, 2), 0.9)
    confidence[[7, 30], 1] = 0.1
    index = ConfidenceSampler(n_frames=2, random_state=0).select(confidence=confidence)
    assert index.tolist() == [7, 30]


def test_confidence_is_predicted_where_it_is_not_given():
    estimator = MapEstimator()
    estimator.confidence = np.array([[0.5], [1.0], [0.25]])
    X = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    for wrapped in (estimator, FrozenEstimator(estimator)):
        np.testing.assert_allclose(ConfidenceSampler(wrapped).scores(X), [0.5, 0.0, 0.75])


def test_without_an_estimator_the_error_says_what_to_give():
    X = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match="needs `confidence`, or images X and a fitted estimator"):
        ConfidenceSampler().select(X)
    with pytest.raises(ValueError, match="needs `keypoints`, or images X"):
        EnsembleSampler().select(X)


@pytest.mark.parametrize("sigma", [1.5, 2.5])
def test_entropy_of_a_peak_is_that_of_its_square(sigma):
    maps = draw_peaks([(20.3, 24.1)], sigma)[None]
    # m**2 is a Gaussian of sigma / sqrt(2), whose entropy is 1 + log(2 pi sigma**2 / 2)
    np.testing.assert_allclose(doubt.map_entropy(maps), 1 + np.log(np.pi * sigma**2), atol=1e-3)


def test_entropy_of_two_peaks_is_log_2_more_and_of_nothing_that_of_all_cells():
    one, two = draw_peaks([(12, 12)]), draw_peaks([(12, 12), (34, 34)])
    maps = np.stack([one, two, np.zeros_like(one), -one])
    entropy = doubt.map_entropy(maps)[:, 0]
    np.testing.assert_allclose(entropy[1] - entropy[0], np.log(2), atol=1e-6)
    np.testing.assert_allclose(entropy[2:], np.log(48 * 48))


def test_entropy_does_not_depend_on_the_height_of_a_peak():
    one = draw_peaks([(12, 12)])
    np.testing.assert_allclose(doubt.map_entropy(one[None]), doubt.map_entropy(0.2 * one[None]))


def test_entropy_is_that_of_the_keypoints_maps_alone_and_goes_part_by_part(monkeypatch):
    X = np.zeros((100, 48, 48, 1), dtype=np.uint8)
    X[:] = 255 * draw_peaks([(12, 12)])
    X[70] = 255 * draw_peaks([(12, 12), (34, 34)])
    sampler = EntropySampler(MapEstimator(), n_frames=1)
    assert sampler.select(X).tolist() == [70]
    scores = sampler.scores(X)
    monkeypatch.setattr(doubt, "_n_at_once", lambda *_: 7)
    np.testing.assert_array_equal(sampler.scores(X), scores)


def test_entropy_takes_a_pipeline():
    X = np.zeros((3, 48, 48, 1), dtype=np.uint8)
    X[1, 10:14, 10:14] = 255
    pipeline = make_pipeline(ImageResizer(scale=0.5), MapEstimator())
    scores = EntropySampler(pipeline).scores(X)
    np.testing.assert_allclose(scores, [np.log(24 * 24), np.log(4), np.log(24 * 24)])


def test_disagreement_is_the_spread_around_the_mean():
    poses = np.zeros((3, 2, 1, 2))
    poses[:, 1, 0] = [[0, 0], [3, 0], [0, 3]]  # mean (1, 1); squares 2, 5 and 5
    scores = EnsembleSampler().scores(keypoints=poses)
    np.testing.assert_allclose(scores, [0, 2])


def test_disagreement_needs_two_that_found_the_keypoint():
    poses = np.zeros((2, 3, 1, 2))
    poses[0, 1] = np.nan
    assert np.isnan(EnsembleSampler().scores(keypoints=poses)).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="at least 2 estimators"):
        EnsembleSampler().scores(keypoints=poses[:1])
    with pytest.raises(ValueError, match="keypoints of every estimator"):
        EnsembleSampler().scores(keypoints=poses[0])
