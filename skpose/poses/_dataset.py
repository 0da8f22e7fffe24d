"""Poses over time as a Dataset, from arrays and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose.skeleton import number_names

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "ONLY_ONE",
    "arrays_of",
    "check_poses",
    "from_numpy",
    "is_of_one",
    "rows_of",
    "to_movement",
    "to_numpy",
]

ONLY_ONE = "individual_0"  # what movement calls an individual without a name
_DIMS = ("time", "space", "keypoint", "individual")
_MOVEMENT_0_15 = {"keypoint": "keypoints", "individual": "individuals"}


def from_numpy(
    keypoints: ArrayLike,
    confidence: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    individuals: Sequence[str] | None = None,
    frames: ArrayLike | None = None,
    times: ArrayLike | None = None,
    frame_rate: float | None = None,
    radius: ArrayLike | None = None,
) -> xr.Dataset:
    """Make a Dataset of poses from arrays.

    Parameters
    ----------
    keypoints : array-like of shape (n_frames, n_keypoints, 2)
        (x, y) in pixels; NaN: no pose. Of several individuals, of shape (n_frames, n_individuals,
        n_keypoints, 2).
    confidence : array-like of shape (n_frames, n_keypoints), default=None
        0 to 1, or of shape (n_frames, n_individuals, n_keypoints); NaN: not told. None: all NaN.
    names : sequence of str, default=None
        Names of the bodyparts. None: keypoint_0, keypoint_1, ...
    individuals : sequence of str, default=None
        Names of the individuals. None: individual_0,
        individual_1, ..., which is how a single one is called.
    frames : array-like of shape (n_frames,), default=None
        The number of each frame in its video, or the file of each image. None: numbers from 0.
    times : array-like of shape (n_frames,), default=None
        Time of each frame in seconds. None: by the frame rate.
    frame_rate : float, default=None
        Frames a second. None: not known, and ``time`` is the number of the frame.
    radius : array-like of shape (n_frames, n_keypoints), default=None
        Of each keypoint, in pixels, as `skpose.conformal.ConformalPoseEstimator` tells it; or of
        shape (n_frames, n_individuals, n_keypoints). None: not known.

    Returns
    -------
    xarray.Dataset
        With ``position`` of shape (n_frames, 2, n_keypoints, n_individuals) and ``confidence`` of
        shape (n_frames, n_keypoints, n_individuals), as ``radius`` is where it is known. Its
        attributes tell ``time_unit``, "seconds" or "frames", and ``fps`` where it is known.

    Raises
    ------
    ValueError
        If shapes do not fit together, or names are not unique.

    Examples
    --------
    >>> from skpose.poses import from_numpy
    >>> poses = from_numpy([[[1.0, 2.0], [3.0, 4.0]]], names=["head", "tail"], frame_rate=25)
    >>> float(poses.position.sel(time=0, keypoint="tail", space="y").squeeze())
    4.0
    """
    import xarray as xr

    if isinstance(keypoints, np.ma.MaskedArray):
        keypoints = np.ma.filled(keypoints.astype(np.float64), np.nan)  # what is masked is no pose
    keypoints = np.asarray(keypoints)
    if keypoints.dtype.kind != "f":
        keypoints = keypoints.astype(np.float64)
    if keypoints.ndim == 3:
        keypoints = keypoints[:, np.newaxis]
        confidence = None if confidence is None else np.asarray(confidence)[:, np.newaxis]
        radius = None if radius is None else np.asarray(radius)[:, np.newaxis]
    if keypoints.ndim != 4 or keypoints.shape[3] != 2:
        raise ValueError(
            "keypoints must have the shape (n_frames, n_keypoints, 2) or (n_frames, "
            f"n_individuals, n_keypoints, 2), but their shape is {keypoints.shape}."
        )
    n_frames, n_individuals, n_keypoints, _ = keypoints.shape
    if confidence is None:
        confidence = np.full(keypoints.shape[:3], np.nan, dtype=keypoints.dtype)
    frames = np.arange(n_frames) if frames is None else np.asarray(frames)
    if individuals is None:
        individuals = [f"individual_{i}" for i in range(n_individuals)]
    names = number_names(n_keypoints) if names is None else names
    for what, count, values in (
        ("names", n_keypoints, names),
        ("individuals", n_individuals, individuals),
        ("frames", n_frames, frames),
    ):
        _check_unique(what, [str(value) for value in values], count)
    of_keypoints = {"confidence": np.asarray(confidence)}
    if radius is not None:
        of_keypoints["radius"] = np.asarray(radius)
    for what, values in of_keypoints.items():
        if values.shape != keypoints.shape[:3]:
            raise ValueError(
                f"{what} has the shape {values.shape}, but keypoints need {keypoints.shape[:3]} "
                "of it."
            )
    times, attributes = _time(frames, times, frame_rate)
    return xr.Dataset(
        {
            "position": (_DIMS, np.moveaxis(keypoints, (1, 2, 3), (3, 2, 1))),
            **{
                what: (("time", *_DIMS[2:]), np.moveaxis(values, 1, 2))
                for what, values in of_keypoints.items()
            },
        },
        coords={
            "time": times,
            "space": ["x", "y"],
            "keypoint": [str(name) for name in names],
            "individual": [str(name) for name in individuals],
            "frame": ("time", frames),
        },
        attrs={"source_software": "skpose", "ds_type": "poses", **attributes},
    )


def _check_unique(what, values, count):
    if len(values) != count:
        raise ValueError(f"There are {len(values)} {what}, but {count} are needed.")
    if len(set(values)) < count:
        doubled = sorted(value for value, n in Counter(values).items() if n > 1)
        raise ValueError(f"{what} must be unique, but {', '.join(doubled[:5])} occur twice.")


def _time(frames, times, frame_rate):
    """Return the coordinate ``time``, and what the attributes tell of it."""
    rate = {} if frame_rate is None else {"fps": float(frame_rate)}
    is_number = frames.dtype.kind in "iu"
    if times is None and frame_rate is not None and is_number:
        times = frames / frame_rate
    if times is not None:
        return np.asarray(times, dtype=np.float64), {**rate, "time_unit": "seconds"}
    return frames if is_number else np.arange(len(frames)), {**rate, "time_unit": "frames"}


def check_poses(poses: xr.Dataset, name: str = "poses") -> xr.Dataset:
    """Check that something is a Dataset of poses; one of movement's is understood too.

    Parameters
    ----------
    poses : xarray.Dataset
        As `from_numpy` makes it; the dimensions may be called as in movement up to 0.15, and in any
        order.
    name : str, default="poses"
        What the messages call it.

    Returns
    -------
    xarray.Dataset
        With the dimensions in the order of `from_numpy`, ``confidence`` and ``frame``.

    Raises
    ------
    TypeError
        If it is no Dataset.
    ValueError
        If it lacks a dimension or ``position``.

    Examples
    --------
    >>> from skpose.poses import check_poses, from_numpy
    >>> poses = from_numpy([[[1.0, 2.0]]], names=["head"])
    >>> older = poses.rename(keypoint="keypoints", individual="individuals")  # movement up to 0.15
    >>> check_poses(older).position.dims
    ('time', 'space', 'keypoint', 'individual')
    """
    import xarray as xr

    if not isinstance(poses, xr.Dataset):
        raise TypeError(
            f"{name} must be an xarray.Dataset, as predict_video, read_poses and poses.from_numpy "
            f"return it, but was {type(poses).__name__}."
        )
    renamed = {old: new for new, old in _MOVEMENT_0_15.items() if old in poses.dims}
    poses = poses.rename(renamed)
    if "position" not in poses or set(poses["position"].dims) != set(_DIMS):
        raise ValueError(
            f"{name} must have a variable position over {', '.join(_DIMS)}, but has "
            f"{', '.join(f'{key} over {value.dims}' for key, value in poses.items()) or 'nothing'}."
        )
    if list(poses["space"].values) != ["x", "y"]:
        raise ValueError(f"{name} must have the space x, y, but has {poses['space'].values}.")
    if "confidence" not in poses:
        poses = poses.assign(confidence=poses["position"].isel(space=0, drop=True) * np.nan)
    if "frame" not in poses.coords:
        poses = poses.assign_coords(frame=("time", _frames_of(poses)))
    return poses.transpose(*_DIMS)


def _frames_of(poses):
    """Return the numbers of the frames of poses that only tell the time."""
    times = poses["time"].values
    if times.dtype.kind in "iu":
        return times
    rate = poses.attrs.get("fps")
    return np.arange(len(times)) if rate is None else np.rint(times * rate).astype(np.int64)


def rows_of(poses):
    """Return x, y and confidence of poses that were checked, and the radius if it is known.

    The shape is (n_frames, n_individuals, n_keypoints, 3), or 4.
    """
    keypoints, confidence = arrays_of(poses)
    columns = [keypoints, confidence[..., np.newaxis]]
    if "radius" in poses:
        columns.append(poses["radius"].values.transpose(0, 2, 1)[..., np.newaxis])
    return np.concatenate(columns, axis=3)


def is_of_one(poses):
    """Whether poses are those of a single individual without a name."""
    return poses["individual"].values.tolist() == [ONLY_ONE]


def arrays_of(poses):
    """Return the keypoints of poses that were checked, (n_frames, n_individuals, n_keypoints, 2),
    and their confidence, also where there is one individual without a name."""
    keypoints = poses["position"].values.transpose(0, 3, 2, 1)
    return keypoints, poses["confidence"].values.transpose(0, 2, 1)


def to_numpy(poses: xr.Dataset) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the arrays of a Dataset of poses.

    Parameters
    ----------
    poses : xarray.Dataset
        As `from_numpy` makes it.

    Returns
    -------
    keypoints : ndarray of shape (n_frames, n_keypoints, 2)
        (x, y) in pixels; NaN: no pose. Of individuals with names, of shape (n_frames,
        n_individuals, n_keypoints, 2).
    confidence : ndarray of shape (n_frames, n_keypoints)
        0 to 1, or of shape (n_frames, n_individuals, n_keypoints); NaN: not told.

    Raises
    ------
    TypeError
        If it is no Dataset.
    ValueError
        If it lacks a dimension or ``position``.

    Examples
    --------
    >>> from skpose.poses import from_numpy, to_numpy
    >>> keypoints, confidence = to_numpy(from_numpy([[[1.0, 2.0]]], [[0.5]]))
    >>> keypoints.tolist(), confidence.tolist()
    ([[[1.0, 2.0]]], [[0.5]])
    """
    poses = check_poses(poses)
    keypoints, confidence = arrays_of(poses)
    return (keypoints[:, 0], confidence[:, 0]) if is_of_one(poses) else (keypoints, confidence)


def to_movement(poses: xr.Dataset) -> xr.Dataset:
    """Name the dimensions of poses as the installed version of movement does.

    movement up to 0.15, the last one for Python 3.11, says ``keypoints`` and ``individuals``; later
    ones say ``keypoint`` and ``individual``, as skpose does. Without movement, its latest names are
    taken.

    Parameters
    ----------
    poses : xarray.Dataset
        As `from_numpy` makes it.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    TypeError
        If it is no Dataset.
    ValueError
        If it lacks a dimension or ``position``.

    Examples
    --------
    >>> from skpose.poses import from_numpy, to_movement
    >>> to_movement(from_numpy([[[1.0, 2.0]]])).position.dims
    ('time', 'space', 'keypoint...', 'individual...')
    """
    from importlib.metadata import PackageNotFoundError, version

    poses = check_poses(poses)
    try:
        major, minor = (int(part) for part in version("movement").split(".")[:2])
    except PackageNotFoundError:
        return poses
    return poses.rename(_MOVEMENT_0_15) if (major, minor) <= (0, 15) else poses
