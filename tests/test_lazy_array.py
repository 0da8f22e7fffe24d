import copy
import pickle

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from skpose._lazy_array import LazyArray, select_rows
from skpose.preprocessing import ImageBatch


class InMemory(LazyArray):
    """Images that note what is read of them."""

    def __init__(self, images):
        super().__init__(len(images), images.shape[1:])
        self.images = images
        self.n_read = 0

    def _read(self, positions):
        self.n_read += len(positions)
        return self.images[positions]


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)


KEYS = [
    0,
    -1,
    np.int64(3),
    slice(None),
    slice(1, 6, 2),
    slice(None, None, -1),
    slice(5, 2),
    [4, 1, 1],
    np.array([6, 0, -7]),
    np.array([], dtype=int),
    [],
    [True, False, True, False, False, False, True],
    np.zeros(7, dtype=bool),
    Ellipsis,
    (),
    (2, Ellipsis),
    ([3, 0], Ellipsis),
    (slice(1, 3), slice(None), slice(0, 2)),
    ([3, 0], slice(1, 3), 2),
    (1, 2, slice(None), 0),
    (Ellipsis, 0),
]


# All that is read when it is indexed.
KINDS = {
    "LazyArray": InMemory,
    "ImageBatch": ImageBatch,
    "ImageBatch of a LazyArray": lambda pixels: ImageBatch(InMemory(pixels)),
    "selected rows": lambda pixels: select_rows(np.concatenate([pixels, pixels]), np.arange(7)),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing_is_that_of_an_array(pixels, key, kind):
    found = np.asarray(KINDS[kind](pixels)[key])
    np.testing.assert_array_equal(found, pixels[key], strict=True)


@kinds
@pytest.mark.parametrize("key", [7, -8, [0, 7], [True, False], 1.5, "a", [[0, 1]], None, [1.0]])
def test_bad_index_is_refused_as_by_an_array(pixels, key, kind):
    with pytest.raises(IndexError, match="index|ndices|select"):
        KINDS[kind](pixels)[key]


@kinds
def test_array_on_a_later_axis_is_refused(pixels, kind):
    with pytest.raises(IndexError, match="Only the first axis"):
        KINDS[kind](pixels)[0, [1, 2]]
    with pytest.raises(IndexError, match="Only the first axis"):
        KINDS[kind](pixels)[..., np.array([2, 1, 0])]


def test_only_what_is_indexed_is_read(pixels):
    images = InMemory(pixels)
    assert images.shape == (7, 4, 5, 3)
    assert images.ndim == 4
    assert images.dtype == np.uint8
    assert len(images) == 7
    assert images.n_read == 0
    images[[2, 5]]
    assert images.n_read == 2


def test_select_reads_nothing_and_nests(pixels):
    images = InMemory(pixels)
    some = images.select([5, 1, 3, 3]).select(slice(1, None))
    assert images.n_read == some.n_read == 0
    assert len(images) == 7
    np.testing.assert_array_equal(some, pixels[[1, 3, 3]])
    np.testing.assert_array_equal(images.select(2), pixels[[2]])


def test_becomes_an_array_of_the_asked_type(pixels):
    images = InMemory(pixels)
    assert np.asarray(images).dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(images, dtype=np.float32), pixels.astype(np.float32))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(images, copy=False)


def test_iterates_image_by_image(pixels):
    for image, expected in zip(InMemory(pixels), pixels, strict=True):
        np.testing.assert_array_equal(image, expected)


def test_scikit_learn_splits_it_like_an_array(pixels):
    expected = train_test_split(pixels, random_state=0)
    for part, same in zip(
        train_test_split(InMemory(pixels), random_state=0), expected, strict=True
    ):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_equal(pixels, copied):
    some = InMemory(pixels).select([2, 0])
    np.testing.assert_array_equal(copied(some), pixels[[2, 0]])


def test_repr_tells_number_and_size(pixels):
    assert repr(InMemory(pixels)) == "<InMemory: 7 images, 4 x 5 x 3>"
