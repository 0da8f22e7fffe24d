import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skpose.baseline import MeanPoseRegressor
from skpose.preprocessing import (
    ImageBatch,
    ImageCropper,
    ImageResizer,
    working_region,
    working_scale,
)

POINTS = np.array([[10.3, 12.6], [15.0, 14.2], [18.5, 19.1]])


@pytest.mark.parametrize(
    "resizer",
    [
        ImageResizer(scale=0.5),
        ImageResizer(scale=0.3),
        ImageResizer(scale=1.7),
        ImageResizer(image_size=(20, 48)),
        ImageResizer(image_size=(20, 48), keep_aspect=True),
        ImageResizer(image_size=(48, 20), keep_aspect=True),
        ImageResizer(scale=0.5, region=(4, 3, 28, 24)),
        ImageResizer(image_size=(20, 28), region=(4, 3, 28, 24)),
    ],
)
def test_pixels_move_as_keypoints_do(resizer, draw_blobs, find_blobs):
    batch = resizer.fit_transform(draw_blobs(POINTS))
    expected = batch.to_batch(POINTS[:, None])[:, 0]
    np.testing.assert_allclose(find_blobs(batch), expected, atol=0.05)
    np.testing.assert_allclose(batch.to_user(expected[:, None])[:, 0], POINTS, atol=1e-12)


def test_scale_gives_whole_pixels_that_the_image_fills():
    batch = ImageResizer(scale=0.3).transform(np.zeros((1, 32, 41, 1), np.uint8))
    assert batch.shape == (1, 10, 12, 1)  # 9.6 x 12.3
    corners = np.array([[[-0.5, -0.5], [40.5, 31.5]]])
    np.testing.assert_allclose(batch.to_batch(corners), [[[-0.5, -0.5], [11.5, 9.5]]])


def test_halving_follows_the_formula():
    batch = ImageResizer(scale=0.5).transform(np.zeros((1, 32, 32, 1), np.uint8))
    np.testing.assert_allclose(batch.to_batch([[[7.0, 3.0]]]), [[[3.25, 1.25]]])


def test_a_side_keeps_one_pixel():
    batch = ImageResizer(scale=0.01).transform(np.full((1, 32, 32, 1), 9, np.uint8))
    assert np.asarray(batch).tolist() == [[[[9]]]]


def test_keep_aspect_pads_bottom_or_right():
    X = np.full((1, 8, 16, 1), 200, np.uint8)
    wide = np.asarray(
        ImageResizer(image_size=(8, 8), keep_aspect=True, border_value=3).transform(X)
    )
    assert (wide[0, :4] == 200).all()
    assert (wide[0, 4:] == 3).all()
    tall = np.asarray(ImageResizer(image_size=(8, 24), keep_aspect=True).transform(X))
    assert (tall[0, :, :16] == 200).all()
    assert (tall[0, :, 16:] == 0).all()


def test_enlarged_and_then_halved_is_the_image_but_for_bilinear_blur(draw_blobs):
    X = draw_blobs(POINTS)
    large = np.asarray(ImageResizer(scale=2).transform(X))
    small = np.asarray(ImageResizer(scale=0.5).transform(large))
    # Each pixel is the mean of four, each between 3/4 of itself and 1/4 of a neighbour a side.
    expected = X.astype(float)
    for axis in (1, 2):
        beside = np.roll(expected, 1, axis) + np.roll(expected, -1, axis)
        expected = 0.75 * expected + 0.125 * beside
    np.testing.assert_allclose(small, expected, atol=1.5)


def test_resized_and_resized_back_is_the_source(draw_blobs):
    X = draw_blobs(POINTS)
    batch = ImageResizer(image_size=(32, 32)).transform(ImageResizer(scale=0.25).transform(X))
    assert np.asarray(batch) is X


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.4])
def test_crop_of_resized_is_as_in_two_passes(scale, noise):
    # One affine matrix, and the pixels of a crop cut from the resized images.
    resized = ImageResizer(scale=scale).transform(np.tile(noise, (1, 2, 2, 1)))
    cropped = ImageCropper(box_size=4).transform(resized, centers=np.full((5, 2), 10))
    corner = -cropped.warped(np.eye(2, 3), (4, 4)).matrices[0, :, 2] + resized.matrices[0, :, 2]
    left, top = np.rint(corner).astype(int)
    np.testing.assert_allclose(corner, [left, top], atol=1e-9)
    np.testing.assert_array_equal(
        np.asarray(cropped), np.asarray(resized)[:, top : top + 4, left : left + 4]
    )


def test_resized_crop_is_as_in_two_passes(noise):
    cropped = ImageCropper(box_size=8).transform(noise, centers=np.full((5, 2), 6))
    resized = ImageResizer(scale=0.5).transform(cropped)
    in_two = ImageResizer(scale=0.5).transform(np.asarray(cropped))
    np.testing.assert_array_equal(np.asarray(resized), np.asarray(in_two))


def test_pending_augmenters_are_kept(noise):
    batch = ImageBatch(noise).with_augmenter("mirror")
    assert ImageResizer(scale=0.5).fit_transform(batch).augmenters == ("mirror",)


def test_predictions_come_back_in_pixels_of_the_user(noise):
    y = np.random.default_rng(0).uniform(0, 12, (5, 3, 2))
    pipeline = make_pipeline(ImageResizer(scale=0.5), MeanPoseRegressor()).fit(noise, y)
    np.testing.assert_allclose(pipeline.predict(noise), np.tile(y.mean(axis=0), (5, 1, 1)))


def test_can_be_searched(noise):
    y = np.random.default_rng(0).uniform(0, 12, (5, 3, 2))
    pipeline = make_pipeline(ImageResizer(scale=0.5), MeanPoseRegressor())
    search = GridSearchCV(pipeline, {"imageresizer__scale": [0.5, 0.25]}, cv=2).fit(noise, y)
    np.testing.assert_allclose(*search.cv_results_["mean_test_score"])


def test_output_containers_are_ignored(noise):
    pipeline = make_pipeline(ImageResizer(scale=0.5)).set_output(transform="pandas")
    assert isinstance(pipeline.fit_transform(noise), ImageBatch)
    with config_context(transform_output="pandas"):
        assert isinstance(ImageResizer(scale=0.5).fit_transform(noise), ImageBatch)


def test_diagram_and_clone():
    pipeline = make_pipeline(ImageResizer(scale=0.5), ImageCropper(box_size=4))
    assert "ImageResizer" in pipeline._repr_html_()
    assert clone(pipeline)[0].get_params() == pipeline[0].get_params()


@pytest.mark.parametrize("arguments", [{}, {"scale": 0.5, "image_size": (4, 4)}])
def test_exactly_one_of_scale_and_size(arguments, noise):
    with pytest.raises(ValueError, match="either `scale` or `image_size`"):
        ImageResizer(**arguments).fit(noise)
    with pytest.raises(ValueError, match="either `scale` or `image_size`"):
        ImageResizer(**arguments).transform(noise)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale"),
        ({"image_size": (0, 4)}, "whole pixels"),
        ({"image_size": (4, 4, 3)}, "whole pixels"),
        ({"image_size": (4.5, 4)}, "whole pixels"),
        ({"scale": 0.5, "border_value": 256}, "border_value"),
    ],
)
def test_bad_parameters_are_refused(arguments, message, noise):
    with pytest.raises(ValueError, match=message):
        ImageResizer(**arguments).fit(noise)


def pose(length, n_keypoints=5):
    """Return poses along a line, `length` pixels long, and images of 480 x 640."""
    along = np.linspace(50, 50 + length, n_keypoints)
    keypoints = np.stack([along, np.full(n_keypoints, 100.0)], axis=1)
    return np.tile(keypoints, (6, 1, 1)), np.zeros((6, 480, 640, 1), np.uint8)


@pytest.mark.parametrize(("length", "scale"), [(400, 0.2), (160, 0.25), (80, 0.5), (50, 1), (9, 1)])
def test_auto_keeps_the_animal_large_enough(length, scale):
    y, X = pose(length)
    resizer = ImageResizer(scale="auto").fit(X, y)
    assert resizer.scale_ == working_scale(y, (480, 640)) == scale
    batch = resizer.transform(X)
    assert batch.image_size == (480 * scale, 640 * scale)
    assert np.ptp(batch.to_batch(y)[0, :, 0]) >= min(length, 39.9)
    np.testing.assert_allclose(batch.to_user(batch.to_batch(y)), y)


def test_auto_keeps_neighbours_apart():
    y, X = pose(400, n_keypoints=41)
    assert ImageResizer(scale="auto").fit(X, y).scale_ == 0.5
    y[:, 1::2] = np.nan  # every other one is not labelled
    assert ImageResizer(scale="auto").fit(X, y).scale_ == 0.25
    y[:, 1::2] = y[:, ::2][:, :-1]  # in one place with another one
    assert ImageResizer(scale="auto").fit(X, y).scale_ == 0.25


def test_region_is_that_part_of_the_image(noise):
    x, y, width, height = region = (3, 2, 8, 6)
    part = noise[:, y : y + height, x : x + width]
    cut = ImageResizer(scale=1, region=region).fit_transform(noise)
    np.testing.assert_array_equal(np.asarray(cut), part)
    halved = ImageResizer(scale=0.5, region=region).fit_transform(noise)
    expected = ImageResizer(scale=0.5).fit_transform(part)
    np.testing.assert_array_equal(np.asarray(halved), np.asarray(expected))
    points = np.array([[[1.0, 2.0]]] * len(noise))
    moved = expected.to_user(points) + [x, y]
    np.testing.assert_allclose(halved.to_user(points), moved, atol=1e-12)


def test_auto_reads_the_labels_of_the_region_alone():
    y = np.array([[[10.0, 10.0], [90.0, 10.0], [300.0, 400.0]]])
    X = np.zeros((1, 480, 640, 1), np.uint8)
    resizer = ImageResizer(scale="auto", region=(0, 0, 200, 240)).fit(X, y)
    assert resizer.scale_ == working_scale(y[:, :2], (240, 200))
    assert resizer.transform(X).image_size == (120, 100)


def test_a_region_holds_the_labels_and_half_an_animal_around():
    y = np.array([[[300.0, 200.0], [340.0, 200.0]], [[400.0, 250.5], [400.0, 240.0]]])
    y = np.concatenate([y, [[[np.nan, np.nan]] * 2]])
    assert working_region(y, (480, 640)) == (280, 180, 141, 92)
    assert working_region(y, (260, 410)) == (280, 180, 130, 80)  # it ends with the image
    assert working_region(y - 300, (480, 640)) == (0, 0, 121, 1)
    assert working_region(y[:, :1], (480, 640)) == (300, 200, 101, 52)  # a length is not known
    assert working_region(y[2:], (480, 640)) is None
    assert working_region(y - [280, 180], (100, 150)) is None  # it would save little
    assert working_region(y, (480, 640)) == working_region(y[:2], (480, 640))


def test_auto_cuts_the_region_of_the_labels_out(noise):
    height, width = noise.shape[1:3]
    y = np.array([[[3.0, 2.0], [5.0, 4.0]]] * len(noise))
    resizer = ImageResizer(scale=1, region="auto")
    with pytest.raises(ValueError, match=r'region="auto"\) needs labels'):
        resizer.fit(noise)
    with pytest.raises(NotFittedError, match="learns its region"):
        resizer.transform(noise)
    cut = resizer.fit_transform(noise, y)
    assert resizer.region_ == (2, 1, 5, 5)
    np.testing.assert_array_equal(np.asarray(cut), noise[:, 1:6, 2:7])
    far = np.array([[[0.0, 0.0], [width - 1, height - 1]]] * len(noise))
    assert resizer.fit(noise, far).region_ is None
    assert resizer.transform(noise).image_size == (height, width)
    shifted = ImageBatch(noise).warped([[1, 0, -1], [0, 1, 0]], (height, width - 1))
    assert clone(resizer).fit(shifted, y).region_ == (1, 1, 5, 5)  # in pixels of the batch
    scaled = ImageResizer(scale="auto", region="auto").fit(noise, y)
    assert scaled.scale_ == working_scale(y, (5, 5))


def test_resizers_of_older_files_know_their_region(noise):
    resizer = ImageResizer(scale=1, region=(1, 2, 5, 4)).fit(noise)
    state = resizer.__getstate__()
    del state["region_"]
    older = ImageResizer()
    older.__setstate__(state)
    assert older.region_ == (1, 2, 5, 4)
    np.testing.assert_array_equal(np.asarray(older.transform(noise)), resizer.transform(noise))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"region": "all"}, "region"),
        ({"region": (0, 0, 99, 2)}, "reaches beyond the images"),
        ({"region": (0, 0, 2)}, r"\(x, y, width, height\)"),
        ({"region": (0, 0, 2, 2), "keep_aspect": True}, "pads no region"),
    ],
)
def test_bad_regions_are_refused(arguments, message, noise):
    resizer = ImageResizer(image_size=(4, 4), **arguments)
    with pytest.raises(ValueError, match=message):
        resizer.fit(noise)
    with pytest.raises(ValueError, match=message):
        resizer.transform(noise)


def test_auto_keeps_small_images_and_unknown_animals():
    y, X = pose(100)
    assert working_scale(y, (100, 640)) == 1
    assert working_scale(y, (192, 640)) == 0.5
    assert working_scale(y[:, :1], (480, 640)) == 1
    assert working_scale(np.full((3, 4, 2), np.nan), (480, 640)) == 1
    assert working_scale(np.full((3, 4, 2), 7.0), (480, 640)) == 1


def test_auto_reads_labels_of_the_users_images():
    y, X = pose(160)
    half = ImageResizer(scale=0.5).transform(X)
    resizer = ImageResizer(scale="auto").fit(half, y)
    assert resizer.scale_ == 0.5
    np.testing.assert_allclose(resizer.transform(half).to_user([[[0, 0]]] * 6)[0, 0], [1.5, 1.5])


def test_auto_needs_labels():
    y, X = pose(160)
    with pytest.raises(ValueError, match=r"needs labels: fit\(X, y\)"):
        ImageResizer(scale="auto").fit(X)
    with pytest.raises(NotFittedError, match=r"call fit\(X, y\)"):
        ImageResizer(scale="auto").transform(X)
    with pytest.raises(ValueError, match="either `scale` or `image_size`"):
        ImageResizer(scale="auto", image_size=(8, 8)).fit(X, y)
    resizer = ImageResizer(scale="auto").fit(X, y)
    assert not hasattr(clone(resizer), "scale_")


def test_auto_learns_in_a_pipeline_and_in_each_fold():
    y, X = pose(160)
    pipeline = make_pipeline(ImageResizer(scale="auto"), MeanPoseRegressor()).fit(X, y)
    assert pipeline[0].scale_ == 0.25
    np.testing.assert_allclose(pipeline.predict(X), y)
