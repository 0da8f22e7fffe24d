import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from skpose.baseline import MeanPoseRegressor
from skpose.preprocessing import ImageBatch

NAN = np.nan
X = np.zeros((3, 8, 8, 1), np.uint8)
Y = np.array([[[1.0, 2.0], [NAN, NAN]], [[3.0, 4.0], [5.0, 5.0]], [[8.0, 0.0], [7.0, 1.0]]])


def test_predicts_the_mean_of_what_is_labelled():
    baseline = MeanPoseRegressor().fit(X, Y)
    np.testing.assert_allclose(baseline.pose_, [[4, 2], [6, 3]])
    np.testing.assert_allclose(baseline.predict(X[:2]), [[[4, 2], [6, 3]]] * 2)


def test_weights_are_repetitions():
    weighted = MeanPoseRegressor().fit(X, Y, sample_weight=[1, 3, 0])
    repeated = MeanPoseRegressor().fit(X[[0, 1, 1, 1]], Y[[0, 1, 1, 1]])
    np.testing.assert_allclose(weighted.pose_, repeated.pose_)


def test_score_is_the_negative_mean_error():
    y = np.array([[[0.0, 0.0]], [[6.0, 8.0]]])  # each 5 from the mean
    baseline = MeanPoseRegressor().fit(X[:2], y)
    assert baseline.score(X[:2], y) == pytest.approx(-5)
    assert baseline.score(X[:2], [[[3, 4]], [[3, 5]]], sample_weight=[1, 3]) == pytest.approx(-0.75)


def test_mean_is_that_of_the_batch():
    # Each image is shifted so that its keypoint is at (2, 2): the mean pose is right for all.
    y = np.array([[[1.0, 2.0]], [[5.0, 3.0]], [[4.0, 6.0]]])
    shifts = np.concatenate([np.tile(np.eye(2), (3, 1, 1)), 2 - y.transpose(0, 2, 1)], axis=2)
    batch = ImageBatch(X).warped(shifts, (5, 5))
    baseline = MeanPoseRegressor().fit(batch, y)
    np.testing.assert_allclose(baseline.pose_, [[2, 2]])
    np.testing.assert_allclose(baseline.predict(batch), y)
    np.testing.assert_allclose(baseline.predict(batch[[2]]), y[[2]])
    assert baseline.score(batch, y) == pytest.approx(0)


def test_keypoint_that_is_never_labelled_warns():
    y = Y.copy()
    y[:, 1] = NAN
    with pytest.warns(UserWarning, match=r"keypoints \[1\] are labelled in no sample") as caught:
        baseline = MeanPoseRegressor().fit(X, y)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(baseline.pose_, [[4, 2], [4, 2]])


def test_nothing_labelled_is_refused():
    with pytest.raises(ValueError, match="no labelled keypoint"):
        MeanPoseRegressor().fit(X, np.full((3, 2, 2), NAN))


@pytest.mark.parametrize("weights", [[1, 1], [1, -1, 1], [1, NAN, 1]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="sample_weight must"):
        MeanPoseRegressor().fit(X, Y, sample_weight=weights)


def test_bad_data_are_refused():
    with pytest.raises(ValueError, match="4 axes"):
        MeanPoseRegressor().fit(X[..., 0], Y)
    with pytest.raises(ValueError, match="2 images, but there are 3"):
        MeanPoseRegressor().fit(X, Y[:2])


def test_needs_a_fit():
    with pytest.raises(NotFittedError):
        MeanPoseRegressor().predict(X)


def test_is_a_regressor_of_images():
    assert is_regressor(MeanPoseRegressor())
    tags = get_tags(MeanPoseRegressor())
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.multi_output
    assert not tags.target_tags.single_output


def test_works_with_scikit_learn():
    baseline = MeanPoseRegressor().fit(X, Y)
    assert not hasattr(clone(baseline), "pose_")
    revived = pickle.loads(pickle.dumps(baseline))
    np.testing.assert_array_equal(revived.predict(X), baseline.predict(X))
    assert np.isfinite(cross_val_score(baseline, X, Y, cv=3)).all()
