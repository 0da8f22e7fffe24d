import copy
import pickle

import h5py
import joblib
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing

from skpose.baseline import MeanPoseRegressor
from skpose.preprocessing import ImageBatch, ImageResizer

TURN = np.array([[0.8, -0.6, 3.0], [0.6, 0.8, -2.0]])


class LazyNoise:
    """Images on demand that keep count of what was read."""

    def __init__(self, images):
        self.images = images
        self.shape, self.dtype = images.shape, images.dtype
        self.read = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        assert isinstance(key, np.ndarray)
        assert key.dtype.kind == "i"
        self.read += key.tolist()
        return self.images[key]


@pytest.fixture
def turned(noise):
    """A batch with another matrix for each image."""
    matrices = np.tile(TURN, (5, 1, 1))
    matrices[:, 0, 2] += np.arange(5)
    return ImageBatch(noise).warped(matrices, (10, 14))


def test_untouched_images_are_not_copied(noise):
    assert np.asarray(ImageBatch(noise)) is noise
    assert not np.shares_memory(np.array(ImageBatch(noise)), noise)


def test_looks_like_an_array(turned):
    assert turned.shape == np.asarray(turned).shape == (5, 10, 14, 3)
    assert turned.dtype == np.asarray(turned).dtype == np.uint8
    assert turned.ndim == 4
    assert len(turned) == 5
    assert turned.image_size == (10, 14)
    assert np.asarray(turned, dtype=np.float32).dtype == np.float32


def test_no_copy_is_refused_where_pixels_are_computed(turned, noise):
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(turned, copy=False)
    assert np.asarray(ImageBatch(noise), copy=False) is noise


def test_wrap_keeps_a_batch(turned, noise):
    assert ImageBatch.wrap(turned) is turned
    assert ImageBatch.wrap(noise).source is noise


@pytest.mark.parametrize(
    "key",
    [
        slice(1, 4),
        slice(None, None, -2),
        [3, 0, 0],
        np.array([-1, 2]),
        np.array([True, False, True, True, False]),
        [],
    ],
)
def test_selected_images_keep_their_frames(turned, key):
    rows = np.arange(5)[key]
    selected = turned[key]
    assert isinstance(selected, ImageBatch)
    np.testing.assert_array_equal(np.asarray(selected), np.asarray(turned)[rows])
    keypoints = np.random.default_rng(1).normal(size=(5, 4, 2))
    np.testing.assert_array_equal(
        selected.to_batch(keypoints[rows]), turned.to_batch(keypoints)[rows]
    )


@pytest.mark.parametrize("i", [0, 3, -1, np.int64(2)])
def test_one_image_is_an_array(turned, i):
    assert isinstance(turned[i], np.ndarray)
    np.testing.assert_array_equal(turned[i], np.asarray(turned)[i])


def test_iterates_over_images(turned):
    np.testing.assert_array_equal(np.stack(list(turned)), np.asarray(turned))


def test_tuples_index_pixels(turned):
    pixels = np.asarray(turned)
    assert isinstance(turned[[0, 2], ...], ImageBatch)
    assert isinstance(turned[...], ImageBatch)
    np.testing.assert_array_equal(turned[1:3, :, 2], pixels[1:3, :, 2])
    np.testing.assert_array_equal(turned[..., 0], pixels[..., 0])
    np.testing.assert_array_equal(turned[-1, ..., 0], pixels[-1, ..., 0])


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (5, "index 5 is out of bounds"),
        ([0, -6], "index -6 is out of bounds"),
        ([True, False], "size of axis is 5 but size of corresponding boolean axis is 2"),
        ("a", "only integers, slices"),
        ([0.5], "only integers, slices"),
        ([[0, 1]], "selected with an integer, a slice or a 1-D array"),
    ],
)
def test_bad_index_is_refused(turned, key, match):
    with pytest.raises(IndexError, match=match):
        turned[key]


def test_frames_compose_into_one_interpolation(noise):
    second = np.array([[1.2, 0.1, -2.0], [0.0, 0.9, 1.0]])
    steps = ImageBatch(noise).warped(TURN, (20, 20)).warped(second, (9, 11))
    linear = second[:, :2] @ TURN[:, :2]
    once = np.column_stack([linear, second[:, :2] @ TURN[:, 2] + second[:, 2]])
    np.testing.assert_allclose(steps.matrices, np.tile(once, (5, 1, 1)))
    np.testing.assert_array_equal(np.asarray(steps), np.asarray(ImageBatch(noise, once, (9, 11))))


def test_there_and_back_is_the_source(noise):
    there = ImageBatch(noise).warped([[0.25, 0, 0], [0, 0.25, 0]], (3, 4))
    back = there.warped([[4, 0, 0], [0, 4, 0]], (12, 16))
    assert np.asarray(back) is noise


def test_whole_shifts_copy_pixels(noise):
    batch = ImageBatch(noise).warped([[1, 0, -3], [0, 1, -2]], (5, 6))
    np.testing.assert_array_equal(np.asarray(batch), noise[:, 2:7, 3:9])


def test_keypoints_find_their_way_back(turned):
    keypoints = np.random.default_rng(0).uniform(-50, 50, (5, 3, 2))
    keypoints[2, 1] = np.nan
    moved = turned.to_batch(keypoints)
    np.testing.assert_allclose(turned.to_user(moved), keypoints, atol=1e-12)
    np.testing.assert_allclose(
        moved[1, 0], TURN[:, :2] @ keypoints[1, 0] + TURN[:, 2] + [1, 0], atol=1e-12
    )


@pytest.mark.parametrize("shape", [(4, 3, 2), (5, 2), (5, 3, 3)])
def test_keypoints_of_another_shape_are_refused(turned, shape):
    with pytest.raises(ValueError, match=r"shape \(5, n_keypoints, 2\)"):
        turned.to_user(np.zeros(shape))


def test_works_with_splitters(turned):
    picked = _safe_indexing(turned, np.array([0, 2]))
    assert isinstance(picked, ImageBatch)
    np.testing.assert_array_equal(np.asarray(picked), np.asarray(turned)[[0, 2]])
    train, test, indices, _ = train_test_split(turned, np.arange(5), test_size=2, random_state=0)
    assert (len(train), len(test)) == (3, 2)
    np.testing.assert_array_equal(train.matrices, turned.matrices[indices])
    for splitter, groups in ((KFold(5), None), (GroupKFold(2), [0, 0, 1, 1, 2])):
        for rows, _ in splitter.split(turned, groups=groups):
            np.testing.assert_array_equal(
                _safe_indexing(turned, rows).matrices, turned.matrices[rows]
            )


@pytest.mark.parametrize(
    "revive", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_revived_batch_is_the_same(turned, revive):
    batch = turned.with_augmenter("mirror")
    revived = revive(batch)
    np.testing.assert_array_equal(np.asarray(revived), np.asarray(batch))
    np.testing.assert_array_equal(revived.matrices, batch.matrices)
    assert revived.augmenters == ("mirror",)
    assert joblib.hash(revived) == joblib.hash(batch)


def test_selected_rows_are_pickled_alone(noise):
    large = np.tile(noise, (200, 1, 1, 1))
    batch = ImageBatch(large).warped(TURN, (6, 6))[[3, 999]]
    assert len(pickle.dumps(batch)) < 4 * noise[0].nbytes
    revived = pickle.loads(pickle.dumps(batch))
    np.testing.assert_array_equal(np.asarray(revived), np.asarray(batch))
    np.testing.assert_array_equal(np.asarray(revived[[1]]), np.asarray(batch)[[1]])


def test_hash_tells_frames_and_augmenters_apart(noise):
    batch = ImageBatch(noise)
    others = [
        batch,
        batch.warped(TURN, (12, 16)),
        batch.warped(TURN, (12, 15)),
        batch.warped(TURN, (12, 16), border="reflect"),
        batch.warped(TURN, (12, 16), border_value=1),
        batch.with_augmenter("mirror"),
        batch.with_augmenter("turn"),
        batch[1:],
        batch[:-1],
        batch.with_pixels(255 - noise),
    ]
    assert len({joblib.hash(other) for other in others}) == len(others)


def test_augmenters_are_kept_in_order(turned):
    batch = turned.with_augmenter("mirror").with_augmenter("turn")
    assert batch[[0]].augmenters == ("mirror", "turn")
    assert batch.warped(TURN, (4, 4)).augmenters == ("mirror", "turn")
    assert batch.without_augmenters().augmenters == turned.augmenters == ()


def test_memory_of_a_pipeline(noise, tmp_path):
    y = np.random.default_rng(0).uniform(0, 12, (5, 3, 2))
    pipeline = make_pipeline(ImageResizer(scale=0.5), MeanPoseRegressor(), memory=str(tmp_path))
    first = pipeline.fit(noise, y).predict(noise)
    np.testing.assert_array_equal(pipeline.fit(noise, y).predict(noise), first)
    np.testing.assert_allclose(first[0], y.mean(axis=0))
    again = pipeline.set_params(imageresizer__scale=0.25).fit(noise, y)
    assert again[0].transform(noise).shape == (5, 3, 4, 3)
    np.testing.assert_allclose(again.predict(noise), first)


def test_lazy_images_are_read_when_needed_only(noise):
    lazy = LazyNoise(noise)
    batch = ImageBatch(lazy).warped(TURN, (6, 6))[1:][[2, 0, 2, 3]]
    assert lazy.read == []
    expected = np.asarray(ImageBatch(noise).warped(TURN, (6, 6)))[[3, 1, 3, 4]]
    np.testing.assert_array_equal(np.asarray(batch), expected)
    assert lazy.read == [1, 3, 4]  # each once, in order
    np.testing.assert_array_equal(batch[1], expected[1])
    assert lazy.read == [1, 3, 4, 1]


def test_lazy_images_stay_aligned_with_source(noise):
    batch = ImageBatch(LazyNoise(noise))[[4, 1]]
    assert batch.source.shape == batch.shape
    assert len(batch.source) == 2
    np.testing.assert_array_equal(batch.source[np.array([1, 0])], noise[[1, 4]])
    np.testing.assert_array_equal(batch.source[0], noise[4])
    np.testing.assert_array_equal(np.asarray(batch.source), noise[[4, 1]])


def test_hdf5_datasets_and_memmaps(noise, tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        batch = ImageBatch(file.create_dataset("images", data=noise))
        np.testing.assert_array_equal(np.asarray(batch), noise)
        np.testing.assert_array_equal(np.asarray(batch[[3, 0, 3]]), noise[[3, 0, 3]])
        assert np.asarray(batch[:0]).shape == (0, 12, 16, 3)
    mapped = np.memmap(tmp_path / "images.dat", np.uint8, "w+", shape=noise.shape)
    mapped[:] = noise
    batch = ImageBatch(mapped)
    assert np.shares_memory(np.asarray(batch), mapped)
    np.testing.assert_array_equal(np.asarray(batch[[3, 0]]), noise[[3, 0]])


def test_other_pixels_keep_the_frame(turned):
    inverted = turned.with_augmenter("mirror").with_pixels(255 - np.asarray(turned))
    np.testing.assert_array_equal(np.asarray(inverted), 255 - np.asarray(turned))
    np.testing.assert_array_equal(inverted.matrices, turned.matrices)
    assert inverted.augmenters == ("mirror",)
    shift = [[1, 0, -2], [0, 1, -1]]
    np.testing.assert_array_equal(
        np.asarray(inverted.warped(shift, (5, 5))[[3]]), 255 - np.asarray(turned)[[3], 1:6, 2:7]
    )
    np.testing.assert_array_equal(
        inverted.warped(shift, (5, 5)).matrices, turned.warped(shift, (5, 5)).matrices
    )
    with pytest.raises(ValueError, match="only the number of channels may differ"):
        turned.with_pixels(np.zeros((5, 10, 13, 3)))


def test_arithmetic_keeps_the_frame(turned):
    step = FunctionTransformer(lambda X: 255 - X)
    inverted = step.fit_transform(turned.with_augmenter("mirror"))
    np.testing.assert_array_equal(np.asarray(inverted), 255 - np.asarray(turned))
    np.testing.assert_array_equal(inverted.matrices, turned.matrices)
    assert inverted.augmenters == ("mirror",)
    np.testing.assert_array_equal(
        np.asarray(turned + turned), np.asarray(turned) + np.asarray(turned)
    )
    assert isinstance(np.add.reduce(turned, axis=-1), np.ndarray)


def test_other_pixels_take_keypoints_to_the_same_place(turned):
    keypoints = np.random.default_rng(0).uniform(0, 9, (5, 3, 2))
    inverted = turned.with_pixels(255 - np.asarray(turned))
    np.testing.assert_allclose(inverted.to_user(keypoints), turned.to_user(keypoints))
    np.testing.assert_allclose(inverted.to_batch(keypoints), turned.to_batch(keypoints))


@pytest.mark.parametrize(
    "step",
    [
        lambda batch: batch.warped([[1, 0, 1], [0, 1, 2]], (12, 16)),
        lambda batch: batch.with_pixels(np.asarray(batch)),
        lambda batch: batch + 0,
        lambda batch: batch[:],
    ],
    ids=["warped", "with_pixels", "arithmetic", "selection"],
)
def test_what_is_seen_beyond_the_edges_stays_the_same_in_later_steps(noise, step):
    far_left = [[1, 0, 99], [0, 1, 0]]
    constant = step(ImageBatch(noise, border_value=9)).warped(far_left, (12, 4))
    assert (np.asarray(constant) == 9).all()
    replicated = step(ImageBatch(noise, border="replicate"))
    expected = np.asarray(replicated)[:, :, :1].repeat(4, axis=2)
    np.testing.assert_array_equal(np.asarray(replicated.warped(far_left, (12, 4))), expected)


def test_a_small_part_of_a_pixel_is_a_shift():
    ramp = np.tile(np.arange(0, 256, 32, dtype=np.uint8), (1, 4, 1))[..., np.newaxis]
    shifted = ImageBatch(ramp).warped([[1, 0, 1 / 16], [0, 1, 0]], (4, 8))
    np.testing.assert_array_equal(np.asarray(shifted)[:, :, 1:], ramp[:, :, 1:] - 2)


def test_arithmetic_that_mixes_images_or_gives_more_of_them_has_no_frame(turned):
    pixels = np.asarray(turned)
    total = np.add.accumulate(turned, axis=0)
    assert isinstance(total, np.ndarray)
    np.testing.assert_array_equal(total, np.add.accumulate(pixels, axis=0))
    offset = np.arange(4, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
    shades = turned[:1] + offset
    assert isinstance(shades, np.ndarray)
    np.testing.assert_array_equal(shades, pixels[:1] + offset)


def test_arithmetic_between_frames_is_refused(noise):
    batch = ImageBatch(noise)
    with pytest.raises(ValueError, match="different frames"):
        batch + batch.warped(TURN, (12, 16))
    with pytest.raises(TypeError, match="all returned NotImplemented from __array_ufunc__"):
        batch += 1


def test_repr_is_short(turned):
    assert repr(turned) == "<ImageBatch of 5 images of 10 x 14 x 3 uint8, from 12 x 16>"
    assert "augmented by 'mirror'" in repr(turned.with_augmenter("mirror"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((5, 4, 4)),), "need a last axis"),
        ((np.zeros((5, 4, 4, 1)), np.zeros((4, 2, 3))), r"shape \(5, 2, 3\)"),
        ((np.zeros((5, 4, 4, 1)), np.zeros((2, 3))), "cannot be undone"),
        ((np.zeros((5, 4, 4, 1)), np.full((2, 3), np.nan)), "cannot be undone"),
        ((np.zeros((5, 4, 4, 1)), None, (0, 4)), "at least"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageBatch(*arguments)


def test_unknown_border_is_refused(noise):
    with pytest.raises(ValueError, match="border must be one of"):
        ImageBatch(noise, border="wrap")
