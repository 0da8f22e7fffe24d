"""The poses of a video that is not done yet."""

from contextlib import contextmanager, nullcontext, suppress
import errno
import json
import os
from pathlib import Path
import struct
import time

import numpy as np

from skpose._files import FULL, sync

__all__ = ["PartFile"]

_MAGIC = b"skpose\x01\n"
_START = struct.Struct("<8sQQ")  # magic, length of the head, number of frames that are safe
_ALIGNMENT = 4096
_FAR = 2**31 - 2


class PartFile:
    """Poses of the first frames of a video, kept while the others are predicted.

    The file is only ever added to, and says how many frames are safely on the disk, so it is whole
    however the process or the machine ends.

    Parameters
    ----------
    path : path-like
        The file.
    head : dict
        What the poses belong to, in plain types. A file that is there is gone on with if its head
        is the same.
    n_keypoints : int
        Number of keypoints.
    n_values : int, default=3
        Numbers of each: x, y, confidence, and maybe a radius.
    resume : bool, default=True
        Whether to go on with a file that is there. False: replace it.
    interval : float, default=2.0
        Most seconds of work that are not yet on the disk.

    Attributes
    ----------
    n_done : int
        Number of frames that it has.
    """

    def __init__(self, path, head, *, n_keypoints, n_values=3, resume=True, interval=2.0):
        self.path = Path(path)
        self.interval = interval
        self._shape = (n_keypoints, n_values)
        self._record = 4 * n_keypoints * n_values
        encoded = json.dumps(head).encode("utf-8")
        self._offset = -(-(_START.size + len(encoded)) // _ALIGNMENT) * _ALIGNMENT
        self._file = open(self.path, "r+b" if self.path.exists() else "x+b")  # noqa: SIM115
        try:
            _lock(self._file, self.path)
            self.n_done = self._find(head, resume)
            if not self.n_done:
                self._begin(encoded)
            self._file.truncate(self._offset + self.n_done * self._record)
            self._file.seek(0, os.SEEK_END)
        except BaseException:
            self._file.close()
            raise
        self._n_safe = self.n_done
        self._last = time.monotonic()

    def _begin(self, encoded):
        self._file.truncate(0)
        self._file.seek(0)
        start = _START.pack(_MAGIC, len(encoded), 0) + encoded
        self._file.write(start.ljust(self._offset, b"\0"))
        self._sync()

    def _find(self, head, resume):
        """Return how many frames are there already; what is no file of ours is not touched."""
        start = self._file.read(_START.size)
        if len(start) < _START.size and _MAGIC.startswith(start[: len(_MAGIC)]):
            return 0  # it was killed when it had just begun
        start = start.ljust(_START.size, b"\0")
        magic, length, n_done = _START.unpack(start)
        encoded = self._file.read(length) if magic == _MAGIC else b""
        if magic != _MAGIC or len(encoded) < length:
            raise ValueError(
                f"{self.path} is no unfinished prediction of skpose. Move it away: its name is "
                "needed while a video is predicted."
            )
        if not resume:
            return 0
        found = json.loads(encoded)
        differing = [key for key in {**head, **found} if found.get(key) != head.get(key)]
        if differing:
            raise ValueError(
                f"{self.path} is an unfinished prediction with another {' and '.join(differing)}. "
                "Give resume=False to replace it, or move it away to keep it."
            )
        size = self._file.seek(0, os.SEEK_END)
        return max(0, min(n_done, (size - self._offset) // self._record))

    def append(self, poses):
        """Add the poses of the next frames: ndarray of shape (n_frames, n_keypoints, n_values)."""
        with self._on_disk():
            self._file.write(np.ascontiguousarray(poses, dtype="<f4").tobytes())
        self.n_done += len(poses)
        if time.monotonic() - self._last >= self.interval:
            self.flush()

    def flush(self):
        """Put everything on the disk."""
        with self._on_disk():
            self._sync()
            self._file.seek(_START.size - 8)
            self._file.write(struct.pack("<Q", self.n_done))  # only now are these frames counted
            self._sync()
            self._file.seek(0, os.SEEK_END)
        self._n_safe = self.n_done
        self._last = time.monotonic()

    @contextmanager
    def _on_disk(self):
        """Say what is full where the system does not, and count what had been written before."""
        try:
            yield
        except OSError as error:
            self.n_done = self._n_safe
            if error.errno not in FULL:
                raise
            message = "There is no room left on the disk, or no more is allowed"
            raise OSError(error.errno, message, str(self.path)) from error

    def _sync(self):
        self._file.flush()
        sync(self._file.fileno())

    def poses(self):
        """Return all poses, mapped from the file: (n_done, n_keypoints, n_values), float32."""
        self._sync()
        if not self.n_done:
            return np.empty((0, *self._shape), dtype="<f4")
        shape = (self.n_done, *self._shape)
        return np.memmap(self.path, dtype="<f4", mode="r", offset=self._offset, shape=shape)

    def close(self):
        """Put everything on the disk and close the file."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        # Where the disk is full, closing fails once more, and would hide what failed first.
        with suppress(OSError) if kind else nullcontext():
            self.close()

    def remove(self):
        """Close the file and delete it."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _lock(file, path):
    """Keep other processes off a file as long as it is open, where the system can."""
    try:
        _try_lock(file)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            message = "Another process predicts the same video, and is writing this file"
            raise BlockingIOError(errno.EWOULDBLOCK, message, str(path)) from None
        # otherwise a file system without locks


def _try_lock(file):
    try:
        import fcntl
    except ImportError:  # Windows locks bytes, which nobody else can read then: one far behind
        import msvcrt

        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
