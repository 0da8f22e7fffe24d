from concurrent.futures import ThreadPoolExecutor
import pickle

import h5py
import numpy as np
import pytest

from skpose.datasets import HDF5Images
from skpose.preprocessing import ImageBatch


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (20, 4, 6, 1), dtype=np.uint8)


@pytest.fixture
def path(images, tmp_path):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["images"] = images
        file["labels"] = np.zeros((20, 3))
    return tmp_path / "set.h5"


@pytest.mark.parametrize(
    "key",
    [3, slice(2, 9), slice(None, None, -2), [5, 3, 3, 19, 0], np.arange(20) % 3 == 0, [], [7, 7]],
    ids=repr,
)
def test_any_index_gives_what_an_array_gives(path, images, key):
    np.testing.assert_array_equal(HDF5Images(path)[key], images[key], strict=True)


def test_whole_as_array(path, images):
    X = HDF5Images(path)
    assert X.shape == images.shape
    np.testing.assert_array_equal(np.asarray(X), images, strict=True)


@pytest.mark.parametrize("key", [3, slice(2, 9), [5, 3, 3, 19, 0], []], ids=repr)
def test_colour_is_read_as_grey_and_grey_as_colour(tmp_path, path, images, key):
    colour = np.random.default_rng(1).integers(0, 256, (20, 4, 6, 3), dtype=np.uint8)
    with h5py.File(tmp_path / "colour.h5", "w") as file:
        file["images"] = colour
    grey = HDF5Images(tmp_path / "colour.h5", n_channels=1)[key]
    exact = colour[key] @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(grey[..., 0], exact, atol=0.51)
    assert grey.dtype == np.uint8
    repeated = HDF5Images(path, n_channels=3)[key]
    np.testing.assert_array_equal(repeated, np.repeat(images[key], 3, axis=-1), strict=True)
    same = HDF5Images(path, n_channels=1)[key]
    np.testing.assert_array_equal(same, images[key], strict=True)


def test_another_number_of_channels_is_refused(path):
    with pytest.raises(ValueError, match="n_channels must be 1, 3 or None, but was 2"):
        HDF5Images(path, n_channels=2)


def test_key_names_the_dataset(path, images):
    with h5py.File(path, "r+") as file:
        file["raw/crops"] = images[::2]
    np.testing.assert_array_equal(np.asarray(HDF5Images(path, "raw/crops")), images[::2])


def test_file_is_free_between_reads(path, images):
    X = HDF5Images(path)
    X[0]
    with h5py.File(path, "r+") as file:  # refused by HDF5 if X still had it open
        file["labels"][0] = 1
    np.testing.assert_array_equal(X[0], images[0])


def test_file_that_shrank_is_noticed(path, images):
    X = HDF5Images(path)
    with h5py.File(path, "w") as file:
        file["images"] = images[:5]
    with pytest.raises(ValueError, match=r"set\.h5 has changed.* \(5, 4, 6, 1\) now"):
        X[4]


def test_file_that_grew_is_the_same(path, images):
    X = HDF5Images(path)
    with h5py.File(path, "w") as file:
        file["images"] = np.concatenate([images, images])
    np.testing.assert_array_equal(np.asarray(X), images)


@pytest.mark.parametrize("number", [0, 19])
def test_other_images_of_the_same_shape_are_noticed(path, images, number):
    X, part = HDF5Images(path), HDF5Images(path).select([3, 4])
    np.testing.assert_array_equal(X[3], images[3])
    images = images.copy()
    images[number] = 255 - images[number]
    path.unlink()
    with h5py.File(path, "w") as file:
        file["images"] = images
    for array in (X, part, pickle.loads(pickle.dumps(X))):
        with pytest.raises(ValueError, match=r"set\.h5 .*holds other images now.*again"):
            array[0]


def test_pickle_holds_the_path_and_no_pixels(path, images, monkeypatch):
    monkeypatch.chdir(path.parent)
    X = HDF5Images("set.h5").select([4, 2])
    X[0]
    pickled = pickle.dumps(X)
    monkeypatch.chdir("/")
    assert len(pickled) < 500
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickled)), images[[4, 2]])


def test_threads_read_at_a_time(path, images):
    X = HDF5Images(path)
    keys = np.random.default_rng(0).integers(0, 20, (200, 5))
    with ThreadPoolExecutor(8) as pool:
        for key, part in zip(keys, pool.map(X.__getitem__, keys), strict=True):
            np.testing.assert_array_equal(part, images[key])


def test_a_batch_of_images_takes_it_as_source(path, images):
    batch = ImageBatch(HDF5Images(path))
    np.testing.assert_array_equal(np.asarray(batch[[9, 1, 1]]), images[[9, 1, 1]])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file.*gone\.h5"):
        HDF5Images(tmp_path / "gone.h5")


def test_file_cut_short_is_named(path):
    content = path.read_bytes()
    for n_bytes in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(ValueError, match=r"set\.h5 cannot be read as HDF5.*cut short"):
            HDF5Images(path)


def test_foreign_datasets_are_named(path):
    with pytest.raises(ValueError, match=r"set\.h5 has no dataset 'frames'; it has images, labels"):
        HDF5Images(path, "frames")
    with pytest.raises(ValueError, match=r"'labels' of .*set\.h5 must be uint8 images.*float64"):
        HDF5Images(path, "labels")
