"""What all images that stay on disk share: they look like an array and are read when indexed."""

import copy
from numbers import Integral

import numpy as np


class LazyImages:
    """Images that are read when they are indexed.

    The base of `ImageFiles` and `HDF5Images`; it has no state but numbers, so a subclass whose own
    state is plain is pickled as it is. A subclass gives ``_read(positions)``, which returns the
    images at an array of positions as an ndarray of shape (n_positions, height, width, n_channels).

    Parameters
    ----------
    n_samples : int
        Number of images.
    image_shape : tuple of int
        (height, width, n_channels) of each image.

    Attributes
    ----------
    shape : tuple of int
        (n_samples, height, width, n_channels).
    dtype : dtype
        uint8.
    ndim : int
        4.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, n_samples, image_shape):
        self._index = np.arange(n_samples)
        self._image_shape = tuple(int(n) for n in image_shape)

    @property
    def shape(self):
        return (len(self._index), *self._image_shape)

    def select(self, key):
        """Give some of the images, still unread.

        ``images.select(key)`` stands for ``images[key]`` where that would not fit into memory.

        Parameters
        ----------
        key : slice or 1-D array-like of int or bool
            Which images, and in what order.

        Returns
        -------
        LazyImages
            Of the same class.
        """
        selected = copy.copy(self)
        selected._index = np.atleast_1d(self._positions(key))
        return selected

    def __len__(self):
        return len(self._index)

    def __getitem__(self, key):
        key, rest = _split(key)
        positions = self._positions(key)
        images = self._read(np.atleast_1d(positions))
        if positions.ndim == 0:
            return images[0][rest]
        return images[(slice(None), *rest)]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("Images that stay on disk cannot become an array without a copy.")
        return self._read(self._index).astype(self.dtype if dtype is None else dtype, copy=False)

    def __repr__(self):
        height, width, n_channels = self._image_shape
        return f"<{type(self).__name__}: {len(self)} images, {height} x {width} x {n_channels}>"

    def _positions(self, key):
        """Where the images of `key` are in the file; 0-D for a single one."""
        if isinstance(key, list) and not key:
            key = slice(0)
        positions = self._index[key]
        if positions.ndim > 1:
            raise IndexError(
                "Images are selected with an integer, a slice or a 1-D array of integers or "
                f"booleans, not with {key!r}."
            )
        return positions

    def _read(self, positions):
        raise NotImplementedError


def _split(key):
    """Part an index in what selects images, and what selects pixels of each."""
    if not isinstance(key, tuple):
        return key, ()
    if not key or key[0] is Ellipsis:
        return slice(None), key
    for part in key[1:]:
        if not (part is Ellipsis or isinstance(part, slice | Integral)):
            raise IndexError(
                "Only the first axis of images on disk takes an array as index; the others take "
                f"integers and slices, but got {part!r}. Use np.asarray(images) first."
            )
    return key[0], key[1:]
