"""Text tables as people save them: in UTF-8 with commas, or told how to save them so."""

from contextlib import contextmanager
import csv
from pathlib import Path

from skpose._files import check_regular

NOTHING = ("", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "nan", "null")
"""What programs write into a cell that has no value."""

_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@contextmanager
def open_text_table(path):
    """Open a table for reading, with or without a byte order mark.

    Parameters
    ----------
    path : str or path-like
        The file.

    Yields
    ------
    file object
        The text, for `csv`.

    Raises
    ------
    ValueError
        If it is not in UTF-8, no table, or no regular file.
    """
    check_regular(path)
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            yield file
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path} is not a text in UTF-8 ({error}). Save it again as CSV (UTF-8)."
        ) from error


def check_separator(path, first_cell):
    """Raise ValueError if the first cell shows that a row is not separated by commas."""
    for separator, name in _SEPARATORS.items():
        if separator in first_cell:
            raise ValueError(f"{path} has {name} between its columns. Save it with commas.")


def read_column_names(path):
    """Read the first row of a table: the names of its columns, "" for those that have none.

    Raises
    ------
    ValueError
        If the file is no table of commas in UTF-8, or two columns have one name.
    """
    with open_text_table(path) as file:
        header = next(filter(any, csv.reader(file, skipinitialspace=True)), [])
    return _check_names(path, [name.strip() for name in header])


def read_named_rows(path):
    """Read a small table that has a name over each column.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    names : list of str
        The names of the columns, as `read_column_names` gives them.
    rows : list of dict
        For each row that holds something, its cells by the names of the columns; "" where a row is
        too short.

    Raises
    ------
    ValueError
        If the file is no table of commas in UTF-8, two columns have one name, or a cell has none.
    """
    with open_text_table(path) as file:
        cells = [[cell.strip() for cell in row] for row in csv.reader(file, skipinitialspace=True)]
    header, *rows = [row for row in cells if any(row)] or [[]]
    names = _check_names(path, header)
    return names, [_name_cells(path, names, row) for row in rows]


def _check_names(path, names):
    if len(names) == 1:
        check_separator(path, names[0])
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f"{path} has two columns of one name: {', '.join(twice)}.")
    return names


def _name_cells(path, names, row):
    row = row + [""] * (len(names) - len(row))
    nameless = [i for i in range(len(row)) if i >= len(names) or not names[i]]
    if any(row[i] for i in nameless):
        raise ValueError(f"{path} has values in columns without names, in the row {','.join(row)}.")
    return dict(zip(names, row, strict=False))
