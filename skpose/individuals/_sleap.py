"""Tracks and poses from SLEAP's files."""

import errno
import os
import warnings

import numpy as np
from sklearn.utils import Bunch

from skpose._files import reading
from skpose._sleap_files import load_sleap, skeleton_of_sleap
from skpose._types import PathLike
from skpose.individuals._tracks import sort_tracks
from skpose.preprocessing import body_axes


def read_sleap(
    path: PathLike,
    *,
    video: int = 0,
    anchor: str | None = None,
    front: str | None = None,
    back: str | None = None,
) -> Bunch:
    """Read tracks and poses from a SLEAP file.

    Parameters
    ----------
    path : str or path-like
        The file, ``.slp``.
    video : int, default=0
        Which of the file's videos.
    anchor : str, default=None
        The bodypart that an individual's position is taken from. Where it is not visible, and with
        None, the position is the mean of the visible bodyparts.
    front, back : str, default=None
        The bodyparts at the ends of the body axis, which give the angles. None: no angles.

    Returns
    -------
    Bunch
        - ``tracks`` : pandas.DataFrame with the columns frame, id (the track's name), x, y and, if
          `front` and `back` are given, angle (NaN where one of them is not visible)
        - ``keypoints`` : ndarray of shape (n_rows, n_keypoints, 2), (x, y) in pixels of the video
          of the same rows; NaN: not visible
        - ``confidence`` : ndarray of shape (n_rows, n_keypoints), 1 for what a person labelled
        - ``skeleton`` : Skeleton, left/right partners guessed from the names if SLEAP has none

    Raises
    ------
    ImportError
        If sleap-io is not installed.
    ValueError
        If it is no SLEAP file or damaged, has no such video or bodypart, or no tracks; or if its
        individuals have different skeletons, or a track is twice in a frame.

    Warns
    -----
    UserWarning
        If instances are left out because they belong to no track.

    Notes
    -----
    SLEAP's x and y have pixel centres at whole numbers too. Of a track's two instances in one
    frame, the one that a person made is taken, not the prediction.

    Examples
    --------
    >>> from skpose.individuals import read_sleap
    >>> from skpose.poses import from_numpy, write_poses
    >>> keypoints = [[[[3.0, 5.0], [1.0, 5.0]], [[7.0, 9.0], [7.0, 5.0]]]]
    >>> poses = from_numpy(keypoints, names=["head", "tail"], individuals=["ann", "bob"])
    >>> flies = read_sleap(write_poses("flies.slp", poses), front="head", back="tail")
    >>> flies.tracks.round(2)
       frame   id    x    y  angle
    0      0  ann  2.0  5.0   0.00
    1      0  bob  7.0  7.0   1.57
    """
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "There is no such file", os.fspath(path))
    with reading(path, "a SLEAP file"):
        labels = load_sleap(path)
        if not 0 <= video < len(labels.videos):
            raise ValueError(f"{path} has {len(labels.videos)} videos, but video is {video}.")
        if not labels.skeletons:
            raise ValueError(f"{path} has no skeleton, which says what the points are.")
        skeleton = skeleton_of_sleap(labels.skeletons[0])
        names = list(skeleton.names)
        rows, n_lost = _collect(labels.find(labels.videos[video]), names)
    if not rows:
        raise ValueError(
            f"{path} has no instances with tracks in video {video} ({n_lost} without). Track them "
            "in SLEAP first, or find the individuals with track_individuals."
        )
    if n_lost:
        warnings.warn(
            f"{n_lost} of {n_lost + len(rows)} instances of {path} belong to no track, and are "
            "left out.",
            UserWarning,
            stacklevel=2,
        )
    frames, ids, keypoints, confidence = (list(column) for column in zip(*rows, strict=True))
    keypoints, confidence = np.stack(keypoints), np.stack(confidence)
    tracks = _tracks(frames, ids, keypoints, names, anchor, front, back)
    seen = tracks[["x", "y"]].notna().all(axis=1).to_numpy()
    order = np.argsort(tracks["frame"].to_numpy()[seen], kind="stable")
    return Bunch(
        tracks=sort_tracks(tracks),
        keypoints=keypoints[seen][order],
        confidence=confidence[seen][order],
        skeleton=skeleton,
    )


def _collect(labelled_frames, names):
    """List (frame, id, keypoints, confidence) of each instance with a track; count the others."""
    rows, seen, n_lost = [], set(), 0
    for labelled in labelled_frames:
        frame = int(labelled.frame_idx)
        chosen = _by_track(labelled.predicted_instances, frame, names)
        chosen |= _by_track(labelled.user_instances, frame, names)
        for track, instance in chosen.items():
            if (frame, track.name) in seen:
                raise _twice(frame, track)
            seen.add((frame, track.name))
            points = instance.numpy().astype(np.float64)
            rows.append((frame, track.name, points, _confidence(instance)))
        n_lost += sum(instance.track is None for instance in labelled.instances)
    return rows, n_lost


def _by_track(instances, frame, names):
    by_track = {}
    for instance in instances:
        found = list(instance.skeleton.node_names)
        if found != names:
            raise ValueError(
                f"individuals of different skeletons, {', '.join(names)} and {', '.join(found)}, "
                "cannot be read together"
            )
        if instance.track in by_track:
            raise _twice(frame, instance.track)
        if instance.track is not None:
            by_track[instance.track] = instance
    return by_track


def _twice(frame, track):
    return ValueError(
        f"track {track.name!r} is twice in frame {frame}. Delete one there, or give tracks that "
        "differ different names"
    )


def _confidence(instance):
    points = instance.points
    if "score" in (points.dtype.names or ()):
        return np.asarray(points["score"], dtype=np.float64).clip(0, 1)
    return np.ones(len(points))


def _tracks(frames, ids, keypoints, names, anchor, front, back):
    import pandas as pd

    if (front is None) != (back is None):
        raise ValueError("An angle needs both front and back, but only one of them was given.")
    visible = np.isfinite(keypoints).all(axis=2, keepdims=True)
    n_visible = visible.sum(axis=1)
    centers = np.where(visible, keypoints, 0).sum(axis=1) / np.maximum(n_visible, 1)
    centers[n_visible[:, 0] == 0] = np.nan
    if anchor is not None:
        points = keypoints[:, _position(names, anchor, "anchor")]
        centers = np.where(np.isfinite(points).all(axis=1, keepdims=True), points, centers)
    table = {"frame": frames, "id": ids, "x": centers[:, 0], "y": centers[:, 1]}
    if front is not None:
        ends = _position(names, front, "front"), _position(names, back, "back")
        table["angle"] = body_axes(keypoints, *ends)[1]
    return pd.DataFrame(table)


def _position(names, name, what):
    if name not in names:
        raise ValueError(f"{what} {name!r} is not a bodypart; bodyparts are {', '.join(names)}.")
    return names.index(name)
