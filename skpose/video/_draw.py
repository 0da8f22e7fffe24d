"""Labelled videos: poses drawn over the frames that they were found in."""

from collections import deque
from pathlib import Path
import warnings

import numpy as np

from skpose._files import replacing
from skpose._opencv import import_opencv
from skpose.plot._inputs import check_skeleton
from skpose.plot._pose_panels import bodypart_colors
from skpose.video._encoder import write_mp4
from skpose.video._frames import VideoFrames
from skpose.video._overlay import PoseOverlay
from skpose.video._progress import VideoProgress

__all__ = ["draw_video"]

_BATCH = 16  # frames that are decoded at a time
_PALEST = 0.3  # opacity of a keypoint without any confidence
_RADIUS_OF_VIDEO = 0.006  # of the dots: their part of the frame's side
_RADIUS_OF_ANIMAL = 0.03  # and, where that is less, of the animal's length
_LEAST_RADIUS = 1.5  # pixels
_N_MEASURED = 1000  # frames


def draw_video(
    path,
    keypoints,
    confidence=None,
    *,
    out,
    frames=None,
    step=1,
    region=None,
    skeleton=None,
    min_confidence=0.2,
    trail=0,
    cmap=None,
    radius=None,
    scale=1.0,
    overwrite=False,
    verbose=0,
):
    """Write a video with poses drawn over its frames.

    A dot is a keypoint, in the colour of its bodypart, and paler the less confident it is. The
    video is H.264 in an MP4 file that every browser plays, at the speed of the original. Memory
    does not grow with its length, and `out` appears only when it is complete.

    Parameters
    ----------
    path : str or path-like
        The video.
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the video, whatever `region` is; NaN: not drawn. Of several individuals
        in each frame, of shape (n_samples, n_individuals, n_keypoints, 2): each one's lines then
        have a colour of their own.
    confidence : array-like of shape (n_samples, n_keypoints), default=None
        0 to 1, or of shape (n_samples, n_individuals, n_keypoints). NaN counts as 0. None, or all
        NaN: it is not known, and all keypoints are drawn.
    out : str or path-like
        The MP4 file to write.
    frames : array-like of int of shape (n_samples,), default=None
        The number in the video of each sample's frame, increasing. Only these are written. None:
        every `step`-th of the video.
    step : int, default=1
        As in `VideoFrames`; has no effect with `frames`.
    region : tuple (x, y, width, height), default=None
        The part of the video to write, in pixels. None: all.
    skeleton : Skeleton, default=None
        The bodyparts that lines connect. None: dots alone.
    min_confidence : float, default=0.2
        Keypoints of a lower confidence are not drawn.
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
        If shapes do not fit together or to the video.

    See Also
    --------
    predict_video : Finds the poses.
    skpose.plot.PoseDisplay : Poses over single images.

    Notes
    -----
    Frames with odd sides get another row or column at the bottom or right, which H.264 needs.

    Examples
    --------
    >>> from skpose import load
    >>> from skpose.video import draw_video, predict_video
    >>> estimator = load("fly.skpose")  # doctest: +SKIP
    >>> keypoints, confidence = predict_video(estimator, "fly.mp4")  # doctest: +SKIP
    >>> draw_video(
    ...     "fly.mp4", keypoints, confidence, out="labelled.mp4", skeleton=estimator.skeleton
    ... )  # doctest: +SKIP
    PosixPath('labelled.mp4')
    """
    _check_settings(min_confidence=min_confidence, trail=trail, radius=radius, scale=scale)
    _check_out(out, path)
    poses, confidence = _check_poses(keypoints, confidence)
    n_individuals, n_keypoints = poses.shape[1:3]
    check_skeleton(skeleton, n_keypoints)
    video = VideoFrames(path, n_channels=3, region=region)
    frames = _check_frames(frames, step, len(poses), len(video))
    image_size = tuple(max(round(side * scale), 1) for side in video.shape[1:3])
    overlay = PoseOverlay(
        image_size,
        _colors(n_keypoints, cmap),
        () if skeleton is None else skeleton.edges,
        individual_colors=_colors(n_individuals) if n_individuals > 1 else None,
        radius=_default_radius(poses, scale, image_size) if radius is None else radius,
    )
    images = _read(video, frames, image_size)
    corner = (0, 0) if region is None else region[:2]
    scales = np.divide(image_size, video.shape[1:3])[::-1]  # of x and y, after rounding
    drawn = _place(poses, confidence, min_confidence, corner, scales)
    history = deque(maxlen=trail)
    with (
        replacing(out, overwrite=overwrite) as temporary,
        write_mp4(temporary, image_size, _frame_rate(video, frames)) as write,
        VideoProgress(len(frames), name=video.path, verbose=verbose) as progress,
    ):
        for image, (pose, opacity) in zip(images, drawn, strict=True):
            overlay.draw(image, pose, opacity, history)
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


def _check_out(out, path):
    if Path(out).suffix.lower() != ".mp4":
        raise ValueError(f"out must end in .mp4, which is what is written, but was {out}.")
    if Path(out).resolve() == Path(path).resolve():
        raise ValueError(f"out would replace the video itself, {path}. Choose another name.")


def _check_poses(keypoints, confidence):
    """Give poses (n, n_individuals, n_keypoints, 2) and confidence without the last axis."""
    poses = np.asarray(keypoints)
    if (
        poses.ndim not in (3, 4)
        or poses.shape[-1] != 2
        or not np.issubdtype(poses.dtype, np.number)
    ):
        raise ValueError(
            "keypoints must be numbers of shape (n_samples, n_keypoints, 2) or (n_samples, "
            f"n_individuals, n_keypoints, 2), but are {poses.dtype} of shape {poses.shape}."
        )
    if 0 in poses.shape:
        raise ValueError(f"keypoints are empty: their shape is {poses.shape}.")
    if confidence is None or np.isnan(confidence).all():
        confidence = np.broadcast_to(np.float32(1), poses.shape[:-1])
    confidence = np.asarray(confidence)
    if confidence.shape != poses.shape[:-1]:
        raise ValueError(
            f"confidence has the shape {confidence.shape}, but keypoints of shape {poses.shape} "
            f"need {poses.shape[:-1]}."
        )
    if poses.ndim == 3:
        return poses[:, np.newaxis], confidence[:, np.newaxis]
    return poses, confidence


def _check_frames(frames, step, n_samples, n_frames):
    """Give the number in the video of each sample's frame."""
    if frames is None:
        if step != int(step) or step < 1:
            raise ValueError(f"step must be a whole number of at least 1, but was {step!r}.")
        frames = np.arange(0, n_frames, int(step))
        if len(frames) != n_samples:
            raise ValueError(
                f"keypoints are of {n_samples} frames, but the video has {len(frames)}"
                f"{'' if step == 1 else f' with step={step}'}. Give frames, the number of each."
            )
        return frames
    frames = np.asarray(frames)
    if frames.shape != (n_samples,) or not np.issubdtype(frames.dtype, np.integer):
        raise ValueError(
            f"frames must be {n_samples} whole numbers, one for each sample of keypoints, but are "
            f"{frames.dtype} of shape {frames.shape}."
        )
    if (np.diff(frames) <= 0).any():
        raise ValueError("frames must increase: a video is drawn from its start to its end.")
    if frames[0] < 0 or frames[-1] >= n_frames:
        raise ValueError(
            f"frames are from {frames[0]} to {frames[-1]}, but the video has {n_frames}, from 0 to "
            f"{n_frames - 1}."
        )
    return frames


def _colors(n_colors, cmap=None):
    return 255 * bodypart_colors(n_colors, cmap)[:, :3]


def _default_radius(poses, scale, image_size):
    """Give a radius that suits the video, and leaves small animals to be seen."""
    some = poses[:: len(poses) // _N_MEASURED + 1].reshape(-1, *poses.shape[2:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of poses that are all NaN
        lengths = np.hypot(*(np.nanmax(some, axis=1) - np.nanmin(some, axis=1)).T)
        length = scale * np.nanmedian(lengths)
    radius = _RADIUS_OF_VIDEO * np.sqrt(image_size[0] * image_size[1])
    if length > 0:
        radius = min(radius, _RADIUS_OF_ANIMAL * length)
    return max(radius, _LEAST_RADIUS)


def _frame_rate(video, frames):
    if len(frames) < 2:
        return video.frame_rate
    gaps = np.diff(frames)
    if (gaps == gaps[0]).all():
        return float(len(gaps) / np.ptp(video.times[frames]))
    return video.frame_rate / float(np.median(gaps))


def _read(video, frames, image_size):
    cv2 = import_opencv()
    shrinks = image_size[0] < video.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    for start in range(0, len(frames), _BATCH):
        for image in video[frames[start : start + _BATCH]]:
            if image.shape[:2] != image_size:
                image = cv2.resize(image, image_size[::-1], interpolation=how)
            yield image


def _place(poses, confidence, min_confidence, corner, scales):
    """Give what is to be seen of each frame's poses, in its pixels, and how solid it is."""
    for pose, height in zip(poses, confidence, strict=True):
        height = np.nan_to_num(height)
        is_seen = (height >= min_confidence)[..., np.newaxis] & np.isfinite(pose)
        pose = (np.where(is_seen, pose, np.nan) - corner) * scales + (scales - 1) / 2
        yield pose, _PALEST + (1 - _PALEST) * np.clip(height, 0, 1)
