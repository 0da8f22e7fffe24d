"""The routes of the server."""

import asyncio
from importlib.resources import files
import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from skpose.annotate._messages import parse_edits
from skpose.annotate._session import ReadOnly

__all__ = ["make_app"]

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_EVER = "private, max-age=31536000, immutable"


def make_app(session, events):
    """Return the application of a server.

    Parameters
    ----------
    session : LabelSession
        The set.
    events : Events
        What the pages are told.

    Returns
    -------
    starlette.applications.Starlette
    """
    api = _Api(session, events)
    return Starlette(
        routes=[
            Route("/", api.page),
            Route("/static/{name}", api.static),
            Route("/api/session", _in_thread(api.session)),
            Route("/api/frames", _in_thread(api.frames)),
            Route("/api/frames/{index}", _in_thread(api.frame)),
            Route("/api/frames/{index}/image", _in_thread(api.image)),
            Route("/api/edits", api.edits, methods=["POST"]),
            Route("/api/events", api.events),
        ],
        exception_handlers={HTTPException: _tell, Exception: _tell_unexpected},
    )


def _in_thread(answer):
    """Answer in a thread that is waited for at the end: one that is cut off aborts the process."""

    async def run(request):
        return await asyncio.to_thread(answer, request)

    return run


class _Api:
    """What the routes do."""

    def __init__(self, session, events):
        self._session = session
        self._events = events
        # A fixed table, so that no path of a request is ever one of this machine.
        self._static = {
            file.name: file.read_bytes()
            for file in files("skpose.annotate").joinpath("static").iterdir()
            if file.name.rpartition(".")[2] in _MEDIA_TYPES
        }

    async def page(self, request):
        return self._file("index.html")

    async def static(self, request):
        return self._file(request.path_params["name"])

    def _file(self, name):
        if name not in self._static:
            raise HTTPException(404, "There is no such file.")
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        headers = {"cache-control": "no-cache"}
        return Response(self._static[name], media_type=media_type, headers=headers)

    def session(self, request):
        return _json(self._session.about())

    def frames(self, request):
        since = _number(request.query_params.get("since"), "since")
        return _json(self._session.frames(since))

    def frame(self, request):
        try:
            return _json(self._session.frame(_number(request.path_params["index"], "index")))
        except ValueError as error:
            raise HTTPException(404, str(error)) from error

    def image(self, request):
        if request.query_params.get("set") != self._session.stamp:
            raise HTTPException(409, "It is another set now: load the page anew.")
        crop = request.query_params.get("crop")
        index = _number(request.path_params["index"], "index")
        try:
            part = None if crop is None else _numbers(crop)
            encoded = self._session.images.encode(index, part)
        except ValueError as error:
            raise HTTPException(404, str(error)) from error
        headers = {"cache-control": _FOR_EVER}
        return Response(encoded.content, media_type=encoded.media_type, headers=headers)

    async def edits(self, request):
        body = await request.body()
        try:
            client, edits = parse_edits(body)
            done = await asyncio.to_thread(self._session.edit, client, edits)
        except ReadOnly as error:
            raise HTTPException(423, str(error)) from error
        except ValueError as error:
            await asyncio.to_thread(self._session.look_outside)
            status = 400 if self._session.trouble is None else 409
            raise HTTPException(status, str(error)) from error
        except OSError as error:
            raise HTTPException(507, f"It cannot be written: {error}.") from error
        return _json({"done": done})

    async def events(self, request):
        last = request.headers.get("last-event-id", request.query_params.get("since"))
        since = _number(last, "since")
        stream = self._events.stream(self._session.version if since is None else since)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _number(text, name):
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(404, f"{name} must be a whole number, but was {text!r:.50}.")
    return int(text)


def _numbers(text):
    parts = text.split(",")
    if len(parts) != 4:
        raise ValueError("A part of an image is given as crop=x,y,width,height.")
    return tuple(_number(part, "crop") for part in parts)


def _json(value, status=200):
    content = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Response(content, status, {"cache-control": "no-store"}, "application/json")


async def _tell(request, error):
    return _json({"error": error.detail}, error.status_code)


async def _tell_unexpected(request, error):
    return _json({"error": f"The server failed: {type(error).__name__}. See its terminal."}, 500)
