from helpers import small_estimator
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skpose import PoseEstimator
from skpose.targets import ConfidenceMaps

X = np.zeros((4, 32, 32, 1), np.uint8)
Y = np.full((4, 2, 2), 8.0)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (X[..., 0], r"4 axes.*X\[..., np.newaxis\]"),
        (X[0, 0], "4 axes"),
        (np.zeros((4, 32, 32, 2), np.uint8), r"1 \(grey\) or 3 \(RGB\) channels"),
        (np.zeros((4, 32, 32, 4), np.uint8), "alpha"),
        (X + 0.5, "whole numbers from 0 to 255"),
        (X - 1.0, "values from -1 to -1"),
        (X + 300.0, "values from 300"),
        (np.full(X.shape, np.nan), "NaN"),
        (X[:0], "0 samples"),
    ],
)
def test_images_that_are_not_images(images, match):
    with pytest.raises(ValueError, match=match):
        small_estimator().fit(images, Y)


def test_images_of_a_strange_type():
    with pytest.raises(TypeError, match="complex"):
        small_estimator().fit(X.astype(complex), Y)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (Y[:3], "3 images, but there are 4"),
        (Y[..., 0], r"\(n_samples, n_keypoints, 2\)"),
        (np.full((4, 2, 3), 8.0), r"\(x, y\) on its last"),
        (np.full((4, 2, 2), np.inf), "infinity"),
        (np.full((4, 2, 2), np.nan), "no labelled keypoint"),
        (np.full((4, 2, 2), "a"), "must be keypoints"),
        (Y[:, :0], "no keypoints"),
    ],
)
def test_keypoints_that_are_not_keypoints(y, match):
    with pytest.raises(ValueError, match=match):
        small_estimator().fit(X, y)


@pytest.mark.slow
def test_keypoints_far_outside_warn_with_their_number():
    y = Y.copy()
    y[1] = 500.0
    with pytest.warns(UserWarning, match="2 keypoints of y lie far outside"):
        small_estimator(max_epochs=1).fit(X, y)


@pytest.mark.slow
def test_a_bodypart_that_is_never_labelled_warns_with_its_name(poses):
    y = poses.keypoints.copy()
    y[:, 1] = np.nan
    name = poses.skeleton.names[1]
    with pytest.warns(UserWarning, match=f"never labelled cannot be learnt: {name}"):
        small_estimator(max_epochs=1, skeleton=poses.skeleton).fit(poses.images, y)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"model": "stacked_densnet"}, "Did you mean 'stacked_densenet'"),
        ({"batch_size": 0}, "batch_size"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"precision": "float8"}, "precision"),
        ({"targets": ConfidenceMaps(sigma=0.9, downsample_factor=2)}, "sigma=0.9 pixels is too"),
        ({"optimizer": "adamm"}, "adamm"),
        ({"callbacks": 3}, "callbacks"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        small_estimator(**params).fit(X, Y)


def test_skeleton_of_another_size(poses):
    with pytest.raises(ValueError, match="13 bodyparts, but y has 2"):
        small_estimator(skeleton=poses.skeleton).fit(X, Y)


def test_one_sample_cannot_be_split():
    with pytest.raises(ValueError, match="only 1 sample.*early_stopping=False"):
        small_estimator().fit(X[:1], Y[:1])


def test_one_group_cannot_be_split():
    with pytest.raises(ValueError, match="only 1 group"):
        small_estimator().fit(X, Y, groups=["a"] * 4)


@pytest.mark.slow
def test_one_sample_can_be_trained_on():
    estimator = small_estimator(early_stopping=False, max_epochs=1).fit(X[:1], Y[:1])
    assert estimator.predict(X[:1]).shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("validation_data", "match"),
    [
        (X, "tuple"),
        ((X[:, :16], Y), "must agree"),
        ((X, Y[:, :1]), "1 keypoints an image, but 2"),
        ((X, np.full_like(Y, np.nan)), "no labelled keypoint"),
    ],
)
def test_bad_validation_data(validation_data, match):
    with pytest.raises(ValueError, match=match):
        small_estimator().fit(X, Y, validation_data=validation_data)


def test_predict_before_fit():
    with pytest.raises(NotFittedError, match="This PoseEstimator instance is not fitted"):
        PoseEstimator().predict(X)


@pytest.mark.slow
def test_predict_on_another_number_of_channels(fitted):
    with pytest.raises(ValueError, match=r"3 channel\(s\), but this estimator was fitted on"):
        fitted.predict(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.slow
def test_warm_start_on_images_of_another_size():
    estimator = small_estimator(warm_start=True, max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="Training goes on from images of"):
        estimator.fit(X[:, :16], Y)
    with pytest.raises(ValueError, match="1 keypoints an image, but 2"):
        estimator.fit(X, Y[:, :1])


@pytest.mark.slow
def test_a_refused_fit_leaves_the_estimator_as_it_was(poses):
    estimator = small_estimator(max_epochs=1).fit(poses.images, poses.keypoints)
    before = estimator.predict(poses.images)
    with pytest.raises(ValueError, match="3 images, but there are 12"):
        estimator.fit(poses.images, poses.keypoints[:3])
    np.testing.assert_array_equal(estimator.predict(poses.images), before)


@pytest.mark.slow
def test_what_is_masked_is_not_labelled():
    y = np.ma.masked_array(Y, mask=np.zeros(Y.shape, dtype=bool))
    y[:, 1] = np.ma.masked
    with pytest.warns(UserWarning, match="never labelled cannot be learnt: 1"):
        small_estimator(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="X is a masked array.*filled"):
        small_estimator().fit(np.ma.masked_array(X), Y)
    with pytest.raises(ValueError, match="y must be keypoints, real numbers"):
        small_estimator().fit(X, Y.astype(complex))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "3"])
def test_batches_are_of_whole_numbers(fitted, poses, batch_size):
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
        fitted.predict(poses.images, batch_size=batch_size)
