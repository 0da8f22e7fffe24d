"""Poses of all individuals of a video."""

import warnings

import numpy as np
from sklearn.utils import Bunch

from skpose.base import check_batch_size, check_images
from skpose.individuals._crop import crop_individuals
from skpose.individuals._frames import read_in_order
from skpose.individuals._interpolate import interpolate_tracks
from skpose.individuals._tracks import check_tracks, list_ids, sort_tracks


def predict_individuals(
    estimator,
    X,
    tracks,
    *,
    box_size=None,
    align=False,
    border="constant",
    border_value=0,
    max_gap=0,
    batch_size=None,
    verbose=0,
):
    """Find the bodyparts of each individual in the frames of a video.

    Frames are read in order and once, however many individuals they have, and few of them are held
    in memory at a time.

    Parameters
    ----------
    estimator : PoseEstimator or Pipeline
        Fitted to such crops; see `crop_individuals`.
    X : str, path-like, or array-like of shape (n_frames, height, width, n_channels)
        The video: a file, or images in order, such as `skpose.video.VideoFrames`.
    tracks : pandas.DataFrame
        Where the individuals are: the columns frame, id, x, y (pixels of X) and, to `align`, angle
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
    Bunch
        - ``keypoints`` : ndarray of shape (n_frames, n_individuals, n_keypoints, 2), float32, (x,
          y) in pixels of X; NaN where an individual has no track
        - ``confidence`` : ndarray of shape (n_frames, n_individuals, n_keypoints), float32, 0..1;
          NaN likewise
        - ``ids`` : list of the individuals' ids in `tracks`, in the order of the second axis
        - ``names`` : list of the bodyparts' names, or None if the estimator has no skeleton

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
    write_individuals : Write the poses to a file.
    skpose.video.draw_video : Draw them into the video.
    """
    X = _open(X, estimator)
    tracks = sort_tracks(check_tracks(tracks, n_frames=len(X)))
    tracks = interpolate_tracks(tracks, max_gap=max_gap)
    ids = list_ids(tracks)
    if not ids:
        raise ValueError("tracks are empty: there is no individual to predict.")
    if align:
        tracks = _with_angles(tracks)
    batch_size = check_batch_size(batch_size)
    options = {
        "box_size": _box_size(estimator) if box_size is None else box_size,
        "align": align,
        "border": border,
        "border_value": border_value,
    }
    keypoints = confidence = None
    for rows, points, heights in _predict(estimator, X, tracks, options, batch_size, verbose):
        if keypoints is None:
            shape = (len(X), len(ids), points.shape[1])
            keypoints = np.full((*shape, 2), np.nan, dtype=np.float32)
            confidence = np.full(shape, np.nan, dtype=np.float32)
        columns = rows["id"].map(ids.index).to_numpy()
        keypoints[rows["frame"].to_numpy(), columns] = points
        confidence[rows["frame"].to_numpy(), columns] = heights
    return Bunch(keypoints=keypoints, confidence=confidence, ids=ids, names=_names(estimator))


def _predict(estimator, X, tracks, options, batch_size, verbose):
    """Give (rows of tracks, keypoints, confidence), a few frames at a time."""
    frames = tracks["frame"].to_numpy()
    start, stop = int(frames[0]), int(frames[-1]) + 1
    n_at_once = max(1, round(batch_size / max(1, len(frames) / len(np.unique(frames)))))
    parts = read_in_order(X, n_at_once, start, stop)
    name = getattr(X, "path", "")
    for first, images in _with_progress(parts, stop - start, name, verbose):
        where = slice(*np.searchsorted(frames, [first, first + len(images)]))
        rows = tracks.iloc[where]
        if len(rows):
            crops = crop_individuals(images, rows.assign(frame=rows["frame"] - first), **options)
            yield rows, *estimator.predict(crops, return_confidence=True)


def _with_progress(parts, n_frames, name, verbose):
    if not verbose:
        yield from parts
        return
    from skpose.video._progress import VideoProgress

    with VideoProgress(n_frames, name=name, verbose=verbose) as progress:
        for first, images in parts:
            yield first, images
            progress.advance(len(images))


def _open(X, estimator):
    if hasattr(X, "shape"):
        return check_images(X)
    if isinstance(X, list | tuple):
        return check_images(np.asarray(X))
    from skpose.video import VideoFrames

    return VideoFrames(X, n_channels=_last(estimator).image_shape_[2])


def _last(estimator):
    """Give the last step of a Pipeline, or the estimator itself."""
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _box_size(estimator):
    if hasattr(estimator, "steps") or not hasattr(estimator, "image_shape_"):
        raise ValueError(
            "box_size must be given: the size of the crops that the estimator was trained on is "
            "only known of a PoseEstimator without steps before it."
        )
    return tuple(estimator.image_shape_[:2])


def _names(estimator):
    skeleton = getattr(_last(estimator), "skeleton", None)
    return None if skeleton is None else list(skeleton.names)


def _with_angles(tracks):
    """Give the rows that can be turned."""
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
