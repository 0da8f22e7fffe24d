"""Poses that each estimator of an ensemble finds in a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from skpose._types import PathLike, Region
from skpose.video_poses._predict_video import choose_outs, predict_each

if TYPE_CHECKING:
    from skpose.ensemble import PoseEnsemble

__all__ = ["predict_members"]


def predict_members(
    ensemble: PoseEnsemble,
    paths: Sequence[PathLike],
    *,
    out: PathLike,
    ending: Literal[".csv", ".h5", ".npz"] = ".csv",
    n_jobs: int | None = None,
    batch_size: int | None = None,
    region: Region | None = None,
    step: int = 1,
    overwrite: bool = False,
    resume: bool = True,
    verbose: int = 0,
) -> list[Path]:
    """Write what each estimator of an ensemble finds in videos, to a table of its own.

    These are the tables that Ensemble Kalman Smoothing makes one of.

    Parameters
    ----------
    ensemble : PoseEnsemble
        Fitted.
    paths : sequence of path-like
        The videos. Their names must differ.
    out : str or path-like
        The folder to write to; it is made if there is none. Of estimator i,
        ``<name of the video>_<i><ending>`` is written for each.
    ending : {".csv", ".h5", ".npz"}, default=".csv"
        The format, as in `predict_video`.
    n_jobs : int, default=None
        Number of processes, as in `predict_videos`.
    batch_size : int, default=None
        Frames that are predicted at a time. None: 32.
    region : tuple of (x, y, width, height), default=None
        The part of each frame to look at, in pixels. None: all of it.
    step : int, default=1
        Look at every step-th frame only.
    overwrite : bool, default=False
        Whether the files may exist.
    resume : bool, default=True
        Whether to go on with an earlier run that was stopped. What it had finished is not predicted
        again.
    verbose : int, default=0
        1: show frames a second and the time that is left, for each estimator.

    Returns
    -------
    list of pathlib.Path
        The file of each estimator, video after video.

    Raises
    ------
    FileExistsError
        If one of the files exists and `overwrite` is False, before any work.
    ValueError
        If the video cannot be read.

    See Also
    --------
    predict_video : One table, of the ensemble's poses.

    References
    ----------
    Biderman, D. et al. Lightning Pose: improved animal pose estimation via semi-supervised
    learning, Bayesian ensembling and cloud-native open-source tools. Nature Methods 21, 1316-1328
    (2024).

    Examples
    --------
    >>> from skpose import load
    >>> from skpose.video_poses import predict_members
    >>> predict_members(load("ensemble.skpose"), ["mouse.mp4"], out="tables")  # doctest: +SKIP
    [PosixPath('tables/mouse_0.csv'), PosixPath('tables/mouse_1.csv')]
    """
    videos = [Path(path) for path in paths]
    members, jobs = ensemble.estimators_, []
    for video, whole in zip(videos, choose_outs(videos, Path(out), ending), strict=True):
        for i, member in enumerate(members):
            jobs.append((member, video, whole.with_name(f"{video.stem}_{i}{ending}")))
    options: dict[str, Any] = {"batch_size": batch_size, "region": region, "step": step}
    options |= {"with_radius": False, "verbose": verbose, "overwrite": overwrite, "resume": resume}
    return predict_each(jobs, n_jobs=n_jobs, options=options)
