"""Arrays that are read when they are indexed, and how all of them understand an index."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from skpose._batching import batch_slices

__all__ = [
    "LazyArray",
    "find_positions",
    "iterate_rows",
    "join_rows",
    "read_rows",
    "select_rows",
    "split_index",
]

_N_AT_ONCE = 16  # rows of an array on disk that are held in memory at a time


class LazyArray:
    """Rows of something that stays on disk; they look like an array and are read when indexed.

    It has no state but numbers, so a subclass whose own state is plain is pickled as it is. A
    subclass defines ``_read(positions)``, which returns the rows at increasing positions as an
    ndarray of shape (n_positions, ...).

    Parameters
    ----------
    n_rows : int
        Number of rows.
    row_shape : tuple of int
        Shape of each: (height, width, n_channels) of images.
    dtype : dtype, default=uint8
        Type of the values.
    """

    def __init__(self, n_rows: int, row_shape: Sequence[int], dtype: DTypeLike = np.uint8) -> None:
        self._index = np.arange(n_rows)
        self._row_shape = tuple(int(n) for n in row_shape)
        self._dtype = np.dtype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """tuple of int: of images (n_samples, height, width, n_channels)."""
        return (len(self._index), *self._row_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """dtype: of images uint8."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """int: of images 4."""
        return 1 + len(self._row_shape)

    def select(self, key: slice | ArrayLike) -> Self:
        """Return some of the rows, still unread.

        ``images.select(key)`` stands for ``images[key]`` where that would not fit into memory.

        Parameters
        ----------
        key : slice or 1-D array-like of int or bool
            Which rows, and in what order.

        Returns
        -------
        LazyArray
            Of the same class.
        """
        selected = object.__new__(type(self))
        vars(selected).update(vars(self))
        selected._index = np.atleast_1d(find_positions(key, self._index))
        return selected

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        key, rest = split_index(key)
        positions = find_positions(key, self._index)
        rows = self._read_each_once(np.atleast_1d(positions))
        return rows[0][rest] if positions.ndim == 0 else rows[(slice(None), *rest)]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("What stays on disk cannot become an array without a copy.")
        rows = self._read_each_once(self._index)
        return rows.astype(self.dtype if dtype is None else dtype, copy=False)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self._row_shape))
        return f"<{type(self).__name__}: {len(self)} images, {shape}>"

    def _read_each_once(self, positions):
        """Read rows in order and each once, as HDF5 demands and videos are fastest."""
        if len(positions) == 0:
            return np.empty((0, *self._row_shape), dtype=self.dtype)
        if (np.diff(positions) > 0).all():
            return self._read(positions)
        unique, inverse = np.unique(positions, return_inverse=True)
        return self._read(unique)[inverse]

    def _read(self, positions):
        raise NotImplementedError


class _Rows(LazyArray):
    """Rows of an array, pickled with the selected ones alone if it is in memory."""

    def __init__(self, source):
        super().__init__(len(source), source.shape[1:], source.dtype)
        self.source = source

    def _read(self, positions):
        return np.asarray(self.source[positions])

    def __reduce__(self):
        if type(self.source) is np.ndarray:
            return _Rows, (self.source[self._index],)
        return super().__reduce__()


class _Joined(LazyArray):
    """The rows of several arrays, one after the other."""

    def __init__(self, sources):
        self._ends = np.cumsum([len(source) for source in sources])
        super().__init__(self._ends[-1], sources[0].shape[1:], sources[0].dtype)
        self.sources = sources

    def _read(self, positions):
        parts, start = [], 0
        for source, end in zip(self.sources, self._ends, strict=True):
            here = positions[(positions >= start) & (positions < end)] - start
            parts.append(read_rows(source, here))
            start = end
        return np.concatenate(parts)


def join_rows(sources):
    """Return the rows of several arrays of images of one size, read when they are indexed."""
    return _Joined(list(sources))


def select_rows(source, key):
    """Select rows of an array, to be read when they are needed; a slice in memory is a view."""
    if isinstance(key, slice) and type(source) is np.ndarray:
        return source[key]
    return (source if isinstance(source, LazyArray) else _Rows(source)).select(key)


def read_rows(source, key=None):
    """Read rows of an array, or all of it; one in memory is not copied where it need not be."""
    if not isinstance(source, np.ndarray | LazyArray):
        source = _Rows(source)
    return np.asarray(source if key is None else source[key])


def iterate_rows(source):
    """Yield one row after the other, with few of them in memory at a time."""
    for part in batch_slices(len(source), _N_AT_ONCE):
        yield from read_rows(source, part)


def split_index(key):
    """Part an index in what selects rows, and what selects values of each.

    Raises
    ------
    IndexError
        If another axis than the first is indexed by an array.
    """
    if not isinstance(key, tuple):
        return (slice(None) if key is Ellipsis else key), ()
    if not key or key[0] is Ellipsis:
        key = (slice(None), *key)
    for part in key[1:]:
        if not (part is Ellipsis or isinstance(part, slice | Integral)):
            raise IndexError(
                "Only the first axis of images takes an array as index; the others take integers "
                f"and slices, but got {part!r}. Use np.asarray(images) first."
            )
    return key[0], key[1:]


def find_positions(key, index):
    """Return the entries of `index`, an array, that a key selects; 0-D for a single one.

    Raises
    ------
    IndexError
        If there is no such entry, or the key is no integer, slice or 1-D array of integers or
        booleans.
    """
    if isinstance(key, list) and not key:
        key = slice(0)
    positions = index[key]
    if positions.ndim > 1:
        raise IndexError(
            "Images are selected with an integer, a slice or a 1-D array of integers or booleans, "
            f"not with {key!r}."
        )
    return positions
