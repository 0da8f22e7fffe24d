"""Rows of arrays in memory and on disk."""

from numbers import Integral

import numpy as np

_N_AT_ONCE = 16  # rows of an array on disk that are held in memory at a time


class SelectedRows:
    """Some rows of an array, read when they are indexed.

    Pickled with the selected rows alone, if the array is in memory.

    Parameters
    ----------
    source : array-like of shape (n, ...)
        Anything with ``shape``, ``dtype``, ``len`` and integer-array indexing.
    indices : ndarray of int of shape (n_rows,)
        The rows, from 0.
    """

    def __init__(self, source, indices):
        self.source = source
        self.indices = indices

    @property
    def shape(self):
        return (len(self.indices), *self.source.shape[1:])

    @property
    def dtype(self):
        return self.source.dtype

    @property
    def ndim(self):
        return len(self.shape)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return read_rows(self, [key])[0]
        return read_rows(self, key)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(read_all(self), dtype=dtype)

    def __reduce__(self):
        if type(self.source) is np.ndarray:
            return SelectedRows, (self.source[self.indices], np.arange(len(self)))
        return SelectedRows, (self.source, self.indices)


def select_rows(source, selection):
    """Select rows of an array, to be read when they are needed; a slice in memory is a view."""
    if isinstance(selection, slice) and type(source) is np.ndarray:
        return source[selection]
    source, indices = _origin(source)
    return SelectedRows(source, indices[selection])


def read_rows(source, indices):
    """Read rows as an array; each row once and in order, as files of HDF5 demand."""
    source, origin = _origin(source)
    indices = origin[indices]
    if isinstance(source, np.ndarray):
        return np.asarray(source[indices])
    if len(indices) == 0:
        return np.empty((0, *source.shape[1:]), dtype=source.dtype)
    rows, positions = np.unique(indices, return_inverse=True)
    images = np.asarray(source[rows])
    return images if np.array_equal(rows, indices) else images[positions]


def read_all(source):
    """Read an array; one in memory is given as it is."""
    if isinstance(source, np.ndarray):
        return np.asarray(source)
    return read_rows(source, np.arange(len(source)))


def iterate_rows(source):
    """Give one row after the other, holding few of them in memory at a time."""
    source, indices = _origin(source)
    if isinstance(source, np.ndarray):
        yield from (np.asarray(source[i]) for i in indices)
        return
    for start in range(0, len(indices), _N_AT_ONCE):
        yield from read_rows(source, indices[start : start + _N_AT_ONCE])


def _origin(source):
    """Give the array that rows were selected from, and which they are."""
    if isinstance(source, SelectedRows):
        return source.source, source.indices
    return source, np.arange(len(source))
