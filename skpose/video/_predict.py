"""Poses in all frames of a video."""

from contextlib import closing
from inspect import signature
import json
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from skpose.base import check_batch_size
from skpose.plot._inputs import final_estimator, predict_with_confidence
from skpose.runtime import ExportedPoseEstimator
from skpose.skeleton import number_names
from skpose.video._frames import VideoFrames
from skpose.video._part_file import PartFile
from skpose.video._progress import VideoProgress
from skpose.video._table import ENDINGS, check_table_path, write_table
from skpose.video._threads import Writer, read_ahead

__all__ = ["predict_video", "predict_videos"]

_MOST_AHEAD = 4  # batches that are decoded and wait
_MOST_BYTES_AHEAD = 2**28


def predict_video(
    estimator,
    path,
    *,
    out=None,
    batch_size=None,
    region=None,
    step=1,
    overwrite=False,
    resume=True,
    verbose=0,
):
    """Find the bodyparts in each frame of a video.

    Frames are decoded ahead and poses are written while others are predicted, in memory that does
    not grow with the length of the video.

    Parameters
    ----------
    estimator : estimator
        A fitted `PoseEstimator`, a Pipeline that ends in one, or anything with
        ``predict(X, return_confidence=True)``.
    path : str or path-like
        The video.
    out : str or path-like, default=None
        The file to write. ``.csv`` and ``.h5`` are tables with DeepLabCut's columns (scorer,
        bodyparts, coords: x, y, likelihood) and the number of the frame as index; HDF5 is laid out
        as ``pandas.read_hdf`` expects it. ``.npz`` has the arrays ``keypoints``, ``confidence``,
        ``names`` and ``frames``. None: the poses are returned.
    batch_size : int, default=None
        Frames that are predicted at a time. None: 32.
    region : tuple of (x, y, width, height), default=None
        The part of each frame to look at, in pixels. None: all of it.
    step : int, default=1
        Look at every step-th frame only.
    overwrite : bool, default=False
        Whether `out` may exist; it is replaced when all frames are done.
    resume : bool, default=True
        Whether to go on with what an earlier run, which was stopped, left in ``<out>.part``. False:
        start anew.
    verbose : int, default=0
        1: show frames a second and the time that is left.

    Returns
    -------
    keypoints : ndarray of shape (n_frames, n_keypoints, 2)
        (x, y) in pixels of the video, whatever `region` is; float32. Only without `out`.
    confidence : ndarray of shape (n_frames, n_keypoints)
        0..1; NaN from an estimator that does not tell it. Only without `out`.
    out : pathlib.Path
        The file, in place of the arrays, if `out` was given.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is False, before any work.
    ValueError
        If the video cannot be read, or ``<out>.part`` belongs to another video, estimator or
        settings.

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
    >>> from skpose.video import predict_video
    >>> predict_video(load("fly.skpose"), "flies.mp4", out="flies.csv")  # doctest: +SKIP
    PosixPath('flies.csv')
    """
    if out is not None:
        out = check_table_path(out, overwrite=overwrite)
    batch_size = check_batch_size(batch_size)
    X = VideoFrames(path, n_channels=_n_channels(estimator), region=region, step=step)
    names = _names(estimator, path)
    run = _Run(estimator, X, batch_size, offset=(region or (0, 0))[:2], verbose=verbose)
    if out is None:
        poses = np.empty((len(X), len(names), 3), dtype=np.float32)
        run.predict(_filler(poses), n_done=0)
        return poses[..., :2], poses[..., 2]
    head = _head(estimator, path, region, step, names)
    part = PartFile(_with_suffix(out, ".part"), head, n_keypoints=len(names), resume=resume)
    with part:
        _predict_into(part, run)
        write_table(out, part.poses(), names=names, frames=X.frame_numbers, overwrite=overwrite)
    part.remove()
    return out


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
    estimator,
    paths,
    *,
    out,
    ending=".csv",
    n_jobs=None,
    batch_size=None,
    region=None,
    step=1,
    overwrite=False,
    resume=True,
    verbose=0,
):
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
    """
    paths = [Path(path) for path in paths]
    outs = _check_outs(paths, Path(out), ending, overwrite=overwrite, resume=resume)
    options = {"batch_size": batch_size, "region": region, "step": step, "verbose": verbose}
    options |= {"overwrite": overwrite, "resume": resume}
    failures = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_predict_one)(estimator, path, out, options)
        for path, out in zip(paths, outs, strict=True)
    )
    failures = [failure for failure in failures if failure]
    if failures:
        raise ValueError(
            f"{len(failures)} of {len(paths)} videos could not be predicted, the others are in "
            f"{out}: " + "; ".join(failures)
        )
    for path in outs:
        _with_suffix(path, ".done").unlink(missing_ok=True)
    return outs


def _check_outs(paths, folder, ending, *, overwrite, resume):
    if ending not in ENDINGS:
        raise ValueError(f"ending must be one of {', '.join(ENDINGS)}, but was {ending!r}.")
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
    folder.mkdir(parents=True, exist_ok=True)
    for out in outs:
        if not (resume and _with_suffix(out, ".done").exists()):
            check_table_path(out, overwrite=overwrite)
    return outs


def _predict_one(estimator, path, out, options):
    """Predict a video; give what is wrong with it, so that the others are predicted anyway."""
    done = _with_suffix(out, ".done")
    try:
        names = _names(estimator, path)
        head = _head(estimator, path, options["region"], options["step"], names)
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


def _head(estimator, path, region, step, names):
    """Say what poses belong to, in plain types."""
    status = os.stat(path)
    return {
        "video": [Path(path).name, status.st_size, status.st_mtime_ns],
        "estimator": _fingerprint(estimator),
        "region": None if region is None else [int(n) for n in region],
        "step": int(step),
        "names": list(names),
    }


def _fingerprint(estimator):
    """Give a text that is the same for estimators that predict the same."""
    final = final_estimator(estimator)
    is_exported = isinstance(final, ExportedPoseEstimator)
    if not is_exported and not hasattr(final, "model_"):
        return joblib.hash(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = estimator[:-1] if isinstance(estimator, Pipeline) else []
    steps = [(type(step).__name__, step.get_params()) for step in steps]
    if is_exported:
        return joblib.hash([steps, final.read(), final.precision])
    steps.append((type(final.targets_).__name__, final.targets_.get_params()))
    settings = [final.subpixel_, final.n_keypoints_]
    return joblib.hash([steps, settings, final.model_.get_weights()])


def _with_suffix(path, suffix):
    return path.with_name(path.name + suffix)


def _n_channels(estimator):
    return getattr(final_estimator(estimator), "image_shape_", (0, 0, 3))[2]


def _names(estimator, path):
    """Give the names of the bodyparts."""
    final = final_estimator(estimator)
    if getattr(final, "skeleton", None) is not None:
        return tuple(final.skeleton.names)
    n_keypoints = getattr(final, "n_keypoints_", None)
    if n_keypoints is None:
        frame = VideoFrames(path, n_channels=_n_channels(estimator))[:1]
        n_keypoints = predict_with_confidence(estimator, frame)[0].shape[1]
    return number_names(n_keypoints)


def _predict(estimator, images, batch_size):
    final = final_estimator(estimator)
    if final is estimator and "batch_size" in signature(final.predict).parameters:
        return final.predict(images, return_confidence=True, batch_size=batch_size)
    return predict_with_confidence(estimator, images)


class _Run:
    """Frames are decoded in a thread, predicted in the caller's, and written in another."""

    def __init__(self, estimator, X, batch_size, *, offset, verbose):
        self.estimator = estimator
        self.X = X
        self.batch_size = batch_size
        self.offset = np.asarray(offset)
        self.verbose = verbose

    def predict(self, write, *, n_done):
        """Predict the frames from `n_done` on, and give each batch's poses to `write`."""
        with (
            VideoProgress(len(self.X), n_done, name=self.X.path, verbose=self.verbose) as progress,
            Writer(write) as writer,
            closing(read_ahead(self._batches(n_done), self._n_ahead())) as batches,
        ):
            for images in batches:
                writer.put(self._poses(images))
                progress.advance(len(images))

    def _n_ahead(self):
        n_bytes = self.batch_size * int(np.prod(self.X.shape[1:]))
        return min(max(_MOST_BYTES_AHEAD // n_bytes, 1), _MOST_AHEAD)

    def _batches(self, start):
        for _, images in self.X.iter_batches(self.batch_size, start=start):
            yield images

    def _poses(self, images):
        keypoints, confidence = _predict(self.estimator, images, self.batch_size)
        poses = np.full((*keypoints.shape[:2], 3), np.nan, dtype=np.float32)
        poses[..., :2] = keypoints + self.offset
        if confidence is not None:
            poses[..., 2] = confidence
        return poses
