"""Poses from files, of one animal and of several."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skpose._files import holds_hdf5, is_beyond_compression
from skpose._sleap_files import is_analysis
from skpose._types import PathLike
from skpose.poses._coco_results import read_coco_results
from skpose.poses._dataset import ONLY_ONE, from_numpy
from skpose.poses._netcdf import read_netcdf
from skpose.poses._nwb import read_nwb
from skpose.poses._sleap_poses import read_sleap, read_sleap_analysis
from skpose.poses._tables import COORDS, read_table
from skpose.skeleton import number_names

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["read_poses"]


def read_poses(path: PathLike, *, frame_rate: float | None = None) -> xr.Dataset:
    """Read poses that skpose wrote, or DeepLabCut, or another program with its columns.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.h5``: a table with DeepLabCut's columns, of one animal or of several.
        ``.npz``: the arrays ``keypoints``, ``confidence`` and, where there are such, ``names``,
        ``frames``, ``times``, ``individuals`` and ``radius``. ``.nc``: netCDF, of movement too.
        ``.nwb``: NWB with ndx-pose. ``.slp`` and ``.h5``: SLEAP's predictions, and what it exports
        for analysis. ``.json``: COCO's results of one animal in each image.
    frame_rate : float, default=None
        Frames a second, to have ``time`` in seconds, which tables do not tell.

    Returns
    -------
    xarray.Dataset
        ``position`` (x, y in pixels; NaN where there is none) and ``confidence`` (NaN where the
        file does not tell it), and ``radius`` where the file has it, over time, keypoint and
        individual; see `skpose.poses`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no table of poses; it says what is wrong with it.

    See Also
    --------
    write_poses : Writes them.

    Notes
    -----
    Files are read as plain numbers and texts: nothing in them is unpickled or run.

    Examples
    --------
    >>> from skpose.poses import from_numpy, read_poses, write_poses
    >>> _ = write_poses("poses.csv", from_numpy([[[1.0, 2.0]]], names=["head"]))
    >>> poses = read_poses("poses.csv", frame_rate=25)
    >>> poses.position.values.ravel().tolist(), poses.keypoint.values.tolist()
    ([1.0, 2.0], ['head'])
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        endings = ", ".join(_READERS)
        raise ValueError(f"Poses are read from {endings}, but {path} ends otherwise.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if read is _read_table and holds_hdf5(is_analysis)(path):
        read = read_sleap_analysis
    arrays = read(path)
    if not isinstance(arrays, dict):
        return _with_rate(arrays, frame_rate)
    try:
        return from_numpy(**arrays, frame_rate=frame_rate)
    except ValueError as error:
        raise ValueError(f"{path} is no whole file of poses: {error}") from error


def _with_rate(poses, frame_rate):
    """Give poses the times of their frames, if they know only the numbers of these."""
    if frame_rate is None or poses.attrs.get("time_unit") == "seconds":
        return poses
    times = poses["frame"].values / frame_rate
    poses = poses.assign_coords(time=("time", times))
    return poses.assign_attrs(fps=float(frame_rate), time_unit="seconds")


def _read_npz(path):
    try:
        with path.open("rb") as content, np.load(content) as file:
            _check_sizes(file.zip)
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile's, zlib's and NumPy's have nothing in common
        raise ValueError(f"{path} cannot be read as .npz: {error}.") from error
    if missing := {"keypoints", "confidence"} - set(arrays):
        raise ValueError(f"{path} has no poses: it lacks {' and '.join(sorted(missing))}.")
    keypoints = arrays["keypoints"]
    if keypoints.ndim not in (3, 4) or keypoints.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: its keypoints have the shape {keypoints.shape} and type {keypoints.dtype}."
        )
    if arrays["confidence"].dtype.kind not in "fiu" or np.isinf(keypoints).any():
        raise ValueError(f"{path} has keypoints that are infinite, or confidence that is text.")
    arrays = {name: np.atleast_1d(array) for name, array in arrays.items()}
    individuals = arrays.get("individuals", arrays.get("ids"))
    return {
        "keypoints": arrays["keypoints"],
        "confidence": arrays["confidence"],
        "names": arrays.get("names", number_names(arrays["keypoints"].shape[-2])),
        "individuals": [ONLY_ONE]
        if individuals is None and arrays["keypoints"].ndim == 3
        else individuals,
        "frames": None if "frames" not in arrays else _as_numbers(arrays["frames"]),
        "times": arrays.get("times"),
        "radius": arrays.get("radius"),
    }


def _check_sizes(file):
    """Refuse arrays whose declared size is not that of what is stored, before it is allocated."""
    for info in file.infolist():
        with file.open(info) as member:
            is_first = np.lib.format.read_magic(member) == (1, 0)
            name = "read_array_header_1_0" if is_first else "read_array_header_2_0"
            shape, _, dtype = getattr(np.lib.format, name)(member)
            n_bytes = info.file_size - member.tell()
        is_bomb = is_beyond_compression(info.file_size, info.compress_size)
        if is_bomb or (not dtype.hasobject and math.prod(shape) * dtype.itemsize != n_bytes):
            raise ValueError(
                f"its {info.filename} declares the shape {shape}, which it cannot hold"
            )


def _read_table(path):
    table = read_table(path)
    rows = table.arrange(COORDS).astype(np.float32)
    *individuals, names = table.places
    return {
        "keypoints": rows[..., :2],
        "confidence": rows[..., 2],
        "names": names,
        "individuals": individuals[0] if individuals else [ONLY_ONE],
        "frames": _as_numbers(np.array([entry[-1] for entry in table.index])),
    }


def _as_numbers(frames):
    """Return the numbers of frames as integers, and names of images as they are."""
    if frames.dtype.kind in "iu":
        return frames
    try:
        numbers = frames.astype(np.float64)
        whole = numbers.astype(np.int64)
    except (TypeError, ValueError):
        return frames.astype(str)
    return whole if np.array_equal(whole, numbers) else frames.astype(str)


_READERS = {
    ".csv": _read_table,
    ".h5": _read_table,
    ".npz": _read_npz,
    ".nc": read_netcdf,
    ".nwb": read_nwb,
    ".slp": read_sleap,
    ".json": read_coco_results,
}
