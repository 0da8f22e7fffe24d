"""Poses as files that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
import zipfile

import numpy as np
from numpy.typing import ArrayLike

from skpose._files import begins_with, check_output, holds_hdf5, replacing
from skpose._sleap_files import is_analysis, is_own
from skpose._types import PathLike, Rows
from skpose.base import batch_slices
from skpose.poses._coco_results import write_coco_results
from skpose.poses._dataset import check_poses, from_numpy, is_of_one, rows_of
from skpose.poses._netcdf import write_netcdf
from skpose.poses._nwb import write_nwb
from skpose.poses._pandas_hdf5 import is_table, write_table
from skpose.poses._sleap_poses import write_sleap, write_sleap_analysis
from skpose.poses._tables import COORDS, LEVELS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ANALYSIS", "check_poses_path", "ending_of", "write_poses", "write_rows"]

ANALYSIS = ".analysis.h5"  # what SLEAP calls the files that it exports for analysis
_ENDINGS = (".csv", ".h5", ".npz", ".nc", ".nwb", ".slp", ".json")
# What tells that a file holds poses, so that it may be replaced.
_IS_SAME = {
    ".csv": begins_with(b"scorer,", b"\xef\xbb\xbfscorer,"),
    ".h5": holds_hdf5(lambda file: any(is_table(group) for group in file.values())),
    ".npz": lambda path: _has_keypoints(path),
    ".nc": begins_with(b"CDF"),
    ".nwb": holds_hdf5(lambda file: "nwb_version" in file.attrs),
    ".slp": is_own("poses"),  # others may hold what people have labelled
    ".json": begins_with(b"["),
    ANALYSIS: holds_hdf5(is_analysis),
}


def _has_keypoints(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return "keypoints.npy" in archive.namelist()
    except zipfile.BadZipFile:
        return False


# Formats that a library writes as a whole.
_WHOLE = {
    ".nc": write_netcdf,
    ".nwb": write_nwb,
    ".slp": write_sleap,
    ".json": write_coco_results,
    ANALYSIS: write_sleap_analysis,
}
_SCORER = "skpose"
_BLOCK = 4096  # frames that are converted at a time
_WITH_RADIUS = len(COORDS) + 1


def write_poses(
    path: PathLike,
    poses: xr.Dataset,
    *,
    video: PathLike | None = None,
    overwrite: bool = False,
) -> Path:
    """Write poses to a file.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.h5``: a table with the columns of DeepLabCut (scorer, individuals where they
        have names, bodyparts, coords: x, y, likelihood) and the number of the frame as index; HDF5
        is laid out as ``pandas.read_hdf`` expects it. ``.npz``: the arrays ``keypoints``,
        ``confidence``, ``names``, ``frames``, ``times``, ``individuals`` where they have names, and
        ``radius`` where it is known. ``.nc``: netCDF, the Dataset as it is. ``.nwb``: NWB
        with ndx-pose, of one individual. ``.slp``: predictions of SLEAP; ``.analysis.h5``: what
        SLEAP exports for analysis. ``.json``: COCO's results, the number of the frame as
        ``image_id``.
    poses : xarray.Dataset
        What `skpose.poses.from_numpy`, `read_poses` and the functions that predict return, or a
        Dataset of movement.
    video : path-like, default=None
        The video that the poses are of, which netCDF, NWB and SLEAP's files name.
    overwrite : bool, default=False
        Whether the file may exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ImportError
        If pynwb and ndx-pose, or sleap-io, are needed and not installed.
    ValueError
        If `path` ends otherwise; if NWB is to hold several individuals, or poses without times in
        seconds; or if poses of images go to a format that knows numbers only.

    See Also
    --------
    read_poses : Reads it.

    Notes
    -----
    Tables, SLEAP's files and COCO's results hold no times, only the numbers of frames; give
    `read_poses` the frame rate to have them again. NWB holds the times only. COCO's results hold no
    names of bodyparts. Radii are held by ``.npz`` and ``.nc`` alone: movement takes a fourth column
    of a table for a third coordinate.

    Examples
    --------
    >>> from skpose.poses import from_numpy, write_poses
    >>> poses = from_numpy([[[1.0, 2.0]]], [[0.5]], names=["head"])
    >>> print(write_poses("poses.csv", poses).read_text())
    scorer,skpose,skpose,skpose
    bodyparts,head,head,head
    coords,x,y,likelihood
    0,1.0,2.0,0.5
    <BLANKLINE>
    """
    poses = check_poses(poses)
    ending = ending_of(path)
    if ending in _WHOLE:
        path = check_poses_path(path, overwrite=overwrite)
        with replacing(path, overwrite=overwrite) as temporary:
            _WHOLE[ending](temporary, poses, video)
        return path
    return write_rows(
        path,
        rows_of(poses),
        names=poses["keypoint"].values.tolist(),
        individuals=None if is_of_one(poses) else poses["individual"].values.tolist(),
        frames=poses["frame"].values,
        times=poses["time"].values if poses.attrs.get("time_unit") == "seconds" else None,
        overwrite=overwrite,
    )


def check_poses_path(path: PathLike, *, overwrite: bool = False) -> Path:
    """Check that poses can be written to a file, before any work starts.

    Parameters
    ----------
    path : path-like
        The file; see `write_poses`.
    overwrite : bool, default=False
        Whether it may exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If it is read-only, or no file but a device or a pipe.
    ValueError
        If `path` ends otherwise, or the file holds something else than poses.

    Examples
    --------
    >>> from skpose.poses import check_poses_path
    >>> check_poses_path("fly.csv").suffix
    '.csv'
    >>> check_poses_path("fly.txt")
    Traceback (most recent call last):
        ...
    ValueError: Poses are written to files that end in .csv, ..., but fly.txt ends in '.txt'.
    """
    is_same = _IS_SAME.get(ending_of(path))
    return check_output(path, what="Poses", endings=_ENDINGS, overwrite=overwrite, is_same=is_same)


def ending_of(path: PathLike) -> str:
    """Return what tells the format of a file of poses.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    str
        ``.analysis.h5``, or what is behind the last point of its name, in small letters.

    Examples
    --------
    >>> from skpose.poses import ending_of
    >>> ending_of("fly.analysis.h5"), ending_of("fly.1.CSV")
    ('.analysis.h5', '.csv')
    """
    name = Path(path).name.lower()
    return ANALYSIS if name.endswith(ANALYSIS) else Path(name).suffix


def write_rows(
    path: PathLike,
    rows: Rows,
    *,
    names: Sequence[str],
    individuals: Sequence[str] | None = None,
    frames: ArrayLike | None = None,
    times: ArrayLike | None = None,
    video: PathLike | None = None,
    overwrite: bool = False,
) -> Path:
    """Write poses to a file, a part at a time, from an array that may be on disk.

    Parameters
    ----------
    path : str or path-like
        The file; see `write_poses`.
    rows : array-like of shape (n_frames, ..., n_keypoints, 3)
        x, y and confidence; anything that can be sliced. With `individuals`, of shape (n_frames,
        n_individuals, n_keypoints, 3). A fourth value is the radius.
    names : sequence of str
        Of the bodyparts.
    individuals : sequence of str, default=None
        Of the individuals. None: there is one, without a name.
    frames : array-like of shape (n_frames,), default=None
        Number or file of each. None: numbers from 0.
    times : array-like of shape (n_frames,), default=None
        In seconds; None: not known.
    video : path-like, default=None
        The video that the poses are of; see `write_poses`.
    overwrite : bool, default=False
        Whether the file may exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    ImportError
        If pynwb and ndx-pose, or sleap-io, are needed and not installed.
    ValueError
        If `path` ends otherwise, holds something else than poses, or is of a format that cannot
        hold these; see `write_poses`.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.poses import write_rows
    >>> rows = np.array([[[1.0, 2.0, 0.5]], [[1.5, 2.0, 0.75]]])  # two frames of one bodypart
    >>> print(write_rows("rows.csv", rows, names=["head"]).read_text())
    scorer,skpose,skpose,skpose
    bodyparts,head,head,head
    coords,x,y,likelihood
    0,1.0,2.0,0.5
    1,1.5,2.0,0.75
    <BLANKLINE>
    """
    path = check_poses_path(path, overwrite=overwrite)
    frames = np.asarray(np.arange(len(rows)) if frames is None else frames)
    if ending_of(path) in _WHOLE:
        rows = np.asarray(rows)
        poses = from_numpy(
            rows[..., :2],
            rows[..., 2],
            radius=rows[..., 3] if rows.shape[-1] == _WITH_RADIUS else None,
            names=names,
            individuals=individuals,
            frames=frames,
            times=times,
        )
        return write_poses(path, poses, video=video, overwrite=overwrite)
    table = _Table(rows, list(names), individuals, frames, times)
    if ending_of(path) != ".npz":
        table.forget_radius()
    write = {".csv": _write_csv, ".h5": _write_hdf5, ".npz": _write_npz}[ending_of(path)]
    with replacing(path, overwrite=overwrite) as temporary:
        write(temporary, table)
    return path


class _Table:
    """Rows of poses, and what their columns are."""

    def __init__(self, rows, names, individuals, frames, times):
        sizes = [len(names)] if individuals is None else [len(individuals), len(names)]
        if np.prod(rows.shape[1:-1]) != np.prod(sizes):  # one individual may have an axis, or none
            raise ValueError(
                f"There are names of {' individuals with '.join(map(str, sizes))} bodyparts, but "
                f"rows have the shape {rows.shape}."
            )
        self.rows = rows
        self.frames = frames
        self.times = times
        self.names = names
        self.individuals = individuals
        places = [[str(name) for name in names]]
        if individuals is not None:
            places = [[str(name) for name in individuals], *places]
        self.columns = [[_SCORER], *places, list(COORDS)]
        self.levels = LEVELS if individuals is not None else (LEVELS[0], *LEVELS[2:])

    @property
    def n_values(self):
        """Of each keypoint: x, y, confidence, and maybe a radius."""
        return self.rows.shape[-1]

    def forget_radius(self):
        """Leave the columns that all programs know."""
        self.rows = self.rows[..., : len(COORDS)]

    def blocks(self):
        """Yield (slice, ndarray of shape (n_rows, n_columns)), a part at a time."""
        for part in batch_slices(len(self.rows), _BLOCK):
            block = np.asarray(self.rows[part])
            yield part, block.reshape(len(block), -1)


def _write_csv(path, table):
    import pandas as pd

    columns = pd.MultiIndex.from_product(table.columns, names=table.levels)
    with path.open("w", newline="", encoding="utf-8") as file:
        pd.DataFrame(columns=columns).to_csv(file)
        for part, block in table.blocks():
            pd.DataFrame(block, index=table.frames[part]).to_csv(file, header=False)


def _write_hdf5(path, table):
    n_columns = int(np.prod([len(values) for values in table.columns]))
    write_table(
        path,
        table.blocks(),
        levels=table.levels,
        names=table.columns,
        index=table.frames,
        shape=(len(table.rows), n_columns),
        dtype=table.rows.dtype,
    )


def _write_npz(path, table):
    places = tuple(len(values) for values in table.columns[1:-1])
    shape = (len(table.rows), *places)
    arrays = {"names": np.array(table.names), "frames": table.frames}
    if table.times is not None:
        arrays["times"] = np.asarray(table.times, dtype=np.float64)
    if table.individuals is not None:
        arrays["individuals"] = np.array([str(name) for name in table.individuals])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _stream_array(archive, "keypoints", table, slice(0, 2), (*shape, 2))
        _stream_array(archive, "confidence", table, 2, shape)
        if table.n_values == _WITH_RADIUS:
            _stream_array(archive, "radius", table, 3, shape)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _stream_array(archive, name, table, coords, shape):
    dtype = np.dtype(table.rows.dtype)
    head = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_2_0(file, head)
        for _, block in table.blocks():
            block = block.reshape(len(block), -1, table.n_values)[..., coords]
            file.write(np.ascontiguousarray(block).tobytes())
