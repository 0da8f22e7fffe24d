"""Who may talk to the server: the person who started it, from its own page. See SECURITY.md."""

from hashlib import sha256
import hmac
from http.cookies import CookieError, SimpleCookie
import secrets
from urllib.parse import parse_qs, urlsplit

__all__ = ["MAX_BODY", "Guard"]

MAX_BODY = 2**20  # bytes of a message
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
)


class Guard:
    """Answers for an application where a request must not reach it.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    token : str
        What the person who started the server knows.
    allow_hosts : sequence of str, default=()
        Names of the server besides those of the loopback device.
    frame_origin : str, default=None
        The origin of a page that may show this one in a frame. None: none may.
    """

    def __init__(self, app, *, token, allow_hosts=(), frame_origin=None):
        self._app = app
        self._token = token
        self._ticket = None
        self._cookie = f"skpose-{sha256(token.encode()).hexdigest()[:12]}"
        self._allowed = {host.lower() for host in allow_hosts}
        self._headers = [
            (b"content-security-policy", (_CSP + (frame_origin or "'none'")).encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]

    def make_ticket(self):
        """Return what lets a browser in once: the arguments of a process can be seen by others."""
        self._ticket = secrets.token_urlsafe(32)
        return self._ticket

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        send = self._with_headers(send)
        headers = _headers_of(scope)
        refused = self._check_host(headers) or self._check_origin(scope["method"], headers)
        if refused is not None:
            await _answer(send, *refused)
        elif scope["method"] == "GET" and scope["path"] == "/" and scope["query_string"]:
            await self._let_in(scope, send)
        elif not self._is_known(headers):
            await _answer(send, 401, "Open the link that `skpose label` has printed.")
        else:
            await self._app(scope, _limited(receive), send)

    def _with_headers(self, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        return send_with_headers

    def _check_host(self, headers):
        host = headers.get("host", "").lower()
        name = host if host in self._allowed else _without_port(host)
        if name not in _LOOPBACK | self._allowed:
            return 403, f"The server is not called {host!r}; allow it with --allow-host."
        return None

    def _check_origin(self, method, headers):
        """Refuse what another page has made the browser send."""
        if method in ("GET", "HEAD"):
            return None
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "Changes are taken from the server's own page only."
        origin = headers.get("origin")
        if origin is not None:
            host = urlsplit(origin).netloc.lower()
            if not host or (host != headers["host"].lower() and host not in self._allowed):
                return 403, "Changes are taken from the server's own page only."
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 415, "Messages are application/json."
        return None

    async def _let_in(self, scope, send):
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        token, ticket = (asked.get(name, [""])[0] for name in ("token", "ticket"))
        is_known = _is_same(token, self._token)
        if self._ticket is not None and _is_same(ticket, self._ticket):
            is_known, self._ticket = True, None
        if not is_known:
            await _answer(send, 401, "This link is not valid any more. Open the one printed last.")
            return
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        # The address without the token, so that it is neither in the history nor in a screenshot.
        headers = [(b"location", b"./"), (b"set-cookie", cookie.encode("ascii"))]
        await _answer(send, 303, "", headers)

    def _is_known(self, headers):
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and _is_same(cookie.value, self._token)


def _is_same(one, other):
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _headers_of(scope):
    """Return the headers; of those that must be there once, one that is there twice is none."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key in headers:
            text = f"{headers[key]}; {text}" if key == "cookie" else "twice"
        headers[key] = text
    return headers


def _without_port(host):
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host


def _limited(receive):
    """Pass a request's body on until it is too long."""
    n_bytes = 0

    async def receive_limited():
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > MAX_BODY:
            from starlette.exceptions import HTTPException

            raise HTTPException(413, f"A message has {MAX_BODY} bytes at most.")
        return message

    return receive_limited


async def _answer(send, status, text, headers=()):
    body = text.encode()
    about = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": body})
