"""Poses in all frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import joblib
import numpy as np

from skpose._background import Writer, read_ahead
from skpose._predictor import Predictor
from skpose._progress import Progress
from skpose._types import PathLike, Region, Video
from skpose.base import check_batch_size
from skpose.poses import check_poses_path, ending_of, from_numpy, write_rows
from skpose.video import iterate_batches, open_video, timing
from skpose.video_poses._part_file import PartFile

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_radius", "predict_video", "predict_videos"]

_MOST_AHEAD = 4  # batches that are decoded and wait
_MOST_BYTES_AHEAD = 2**28


@overload
def predict_video(
    estimator: Any,
    video: Video,
    *,
    out: None = None,
    batch_size: int | None = None,
    region: Region | None = None,
    step: int = 1,
    with_radius: bool = False,
    overwrite: bool = False,
    resume: bool = True,
    verbose: int = 0,
) -> xr.Dataset: ...


@overload
def predict_video(
    estimator: Any,
    video: Video,
    *,
    out: PathLike,
    batch_size: int | None = None,
    region: Region | None = None,
    step: int = 1,
    with_radius: bool = False,
    overwrite: bool = False,
    resume: bool = True,
    verbose: int = 0,
) -> Path: ...


def predict_video(
    estimator: Any,
    video: Video,
    *,
    out: PathLike | None = None,
    batch_size: int | None = None,
    region: Region | None = None,
    step: int = 1,
    with_radius: bool = False,
    overwrite: bool = False,
    resume: bool = True,
    verbose: int = 0,
) -> xr.Dataset | Path:
    """Find the bodyparts in each frame of a video.

    Frames are decoded ahead and poses are written while others are predicted, in memory that does
    not grow with the length of the video.

    Parameters
    ----------
    estimator : estimator
        Fitted: a `PoseEstimator`, a Pipeline or a search that holds one, or anything with
        `predict`.
    video : str, path-like or array-like of shape (n_frames, height, width, n_channels)
        The video: a file, or its frames.
    out : str or path-like, default=None
        The file to write, ``.csv``, ``.h5`` or ``.npz``; see `skpose.poses.write_poses`. None: the
        poses are returned.
    batch_size : int, default=None
        Frames that are predicted at a time. None: 32.
    region : tuple of (x, y, width, height), default=None
        The part of each frame of a file to look at, in pixels. None: all of it.
    step : int, default=1
        Look at every step-th frame of a file only.
    with_radius : bool, default=False
        Whether to find the radii too that a `skpose.conformal.ConformalPoseEstimator` tells. A file
        of them ends in ``.npz`` or ``.nc``.
    overwrite : bool, default=False
        Whether `out` may exist; it is replaced when all frames are done.
    resume : bool, default=True
        Whether to go on with what an earlier run, which was stopped, left in ``<out>.part``. False:
        start anew. Of frames that are no file, nothing is left to go on with.
    verbose : int, default=0
        1: show frames a second and the time that is left.

    Returns
    -------
    xarray.Dataset or pathlib.Path
        The poses, in memory: ``position`` (x, y in pixels of the video, whatever `region` is) and
        ``confidence`` (0..1; NaN from an estimator that does not tell it) over time, keypoint and
        individual; see `skpose.poses`; ``radius`` (pixels) with `with_radius`. With `out`, the path
        of the file.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is False, before any work.
    TypeError
        With `with_radius`, if the estimator tells no radii.
    ValueError
        If the video cannot be read, ``<out>.part`` belongs to another video, estimator or settings,
        or a file cannot hold radii.

    See Also
    --------
    predict_videos : Many videos, in several processes.
    draw_video : Poses drawn over their video.

    Notes
    -----
    Poses are added to ``<out>.part`` as they are found and put on the disk every two seconds, so a
    run that is killed (or stopped with Ctrl-C) goes on from there when the same call is made again.
    `out` itself appears only when it is complete.

    Examples
    --------
    >>> from skpose import load
    >>> from skpose.video_poses import predict_video
    >>> predict_video(load("fly.skpose"), "flies.mp4", out="flies.csv")  # doctest: +SKIP
    PosixPath('flies.csv')
    """
    if out is not None:
        out = check_poses_path(out, overwrite=overwrite)
    batch_size = check_batch_size(batch_size)
    predictor = Predictor(estimator)
    if with_radius:
        check_radius(predictor, out)
    X = open_video(video, n_channels=predictor.n_channels, region=region, step=step)
    names = predictor.names(lambda: X[0])
    offset, n_values = (region or (0, 0))[:2], 4 if with_radius else 3
    run = _Run(predictor, X, batch_size, offset=offset, n_values=n_values, verbose=verbose)
    if out is None:
        poses = np.empty((len(X), len(names), n_values), dtype=np.float32)
        run.predict(_filler(poses), n_done=0)
        radius = poses[..., 3] if with_radius else None
        return from_numpy(poses[..., :2], poses[..., 2], names=names, radius=radius, **timing(X))
    is_file = hasattr(X, "path")
    asked = {"region": region, "step": step, "with_radius": with_radius}
    head = _head(predictor, getattr(X, "path", X), names, **asked)
    sizes = {"n_keypoints": len(names), "n_values": n_values}
    part = PartFile(_with_suffix(out, ".part"), head, **sizes, resume=resume and is_file)
    with part:
        _predict_into(part, run)
        when = timing(X)
        write_rows(
            out,
            part.poses(),
            names=names,
            frames=when["frames"],
            times=when["times"],
            video=getattr(X, "path", None),
            overwrite=overwrite,
        )
    part.remove()
    return out


def check_radius(predictor: Predictor, out: PathLike | None) -> None:
    """Check that an estimator tells radii, and that a file can hold them, before any work starts.

    Parameters
    ----------
    predictor : Predictor
        The estimator.
    out : path-like or None
        The file; None: there is none.

    Raises
    ------
    TypeError
        If the estimator tells no radii.
    ValueError
        If the file cannot hold them.

    Examples
    --------
    >>> from skpose._predictor import Predictor
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.conformal import ConformalPoseEstimator
    >>> from skpose.video_poses import check_radius
    >>> predictor = Predictor(ConformalPoseEstimator(MeanPoseRegressor()))
    >>> check_radius(predictor, "fly.npz")
    >>> check_radius(predictor, "fly.csv")
    Traceback (most recent call last):
        ...
    ValueError: fly.csv cannot hold radii: ...
    """
    if not predictor.tells("radius"):
        raise TypeError(
            f"A {type(predictor.last).__name__} tells no radii. A ConformalPoseEstimator does; see "
            "skpose.conformal."
        )
    if out is not None and ending_of(out) not in (".npz", ".nc"):
        raise ValueError(
            f"{out} cannot hold radii: other programs take a fourth column of a table for a third "
            "coordinate. An .npz file can, and .nc of a single video."
        )


def _filler(array):
    start = 0

    def fill(poses):
        nonlocal start
        array[start : start + len(poses)] = poses
        start += len(poses)

    return fill


def _predict_into(part, run):
    """Predict the frames that a file lacks; if that stops, say how to go on."""
    try:
        run.predict(part.append, n_done=part.n_done)
    except BaseException as error:
        if part.n_done:
            error.add_note(
                f"The poses of the first {part.n_done} of {len(run.X)} frames are kept in "
                f"{part.path}. The same call goes on from there."
            )
        else:
            part.remove()
        raise


def predict_videos(
    estimator: Any,
    paths: Sequence[PathLike],
    *,
    out: PathLike,
    ending: Literal[".csv", ".h5", ".npz"] = ".csv",
    n_jobs: int | None = None,
    batch_size: int | None = None,
    region: Region | None = None,
    step: int = 1,
    with_radius: bool = False,
    overwrite: bool = False,
    resume: bool = True,
    verbose: int = 0,
) -> list[Path]:
    """Find the bodyparts in each frame of several videos, in several processes.

    Parameters
    ----------
    estimator : estimator
        As in `predict_video`; each process gets a copy.
    paths : sequence of path-like
        The videos. Their names must differ.
    out : str or path-like
        The folder to write to; it is made if there is none. ``<name of the video><ending>`` is
        written for each.
    ending : {".csv", ".h5", ".npz"}, default=".csv"
        The format, as in `predict_video`.
    n_jobs : int, default=None
        Number of processes, through joblib: None is one, unless in a ``joblib.parallel_config``, in
        which the backend can be a Dask cluster whose machines find the files under the same paths.
    batch_size : int, default=None
        Frames that are predicted at a time. None: 32.
    region : tuple of (x, y, width, height), default=None
        The part of each frame to look at, in pixels. None: all of it.
    step : int, default=1
        Look at every step-th frame only.
    with_radius : bool, default=False
        Whether to find the radii too, as in `predict_video`.
    overwrite : bool, default=False
        Whether the files may exist.
    resume : bool, default=True
        Whether to go on with an earlier run that was stopped. Videos that it had finished are not
        predicted again.
    verbose : int, default=0
        1: show frames a second and the time that is left, for each video.

    Returns
    -------
    list of pathlib.Path
        The file of each video.

    Raises
    ------
    FileExistsError
        If a file exists and `overwrite` is False, before any work.
    ValueError
        If a video cannot be predicted, after all others are done.

    See Also
    --------
    predict_video : One video.

    Examples
    --------
    >>> import av
    >>> import numpy as np
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.video_poses import predict_videos
    >>> for name in ("ann.mp4", "bob.mp4"):
    ...     with av.open(name, "w") as file:
    ...         stream = file.add_stream("libx264", rate=25, width=32, height=16)
    ...         for _ in range(3):
    ...             frame = av.VideoFrame.from_ndarray(np.zeros((16, 32, 3), np.uint8))
    ...             file.mux(stream.encode(frame))
    ...         file.mux(stream.encode())
    >>> X, y = np.zeros((1, 16, 32, 3), dtype=np.uint8), [[[5.0, 8.0]]]
    >>> estimator = MeanPoseRegressor().fit(X, y)
    >>> files = predict_videos(estimator, ["ann.mp4", "bob.mp4"], out="poses")
    >>> [file.name for file in files]
    ['ann.csv', 'bob.csv']
    """
    videos = [Path(path) for path in paths]
    outs = choose_outs(videos, Path(out), ending)
    if with_radius and outs:
        check_radius(Predictor(estimator), outs[0])
    options = {"batch_size": batch_size, "region": region, "step": step, "verbose": verbose}
    options["with_radius"] = with_radius
    options |= {"overwrite": overwrite, "resume": resume}
    jobs = [(estimator, video, file) for video, file in zip(videos, outs, strict=True)]
    return predict_each(jobs, n_jobs=n_jobs, options=options)


def predict_each(
    jobs: Sequence[tuple[Any, Path, Path]], *, n_jobs: int | None, options: dict[str, Any]
) -> list[Path]:
    """Predict videos, each by an estimator into a file, all in one folder; return the files.

    What an earlier run has finished stays as it is.
    """
    outs = [out for _, _, out in jobs]
    folder = outs[0].parent if outs else Path()
    folder.mkdir(parents=True, exist_ok=True)
    for out in outs:
        if not (options["resume"] and _with_suffix(out, ".done").exists()):
            check_poses_path(out, overwrite=options["overwrite"])
    failures = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_predict_one)(estimator, path, out, options) for estimator, path, out in jobs
    )
    failures = [failure for failure in failures if failure]
    if failures:
        raise ValueError(
            f"{len(failures)} of {len(jobs)} videos could not be predicted, the others are in "
            f"{folder}: " + "; ".join(failures)
        )
    for out in outs:
        _with_suffix(out, ".done").unlink(missing_ok=True)
    return outs


def choose_outs(paths, folder, ending):
    """Return the file of each video, once names and videos are checked."""
    if ending not in (".csv", ".h5", ".npz"):
        raise ValueError(f"ending must be '.csv', '.h5' or '.npz', but was {ending!r}.")
    outs = [folder / f"{path.stem}{ending}" for path in paths]
    doubled = sorted({out.name for out in outs if outs.count(out) > 1})
    if doubled:
        raise ValueError(
            f"Several videos would be written to {', '.join(doubled)}. Predict those of one name "
            "in separate calls with different folders."
        )
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} videos do not exist: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}."
        )
    return outs


def _predict_one(estimator, path, out, options):
    """Predict a video; give what is wrong with it, so that the others are predicted anyway."""
    done = _with_suffix(out, ".done")
    try:
        predictor = Predictor(estimator)
        names = predictor.names(lambda: open_video(path, n_channels=predictor.n_channels)[0])
        asked = {name: options[name] for name in ("region", "step", "with_radius")}
        head = _head(predictor, path, names, **asked)
        if done.exists() and options["resume"] and done.read_text() == _record(head, out):
            return None
        done.unlink(missing_ok=True)
        predict_video(estimator, path, out=out, **options)
        done.write_text(_record(head, out))
    except (ValueError, OSError) as error:
        return f"{path}: {error}"
    return None


def _record(head, out):
    """Say what a finished file was made of, and which file it is."""
    status = out.stat() if out.exists() else None
    return json.dumps([head, status and [status.st_size, status.st_mtime_ns]])


def _head(predictor, path, names, *, region, step, with_radius):
    """Say what poses belong to, in plain types; frames in place of a path tell their shape."""
    if hasattr(path, "shape"):
        video = list(path.shape)
    else:
        status = os.stat(path)
        video = [Path(path).name, status.st_size, status.st_mtime_ns]
    return {
        "video": video,
        "estimator": predictor.fingerprint(),
        "region": None if region is None else [int(n) for n in region],
        "step": int(step),
        "names": list(names),
        **({"radius": True} if with_radius else {}),
    }


def _with_suffix(path, suffix):
    return path.with_name(path.name + suffix)


class _Run:
    """Frames are decoded in a thread, predicted in the caller's, and written in another."""

    def __init__(self, predictor, X, batch_size, *, offset, n_values, verbose):
        self.predictor = predictor
        self.X = X
        self.batch_size = batch_size
        self.offset = np.asarray(offset)
        self.n_values = n_values
        self.verbose = verbose

    def predict(self, write, *, n_done):
        """Predict the frames from `n_done` on, and give each batch's poses to `write`."""
        with (
            self._progress(n_done) as progress,
            Writer(write) as writer,
            closing(read_ahead(self._batches(n_done), self._n_ahead())) as batches,
        ):
            for images in batches:
                writer.put(self._poses(images))
                progress.advance(len(images))

    def _progress(self, n_done):
        name = Path(getattr(self.X, "path", "frames")).name
        return Progress(len(self.X), name, n_done=n_done, unit="frames", verbose=self.verbose)

    def _n_ahead(self):
        n_bytes = self.batch_size * int(np.prod(self.X.shape[1:]))
        return min(max(_MOST_BYTES_AHEAD // n_bytes, 1), _MOST_AHEAD)

    def _batches(self, start):
        for _, images in iterate_batches(self.X, self.batch_size, start):
            yield images

    def _poses(self, images):
        other = "radius" if self.n_values > 3 else None
        found = self.predictor.predict_with(other, images, self.batch_size)
        poses = np.full((*found[0].shape[:2], self.n_values), np.nan, dtype=np.float32)
        poses[..., :2] = found[0] + self.offset
        for i, values in enumerate(found[1 : self.n_values - 1], 2):
            if values is not None:
                poses[..., i] = values
        return poses
