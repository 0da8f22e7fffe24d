import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from skpose.baseline import MeanPoseRegressor
from skpose.metrics import neg_mean_keypoint_error_scorer
from skpose.preprocessing import ImageBatch, ImageCropper, bounding_box_centers, crop_size

CENTERS = np.array([[8.0, 6.0], [5.0, 6.0], [10.0, 5.0], [7.0, 7.0], [9.0, 4.0]])


@pytest.mark.parametrize("box_size", [4, 5, (3, 6), [6, 3]])
def test_crops_are_slices(noise, box_size):
    height, width = (box_size, box_size) if isinstance(box_size, int) else box_size
    batch = ImageCropper(box_size=box_size).transform(noise, centers=CENTERS)
    for crop, image, (x, y) in zip(np.asarray(batch), noise, CENTERS.astype(int), strict=True):
        top, left = y - (height - 1) // 2, x - (width - 1) // 2
        np.testing.assert_array_equal(crop, image[top : top + height, left : left + width])


@pytest.mark.parametrize("box_size", [6, 7])
def test_center_comes_to_the_middle_of_the_box(noise, box_size):
    centers = CENTERS + np.random.default_rng(0).uniform(-1, 1, (5, 2))
    batch = ImageCropper(box_size=box_size).transform(noise, centers=centers)
    off = batch.to_batch(centers[:, None]) - (box_size - 1) / 2
    assert np.abs(off).max() <= 0.5
    np.testing.assert_array_equal(batch.matrices[:, :, 2], np.rint(batch.matrices[:, :, 2]))


def test_pixels_move_as_keypoints_do(draw_blobs, find_blobs):
    points = np.array([[10.3, 12.6], [20.5, 15.1]])
    batch = ImageCropper(box_size=(20, 22)).transform(draw_blobs(points), centers=points)
    expected = batch.to_batch(points[:, None])[:, 0]
    np.testing.assert_allclose(find_blobs(batch), expected, atol=0.05)


@pytest.mark.parametrize(("border", "mode"), [("replicate", "edge"), ("reflect", "reflect")])
def test_borders(noise, border, mode):
    cropper = ImageCropper(box_size=8, border=border)
    padded = np.pad(noise, ((0, 0), (3, 3), (3, 3), (0, 0)), mode=mode)
    batch = cropper.transform(noise, centers=np.zeros((5, 2)))
    np.testing.assert_array_equal(np.asarray(batch), padded[:, :8, :8])


def test_constant_border(noise):
    batch = ImageCropper(box_size=4, border_value=9).transform(noise, centers=np.zeros((5, 2)))
    assert (np.asarray(batch)[:, 0] == 9).all()
    np.testing.assert_array_equal(np.asarray(batch)[:, 1:, 1:], noise[:, :3, :3])


def test_training_crops_around_keypoints(noise):
    y = CENTERS[:, None] + np.array([[-2, -1], [2, 1], [1, 0]])
    y[0, 2] = np.nan
    batch = ImageCropper(box_size=5).fit_transform(noise, y)
    expected = ImageCropper(box_size=5).transform(noise, centers=CENTERS)
    np.testing.assert_array_equal(batch.matrices, expected.matrices)


def test_given_centers_win_over_keypoints(noise):
    y = CENTERS[:, None]
    batch = ImageCropper(box_size=5).fit_transform(noise, y, centers=CENTERS + 2)
    expected = ImageCropper(box_size=5).transform(noise, centers=CENTERS + 2)
    np.testing.assert_array_equal(batch.matrices, expected.matrices)


def test_lost_keypoints_warn(noise):
    y = CENTERS[:, None] + np.array([[-4, 0], [4, 0]])
    y[1] = np.nan
    y[1, 0] = CENTERS[1]
    with pytest.warns(UserWarning, match="8 of 9 labelled keypoints lie outside") as caught:
        ImageCropper(box_size=5).fit_transform(noise, y)
    assert caught[0].filename == __file__


def test_centers_are_in_pixels_of_the_user(noise):
    # Whatever the frame of the images that come in.
    twice = ImageBatch(noise).warped([[2, 0, 0.5], [0, 2, 0.5]], (24, 32))
    batch = ImageCropper(box_size=5).transform(twice, centers=CENTERS)
    assert np.abs(batch.to_batch(CENTERS[:, None]) - 2).max() <= 0.5


def test_pending_augmenters_and_slices(noise):
    batch = ImageCropper(box_size=4).transform(
        ImageBatch(noise).with_augmenter("mirror"), centers=CENTERS
    )
    assert batch.augmenters == ("mirror",)
    np.testing.assert_array_equal(np.asarray(batch[[3]]), np.asarray(batch)[[3]])


def test_prediction_needs_centers(noise):
    pipeline = make_pipeline(ImageCropper(box_size=5), MeanPoseRegressor())
    pipeline.fit(noise, CENTERS[:, None])
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        pipeline.predict(noise)


def test_centers_pass_through_a_pipeline(noise):
    # Poses of one form: after the crop, the mean pose is each one's own but for whole pixels.
    y = CENTERS[:, None] + np.array([[-1.0, -1], [1, 1]])
    pipeline = make_pipeline(ImageCropper(box_size=5), MeanPoseRegressor())
    with config_context(enable_metadata_routing=True):
        np.testing.assert_allclose(pipeline.fit(noise, y).predict(noise, centers=CENTERS), y)
        np.testing.assert_allclose(
            pipeline.fit(noise, y, centers=CENTERS).predict(noise, centers=CENTERS), y
        )
        score = pipeline.score(noise, y, centers=CENTERS)
    assert score == pytest.approx(0, abs=1e-12)


def test_a_cropped_batch_stands_in_for_images(noise):
    y = CENTERS[:, None] + np.array([[-1.0, -1], [1, 1]])
    batch = ImageCropper(box_size=5).transform(noise, centers=CENTERS)
    np.testing.assert_allclose(cross_val_predict(MeanPoseRegressor(), batch, y, cv=2), y)
    scoring = neg_mean_keypoint_error_scorer
    scores = cross_val_score(MeanPoseRegressor(), batch, y, cv=2, scoring=scoring)
    np.testing.assert_allclose(scores, 0, atol=1e-12)


@pytest.mark.parametrize("center", [(-3, 5), (18.6, 5), (5, -2.9), (5, 14.9), (200, 200)])
def test_boxes_outside_are_refused(noise, center):
    centers = CENTERS.copy()
    centers[[1, 3]] = center
    with pytest.raises(ValueError, match=r"2 of 5 boxes of 5 x 5 .* outside .*\(at 1, 3\)"):
        ImageCropper(box_size=5).transform(noise, centers=centers)
    batch = ImageCropper(box_size=5, outside="pad", border_value=7).transform(
        noise, centers=centers
    )
    assert (np.asarray(batch)[[1, 3]] == 7).all()


@pytest.mark.parametrize("center", [(-2, 5), (17, 5), (5, -2), (5, 13)])
def test_boxes_that_touch_the_image_are_not(noise, center):
    ImageCropper(box_size=5).transform(noise, centers=[center] * 5)


@pytest.mark.parametrize(
    ("centers", "message"),
    [
        (CENTERS[:3], r"must have shape \(5, 2\)"),
        (np.where(np.arange(5)[:, None] == 2, np.nan, CENTERS), "1 of 5 images are not known"),
    ],
)
def test_bad_centers_are_refused(noise, centers, message):
    with pytest.raises(ValueError, match=message):
        ImageCropper(box_size=5).transform(noise, centers=centers)


def test_samples_without_keypoints_are_refused(noise):
    y = CENTERS[:, None].copy()
    y[4] = np.nan
    with pytest.raises(ValueError, match=r"NaN, at 4"):
        ImageCropper(box_size=5).fit_transform(noise, y)


@pytest.mark.parametrize(
    "arguments", [{"box_size": 0}, {"box_size": (4, -1)}, {"box_size": 4, "border": "wrap"}]
)
def test_bad_parameters_are_refused(noise, arguments):
    with pytest.raises(ValueError, match="box_size|border"):
        ImageCropper(**arguments).fit(noise)


def test_images_are_checked():
    with pytest.raises(ValueError, match="4 axes"):
        ImageCropper(box_size=4).fit(np.zeros((5, 4, 4), np.uint8))


def test_bounding_box_centers_ignore_what_is_not_labelled():
    nan = np.nan
    keypoints = [[[0, 0], [4, 2], [nan, nan]], [[1, 2], [nan, 9], [3, 2]], [[nan, nan]] * 3]
    np.testing.assert_array_equal(bounding_box_centers(keypoints), [[2, 1], [2, 2], [nan, nan]])


def test_crops_hold_the_animal_wherever_it_points():
    y = np.array([[[0.0, 0.0], [30.0, 90.0]], [[np.nan, 5.0], [7.0, 8.0]]])
    assert crop_size(y) == 128  # 90 and a quarter
    assert crop_size(y, margin=0) == 96
    assert crop_size(y, margin=0.5) == 160
    assert crop_size(y[1:]) == 32
    with pytest.raises(ValueError, match="margin must be 0 or more"):
        crop_size(y, margin=-0.1)
