"""Which end of an axis is the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skpose.individuals._tracks import check_tracks

if TYPE_CHECKING:
    import pandas as pd

_REACH = 2  # frames before and after, between which the motion is measured
_INERTIA = 10  # a half turn costs as much as twice so many frames of quick backward motion


def resolve_angles(tracks: pd.DataFrame) -> pd.DataFrame:
    """Choose the end of each individual's axis that it moves towards.

    The axis of a blob has two ends. Of all ways to choose one in each frame, the one is taken that
    turns least from frame to frame and agrees most with the motion, over the whole track at once.

    Parameters
    ----------
    tracks : pandas.DataFrame
        The columns frame, id, x, y and angle (radians), of which half a turn is not known.

    Returns
    -------
    pandas.DataFrame
        The same with angles from -pi to pi, towards the front.

    Raises
    ------
    TypeError
        If frame, x, y or angle hold something else than numbers.
    ValueError
        If a column is missing, or an individual is twice in a frame.

    Notes
    -----
    The front of an individual that never moves, or that moves backwards or sideways as often as
    forwards, is a guess. Even then it stays the same from frame to frame, and does not jump to the
    other end. NaN angles stay NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.individuals import make_tracks, resolve_angles
    >>> leftwards = [[[9.0 - i, 5.0]] for i in range(9)]
    >>> tracks = make_tracks(leftwards, angles=np.zeros((9, 1)))
    >>> resolve_angles(tracks)["angle"].abs().round(3).unique().tolist()
    [3.142]
    """
    if "angle" not in tracks:
        raise ValueError("tracks have no column angle.")
    check_tracks(tracks)
    tracks = tracks.copy()
    angles = tracks["angle"].to_numpy(dtype=np.float64, copy=True)
    for rows in tracks.groupby("id", sort=False).indices.values():
        track = tracks.iloc[rows]
        rows = rows[np.argsort(track["frame"].to_numpy(), kind="stable")]
        rows = rows[np.isfinite(angles[rows])]
        if len(rows):
            track = tracks.iloc[rows]
            velocity = _velocity(track["frame"].to_numpy(), track[["x", "y"]].to_numpy(dtype=float))
            angles[rows] = _choose(angles[rows], velocity)
    tracks["angle"] = angles
    return tracks


def _velocity(frames, positions):
    """Return pixels a frame, between some frames before and after each."""
    rows = np.arange(len(frames))
    before, after = (rows - _REACH).clip(0), (rows + _REACH).clip(None, len(rows) - 1)
    elapsed = np.maximum(frames[after] - frames[before], 1)
    return (positions[after] - positions[before]) / elapsed[:, None]


def _choose(angles, velocity):
    """Return the angles, some of them turned by half: the path of least cost (Viterbi, 1967)."""
    speed = np.linalg.norm(velocity, axis=1)
    usual = np.median(speed[speed > 0]) if (speed > 0).any() else 1.0
    towards = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    forwards = (velocity * towards).sum(axis=1) / (speed + usual)  # -1..1
    turned = angles[:, None] + np.array([0, np.pi])
    cost, origins = np.array([-forwards[0], forwards[0]]), []
    for i in range(1, len(angles)):
        turn = _INERTIA * (1 - np.cos(turned[i][:, None] - turned[i - 1]))  # (to, from)
        through = cost + turn
        origins.append(through.argmin(axis=1))
        cost = through.min(axis=1) + np.array([-forwards[i], forwards[i]])
    states = [int(cost.argmin())]
    for origin in reversed(origins):
        states.append(int(origin[states[-1]]))
    chosen = turned[np.arange(len(angles)), states[::-1]]
    return np.arctan2(np.sin(chosen), np.cos(chosen))
