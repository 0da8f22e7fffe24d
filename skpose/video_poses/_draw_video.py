"""Labelled videos: poses drawn over the frames that they were found in."""

from __future__ import annotations

from collections import deque
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
import warnings

import numpy as np

from skpose._files import check_output, replacing
from skpose._opencv import import_opencv
from skpose._palette import bodypart_colors
from skpose._progress import Progress
from skpose._types import PathLike, Region, Video
from skpose.base import batch_slices
from skpose.poses import check_poses
from skpose.skeleton import check_skeleton
from skpose.video import open_video, timing
from skpose.video._encoder import write_mp4
from skpose.video_poses._overlay import PoseOverlay

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    import xarray as xr

    from skpose.skeleton import Skeleton

__all__ = ["draw_video"]

_BATCH = 16  # frames that are decoded at a time
_PALEST = 0.3  # opacity of a keypoint without any confidence
_RADIUS_OF_VIDEO = 0.006  # of the dots: their part of the frame's side
_RADIUS_OF_ANIMAL = 0.03  # and, where that is less, of the animal's length
_LEAST_RADIUS = 1.5  # pixels
_N_MEASURED = 1000  # frames
_USUAL_RATE = 25.0  # frames a second
_SLOWEST = 5.0  # frames a second, where only some frames are drawn


def draw_video(
    video: Video,
    poses: xr.Dataset,
    *,
    out: PathLike,
    region: Region | None = None,
    skeleton: Skeleton | None = None,
    min_confidence: float = 0.2,
    max_radius: float | None = None,
    trail: int = 0,
    cmap: str | Colormap | None = None,
    radius: float | None = None,
    scale: float = 1.0,
    overwrite: bool = False,
    verbose: int = 0,
) -> Path:
    """Write a video with poses drawn over its frames.

    A dot is a keypoint, in the colour of its bodypart, and paler the less confident it is. The
    video is H.264 in an MP4 file that every browser plays, at the speed of the original. Memory
    does not grow with its length, and `out` appears only when it is complete.

    Parameters
    ----------
    video : str, path-like or array-like of shape (n_frames, height, width, n_channels)
        The video: a file, or its frames.
    poses : xarray.Dataset
        What `predict_video`, `predict_individuals` or `skpose.poses.read_poses` return: (x, y) in
        pixels of the video, whatever `region` is; NaN: not drawn. Only the frames that it has are
        written. Of several individuals, each one's lines have a colour of their own. Where no
        confidence is known, all keypoints are drawn; of others, NaN counts as 0.
    out : str or path-like
        The MP4 file to write.
    region : tuple (x, y, width, height), default=None
        The part of a video file to write, in pixels. None: all.
    skeleton : Skeleton, default=None
        The bodyparts that lines connect, in the order of the poses. None: dots alone.
    min_confidence : float, default=0.2
        Keypoints of a lower confidence are not drawn.
    max_radius : float, default=None
        Where the poses tell a radius, it is drawn as a ring; keypoints of a larger one, in pixels
        of the video, are not drawn. None: all are.
    trail : int, default=0
        Over how many frames a line that fades shows where each keypoint came from.
    cmap : str or matplotlib Colormap, default=None
        The colours of the bodyparts, in their order. None: as in `PoseDisplay`.
    radius : float, default=None
        Of the dots, in pixels of the written video; lines are in proportion. None: by the size of
        the video and of the animals.
    scale : float, default=1.0
        Size of the written frames, in that of the video's.
    overwrite : bool, default=False
        Whether `out` may exist.
    verbose : int, default=0
        1: show frames a second and the time that is left.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    FileExistsError
        If `out` exists, and `overwrite` is False.
    ImportError
        If PyAV or OpenCV cannot be imported.
    ValueError
        If the poses do not fit the video or the skeleton.

    Warns
    -----
    UserWarning
        If no keypoint reaches `min_confidence`.

    See Also
    --------
    predict_video : Finds the poses.
    skpose.plot.PoseDisplay : Poses over single images.

    Notes
    -----
    Frames with odd sides get another row or column at the bottom or right, which H.264 needs.
    Frames are played at the pace at which they were taken, but no fewer than five a second where
    only some were predicted. Those of no file are played at the rate that the poses tell (``fps``),
    or at 25 a second.

    Examples
    --------
    >>> from skpose import load
    >>> from skpose.video_poses import draw_video, predict_video
    >>> estimator = load("fly.skpose")  # doctest: +SKIP
    >>> poses = predict_video(estimator, "fly.mp4")  # doctest: +SKIP
    >>> draw_video(
    ...     "fly.mp4", poses, out="labelled.mp4", skeleton=estimator.skeleton
    ... )  # doctest: +SKIP
    PosixPath('labelled.mp4')
    """
    _check_settings(min_confidence=min_confidence, trail=trail, radius=radius, scale=scale)
    if max_radius is not None and "radius" not in poses:
        raise ValueError("max_radius is given, but the poses tell no radius.")
    check_output(
        out, what="Labelled videos", endings=(".mp4",), overwrite=overwrite, is_same=_is_mp4
    )
    _check_other(out, video)
    poses = check_poses(poses)
    points, confidence = _arrays(poses)
    rings = _rings(poses, max_radius)
    if max_radius is not None:
        points = np.where(np.isnan(rings)[..., np.newaxis], np.nan, points)
    n_individuals, n_keypoints = points.shape[1:3]
    check_skeleton(skeleton, n_keypoints)
    X = open_video(video, n_channels=3, region=region)
    frames = _find_frames(X, poses["frame"].values)
    image_size = tuple(max(round(side * scale), 1) for side in X.shape[1:3])
    overlay = PoseOverlay(
        image_size,
        255 * bodypart_colors(n_keypoints, skeleton, cmap),
        () if skeleton is None else skeleton.edges,
        individual_colors=255 * bodypart_colors(n_individuals) if n_individuals > 1 else None,
        radius=_default_radius(points, scale, image_size) if radius is None else radius,
    )
    heights = np.nan_to_num(confidence)[np.isfinite(points).all(axis=-1)]
    if len(heights) and heights.max() < min_confidence:
        warnings.warn(
            f"No keypoint has a confidence of {min_confidence} or more, so none is drawn. Lower "
            "min_confidence to see where they are.",
            UserWarning,
            stacklevel=2,
        )
    images = _read(X, frames, image_size)
    corner = (0, 0) if region is None else region[:2]
    scales = np.divide(image_size, X.shape[1:3])[::-1]  # of x and y, after rounding
    drawn = _place(points, confidence, min_confidence, corner, scales)
    name = Path(getattr(X, "path", "frames")).name
    history: deque[Any] = deque(maxlen=trail)
    with (
        replacing(out, overwrite=overwrite) as temporary,
        write_mp4(temporary, image_size, _frame_rate(X, frames, poses)) as write,
        Progress(len(frames), name, unit="frames", verbose=verbose) as progress,
    ):
        for i, (image, (pose, opacity)) in enumerate(zip(images, drawn, strict=True)):
            ring = None if rings is None else rings[i] * scales.mean()
            overlay.draw(image, pose, opacity, history, ring)
            history.append(pose)
            write(image)
            progress.advance(1)
    return Path(out)


def _check_settings(*, min_confidence, trail, radius, scale):
    if trail != int(trail) or trail < 0:
        raise ValueError(f"trail must be a number of frames, 0 or more, but was {trail!r}.")
    if not scale > 0:
        raise ValueError(f"scale must be above 0, but was {scale!r}.")
    if radius is not None and not radius > 0:
        raise ValueError(f"radius must be above 0 px, or None, but was {radius!r}.")
    if not 0 <= min_confidence <= 1:
        raise ValueError(f"min_confidence must be from 0 to 1, but was {min_confidence!r}.")


def _is_mp4(path):
    with path.open("rb") as file:
        return file.read(12)[4:8] == b"ftyp"


def _check_other(out, video):
    path = getattr(video, "path", video)
    if isinstance(path, str | os.PathLike) and Path(out).resolve() == Path(path).resolve():
        raise ValueError(f"out would replace the video itself, {path}. Choose another name.")


def _arrays(poses):
    """Return points (n, n_individuals, n_keypoints, 2), and confidence without the last axis."""
    points = poses["position"].values.transpose(0, 3, 2, 1)
    confidence = poses["confidence"].values.transpose(0, 2, 1)
    if 0 in points.shape:
        raise ValueError(f"poses are empty: {dict(poses.sizes)}.")
    if np.isnan(confidence).all():
        confidence = np.broadcast_to(np.float32(1), confidence.shape)
    return points, confidence


def _rings(poses, max_radius):
    """Return radii (n_frames, n_individuals, n_keypoints) that may be drawn; None: not known."""
    if "radius" not in poses:
        return None
    radius = poses["radius"].values.transpose(0, 2, 1)
    return np.where(radius <= (np.inf if max_radius is None else max_radius), radius, np.nan)


def _find_frames(X, frames):
    """Return the positions in X of the frames that poses have, by their numbers in the video."""
    if len(frames) and not np.issubdtype(frames.dtype, np.integer):
        raise ValueError(
            "poses are of images, not of the numbered frames of a video: their first frame is "
            f"{frames[0]!r}."
        )
    if (np.diff(frames) <= 0).any():
        raise ValueError("frames must increase: a video is drawn from its start to its end.")
    numbers = timing(X)["frames"]
    positions = np.searchsorted(numbers, frames).clip(max=len(numbers) - 1)
    if (numbers[positions] != frames).any():
        raise ValueError(
            f"poses are of frames from {frames[0]} to {frames[-1]}, but the video has "
            f"{len(numbers)}, from {numbers[0]} to {numbers[-1]}, and not all of them."
        )
    return positions


def _default_radius(poses, scale, image_size):
    """Return a radius that suits the video, and leaves small animals to be seen."""
    some = poses[:: len(poses) // _N_MEASURED + 1].reshape(-1, *poses.shape[2:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of poses that are all NaN
        lengths = np.hypot(*(np.nanmax(some, axis=1) - np.nanmin(some, axis=1)).T)
        length = scale * np.nanmedian(lengths)
    radius = _RADIUS_OF_VIDEO * np.sqrt(image_size[0] * image_size[1])
    if length > 0:
        radius = min(radius, _RADIUS_OF_ANIMAL * length)
    return max(radius, _LEAST_RADIUS)


def _frame_rate(X, frames, poses):
    if not hasattr(X, "times"):
        return poses.attrs.get("fps", _USUAL_RATE)
    if len(frames) < 2:
        return X.frame_rate
    gaps = np.diff(frames)
    if (gaps == gaps[0]).all():
        rate = float(len(gaps) / np.ptp(X.times[frames]))
    else:
        rate = X.frame_rate / float(np.median(gaps))
    return max(rate, min(X.frame_rate, _SLOWEST))


def _read(X, frames, image_size):
    cv2 = import_opencv()
    shrinks = image_size[0] < X.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    for part in batch_slices(len(frames), _BATCH):
        for image in X[frames[part]]:
            if image.shape[2] == 1:
                image = np.repeat(image, 3, axis=2)
            if image.shape[:2] != image_size:
                image = cv2.resize(image, image_size[::-1], interpolation=how)
            yield image


def _place(poses, confidence, min_confidence, corner, scales):
    """Yield what is to be seen of each frame's poses, in its pixels, and how solid it is."""
    for pose, height in zip(poses, confidence, strict=True):
        height = np.nan_to_num(height)
        is_seen = (height >= min_confidence)[..., np.newaxis] & np.isfinite(pose)
        pose = (np.where(is_seen, pose, np.nan) - corner) * scales + (scales - 1) / 2
        yield pose, _PALEST + (1 - _PALEST) * np.clip(height, 0, 1)
