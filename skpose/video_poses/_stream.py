"""Poses in real time, of frames as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from numbers import Integral
from pathlib import Path
from threading import Condition, Event, Thread
from time import perf_counter
from typing import Any, NamedTuple, Self
import warnings

import numpy as np

from skpose._opencv import import_opencv
from skpose._predictor import Predictor
from skpose._types import PathLike

__all__ = ["PoseStream", "StreamedPose"]

_N_WARM = 2  # the first prediction compiles, the second allocates
_N_WAITING = 2  # frames that wait where none is dropped
_WAKE = 0.5  # seconds after which a waiting thread looks up, or Ctrl-C would not reach it
_PATIENCE = 5.0  # seconds for a source that is to stop
_BATCH = 4  # frames of a video that are decoded at a time


class StreamedPose(NamedTuple):
    """The pose in one frame of a stream.

    Parameters
    ----------
    index : int
        Number of the frame in its source, from 0; what is missing between two was dropped.
    keypoints : ndarray of shape (n_keypoints, 2)
        (x, y) in pixels of the frame.
    confidence : ndarray of shape (n_keypoints,) or None
        0 to 1. None if the estimator does not tell it.
    captured_at : float
        When the frame was there, in seconds of `time.perf_counter`.
    latency : float
        Seconds from then until the keypoints were known.
    image : ndarray of shape (height, width, n_channels)
        The frame.
    """

    index: int  # type: ignore[assignment]  # hides that of tuple
    keypoints: np.ndarray
    confidence: np.ndarray | None
    captured_at: float
    latency: float
    image: np.ndarray


class PoseStream:
    """Find bodyparts in frames as they come, with the least delay.

    Iterating gives a `StreamedPose` for each frame. A thread takes frames from the source, and the
    prediction is made in the thread that iterates. If it takes longer than the next frame, then
    only the latest frame waits: the pose is never older than it must be. The estimator is warmed up
    before frames count, so that compiling is not part of the first latency.

    A stream stops at the end of its source, when a loop over it is left, at the end of a ``with``
    block and by `stop`. What the source raises is raised where the stream is iterated, after the
    poses of the frames before.

    Parameters
    ----------
    estimator : estimator
        Fitted; may be a Pipeline or a search that holds one.
    source : iterable, int, str, path-like or VideoFrames
        An iterable of frames, uint8 of shape (height, width[, n_channels]); the number of a camera;
        a video file or `VideoFrames`, which are played at their frame rate; or any other string
        that OpenCV opens, such as the address of a camera in the network. OpenCV's frames are
        turned to RGB or grey, as the estimator needs.
    callback : callable, default=None
        Called with each `StreamedPose`, after its latency was taken.
    drop : bool, default=True
        Whether to drop frames while the estimator is busy. False: each frame is predicted, and the
        source waits.
    frame_rate : float, default=None
        Frames per second at which to play an iterable or a video. None: a video at its own rate, an
        iterable as fast as it gives frames.

    Attributes
    ----------
    n_grabbed : int
        Number of frames taken from the source since the start.
    n_dropped : int
        Number of them that were dropped.

    Raises
    ------
    OSError
        If the camera or the address cannot be opened, or a camera stops giving frames.
    ValueError
        If `frame_rate` is not above 0, or given for a camera.

    See Also
    --------
    predict_video : Every frame of a file, at full speed.

    Notes
    -----
    ``captured_at`` of a camera's frame is the time when OpenCV got it, before it was decoded; what
    the camera and its driver took before that cannot be seen from here. Of a frame that is played,
    it is the time when it was due. The first frame of an iterable tells the size, and is held while
    the estimator warms up; a camera's first frame is not given. An iterable must not write into a
    frame that it has given. A source that blocks for ever cannot be stopped: a warning tells of it.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.video_poses import PoseStream
    >>> frames = np.zeros((3, 16, 16, 1), dtype=np.uint8)
    >>> estimator = MeanPoseRegressor().fit(frames, np.full((3, 2, 2), 5.0))
    >>> for pose in PoseStream(estimator, frames, drop=False):
    ...     print(pose.index, pose.keypoints.tolist())
    0 [[5.0, 5.0], [5.0, 5.0]]
    1 [[5.0, 5.0], [5.0, 5.0]]
    2 [[5.0, 5.0], [5.0, 5.0]]
    """

    def __init__(
        self,
        estimator: Any,
        source: Iterable[Any] | int | PathLike,
        *,
        callback: Callable[[StreamedPose], object] | None = None,
        drop: bool = True,
        frame_rate: float | None = None,
    ) -> None:
        if frame_rate is not None and not frame_rate > 0:
            raise ValueError(f"frame_rate must be above 0, or None, but was {frame_rate!r}.")
        self.estimator = estimator
        self.source = source
        self.callback = callback
        self.drop = drop
        self.frame_rate = frame_rate
        self._grabber: Any = None
        self._source: Any = None

    @property
    def n_grabbed(self) -> int:
        return 0 if self._grabber is None else self._grabber.n_grabbed

    @property
    def n_dropped(self) -> int:
        return 0 if self._grabber is None else self._grabber.n_dropped

    @property
    def is_running(self) -> bool:
        """Whether frames are being taken, or wait for their prediction."""
        return self._source is not None

    def start(self) -> Self:
        """Open the source, warm up the estimator and begin to take frames.

        Entering a ``with`` block and iterating do it, too; a stream that runs stays as it is.

        Returns
        -------
        self : PoseStream
        """
        if self.is_running:
            return self
        self._predictor = Predictor(self.estimator)
        source = _open(self.source, self._predictor.n_channels, self.frame_rate, self.drop)
        try:
            first = source.peek()
            for _ in range(0 if first is None else _N_WARM):
                self._predict(_as_image(first))
        except BaseException:
            source.close()
            raise
        self._source, self._grabber = source, _Grabber(source, self.drop)
        return self

    def stop(self) -> None:
        """Stop taking frames and close the source; what waits is not predicted any more.

        May be called from the callback and from other threads. Does nothing if nothing runs.
        """
        source, self._source = self._source, None
        if source is None:
            return
        if self._grabber.stop():
            source.close()
        else:
            warnings.warn(
                f"The source of the stream has given no frame for {_PATIENCE:g} s and cannot be "
                "stopped; its thread ends with its next frame, or with the program.",
                UserWarning,
                stacklevel=2,
            )

    def run(self) -> None:
        """Go on until the source ends or `stop` is called, for the callback's sake."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[StreamedPose]:
        was_running = self.is_running
        self.start()
        grabber = self._grabber
        try:
            while (item := grabber.get()) is not None:
                yield self._pose(*item)
        finally:
            if not was_running:
                self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _pose(self, index, captured_at, frame):
        image = _as_image(frame)
        keypoints, confidence = self._predict(image)
        latency = perf_counter() - captured_at
        pose = StreamedPose(index, keypoints, confidence, captured_at, latency, image)
        if self.callback is not None:
            self.callback(pose)
        return pose

    def _predict(self, image):
        keypoints, confidence = self._predictor.predict(image[np.newaxis])
        return keypoints[0], None if confidence is None else confidence[0]


class _Grabber:
    """Takes frames from a source in a thread, and keeps the latest, or all."""

    def __init__(self, source, drop):
        self.n_grabbed = self.n_dropped = 0
        self._source = source
        self._drop = drop
        self._waiting = deque()
        self._changed = Condition()
        self._is_stopping = self._is_done = False
        self._error = None
        self._thread = Thread(target=self._run, name="skpose-stream", daemon=True)
        self._thread.start()

    def get(self):
        """Return (index, captured_at, frame) when there is one, None at the end."""
        with self._changed:
            self._wait(lambda: self._waiting or self._is_done)
            if self._is_stopping:
                return None
            if self._waiting:
                self._changed.notify_all()
                return self._waiting.popleft()
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def stop(self):
        """Stop the thread, and tell whether it has ended."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._source.interrupt()
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def _run(self):
        try:
            for index, (captured_at, frame) in enumerate(self._source):
                if not self._put((index, captured_at, frame)):
                    break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._is_done = True
            self._changed.notify_all()

    def _put(self, item):
        with self._changed:
            self.n_grabbed += 1
            if self._drop:
                self.n_dropped += len(self._waiting)
                self._waiting.clear()
            self._wait(lambda: len(self._waiting) < _N_WAITING)
            self._waiting.append(item)
            self._changed.notify_all()
            return not self._is_stopping

    def _wait(self, is_met):
        while not self._changed.wait_for(lambda: self._is_stopping or is_met(), _WAKE):
            pass


class _Played:
    """Frames of an iterable, as fast as it gives them or at a rate.

    Iterating gives (captured_at, frame).
    """

    def __init__(self, frames, frame_rate):
        self._frames = frames
        self._period = None if frame_rate is None else 1 / frame_rate
        self._is_interrupted = Event()

    def peek(self):
        """Return the first frame without taking it; None if there is none."""
        first = next(self._frames, None)
        if first is not None:
            self._frames = chain([first], self._frames)
        return first

    def interrupt(self):
        self._is_interrupted.set()

    def close(self):
        self._frames = iter(())

    def __iter__(self):
        due = None
        for frame in self._frames:
            now = perf_counter()
            if self._period is None:
                yield now, frame
                continue
            due = now if due is None else due + self._period
            if now > due + self._period:
                due = now  # the source cannot keep up
            self._is_interrupted.wait(max(due - now, 0))
            yield due, frame


class _Camera:
    """Frames that OpenCV captures. Iterating gives (captured_at, frame)."""

    def __init__(self, address, n_channels, drop):
        self._cv2 = cv2 = import_opencv()
        self._address = address
        self._name = f"Camera {address}" if isinstance(address, int) else repr(address)
        self._conversion = cv2.COLOR_BGR2GRAY if n_channels == 1 else cv2.COLOR_BGR2RGB
        self._capture = cv2.VideoCapture(address)
        if not self._capture.isOpened():
            self._capture.release()
            raise OSError(
                f"{self._name} cannot be opened. A source is the number of a camera, a video file, "
                "an address that OpenCV opens, or an iterable of frames."
            )
        if drop:
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # or a busy driver gives old frames

    def peek(self):
        """Return a frame that tells the size; it is not given again."""
        return next((frame for _, frame in self), None)

    def interrupt(self):
        pass  # a camera gives its next frame soon

    def close(self):
        self._capture.release()

    def __iter__(self):
        while self._capture.grab():
            captured_at = perf_counter()
            is_read, frame = self._capture.retrieve()
            if not is_read:
                break
            yield captured_at, self._cv2.cvtColor(frame, self._conversion)
        if isinstance(self._address, int):
            raise OSError(f"{self._name} gives no frames any more. Was it unplugged?")


def _open(source, n_channels, frame_rate, drop):
    if isinstance(source, Path) or (isinstance(source, str) and Path(source).is_file()):
        from skpose.video import VideoFrames

        source = VideoFrames(source, n_channels=n_channels)
    if isinstance(source, str | Integral):
        if frame_rate is not None:
            raise ValueError(f"frame_rate={frame_rate} cannot be set for a camera.")
        address = int(source) if isinstance(source, Integral) else source
        return _Camera(address, n_channels, drop)
    if hasattr(source, "iter_batches"):
        frames = (frame for _, batch in source.iter_batches(_BATCH) for frame in batch)
        return _Played(frames, frame_rate or source.frame_rate)
    if not hasattr(source, "__iter__") and not hasattr(source, "__getitem__"):
        raise TypeError(
            "source must be an iterable of frames, the number of a camera, an address or a video, "
            f"but was {type(source).__name__}."
        )
    return _Played(iter(source), frame_rate)


def _as_image(frame):
    frame = np.asarray(frame)
    return frame[..., np.newaxis] if frame.ndim == 2 else frame
