"""Poses of all individuals of a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
import warnings

import numpy as np

from skpose._background import read_ahead
from skpose._predictor import Predictor
from skpose._progress import Progress
from skpose._types import Border, ImageSize, Video
from skpose.base import check_batch_size
from skpose.individuals._crop import crop_individuals
from skpose.individuals._interpolate import interpolate_tracks
from skpose.individuals._tracks import check_tracks, list_ids, sort_tracks
from skpose.poses import from_numpy
from skpose.two_stage import TwoStageEstimator
from skpose.video import iterate_batches, open_video, timing

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def predict_individuals(
    estimator: Any,
    video: Video,
    tracks: pd.DataFrame,
    *,
    box_size: ImageSize | None = None,
    align: bool = False,
    border: Border = "constant",
    border_value: int = 0,
    max_gap: int = 0,
    batch_size: int | None = None,
    verbose: int = 0,
) -> xr.Dataset:
    """Find the bodyparts of each individual in the frames of a video.

    Frames are read in order and once, however many individuals they have, and few of them are held
    in memory at a time.

    Parameters
    ----------
    estimator : estimator
        Fitted to such crops, see `crop_individuals`; may be a Pipeline or a search that holds one.
        Of a `skpose.two_stage.TwoStageEstimator`, its second one, since tracks say where to look.
    video : str, path-like or array-like of shape (n_frames, height, width, n_channels)
        The video: a file, or its frames.
    tracks : pandas.DataFrame
        Where the individuals are: the columns frame, id, x, y (pixels) and, to `align`, angle
        (radians). See `read_tracks` and `track_individuals`.
    box_size : int or tuple of int, default=None
        (height, width) of the crops in pixels, or their side. None: as the estimator was trained
        on.
    align : bool, default=False
        Turn each individual so that it faces to the right; as in training.
    border : {"constant", "reflect", "replicate"}, default="constant"
        What is seen where a crop reaches over the edges of its frame.
    border_value : int, default=0
        The value seen there with "constant", 0 to 255.
    max_gap : int, default=0
        Fill gaps in tracks of at most so many frames on a straight line; see `interpolate_tracks`.
    batch_size : int, default=None
        About how many crops go through the network at a time. None: 32.
    verbose : int, default=0
        1: show the progress.

    Returns
    -------
    xarray.Dataset
        ``position`` (x, y in pixels of the video; NaN where an individual has no track) and
        ``confidence`` over time, keypoint and individual, these named by their ids in `tracks`;
        see `skpose.poses`.

    Raises
    ------
    ValueError
        If tracks and video do not fit together, or the size of the crops is not known.

    Warns
    -----
    UserWarning
        With `align`, if individuals are left out where their angle is not known.

    See Also
    --------
    skpose.poses.write_poses : Write the poses to a file.
    skpose.video_poses.draw_video : Draw them into the video.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.individuals import crop_individuals, make_tracks, predict_individuals
    >>> X = np.zeros((2, 32, 32, 1), dtype=np.uint8)
    >>> tracks = make_tracks([[[8.0, 8.0], [20.0, 9.0]], [[9.0, 8.0], [20.0, 8.0]]], ids=["a", "b"])
    >>> heads = tracks[["x", "y"]].to_numpy()[:, None] + [2.0, 0.0]  # two pixels to the right
    >>> estimator = MeanPoseRegressor().fit(crop_individuals(X, tracks, 11), heads)
    >>> poses = predict_individuals(estimator, X, tracks, box_size=11)
    >>> poses.position.sel(time=1, individual="b").values.ravel().tolist()
    [22.0, 8.0]
    """
    predictor, box_size_in_training = _find_second(Predictor(estimator))
    X = open_video(video, n_channels=predictor.n_channels)
    tracks = sort_tracks(check_tracks(tracks, n_frames=len(X)))
    tracks = interpolate_tracks(tracks, max_gap=max_gap)
    ids = list_ids(tracks)
    if not ids:
        raise ValueError("tracks are empty: there is no individual to predict.")
    if align:
        tracks = _with_angles(tracks)
    batch_size = check_batch_size(batch_size)
    options = {
        "box_size": _known(box_size_in_training) if box_size is None else box_size,
        "align": align,
        "border": border,
        "border_value": border_value,
    }
    keypoints: Any = None
    confidence: Any = None
    for rows, points, heights in _predict(predictor, X, tracks, options, batch_size, verbose):
        if keypoints is None:
            shape = (len(X), len(ids), points.shape[1])
            keypoints = np.full((*shape, 2), np.nan, dtype=np.float32)
            confidence = np.full(shape, np.nan, dtype=np.float32)
        columns = rows["id"].map(ids.index).to_numpy()
        keypoints[rows["frame"].to_numpy(), columns] = points
        confidence[rows["frame"].to_numpy(), columns] = heights
    names = None if predictor.skeleton is None else predictor.skeleton.names
    return from_numpy(
        keypoints, confidence, names=names, individuals=[str(i) for i in ids], **timing(X)
    )


def _predict(predictor, X, tracks, options, batch_size, verbose):
    """Yield (rows of tracks, keypoints, confidence), a few frames at a time."""
    frames = tracks["frame"].to_numpy()
    start, stop = int(frames[0]), int(frames[-1]) + 1
    n_at_once = max(1, round(batch_size / max(1, len(frames) / len(np.unique(frames)))))
    parts = read_ahead(iterate_batches(X, n_at_once, start, stop), n_ahead=1)
    for first, images in _with_progress(parts, stop - start, getattr(X, "path", ""), verbose):
        where = slice(*np.searchsorted(frames, [first, first + len(images)]))
        rows = tracks.iloc[where]
        if len(rows):
            crops = crop_individuals(images, rows.assign(frame=rows["frame"] - first), **options)
            keypoints, confidence = predictor.predict(crops)
            yield rows, keypoints, np.nan if confidence is None else confidence


def _with_progress(parts, n_frames, name, verbose):
    with Progress(n_frames, Path(name).name, unit="frames", verbose=verbose) as progress:
        for first, images in parts:
            yield first, images
            progress.advance(len(images))


def _find_second(predictor):
    """Return what finds bodyparts in crops, and the size of these in training, None: not known."""
    last = predictor.last
    if isinstance(last, TwoStageEstimator) and not predictor.steps:
        return Predictor(last.fine_), last.box_size_
    return predictor, predictor.image_size


def _known(box_size):
    if box_size is None:
        raise ValueError(
            "box_size must be given: the size of the crops that the estimator was trained on is "
            "only known of a PoseEstimator without steps before it."
        )
    return box_size


def _with_angles(tracks):
    """Return the rows that can be turned."""
    if "angle" not in tracks:
        return tracks  # crop_individuals says what to do
    known = tracks["angle"].notna()
    if not known.any():
        raise ValueError("No row of tracks has an angle. Give align=False, as in training.")
    if not known.all():
        warnings.warn(
            f"{(~known).sum()} of {len(known)} rows of tracks have no angle, and get no pose. "
            "Increase max_gap to fill them from the frames around.",
            UserWarning,
            stacklevel=3,
        )
    return tracks[known].reset_index(drop=True)
