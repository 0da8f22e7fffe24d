"""A video, given as a file or as its frames."""

from collections.abc import Iterator
import os
from typing import Any

import numpy as np

from skpose._types import Region, Rows, Video
from skpose.base import batch_slices, check_images
from skpose.video._frames import VideoFrames

__all__ = ["iterate_batches", "open_video", "timing"]


def open_video(
    video: Video, *, n_channels: int = 3, region: Region | None = None, step: int = 1
) -> VideoFrames | Rows:
    """Return the frames of a video.

    Parameters
    ----------
    video : str, path-like or array-like of shape (n_frames, height, width, n_channels)
        A file, or frames in order, such as `VideoFrames`.
    n_channels : {1, 3}, default=3
        Number of channels to read of a file.
    region : tuple of (x, y, width, height), default=None
        The part of each frame of a file, in pixels. None: all of it.
    step : int, default=1
        Take every step-th frame of a file.

    Returns
    -------
    VideoFrames or array-like of shape (n_frames, height, width, n_channels)

    Raises
    ------
    ValueError
        If `region` or `step` are given with frames, or these are no images.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.video import open_video
    >>> open_video(np.zeros((5, 8, 8, 1), dtype=np.uint8)).shape
    (5, 8, 8, 1)
    """
    if isinstance(video, str | os.PathLike):
        return VideoFrames(video, n_channels=n_channels, region=region, step=step)
    if region is not None or step != 1:
        raise ValueError(
            "region and step belong to a video file, but frames were given. Open the file with "
            "them: VideoFrames(path, region=region, step=step)."
        )
    return check_images(video, name="video")


def timing(frames: VideoFrames | Rows) -> dict[str, Any]:
    """Return when the frames of a video are, as `skpose.poses.from_numpy` takes it.

    Parameters
    ----------
    frames : VideoFrames or array-like of shape (n_frames, ...)
        What `open_video` returns.

    Returns
    -------
    dict
        ``frames``, the number of each in the video; ``times`` in seconds and ``frame_rate``, None
        where only a file would tell.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.poses import from_numpy
    >>> from skpose.video import open_video, timing
    >>> frames = open_video(np.zeros((3, 8, 8, 1), dtype=np.uint8))
    >>> poses = from_numpy(np.zeros((3, 1, 2)), **timing(frames))
    >>> poses.frame.values.tolist()
    [0, 1, 2]
    """
    if hasattr(frames, "frame_numbers"):
        return {
            "frames": frames.frame_numbers,
            "times": frames.times,  # type: ignore[union-attr]  # comes with frame_numbers
            "frame_rate": frames.frame_rate,  # type: ignore[union-attr]
        }
    return {"frames": np.arange(len(frames)), "times": None, "frame_rate": None}


def iterate_batches(
    frames: Rows, batch_size: int, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (first, images) of the frames of a video in order, some at a time.

    Parameters
    ----------
    frames : VideoFrames or array-like of shape (n_frames, height, width, n_channels)
        What `open_video` returns. What can be sliced without being read, is not read here.
    batch_size : int
        Number of frames a batch; the last may have fewer.
    start : int, default=0
        The first frame.
    stop : int, default=None
        The frame to stop before. None: the end.

    Yields
    ------
    first : int
        Which frame is the batch's first.
    images : ndarray or array-like of shape (n_batch, height, width, n_channels)
        The frames.

    Raises
    ------
    ValueError
        When the first batch is asked for, if `batch_size` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.video import iterate_batches
    >>> video = np.zeros((5, 8, 8, 1), dtype=np.uint8)
    >>> [(first, len(images)) for first, images in iterate_batches(video, 2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    if hasattr(frames, "iter_batches"):
        yield from frames.iter_batches(batch_size, start, stop)
        return
    stop = len(frames) if stop is None else stop
    for part in batch_slices(stop - start, batch_size):
        first = start + part.start
        yield first, frames[first : min(start + part.stop, stop)]
