"""A server that shows a set on a page, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
import re
import secrets
import socket
import threading
import time
from typing import Literal, NamedTuple, Self, overload
from urllib.parse import urlsplit
import warnings

from skpose._types import PathLike
from skpose.annotate._lock import ServerLock
from skpose.annotate._session import LabelSession

__all__ = ["LabelServer", "label"]

PORT = 8765
_N_PORTS = 50  # tried one after the other
_START = 30.0  # seconds
_ORIGIN = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?", re.ASCII)


class Frame(NamedTuple):
    """A page in a notebook."""

    src: str
    width: int | str
    height: int | str

    def _repr_html_(self) -> str:
        return f'<iframe src="{self.src}" width="{self.width}" height="{self.height}"></iframe>'


class LabelServer:
    """A page on which a set is labelled, as long as it is open.

    Made by ``label(..., block=False)``. It ends as a context manager, or by `stop`; until then it
    shows a link in a notebook.

    Attributes
    ----------
    url : str
        Where the page is, with what lets a browser in: for the person who labels, no one else.
    n_edits : int
        How often something was changed on its pages.

    Raises
    ------
    AlreadyServed
        If another server has the set; it says where.
    ImportError
        If what serves the page is not installed: ``pip install starlette uvicorn``.
    OSError
        If the set or a video cannot be read, or no port is free.
    RuntimeError
        If the server does not start.
    ValueError
        If the file is no annotation set or has no images, or `frame_origin` is no address.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.annotate import label
    >>> from skpose.datasets import write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> write_annotations("set.h5", X, skeleton=Skeleton(["head", "tail"]))
    >>> server = label("set.h5", block=False, port=0)
    >>> server.url
    'http://127.0.0.1:...?token=...'
    >>> server.n_edits
    0
    >>> server.stop()
    """

    url: str

    def __init__(
        self,
        path: PathLike,
        *,
        port: int = PORT,
        user: str = "",
        read_only: bool = False,
        allow_hosts: Sequence[str] = (),
        frame_origin: str | None = None,
        videos: Sequence[PathLike] = (),
    ) -> None:
        _check_installed()
        self._session = LabelSession(path, user=user, read_only=read_only)
        self._frame_origin = _check_origin(frame_origin)
        self._lock = None if self._session.trouble else ServerLock(self._session.path)
        if self._lock is not None:
            self._lock.acquire()
        try:
            self._start(port, allow_hosts, videos)
        except BaseException:
            self._release()
            raise

    def _start(self, port, allow_hosts, videos):
        import uvicorn

        from skpose.annotate._app import make_app
        from skpose.annotate._context import Context
        from skpose.annotate._events import Events
        from skpose.annotate._jobs import Jobs
        from skpose.annotate._security import Guard

        # The pages of a server that was killed go on with the next one.
        token = (self._lock and self._lock.token) or secrets.token_urlsafe(32)
        listener = _listen(port)
        self.port = listener.getsockname()[1]
        # Another user of the machine could listen at the other address of "localhost". A notebook's
        # frame needs its name, or the browser keeps the cookie back.
        host = urlsplit(self._frame_origin or "").hostname
        host = "localhost" if host == "localhost" else "127.0.0.1"
        self._address = f"http://{host}:{self.port}/"
        self.url = f"{self._address}?token={token}"
        context = Context(self._session, videos)
        self._jobs = Jobs(self._session, context)
        self._events = Events(self._session, self._jobs)
        self._guard = Guard(
            make_app(self._session, self._events, self._jobs, context),
            token=token,
            allow_hosts=allow_hosts,
            frame_origin=self._frame_origin,
        )
        config = uvicorn.Config(
            self._guard,
            lifespan="off",
            log_config=None,
            access_log=False,  # which would hold the token
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="skpose-label", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("The server of the page could not be started.")
            time.sleep(0.005)
        if self._lock is not None:
            self._lock.tell(self.url, token)

    def _run(self, listener):
        async def serve():
            watching = asyncio.create_task(self._events.watch())
            await self._server.serve(sockets=[listener])
            watching.cancel()

        asyncio.run(serve())

    @property
    def n_edits(self) -> int:
        return self._session.n_edits

    @property
    def trouble(self) -> str | None:
        """str or None: why the set can be looked at only."""
        return self._session.trouble

    def make_link(self) -> str:
        """Return an address that lets one browser in, once: for programs that open one."""
        return f"{self._address}?ticket={self._guard.make_ticket()}"

    def wait(self) -> None:
        """Return when the server has ended, as after `stop` in another thread."""
        while self._thread.is_alive():
            self._thread.join(0.2)  # so that Ctrl-C is heeded on Windows

    def stop(self) -> None:
        """End the server, and bring what was labelled into the HDF5 file.

        A training that is at work ends too, and keeps its best.

        Labels are on the disk before that. Where the file cannot be written they stay in the
        journal beside it, which skpose reads too, and a warning says so.
        """
        try:
            self._jobs.close()
            if self._thread.is_alive():
                self._events.close()
                self._server.should_exit = True
                self._thread.join()
            if self.n_edits and self.trouble is None:
                self._session.fold()
        except (OSError, ValueError) as error:
            warnings.warn(
                f"{error} All labels are kept in the journal beside the set.",
                UserWarning,
                stacklevel=2,
            )
        finally:
            self._release()

    def _release(self):
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def iframe(self, width: int | str = "100%", height: int = 700) -> Frame:
        """Return the page in a frame, which a notebook shows when it is the last in a cell.

        Parameters
        ----------
        width, height : int or str
            Size in pixels, or as CSS gives it.

        Returns
        -------
        Frame

        Raises
        ------
        RuntimeError
            If the notebook's origin was not given to `label`: browsers refuse to show it then.
        """
        if self._frame_origin is None:
            raise RuntimeError(
                "No page may show this one in a frame. Give the notebook's address to label: "
                "frame_origin='http://localhost:8888', say."
            )
        return Frame(self.url, width, height)

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank" rel="noopener">Label {self.url}</a>'

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@overload
def label(
    path: PathLike,
    *,
    block: Literal[True] = True,
    port: int = PORT,
    user: str = "",
    read_only: bool = False,
    allow_hosts: Sequence[str] = (),
    frame_origin: str | None = None,
    videos: Sequence[PathLike] = (),
) -> int: ...
@overload
def label(
    path: PathLike,
    *,
    block: Literal[False],
    port: int = PORT,
    user: str = "",
    read_only: bool = False,
    allow_hosts: Sequence[str] = (),
    frame_origin: str | None = None,
    videos: Sequence[PathLike] = (),
) -> LabelServer: ...
def label(
    path: PathLike,
    *,
    block: bool = True,
    port: int = PORT,
    user: str = "",
    read_only: bool = False,
    allow_hosts: Sequence[str] = (),
    frame_origin: str | None = None,
    videos: Sequence[PathLike] = (),
) -> int | LabelServer:
    """Label an annotation set on a page in the browser.

    What is labelled is on the disk at once: in the set's journal, which all of skpose reads. When
    the page is closed down it goes into the HDF5 file, for DeepPoseKit and other programs.

    Parameters
    ----------
    path : path-like
        The annotation set (HDF5), as `skpose sample` and `write_annotations` make it.
    block : bool, default=True
        Whether to go on with the program only when the labelling is ended, by Ctrl-C.
    port : int, default=8765
        Where to listen, on this machine only. If it is taken, the next free one. 0: any.
    user : str, default=""
        The name of whoever labels, which the journal keeps.
    read_only : bool, default=False
        Whether the set can be looked at only.
    allow_hosts : sequence of str, default=()
        Names besides "localhost" under which browsers reach the server, through a proxy, say.
    frame_origin : str, default=None
        The address of a notebook that may show the page in a frame, as "http://localhost:8888".
        None: no page may.
    videos : sequence of path-like, default=()
        Videos that frames of the set were taken from, to look at what comes before and after. Those
        in the folder of the set need not be given.

    Returns
    -------
    int or LabelServer
        The number of changes; with ``block=False`` at once the server, to be stopped when all is
        labelled.

    Raises
    ------
    ImportError
        If what serves the page is not installed: ``pip install starlette uvicorn``.
    OSError
        If the file cannot be read.
    RuntimeError
        If another server has the set; it says where.
    ValueError
        If it is no annotation set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.annotate import label
    >>> from skpose.datasets import write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head", "tail"]))
    ...     with label(f"{folder}/set.h5", block=False, port=0) as server:
    ...         print(server.url[:17], server.n_edits)
    http://127.0.0.1: 0
    """
    server = LabelServer(
        path,
        port=port,
        user=user,
        read_only=read_only,
        allow_hosts=allow_hosts,
        frame_origin=frame_origin,
        videos=videos,
    )
    if not block:
        return server
    with server, suppress(KeyboardInterrupt):
        print(f"Label at {server.url} and press Ctrl-C here when you are done.")
        server.wait()
    return server.n_edits


def _listen(port):
    """Return a socket that listens on a port of this machine, or on the next free one."""
    for candidate in range(port, port + _N_PORTS) if port else [0]:
        # asyncio sends answers without delay only on sockets that say that they are of TCP.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where others could share it
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:  # to come back to the same port after being killed
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", candidate))
        except OSError as error:
            listener.close()
            failure = error
        else:
            return listener
    raise OSError(
        f"None of the ports {port} to {port + _N_PORTS - 1} is free; give another one, or 0."
    ) from failure


def _check_installed():
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The page for labelling needs more packages: `pip install starlette uvicorn`.",
            name=error.name,
        ) from error


def _check_origin(origin):
    if origin is not None and not _ORIGIN.fullmatch(origin):
        raise ValueError(
            "frame_origin must be the start of the notebook's address, as "
            f"'http://localhost:8888', but was {origin!r}."
        )
    return origin
