"""Tracks: a table of where each individual is in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("frame", "id", "x", "y")
_COLUMNS = (*_NEEDED, "angle")
_MOST_FRAMES = 2**53  # beyond it, numbers of tables have lost their last digits


def make_tracks(
    positions: ArrayLike, angles: ArrayLike | None = None, *, ids: Sequence[int | str] | None = None
) -> pd.DataFrame:
    """Make a table of tracks from arrays, such as the trajectories of idtracker.ai.

    Parameters
    ----------
    positions : array-like of shape (n_frames, n_individuals, 2)
        (x, y) in pixels of the video; NaN: not seen, which gives no row.
    angles : array-like of shape (n_frames, n_individuals), default=None
        The direction that each individual faces, in radians: ``arctan2(dy, dx)`` from back to
        front, with y pointing down. NaN: not known.
    ids : sequence of int or str, default=None
        What to call each individual. None: numbers from 0.

    Returns
    -------
    pandas.DataFrame
        A row for each individual in each frame, with the columns frame, id, x, y and, if there are
        `angles`, angle.

    Raises
    ------
    ValueError
        If shapes do not agree, or ids are not all different.

    Examples
    --------
    >>> from skpose.individuals import make_tracks
    >>> make_tracks([[[1.0, 2.0], [5.0, 6.0]], [[1.5, 2.0], [float("nan")] * 2]])
       frame  id    x    y
    0      0   0  1.0  2.0
    1      0   1  5.0  6.0
    2      1   0  1.5  2.0
    """
    import pandas as pd

    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[2] != 2:
        raise ValueError(
            "positions must have shape (n_frames, n_individuals, 2), with (x, y) on the last axis, "
            f"but have {positions.shape}."
        )
    n_frames, n_individuals = positions.shape[:2]
    ids = list(range(n_individuals)) if ids is None else list(ids)
    if len(ids) != n_individuals or len(set(ids)) != n_individuals:
        raise ValueError(
            f"ids must be {n_individuals} different names, one for each individual, but were {ids}."
        )
    table = {
        "frame": np.repeat(np.arange(n_frames), n_individuals),
        "id": ids * n_frames,
        "x": positions[..., 0].ravel(),
        "y": positions[..., 1].ravel(),
    }
    if angles is not None:
        angles = np.asarray(angles, dtype=np.float64)
        if angles.shape != positions.shape[:2]:
            raise ValueError(
                f"angles must have shape {positions.shape[:2]}, one for each position, but have "
                f"{angles.shape}."
            )
        table["angle"] = angles.ravel()
    tracks = pd.DataFrame(table)
    return tracks[np.isfinite(positions).all(axis=2).ravel()].reset_index(drop=True)


def check_tracks(tracks, *, n_frames=None, name="tracks"):
    """Check that a table is one of tracks.

    Parameters
    ----------
    tracks : pandas.DataFrame
        At least the columns frame, id, x and y.
    n_frames : int, default=None
        Length of the video, if known.
    name : str, default="tracks"
        What the messages call it.

    Returns
    -------
    pandas.DataFrame
        frame (int), id, x, y and, if there, angle; the rows as they were, numbered from 0.
    """
    columns = [str(column) for column in getattr(tracks, "columns", ())]
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise ValueError(
            f"{name} must be a table with the columns frame, id, x, y and, if known, angle, but "
            f"lacks {', '.join(missing)}; it has {', '.join(columns) or 'none'}."
        )
    tracks = tracks[[column for column in _COLUMNS if column in columns]].reset_index(drop=True)
    for column in set(tracks.columns) - {"id"}:
        if tracks[column].dtype.kind not in "iuf":
            raise TypeError(
                f"{name}: column {column} must hold numbers, not {tracks[column].dtype}."
            )
    frame = tracks["frame"].to_numpy()
    if not ((frame == np.floor(frame)) & (frame >= 0) & (frame < _MOST_FRAMES)).all():
        raise ValueError(f"{name}: column frame must hold whole numbers from 0.")
    tracks["frame"] = frame.astype(np.int64)
    if n_frames is not None and len(frame) and frame.max() >= n_frames:
        raise ValueError(
            f"{name} go on to frame {int(frame.max())}, but the video has {n_frames} frames, "
            "counted from 0. Do they belong to another video?"
        )
    if tracks["id"].isna().any():
        raise ValueError(f"{name}: {tracks['id'].isna().sum()} rows have no id.")
    if np.isinf(tracks[["x", "y"]].to_numpy(dtype=float)).any():
        raise ValueError(f"{name} contain infinity. Leave out rows of individuals not seen.")
    twice = tracks.duplicated(["frame", "id"])
    if twice.any():
        row = tracks[twice].iloc[0]
        raise ValueError(
            f"{name}: individual {row['id']!r} is twice in frame {int(row['frame'])}. Each may "
            "have one row a frame."
        )
    return tracks


def sort_tracks(tracks):
    """Return the rows with a position, ordered by frame and then as they were."""
    known = tracks[["x", "y"]].notna().all(axis=1)
    return tracks[known].sort_values("frame", kind="stable").reset_index(drop=True)


def keep_long(tracks, min_length):
    """Return the tracks of at least so many rows."""
    if min_length <= 1:
        return tracks
    lengths = tracks.groupby("id")["id"].transform("size")
    return tracks[lengths >= min_length].reset_index(drop=True)


def list_ids(tracks):
    """Return the individuals' ids: numbers in their order, other names as they first occur."""
    ids = tracks["id"].unique().tolist()
    return sorted(ids) if all(isinstance(i, int | float) for i in ids) else ids
