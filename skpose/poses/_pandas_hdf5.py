"""Tables in the HDF5 layouts of pandas, read and written without PyTables.

DeepLabCut keeps its tables so. PyTables unpickles what it finds in a file, which can run code, and
damaged files can crash it; here only numbers and texts are read.
"""

from collections.abc import Iterable, Sequence
import io
import math
import pickle
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from skpose._hdf5 import create_hdf5
from skpose._types import PathLike

__all__ = ["is_table", "read_table", "write_table"]


def read_table(file, path):
    """Read the table of an HDF5 file that `pandas.DataFrame.to_hdf` wrote.

    Parameters
    ----------
    file : h5py.File
        The file.
    path : path-like
        Its name, for the messages.

    Returns
    -------
    levels : list of str
        Names of the rows of column names.
    columns : list of tuple of str
        The column names, one of each level.
    index : list of tuple
        Of each row a number or a text for each level of the index.
    values : ndarray of shape (n_rows, n_columns)
        float64.

    Raises
    ------
    ValueError
        If the file has no table, or several.
    """
    groups = {name: group for name, group in file.items() if is_table(group)}
    if len(groups) != 1:
        found = f"several tables, {', '.join(groups)}" if groups else "no table of pandas"
        raise ValueError(f"{path} has {found}; tables of poses or labels are files with one.")
    (group,) = groups.values()
    levels, columns, index, values = (_read_appended if "table" in group else _read_fixed)(group)
    if len(index) != len(values) or len(columns) != values.shape[1]:
        raise ValueError(f"{path} is damaged: its rows, columns and values do not fit together.")
    return levels, columns, index, values


def is_table(group: h5py.Group) -> bool:
    """Whether a group of an HDF5 file is a table of pandas.

    Parameters
    ----------
    group : h5py.Group
        The group; anything else is no table.

    Returns
    -------
    bool

    Examples
    --------
    >>> import h5py
    >>> from skpose.poses import from_numpy, is_table, write_poses
    >>> path = write_poses("poses.h5", from_numpy([[[1.0, 2.0]]]))
    >>> with h5py.File(path) as file:
    ...     print([is_table(group) for group in file.values()])
    [True]
    """
    return isinstance(group, h5py.Group) and ("block0_values" in group or "table" in group)


def _read_fixed(group):
    """Read what pandas writes with ``format="fixed"``: blocks of columns of one type."""
    levels, columns = _read_axis(group, "axis0")
    _, index = _read_axis(group, "axis1")
    places = {column: i for i, column in enumerate(columns)}
    values = np.full((len(index), len(columns)), np.nan)
    for i in range(int(group.attrs["nblocks"])):
        block = group[f"block{i}_values"]
        if "shape" in block.attrs:
            continue
        part = block[()]
        part = part if block.attrs.get("transposed", 0) else part.T
        _, items = _read_axis(group, f"block{i}_items")
        values[:, [places[item] for item in items]] = part
    return levels, [tuple(str(name) for name in column) for column in columns], index, values


def _read_axis(group, name):
    """Read names of rows or columns: of each level its name, and a tuple for each entry."""
    if _text(group.attrs.get(f"{name}_variety", "regular")) == "regular":
        return [""], [(entry,) for entry in _decode(group[name])]
    names, entries = [], []
    for i in range(int(group.attrs[f"{name}_nlevels"])):
        level = group[f"{name}_level{i}"]
        names.append(_text(level.attrs.get("name", "")))
        values, codes = _decode(level), group[f"{name}_label{i}"][()]
        entries.append([values[code] for code in codes])
    return names, list(zip(*entries, strict=True))


def _read_appended(group):
    """Read what pandas writes with ``format="table"``: a record for each row."""
    info = _unpickle(group.attrs["info"])
    levels = [str(name) for name in info.get(1, {}).get("names", [""])]
    ((_, columns),) = _unpickle(group.attrs["non_index_axes"])
    columns = [column if isinstance(column, tuple) else (column,) for column in columns]
    table = group["table"]
    places = {column: i for i, column in enumerate(columns)}
    rows = table[()]
    values = np.full((len(rows), len(columns)), np.nan)
    for field in _unpickle(group.attrs["values_cols"]):
        items = _unpickle(table.attrs[f"{field}_kind"])
        items = [item if isinstance(item, tuple) else (item,) for item in items]
        values[:, [places[item] for item in items]] = rows[field]
    columns = [tuple(str(name) for name in column) for column in columns]
    return levels, columns, [(entry,) for entry in _decode(rows["index"])], values


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, tuples, dicts, numbers and texts; a class or function is refused."""

    def find_class(self, module, name):
        raise ValueError(f"the file holds a pickled {module}.{name}, which is not read")


def _unpickle(attribute):
    content = attribute if isinstance(attribute, bytes) else str(attribute).encode("latin-1")
    return _PlainUnpickler(io.BytesIO(content)).load()


def _decode(dataset):
    if isinstance(dataset, h5py.Dataset) and "shape" in dataset.attrs:
        return []  # of an empty array pandas writes a filler, and the shape beside it
    values = dataset[()] if isinstance(dataset, h5py.Dataset) else dataset
    if values.dtype.kind == "S":
        return [value.decode("utf-8") for value in values]
    return values.tolist()


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def write_table(
    path: PathLike,
    blocks: Iterable[tuple[slice, NDArray[Any]]],
    *,
    levels: Sequence[str],
    names: Sequence[Sequence[str]],
    index: NDArray[Any],
    shape: tuple[int, int],
    dtype: DTypeLike,
) -> None:
    """Write what ``DataFrame.to_hdf(path, key="df_with_missing")`` writes.

    Parameters
    ----------
    path : path-like
        The file.
    blocks : iterable of (slice, ndarray)
        The rows, a part at a time.
    levels : sequence of str
        Names of the rows of column names.
    names : sequence of sequence of str
        The values of each level; the columns are their product.
    index : ndarray of shape (n_rows,)
        Numbers or texts.
    shape : tuple of (n_rows, n_columns)
    dtype : dtype
        Of the values.

    Raises
    ------
    FileExistsError
        If the file exists.
    FileNotFoundError
        If its folder does not exist.
    OSError
        If the disk is full.
    TypeError
        If a block does not fit into `shape`.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skpose.poses import read_table, write_table
    >>> write_table(
    ...     "table.h5",
    ...     [(slice(0, 2), np.array([[1.0, 2.0], [3.0, 4.0]]))],
    ...     levels=["scorer", "bodyparts", "coords"],
    ...     names=[["ann"], ["head"], ["x", "y"]],
    ...     index=np.arange(2),
    ...     shape=(2, 2),
    ...     dtype="float64",
    ... )
    >>> read_table(Path("table.h5")).values.tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    with create_hdf5(path, math.prod(shape) * np.dtype(dtype).itemsize) as file:
        _set(file, CLASS="GROUP", PYTABLES_FORMAT_VERSION="2.1", TITLE="", VERSION="1.0")
        group = file.create_group("df_with_missing")  # the name that DeepLabCut gives
        _set(group, CLASS="GROUP", TITLE="", VERSION="1.0", pandas_type="frame")
        _set(group, encoding="UTF-8", errors="strict", ndim=2, nblocks=1)
        for axis in ("axis0", "block0_items"):
            _set(group, **{f"{axis}_variety": "multi", f"{axis}_nlevels": len(levels)})
            _write_columns(group, axis, levels, names)
        _set(group, axis1_variety="regular")
        _write_index(group, index)
        values = _array(group, "block0_values", None, shape=shape, dtype=dtype)
        for part, block in blocks:
            values[part] = block


def _write_index(group, index):
    is_text = index.dtype.kind not in "iu"
    index = np.char.encode(index.astype(str), "utf-8") if is_text else index.astype(np.int64)
    dataset = _array(group, "axis1", index)
    _set(dataset, kind="string" if is_text else "integer", **({"nan_rep": ""} if is_text else {}))


def _write_columns(group, axis, levels, names):
    """Write the rows of column names: for each, its values, and which one each column has."""
    codes = np.indices([len(values) for values in names]).reshape(len(names), -1)
    for i, (level, values, code) in enumerate(zip(levels, names, codes, strict=True)):
        dataset = _array(group, f"{axis}_level{i}", np.char.encode(list(values), "utf-8"))
        _set(dataset, kind="string", name=level, nan_rep="", **{f"{axis}_name{level}": level})
        _array(group, f"{axis}_label{i}", code.astype(np.int64))


def _array(group, name, data, **options):
    dataset = group.create_dataset(name, data=data, **options)
    _set(dataset, CLASS="ARRAY", FLAVOR="numpy", TITLE="", VERSION="2.4")
    dataset.attrs["transposed"] = np.uint8(1)
    return dataset


def _set(node, **attributes):
    """Return attributes as PyTables does: numbers of 8 bytes, texts of fixed length in UTF-8."""
    for name, value in attributes.items():
        if isinstance(value, str):
            encoded = value.encode("utf-8")
            dtype = h5py.string_dtype("utf-8", max(len(encoded), 1))
            value = np.array(encoded, dtype=dtype) if encoded else h5py.Empty(dtype)
        else:
            value = np.int64(value)
        node.attrs[name] = value
