"""Tracks without short gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skpose.individuals._tracks import check_tracks, sort_tracks

if TYPE_CHECKING:
    import pandas as pd


def interpolate_tracks(tracks: pd.DataFrame, *, max_gap: int = 5) -> pd.DataFrame:
    """Fill short gaps in tracks on a straight line.

    Parameters
    ----------
    tracks : pandas.DataFrame
        The columns frame, id, x, y and, if known, angle (radians).
    max_gap : int, default=5
        The most frames that a gap may have; longer ones are left as they are, and so are the
        frames before an individual is first seen and after it is last seen.

    Returns
    -------
    pandas.DataFrame
        The same columns with more rows, ordered by frame. Angles turn the shorter way round; ones
        that are not known (NaN) are filled from those around them by the same rule.

    Raises
    ------
    TypeError
        If frame, x, y or angle hold something else than numbers.
    ValueError
        If `max_gap` is below 0, a column is missing, or an individual is twice in a frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from skpose.individuals import interpolate_tracks
    >>> tracks = pd.DataFrame({"frame": [0, 3], "id": 7, "x": [1.0, 4.0], "y": 2.0})
    >>> interpolate_tracks(tracks)["x"].tolist()
    [1.0, 2.0, 3.0, 4.0]
    >>> len(interpolate_tracks(tracks, max_gap=1))
    2
    """
    import pandas as pd

    if max_gap < 0:
        raise ValueError(f"max_gap must be at least 0 frames, but is {max_gap}.")
    tracks = sort_tracks(check_tracks(tracks))
    if max_gap == 0 or len(tracks) == 0:
        return tracks
    filled = [_fill(track, max_gap) for _, track in tracks.groupby("id", sort=False)]
    order = {name: i for i, name in enumerate(tracks["id"].unique())}
    filled = pd.concat(filled, ignore_index=True)
    return filled.sort_values(
        ["frame", "id"], key=lambda column: column.map(order) if column.name == "id" else column
    ).reset_index(drop=True)


def _fill(track, max_gap):
    """Fill the gaps of one individual."""
    import pandas as pd

    known = track["frame"].to_numpy()
    frames = _frames_to_fill(known, max_gap)
    table = {"frame": frames, "id": track["id"].iloc[0]}
    for column in ("x", "y"):
        table[column] = np.interp(frames, known, track[column].to_numpy())
    if "angle" in track:
        table["angle"] = _fill_angles(frames, known, track["angle"].to_numpy(), max_gap)
    return pd.DataFrame(table)


def _frames_to_fill(known, max_gap):
    """Return the known frames and those in gaps that are short enough."""
    steps = np.diff(known, append=known[-1] + 1)
    steps[steps > max_gap + 1] = 1
    starts = np.repeat(known, steps)
    return starts + np.arange(len(starts)) - np.repeat(np.cumsum(steps) - steps, steps)


def _fill_angles(frames, known, angles, max_gap):
    has_angle = np.isfinite(angles)
    if not has_angle.any():
        return np.full(len(frames), np.nan)
    known, angles = known[has_angle], np.unwrap(angles[has_angle])
    filled = np.interp(frames, known, angles, left=np.nan, right=np.nan)
    filled[~np.isin(frames, _frames_to_fill(known, max_gap))] = np.nan
    return np.arctan2(np.sin(filled), np.cos(filled))
