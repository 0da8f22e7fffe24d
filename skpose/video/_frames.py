"""The frames of a video as an array that stays on disk."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import os
import threading
from typing import Any
import warnings
import weakref

import numpy as np
from numpy.typing import NDArray

from skpose._lazy_array import LazyArray
from skpose._opencv import with_channels
from skpose._types import PathLike, Region
from skpose.base import check_batch_size, check_region
from skpose.video._decoder import FrameReader, PixelConverter
from skpose.video._frame_index import read_index

__all__ = ["VideoFrames"]

_MOST_OPEN = 64  # files, of all videos together
_MOST_THREADS = 4
_LEAST_FOR_THREADS = 8  # frames
_MOST_WAITING = 32  # frames that are decoded and not converted yet


class VideoFrames(LazyArray):
    """The frames of a video file, as an array that stays on disk.

    It can stand wherever images `X` are asked for. An integer gives one frame, a slice or an array
    of integers or booleans an ndarray of just those, ``np.asarray`` all of them. Frame ``i`` is the
    same frame however it is asked for: frames are counted in the order in which they are shown.

    Parameters
    ----------
    path : path-like
        The video file, of any kind that FFmpeg reads.
    n_channels : {1, 3}, default=3
        Number of channels: 1 for grey, 3 for RGB.
    region : tuple of (x, y, width, height), default=None
        The part of each frame to give, in pixels: the first column and row, and the size. None: all
        of it.
    step : int, default=1
        Give every step-th frame only.

    Attributes
    ----------
    path : str
        The file, absolute.
    shape : tuple of int
        (n_frames, height, width, n_channels).
    dtype : dtype
        uint8.
    ndim : int
        4.
    frame_rate : float
        Frames a second, on average, of the frames that are given: half the video's if `step` is 2.
    frame_numbers : ndarray of int of shape (n_frames,)
        Number of each frame in the video, from 0.
    times : ndarray of shape (n_frames,)
        When each frame is shown in seconds after the video's first one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no video, has no video stream, or is compressed in a way that is not known.
    ImportError
        If PyAV is not installed, which reads the file: ``pip install av``.

    Warns
    -----
    UserWarning
        If the file is cut short; the frames that it has are given. If a frame cannot be decoded;
        the one before stands in its place. If the decoder says that it made up parts of a damaged
        one; it notices few of them, as most kinds of video have no checksums.

    See Also
    --------
    skpose.datasets.ImageFiles : Images in files of their own.

    Notes
    -----
    PyAV is used because it gives the time stamp of each compressed and each decoded frame. With
    these a frame is told by what it is, not by how many frames went before; counting from where a
    seek landed is how other readers come to give a neighbour of the frame that was asked for. All
    time stamps are read when the object is made, which decodes nothing.

    Frames in sequence are decoded without a seek. Frames in any order cost the decoding from the
    keyframe before, so ascending order is fastest. An object is read by one thread at a time (the
    others wait); it can be pickled, and is opened again where it is unpickled.

    Grey is 0.299 red + 0.587 green + 0.114 blue, as for `skpose.datasets.ImageFiles`. Where a file
    says how the camera was held, frames are turned upright, as players show them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import av
    >>> import numpy as np
    >>> from skpose.video import VideoFrames
    >>> with TemporaryDirectory() as folder:
    ...     with av.open(f"{folder}/video.mp4", "w") as file:
    ...         stream = file.add_stream("libx264", rate=25, width=32, height=16)
    ...         for level in range(0, 250, 10):
    ...             pixels = np.full((16, 32, 3), level, np.uint8)
    ...             file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
    ...         file.mux(stream.encode())
    ...     X = VideoFrames(f"{folder}/video.mp4", n_channels=1)
    ...     print(X.shape, X.frame_rate, X[[20, 3]].mean(axis=(1, 2, 3)).round(-1))
    (25, 16, 32, 1) 25.0 [200.  30.]
    """

    def __init__(
        self, path: PathLike, *, n_channels: int = 3, region: Region | None = None, step: int = 1
    ) -> None:
        if n_channels not in (1, 3):
            raise ValueError(f"n_channels must be 1 (grey) or 3 (RGB), but was {n_channels!r}.")
        if step != int(step) or step < 1:
            raise ValueError(f"step must be a whole number of at least 1, but was {step!r}.")
        self.path = os.path.abspath(os.fspath(path))
        self._stamp = _stamp(self.path)
        self._frames = read_index(self.path)
        if not len(self._frames):
            raise ValueError(f"{self.path} has no whole frame: it is damaged or cut short.")
        self._open()
        height, width = PixelConverter().pixels(self._reader.read(0)).shape[:2]
        self._region = check_region(region, (height, width))
        super().__init__(len(self._frames), (self._region[3], self._region[2], n_channels))
        self._full_size = (height, width)
        self._index = self._index[:: int(step)].copy()
        self._reader.close()  # until a frame is asked for: there may be hundreds of videos
        self._warn_if_cut_short()

    def _warn_if_cut_short(self):
        if not self._frames.is_cut_short:
            return
        n_frames, n_expected = len(self._frames), self._frames.n_expected
        said = f"it has {n_frames} of {n_expected} frames"
        if n_expected is None or n_expected <= n_frames:
            said = f"it ends amid a frame, after {n_frames} whole ones"
        warnings.warn(f"{self.path} is cut short: {said}.", UserWarning, stacklevel=3)

    def _open(self):
        self._reader = FrameReader(self.path, self._frames)
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        del state["_reader"], state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def frame_numbers(self) -> NDArray[np.integer]:
        return self._index.copy()

    @property
    def times(self) -> NDArray[np.float64]:
        return self._frames.times[self._index]

    @property
    def frame_rate(self) -> float:
        times = self.times
        return float((len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else 1.0

    def iter_batches(
        self, batch_size: int, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the frames in order, some at a time, at the speed of the decoder.

        Parameters
        ----------
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
        images : ndarray of shape (n_batch, height, width, n_channels)
            The frames.
        """
        batch_size = check_batch_size(batch_size)
        start, stop, _ = slice(start, stop).indices(len(self))
        reader = FrameReader(self.path, self._frames)  # other readings do not disturb it
        try:
            for first in range(start, stop, batch_size):
                positions = self._index[first : min(first + batch_size, stop)]
                yield first, self._convert(reader, positions)
        finally:
            reader.close()

    def close(self) -> None:
        """Close the file. It is opened again when a frame is asked for."""
        with self._lock:
            self._reader.close()

    def _read(self, positions):
        with self._lock:
            _keep_open(self)
            return self._convert(self._reader, positions)

    def _convert(self, reader, positions):
        self._check_same_file()
        images = np.empty((len(positions), *self._row_shape), dtype=self.dtype)
        converter = PixelConverter()
        # Converting takes longer than decoding, so it goes on beside it, in several threads.
        n_threads = min(_usable_cpus(), _MOST_THREADS)
        if n_threads == 1 or len(positions) < _LEAST_FOR_THREADS:
            for image, position in zip(images, positions, strict=True):
                self._fill(image, reader.read(int(position)), position, converter)
            return images
        with ThreadPoolExecutor(n_threads) as pool:
            waiting = deque()
            for image, position in zip(images, positions, strict=True):
                frame = reader.read(int(position))
                waiting.append(pool.submit(self._fill, image, frame, position, converter))
                if len(waiting) > _MOST_WAITING:
                    waiting.popleft().result()
            for task in waiting:
                task.result()
        return images

    def _fill(self, image, frame, position, converter):
        pixels = converter.pixels(frame)
        if pixels.shape[:2] != self._full_size:
            raise ValueError(
                f"Frame {position} of {self.path} is {pixels.shape[0]} x {pixels.shape[1]} "
                f"pixels, but the first is {self._full_size[0]} x {self._full_size[1]}. "
                "Convert the video to one size."
            )
        x, y, width, height = self._region
        image[:] = with_channels(pixels[y : y + height, x : x + width], image.shape[2])

    def _check_same_file(self):
        if _stamp(self.path) != self._stamp:
            raise ValueError(f"{self.path} has changed since it was opened. Open it again.")


# Of id: weak reference, the one that was read last at the end.
_open_videos: OrderedDict[int, weakref.ref[VideoFrames]] = OrderedDict()
_opening = threading.Lock()


def _keep_open(frames):
    """Note that a video is read, and close the one that was not for longest if there are many."""
    with _opening:
        _open_videos[id(frames)] = weakref.ref(frames)
        _open_videos.move_to_end(id(frames))
        if len(_open_videos) <= _MOST_OPEN:
            return
        _, oldest = _open_videos.popitem(last=False)
    oldest = oldest()
    if oldest is not None and oldest._lock.acquire(blocking=False):  # else it is being read
        oldest._reader.close()
        oldest._lock.release()


def _usable_cpus():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
