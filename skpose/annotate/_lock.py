"""One server for a set: the others are told where it is."""

from contextlib import suppress
import json
import os
from pathlib import Path
import platform

__all__ = ["AlreadyServed", "ServerLock"]


class AlreadyServed(RuntimeError):
    """Another server has the set.

    Attributes
    ----------
    url : str or None
        Where it is; None if it does not say, or is on another machine.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.annotate import AlreadyServed, label
    >>> from skpose.datasets import write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> write_annotations("set.h5", X, skeleton=Skeleton(["head", "tail"]))
    >>> with label("set.h5", block=False, port=0) as server:
    ...     try:
    ...         label("set.h5", block=False, port=0)
    ...     except AlreadyServed as error:
    ...         print(error.url == server.url)
    True
    """

    def __init__(self, message: str, url: str | None = None) -> None:
        super().__init__(message)
        self.url = url


class ServerLock:
    """Keeps a second server away from a set; it is no lock on the set itself.

    Beside the set lie ``<set>.server``, which says where the server is, for the user's eyes only,
    and ``<set>.server.lock``.

    Parameters
    ----------
    path : pathlib.Path
        The set's HDF5 file.

    Attributes
    ----------
    token : str or None
        That of a server which was killed, whose pages are open still.
    """

    def __init__(self, path):
        from filelock import FileLock

        self._path = path
        self._about = Path(f"{path}.server")
        self._lock = FileLock(f"{path}.server.lock", timeout=0)
        self.token = None

    def acquire(self):
        """Take the lock.

        Raises
        ------
        AlreadyServed
            If another server has it.
        OSError
            If the folder cannot be written.
        """
        from filelock import Timeout

        with suppress(NotImplementedError):  # a file system without locks
            try:
                self._lock.acquire()
            except Timeout:
                raise self._served(self._read()) from None
        self.token = self._read().get("token")

    def tell(self, url, token):
        """Say where the server is."""
        about = {"host": platform.node(), "pid": os.getpid(), "url": url, "token": token}
        self._about.unlink(missing_ok=True)
        descriptor = os.open(self._about, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(about, file)

    def release(self):
        """Let others have the set."""
        self._about.unlink(missing_ok=True)
        self._lock.release()

    def _read(self):
        """Return what a server said of itself; nothing if others could have written it."""
        try:
            status = self._about.lstat()
            about = json.loads(self._about.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        is_private = os.name != "posix" or (
            status.st_uid == os.getuid() and not status.st_mode & 0o077
        )
        return about if is_private and isinstance(about, dict) else {}

    def _served(self, about):
        url = about.get("url") if about.get("host") == platform.node() else None
        where = f"at {url}" if url else f"by process {about.get('pid', '?')} of "
        where += "" if url else f"{about.get('host', 'an unknown machine')}"
        return AlreadyServed(
            f"{self._path} is open on a page already, {where}. Label there, or stop it first.", url
        )
