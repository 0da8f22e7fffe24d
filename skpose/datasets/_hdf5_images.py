"""Images in an HDF5 file."""

import os
from zlib import crc32

import h5py
import numpy as np

from skpose._checks import check_n_channels
from skpose._files import identity
from skpose._hdf5 import open_hdf5
from skpose._lazy_array import LazyArray
from skpose._opencv import with_channels
from skpose._types import PathLike

_N_SAMPLES = 8  # images that are compared when the file was rewritten
_N_ROWS = 16  # of each


class HDF5Images(LazyArray):
    """Images in a dataset of an HDF5 file, as an array that stays on disk.

    It can stand wherever images `X` are asked for. Unlike an ``h5py.Dataset`` it takes indices in
    any order and more than once, can be pickled, and is read by several threads and processes at a
    time. The file is open only while it is read, so it can be rewritten in between, as happens to a
    set that gets labels or more images; if other images take the place of these, reading says so.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    key : str, default="images"
        Name of the dataset, uint8 of shape (n_samples, height, width, n_channels).
    n_channels : {1, 3}, default=None
        Channels to give: 1 makes colour images grey, 3 repeats the grey. None: as they are.

    Attributes
    ----------
    path : str
        The file, absolute.
    key : str
        Name of the dataset.
    shape : tuple of int
        (n_samples, height, width, n_channels).
    dtype : dtype
        uint8.
    ndim : int
        4.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole HDF5 file, has no such images, or `n_channels` is another number.

    See Also
    --------
    read_annotations : The images and keypoints of an annotation set.
    ImageFiles : Images in files of their own.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import h5py
    >>> import numpy as np
    >>> from skpose.datasets import HDF5Images
    >>> with TemporaryDirectory() as folder:
    ...     with h5py.File(f"{folder}/set.h5", "w") as file:
    ...         file["images"] = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    ...     X = HDF5Images(f"{folder}/set.h5")
    ...     print(X.shape, X[[3, 0, 3]].ravel())
    (5, 1, 1, 1) [3 0 3]
    """

    def __init__(
        self, path: PathLike, key: str = "images", *, n_channels: int | None = None
    ) -> None:
        check_n_channels(n_channels)
        self.path = os.path.abspath(os.fspath(path))
        self.key = key
        with open_hdf5(self.path) as file:
            dataset = _check_dataset(file, self.path, key)
            self._n_images, *self._stored_shape = dataset.shape
            self._fingerprint = _fingerprint(dataset, self._n_images)
            self._stamp = identity(self.path)
        *size, n_stored = self._stored_shape
        super().__init__(self._n_images, (*size, n_channels or n_stored))

    def _read(self, positions):
        return with_channels(self._read_stored(positions), self.shape[3])

    def _read_stored(self, positions):
        """Read images run by run: HDF5's own selection of single rows is slower than that."""
        runs = np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1)
        with open_hdf5(self.path, is_known=True) as file:
            dataset = _check_dataset(file, self.path, self.key)
            self._check_same(dataset)
            if len(runs) == 1:
                return dataset[positions[0] : positions[-1] + 1]
            images = np.empty((len(positions), *self._stored_shape), dtype=self.dtype)
            start = 0
            for run in runs:
                images[start : start + len(run)] = dataset[run[0] : run[-1] + 1]
                start += len(run)
        return images

    def _check_same(self, dataset):
        """Raise ValueError if the file holds other images than when it was opened."""
        stamp = identity(self.path)
        if stamp == self._stamp:
            return
        n_now, *row_shape = dataset.shape
        if row_shape != self._stored_shape or n_now < self._n_images:
            raise ValueError(
                f"{self.path} has changed: its dataset {self.key!r} has shape {dataset.shape} now, "
                f"not {(self._n_images, *self._stored_shape)} or more images. Open it again."
            )
        if _fingerprint(dataset, self._n_images) != self._fingerprint:
            raise ValueError(
                f"{self.path} has changed: its dataset {self.key!r} holds other images now. Open "
                "it again."
            )
        self._stamp = stamp


def _fingerprint(dataset, n_images):
    """Return a checksum of the middle rows of some images, to tell them from others."""
    middle = dataset.shape[1] // 2
    rows = slice(max(0, middle - _N_ROWS // 2), middle + _N_ROWS // 2 + 1)
    numbers = np.unique(np.linspace(0, n_images - 1, _N_SAMPLES).astype(int)) if n_images else ()
    checksum = 0
    for number in numbers:
        checksum = crc32(dataset[number, rows].tobytes(), checksum)
    return checksum


def _check_dataset(file, path, key):
    dataset = file.get(key)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(
            f"{path} has no dataset {key!r}; it has {', '.join(sorted(file)) or 'nothing'}."
        )
    if dataset.ndim != 4 or dataset.shape[3] not in (1, 3) or dataset.dtype != np.uint8:
        raise ValueError(
            f"Dataset {key!r} of {path} must be uint8 images of shape (n_samples, height, width, "
            f"n_channels) with 1 or 3 channels, but is {dataset.dtype} of shape {dataset.shape}."
        )
    return dataset
