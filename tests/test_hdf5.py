import h5py
import numpy as np
import pytest

import skpose
from skpose._hdf5 import open_hdf5
from skpose.datasets import HDF5Images, read_labels
from skpose.poses import read_poses

IMAGES = np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1)


def _add_external(file, folder):
    (folder / "secret.bin").write_bytes(IMAGES.tobytes())
    parts = [(str(folder / "secret.bin"), 0, IMAGES.size)]
    file.create_dataset("images", IMAGES.shape, np.uint8, external=parts)


def _add_virtual(file, folder):
    _write_other(folder)
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[...] = h5py.VirtualSource(str(folder / "other.h5"), "images", IMAGES.shape)
    file.create_virtual_dataset("images", layout)


def _add_link(file, folder):
    _write_other(folder)
    file["images"] = h5py.ExternalLink(str(folder / "other.h5"), "images")


def _add_link_in_group(file, folder):
    _write_other(folder)
    file["images"] = IMAGES
    file["a/b/c"] = h5py.ExternalLink(str(folder / "other.h5"), "images")


def _write_other(folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["images"] = IMAGES


@pytest.mark.parametrize("read", [HDF5Images, read_labels, read_poses, skpose.load])
@pytest.mark.parametrize("add", [_add_external, _add_virtual, _add_link, _add_link_in_group])
def test_data_of_other_files_are_refused(add, read, tmp_path):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        add(file, tmp_path)
    with pytest.raises(
        ValueError, match=r"set\.h5 is not read: its (images|a/b/c) lies in another"
    ):
        read(tmp_path / "set.h5")


def test_links_within_the_file_are_read(tmp_path):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["group/images"] = IMAGES
        file["images"] = h5py.SoftLink("/group/images")
        file["group/itself"] = file["group"]
    np.testing.assert_array_equal(HDF5Images(tmp_path / "set.h5")[:], IMAGES)


def test_missing_file_and_other_kinds_of_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"), open_hdf5(tmp_path / "gone"):
        pass
    (tmp_path / "text").write_text("frame,id")
    with (
        pytest.raises(ValueError, match="text cannot be read as HDF5"),
        open_hdf5(tmp_path / "text"),
    ):
        pass


def _declare(file):
    """A dataset of 64 TiB of which nothing is stored."""
    file.create_dataset("images", (2**30, 256, 256, 1), np.uint8)


def _declare_compressed(file):
    file.create_dataset("images", (2**20, 256, 256, 1), np.uint8, chunks=True, compression=9)


@pytest.mark.parametrize("read", [HDF5Images, read_labels, read_poses, skpose.load])
@pytest.mark.parametrize("declare", [_declare, _declare_compressed])
def test_declared_sizes_are_looked_at_first(declare, read, tmp_path):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        declare(file)
    with pytest.raises(ValueError, match=r"set\.h5 is damaged: its images has the shape"):
        read(tmp_path / "set.h5")


def test_what_is_well_compressed_is_read(tmp_path):
    images = np.zeros((1500, 256, 256, 1), np.uint8)  # 98 MB in 0.1
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file.create_dataset("images", data=images, compression=9)
    assert HDF5Images(tmp_path / "set.h5").shape == images.shape
