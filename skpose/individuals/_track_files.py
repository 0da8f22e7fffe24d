"""Tracks from files, and into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skpose._files import begins_with, check_output, reading, replacing
from skpose._text_tables import open_text_table, read_column_names
from skpose._types import PathLike
from skpose.individuals._sleap import read_sleap
from skpose.individuals._tracks import check_tracks, keep_long, sort_tracks

if TYPE_CHECKING:
    import pandas as pd


def read_tracks(
    path: PathLike,
    *,
    anchor: str | None = None,
    front: str | None = None,
    back: str | None = None,
    min_length: int = 1,
) -> pd.DataFrame:
    """Read the tracks of individuals from a file.

    Parameters
    ----------
    path : str or path-like
        ``.csv``: a table with the columns frame (from 0), id, x and y (pixels, pixel centres at
        whole numbers) and, if known, angle (radians; see `make_tracks`). Others are ignored. Ids
        are numbers where all are; else names as they stand: 007 is not 7.
        ``.slp``: a SLEAP file; see `read_sleap`.
    anchor, front, back : str, default=None
        Of SLEAP files only: the bodyparts that give position and angle; see `read_sleap`.
    min_length : int, default=1
        Leave out tracks that have fewer rows, such as the fragments that trackers leave behind.

    Returns
    -------
    pandas.DataFrame
        A row for each individual in each frame where it was seen, with the columns frame, id, x, y
        and, if known, angle; ordered by frame.

    Raises
    ------
    ValueError
        If the table lacks a column or has two of one name, is not in UTF-8 with commas, or an
        individual is twice in a frame.
    ImportError
        If a SLEAP file is read without sleap-io.

    Examples
    --------
    >>> from skpose.individuals import make_tracks, read_tracks, write_tracks
    >>> unseen = [float("nan")] * 2
    >>> write_tracks("mice.csv", make_tracks([[[5.5, 6.0], [9.0, 3.0]], [[5.0, 7.0], unseen]]))
    >>> read_tracks("mice.csv", min_length=2)
       frame  id    x    y
    0      0   0  5.5  6.0
    1      1   0  5.0  7.0
    """
    path = Path(path)
    if path.suffix == ".slp":
        tracks = read_sleap(path, anchor=anchor, front=front, back=back).tracks
    elif path.suffix == ".csv":
        if not (anchor is front is back is None):
            raise ValueError(
                "anchor, front and back name bodyparts of SLEAP files; a table of tracks has its "
                "positions in the columns x and y, and angles in the column angle."
            )
        tracks = check_tracks(_read_csv(path), name=str(path))
    else:
        raise ValueError(
            f"Tracks are read from .csv or .slp, but {path} ends in {path.suffix!r}. Arrays of "
            "other trackers become tracks with make_tracks."
        )
    return keep_long(sort_tracks(tracks), min_length)


def _read_csv(path):
    import pandas as pd

    with reading(path, "a table of tracks"):
        names = read_column_names(path)
        with open_text_table(path) as file:
            table = pd.read_csv(file, dtype={"id": object}, skipinitialspace=True, index_col=False)
        table = table.set_axis(names, axis=1).dropna(how="all")  # spreadsheets add rows of commas
    if "id" in names:
        table["id"] = _as_numbers(table["id"])
    for name in set(names) & {"frame", "x", "y", "angle"}:
        table[name] = _read_numbers(table[name], path)
    if table.empty:  # nothing was found, or all is left out; columns of nothing have no type
        table = table.astype({name: float for name in names if name != "id"})
    return table


def _read_numbers(column, path):
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna()]
    if len(wrong):
        raise ValueError(
            f"{path} has {wrong.iloc[0]!r} in its column {column.name}, which is no number."
        )
    return numbers


def _as_numbers(ids):
    """Return ids as numbers where that changes none, as it would 007."""
    import pandas as pd

    try:
        numbers = pd.to_numeric(ids)
    except ValueError:
        return ids
    return numbers if (numbers.astype(str) == ids).all() else ids


def write_tracks(path: PathLike, tracks: pd.DataFrame, *, overwrite: bool = False) -> None:
    """Write tracks as a table that `read_tracks` reads.

    Parameters
    ----------
    path : str or path-like
        The file, ``.csv``.
    tracks : pandas.DataFrame
        The columns frame, id, x, y and, if known, angle.
    overwrite : bool, default=False
        Whether the file may exist.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    TypeError
        If frame, x, y or angle hold something else than numbers.
    ValueError
        If `path` ends otherwise or holds something else, a column is missing, or an individual is
        twice in a frame.

    Examples
    --------
    >>> from pathlib import Path
    >>> from skpose.individuals import make_tracks, write_tracks
    >>> write_tracks("flies.csv", make_tracks([[[1.0, 2.0], [5.0, 6.0]], [[1.5, 2.0], [5.0, 6.5]]]))
    >>> print(Path("flies.csv").read_text())
    frame,id,x,y
    0,0,1.0,2.0
    0,1,5.0,6.0
    1,0,1.5,2.0
    1,1,5.0,6.5
    <BLANKLINE>
    """
    check_tracks_path(path, overwrite=overwrite)
    tracks = check_tracks(tracks)
    with replacing(path, overwrite=overwrite) as temporary:
        tracks.to_csv(temporary, index=False)


def check_tracks_path(path, *, overwrite=False):
    """Check that tracks can be written to `path`, before any work starts."""
    is_tracks = begins_with(b"frame,", b"id,", b"\xef\xbb\xbfframe,")
    check_output(path, what="Tracks", endings=(".csv",), overwrite=overwrite, is_same=is_tracks)
