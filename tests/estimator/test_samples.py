import warnings

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest

from skpose.estimator._samples import check_training_samples, check_validation_samples
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.targets._drawing import ABSENT

X = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 24, 1), np.uint8)
Y = np.random.default_rng(0).uniform(0, 15, (4, 2, 2))
# Half as wide and a quarter as high, so that a pixel has the area of 8, and moved.
SHRINK = np.array([[0.5, 0, 1], [0, 0.25, 2]])


@pytest.fixture
def batch():
    return ImageBatch(X).warped(SHRINK, (8, 13))


def test_keypoints_are_moved_into_the_pixels_of_the_network(batch):
    expected = Y * [0.5, 0.25] + [1, 2]
    samples = check_training_samples(batch, Y)
    assert_allclose(samples.keypoints, expected)
    assert_allclose(check_validation_samples((batch, Y), samples).keypoints, expected)


def test_pixel_size_is_the_side_of_a_square_of_a_pixels_area(batch):
    assert check_training_samples(batch, Y).pixel_size == pytest.approx(8**0.5)
    assert check_training_samples(X, Y).pixel_size == 1
    matrices = np.array([[1, 0.5, 0.25, 0.125]]).T[..., None] * np.eye(2, 3)
    several = ImageBatch(X).warped(matrices, (16, 24))
    assert check_training_samples(several, Y).pixel_size == pytest.approx((1 + 2 + 4 + 8) / 4)


def test_samples_are_taken_with_their_keypoints_and_weights():
    samples = check_training_samples(X, Y, [10, 20, 30, 40]).take([3, 1])
    assert np.asarray(samples.images)[:, 0, 0, 0].tolist() == [3, 1]
    assert_array_equal(samples.keypoints, Y[[3, 1]])
    assert samples.weight.tolist() == [40, 20]
    assert check_training_samples(X, Y).take([3, 1]).weight is None


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="sample_weight"):
        check_training_samples(X, Y, [1, 1, -1, 1])


def test_bodyparts_that_are_labelled_in_one_image_are_not_warned_of():
    y = np.full_like(Y, np.nan)
    y[2] = Y[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = check_training_samples(X, y)
    assert_array_equal(samples.keypoints, y)


def test_far_outside_is_judged_in_the_pixels_of_the_network():
    # The keypoints lie inside the images, but far outside of the part of them that is cropped.
    crop = ImageBatch(np.zeros((4, 200, 200, 1), np.uint8)).warped(np.eye(2, 3), (8, 8))
    with pytest.warns(UserWarning, match="8 keypoints of y lie far outside"):
        check_training_samples(crop, np.full_like(Y, 150.0))
    shifted = ImageBatch(X).warped([[1, 0, -500], [0, 1, 0]], (16, 24))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_training_samples(shifted, Y + [500, 0])


def test_images_that_are_larger_than_need_be_are_told_with_the_way_out():
    large, y = np.zeros((4, 400, 600, 1), np.uint8), np.array([[[100, 200], [300, 200]]] * 4)
    with pytest.warns(UserWarning, match="about 16 times as long as at a scale of 0.25") as record:
        check_training_samples(large, y)
    assert 'ImageResizer(scale="auto")' in str(record[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_training_samples(ImageResizer(scale="auto").fit_transform(large, y), y)
        check_training_samples(large, y, n_channels=1, n_keypoints=2)  # goes on with what it has


def test_visibility_is_checked_and_sliced_with_the_samples():
    X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    y = np.array([[[1.0, 1], [2, 2]], [[3, 3], [np.nan] * 2], [[np.nan] * 2, [4, 4]]])
    visibility = [[2, 1], [2, -1], [0, 2]]
    samples = check_training_samples(X, y, visibility=visibility)
    assert samples.take([2, 0]).visibility.tolist() == [[0, 2], [2, 1]]
    assert check_training_samples(X, y).take([0]).visibility is None


def test_what_is_learnt_of_hidden_and_absent_bodyparts():
    X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    y = np.array([[[1.0, 1], [2, 2]], [[np.nan] * 2, [np.nan] * 2]])
    visibility, nowhere = [[2, 1], [0, -1]], [np.nan] * 2
    learnt = check_training_samples(X, y, visibility=visibility).keypoints
    np.testing.assert_array_equal(learnt, [[[1, 1], [2, 2]], [nowhere, [ABSENT] * 2]])
    options = {"visibility": visibility, "absent": "ignore"}
    learnt = check_training_samples(X, y, **options).keypoints
    np.testing.assert_array_equal(learnt, y)
    with pytest.warns(UserWarning, match="cannot be learnt: ear"):
        learnt = check_training_samples(
            X, y, **options, occluded="ignore", names=["nose", "ear"]
        ).keypoints
    np.testing.assert_array_equal(learnt, [[[1, 1], nowhere], [nowhere, nowhere]])
    hidden = [[1, 1], [0, -1]]
    with pytest.raises(ValueError, match="or occluded, which"):
        check_training_samples(X, y, visibility=hidden, occluded="ignore")
    np.testing.assert_array_equal(check_training_samples(X, y).keypoints, y)


@pytest.mark.parametrize(
    ("visibility", "message"),
    [
        ([[2, 2]], r"for each of \(2, 2\) keypoints, but has the shape \(1, 2\)"),
        ([[2, 3], [2, 0]], "values such as"),
        ([[2, 0.5], [2, 0]], "values such as"),
        ([[2, 0], [2, 2]], "contradicts y for 2 keypoints"),
        ([[2, 2], [-1, 0]], "contradicts y for 1 keypoints"),
    ],
)
def test_visibility_that_does_not_fit_is_refused(visibility, message):
    X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    y = np.array([[[1.0, 1], [2, 2]], [[3, 3], [np.nan] * 2]])
    with pytest.raises(ValueError, match=message):
        check_training_samples(X, y, visibility=visibility)
