"""Tables with DeepLabCut's columns, of poses or of labels, as they lie in CSV and HDF5 files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skpose._files import reading
from skpose._hdf5 import open_hdf5
from skpose._text_tables import NOTHING, check_separator, open_text_table
from skpose._types import PathLike
from skpose.poses._pandas_hdf5 import read_table as read_hdf5_table

__all__ = ["COORDS", "LEVELS", "Table", "read_table"]

COORDS = ("x", "y", "likelihood")
LEVELS = ("scorer", "individuals", "bodyparts", "coords")

_HDF5_START = b"\x89HDF\r\n\x1a\n"


class Table(NamedTuple):
    """The rows and columns of a file."""

    path: Path
    levels: list  # names of the rows of column names
    columns: list  # of tuples of str, one of each level
    # Of tuples: the number of a frame, or the parts of an image's path.
    index: list  # type: ignore[assignment]  # hides that of tuple
    values: np.ndarray  # (n_rows, n_columns), float64

    @property
    def places(self):
        """list of list of str: the individuals, where there is such a level, and the bodyparts."""
        rows = list(zip(*self.columns, strict=True)) or [()] * len(self.levels)
        return [list(dict.fromkeys(names)) for names in rows[1:-1]]

    def arrange(self, coords, names=None):
        """Return the values by individual (if there is such a level), bodypart and coordinate.

        Parameters
        ----------
        coords : sequence of str
            The coordinates to return.
        names : sequence of str, default=None
            The bodyparts to return. None: all.

        Returns
        -------
        ndarray of shape (n_rows, ..., n_keypoints, n_coords)
            NaN for what the table does not have.
        """
        *individuals, bodyparts = self.places
        bodyparts = bodyparts if names is None else list(names)
        places = [(name,) for name in bodyparts]
        for group in individuals:
            places = [(individual, *place) for individual in group for place in places]
        where = {column[1:]: i for i, column in enumerate(self.columns)}
        padded = np.column_stack([self.values, np.full(len(self.values), np.nan)])
        order = [where.get((*place, coord), -1) for place in places for coord in coords]
        sizes = [len(group) for group in (*individuals, bodyparts)]
        return padded[:, order].reshape(len(self.values), *sizes, len(coords))


def read_table(path: PathLike) -> Table:
    """Read a table with DeepLabCut's columns.

    Parameters
    ----------
    path : str or path-like
        A ``.csv`` file or an HDF5 file of pandas.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the file is no such table, is damaged or cut short, or its columns contradict each other;
        it names the file.

    Examples
    --------
    >>> from skpose.poses import from_numpy, read_table, write_poses
    >>> path = write_poses("poses.csv", from_numpy([[[1.0, 2.0]]], [[0.5]], names=["head"]))
    >>> table = read_table(path)
    >>> table.columns
    [('skpose', 'head', 'x'), ('skpose', 'head', 'y'), ('skpose', 'head', 'likelihood')]
    >>> table.values.tolist()
    [[1.0, 2.0, 0.5]]
    """
    path = Path(path)
    with reading(path, "a table of poses or labels"):
        table = (_read_hdf5 if _is_hdf5(path) else _read_csv)(path)
        return _check(table)


def _is_hdf5(path):
    with path.open("rb") as file:
        return file.read(len(_HDF5_START)) == _HDF5_START


def _check(table):
    path = table.path
    if table.levels not in (list(LEVELS), [LEVELS[0], *LEVELS[2:]]):
        raise _no_table(path, table.levels)
    _check_columns(table)
    if np.isinf(table.values).any():
        raise ValueError(f"{path} has coordinates that are infinite. NaN, or nothing, is none.")
    return table


def _no_table(path, levels):
    return ValueError(
        f"{path} is no table of poses or labels: its rows of column names must be scorer, "
        f"(individuals,) bodyparts and coords, but are {', '.join(map(str, levels)) or 'missing'}."
    )


def _read_csv(path):
    header, n_lines, n_index, n_spare = _read_header(path)
    n_columns = n_index + len(header["coords"])
    _check_whole(path, n_lines, n_columns, n_spare)
    table = _read_body(path, n_lines, n_index, n_columns + n_spare)
    has_name = (table.iloc[:, :n_index] != "").any(axis=1)
    has_value = table.iloc[:, n_index:].notna().any(axis=1)
    table = table[has_name | has_value]  # without a last row of commas, which spreadsheets add
    for i, dtype in enumerate(table.dtypes[n_index:n_columns]):
        if len(table) and dtype.kind not in "fi":
            raise ValueError(
                f"{path} has something else than numbers in the column "
                f"{' '.join(names[i] for names in header.values())}."
            )
    if table.iloc[:, n_columns:].notna().any(axis=None):
        raise ValueError(f"{path} has values in columns without names.")
    columns = list(zip(*header.values(), strict=True))
    index = list(table.iloc[:, :n_index].itertuples(index=False, name=None))
    values = table.iloc[:, n_index:n_columns].to_numpy(dtype=np.float64)
    return Table(path, list(header), columns, index, values)


def _read_header(path):
    """Read the rows of column names.

    Returns {level: names}, the number of lines that they take, and the numbers of columns before
    and behind the names.
    """
    header = []
    with open_text_table(path) as file:
        reader = csv.reader(file)
        for row in reader:
            if any(cell.strip() for cell in row):
                header.append([cell.strip() for cell in row])
            if len(header) == len(LEVELS) or (header and header[-1][0] == "coords"):
                break
        n_lines = reader.line_num
    levels = [row[0] for row in header]
    if levels and levels[0].startswith("scorer"):
        check_separator(path, levels[0])
    if not levels or levels[0] != "scorer" or levels[-1] != "coords":
        raise _no_table(path, levels)
    if len({len(row) for row in header}) > 1:
        raise ValueError(f"{path} is damaged: its rows of column names differ in length.")
    # A table of labels may have its image in three columns: folder, video and name.
    n_index = next((i for i, cell in enumerate(header[0][1:], 1) if cell), 1)
    end = max(i for i in range(len(header[0])) if any(row[i] for row in header)) + 1
    named = {row[0]: row[n_index:end] for row in header}
    return named, n_lines, n_index, len(header[0]) - end


def _read_body(path, n_lines, n_index, n_columns):
    import pandas as pd

    options = {"skiprows": n_lines, "header": None, "index_col": False}
    # Names are taken as they stand: NA may be one.
    options |= {"dtype": dict.fromkeys(range(n_index), object), "skipinitialspace": True}
    options |= {"keep_default_na": False}
    if int(pd.__version__.partition(".")[0]) < 3:  # which else reads a number a digit off
        options |= {"float_precision": "round_trip"}
    options |= {"na_values": {i: list(NOTHING) for i in range(n_index, n_columns)}}
    try:
        with open_text_table(path) as file:
            return pd.read_csv(file, names=range(n_columns), **options)
    except pd.errors.EmptyDataError:  # nothing behind the names
        return pd.DataFrame(columns=range(n_columns))
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} cannot be read as a table: {error}.") from error


def _check_whole(path, n_lines, n_columns, n_spare):
    """Check that each row has as many cells as there are columns, which pandas fills up."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            line = line.strip(b"\r\n")
            if number <= n_lines or not line.strip(b", "):
                continue
            n_cells = line.count(b",") + 1
            if b'"' in line:  # commas between quotes are none
                n_cells = len(next(csv.reader([line.decode("utf-8", errors="replace")])))
            if not n_columns <= n_cells <= n_columns + n_spare:
                raise ValueError(
                    f"{path} is damaged or cut short: line {number} has {n_cells} cells, but there "
                    f"are {n_columns} columns."
                )


def _read_hdf5(path):
    with open_hdf5(path) as file:
        return Table(path, *read_hdf5_table(file, path))


def _check_columns(table):
    path, columns = table.path, table.columns
    coords = {column[-1] for column in columns}
    if not {"x", "y"} <= coords:
        raise ValueError(f"{path} has no columns x and y for the bodyparts.")
    if "z" in coords:
        raise ValueError(f"{path} has poses in three dimensions, x, y and z; two are read.")
    scorers = list(dict.fromkeys(column[0] for column in columns))
    if len(scorers) > 1:
        raise ValueError(
            f"{path} has columns of several scorers, {', '.join(scorers)}. Keep those of one."
        )
    doubled = sorted({column[1:] for column in columns if columns.count(column) > 1})
    if doubled:
        doubled = ", ".join(" ".join(column) for column in doubled[:5])
        raise ValueError(f"{path} has columns twice: {doubled}.")
    places = {}
    for column in columns:
        places.setdefault(column[1:-1], set()).add(column[-1])
    lacking = [" ".join(place) for place, coords in places.items() if not {"x", "y"} <= coords]
    if lacking:
        raise ValueError(f"{path} lacks the x or y of {', '.join(lacking[:5])}.")
