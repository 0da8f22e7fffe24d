"""The routes of the server."""

import asyncio
from importlib.resources import files
import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from skpose.annotate._jobs import Busy
from skpose.annotate._messages import (
    parse_edits,
    parse_export,
    parse_job,
    parse_names,
    parse_place_in_video,
    parse_presence,
    parse_skeleton,
)
from skpose.annotate._session import Overtaken, ReadOnly
from skpose.skeleton import Skeleton

__all__ = ["make_app"]

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_EVER = "private, max-age=31536000, immutable"


def make_app(session, events, jobs, context):
    """Return the application of a server.

    Parameters
    ----------
    session : LabelSession
        The set.
    events : Events
        What the pages are told.
    jobs : Jobs
        Trains and guesses.
    context : Context
        Frames of videos around those in the set.

    Returns
    -------
    starlette.applications.Starlette
    """
    api = _Api(session, events, jobs, context)
    return Starlette(
        routes=[
            Route("/", api.page),
            Route("/static/{name}", api.static),
            Route("/api/session", _in_thread(api.session)),
            Route("/api/frames", _in_thread(api.frames)),
            Route("/api/frames/{index}", _in_thread(api.frame)),
            Route("/api/frames/{index}/image", _in_thread(api.image)),
            Route("/api/frames/{index}/context", _in_thread(api.context)),
            Route("/api/frames/{index}/context/{offset}", _in_thread(api.context_image)),
            Route("/api/frames", api.add_frame, methods=["POST"]),
            Route("/api/edits", api.edits, methods=["POST"]),
            Route("/api/skeleton", api.change_skeleton, methods=["PUT"]),
            Route("/api/partners", api.partners, methods=["POST"]),
            Route("/api/suspects", _in_thread(api.suspects)),
            Route("/api/job", api.start, methods=["POST"]),
            Route("/api/job", api.stop, methods=["DELETE"]),
            Route("/api/export", api.export, methods=["POST"]),
            Route("/api/presence", api.move, methods=["POST"]),
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

    def __init__(self, session, events, jobs, context):
        self._session = session
        self._events = events
        self._jobs = jobs
        self._context = context
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
        return _json({**self._session.about(), "least_labelled": self._jobs.least_labelled})

    def frames(self, request):
        since = _number(request.query_params.get("since"), "since")
        return _json(self._session.frames(since))

    def frame(self, request):
        index = _number(request.path_params["index"], "index")
        return _json(_found(lambda: self._session.frame(index)))

    def image(self, request):
        if request.query_params.get("set") != self._session.stamp:
            raise HTTPException(409, "It is another set now: load the page anew.")
        crop = request.query_params.get("crop")
        index = _number(request.path_params["index"], "index")
        encoded = _found(
            lambda: self._session.images.encode(index, None if crop is None else _numbers(crop))
        )
        headers = {"cache-control": _FOR_EVER}
        return Response(encoded.content, media_type=encoded.media_type, headers=headers)

    def context(self, request):
        index = _number(request.path_params["index"], "index")
        return _json(_found(lambda: self._context.about(index)))

    def context_image(self, request):
        index = _number(request.path_params["index"], "index")
        text = request.path_params["offset"]
        offset = _number(text.removeprefix("-"), "offset") * (-1 if text[:1] == "-" else 1)
        encoded = _found(lambda: self._context.encode(index, offset))
        headers = {"cache-control": "no-store"}
        return Response(encoded.content, media_type=encoded.media_type, headers=headers)

    async def add_frame(self, request):
        return _json({"frame": await self._change(request, self._add_frame)}, 201)

    def _add_frame(self, body):
        return self._context.add(*parse_place_in_video(body))

    async def edits(self, request):
        return _json({"done": await self._change(request, self._edit)})

    def _edit(self, body):
        client, edits = parse_edits(body)
        return self._session.edit(client, edits)

    async def change_skeleton(self, request):
        await self._change(request, self._change_skeleton)
        return _json({})

    def _change_skeleton(self, body):
        self._session.change_skeleton(parse_skeleton(body))

    async def _change(self, request, change):
        """Do what a request wants; what may be wrong with that is told in HTTP's numbers."""
        return await asyncio.to_thread(self._try, change, await request.body())

    def _try(self, change, body):
        try:
            return change(body)
        except ReadOnly as error:
            raise HTTPException(423, str(error)) from error
        except (Busy, Overtaken) as error:
            raise HTTPException(409, str(error)) from error
        except ValueError as error:
            self._session.look_outside()
            status = 400 if self._session.trouble is None else 409
            raise HTTPException(status, str(error)) from error
        except OSError as error:
            raise HTTPException(507, f"It cannot be written: {error}.") from error

    async def partners(self, request):
        """Answer which names are those of partners, as far as they tell."""
        try:
            skeleton = Skeleton.from_names(parse_names(await request.body()), guess_swaps=True)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        partners = [
            None if partner == k else partner
            for k, partner in enumerate(skeleton.swap_index.tolist())
        ]
        return _json({"swaps": partners})

    def suspects(self, request):
        return _json(self._session.find_suspects())

    async def start(self, request):
        await self._change(request, self._start)
        return _json({}, 202)

    def _start(self, body):
        kind, amount = parse_job(body)
        {"train": self._jobs.train, "suggest": self._jobs.suggest}[kind](amount)

    async def stop(self, request):
        self._jobs.stop()
        return _json({}, 202)

    async def export(self, request):
        return _json(await self._change(request, self._export), 201)

    def _export(self, body):
        return self._session.export(parse_export(body))

    async def move(self, request):
        await self._change(request, lambda body: self._events.presence.move(*parse_presence(body)))
        return _json({})

    async def events(self, request):
        last = request.headers.get("last-event-id", request.query_params.get("since"))
        since = _number(last, "since")
        since = self._session.version if since is None else since
        stream = self._events.stream(since, request.query_params.get("client", ""))
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _found(find):
    """Return what is found; what is not there is told as that."""
    try:
        return find()
    except (OSError, ValueError, ImportError) as error:
        raise HTTPException(404, str(error)) from error


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
