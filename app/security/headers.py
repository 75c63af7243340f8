"""Response headers, and the content security policy with a fresh nonce for each page."""

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.logs import CORRELATION
from app.security.prefix import path_in
from app.security.rate_limits import Room
from domain.kernel import tracing
from domain.kernel.errors import FileTooLarge
from domain.knowledge.intake import human_size

Answered = Callable[[str, str, int, float], None]
"""Takes method, route, status and seconds of an answer."""
UNTRACED = ("/livez", "/readyz", "/metrics", "/api/healthz", "/_nicegui")
"""Paths of which no trace is kept: they are asked for all the time, and tell nothing."""
PAGE_MARK = b"x-nicegui-content"
COMMON = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(self), geolocation=()"),
)
STRICT_TRANSPORT = ((b"strict-transport-security", b"max-age=31536000"),)


def page_policy(nonce: str) -> bytes:
    """What a page may load: itself only. The page framework compiles templates, hence 'unsafe-eval'."""
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ).encode()


class PageHeaders:
    """For the pages' own application: a nonce for every script of the page, and the policy that names it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and complete the answer on its way out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Noncing(send))


class _Noncing:
    """Holds a page back until it is whole, then gives its scripts the nonce. User data in it is escaped already."""

    def __init__(self, send: Send) -> None:
        self._send, self._body = send, bytearray()
        self._start: Message = {}
        self._nonce = secrets.token_urlsafe(16)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not any(name.lower() == PAGE_MARK for name, _ in message["headers"]):
                await self._send(message)
                return
            self._start = message
        elif self._start and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()
        else:
            await self._send(message)

    async def _finish(self) -> None:
        body = bytes(self._body).replace(b"<script", b'<script nonce="' + self._nonce.encode() + b'"')
        headers = [(n, v) for n, v in self._start["headers"] if n.lower() != b"content-length"]
        headers += [
            (b"content-length", str(len(body)).encode()),
            (b"content-security-policy", page_policy(self._nonce)),
        ]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


class BodyLimit:
    """For everything: no request body larger than its kind may be, whether its length is declared or not.

    Plain bodies of uploads are streamed and limited where they are stored; what a framework would collect in memory or
    in a temporary file is limited here. `forms` and `others` are in bytes.
    """

    def __init__(self, app: ASGIApp, forms: int, others: int) -> None:
        self._app, self._forms, self._others = app, forms, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, counting what comes in."""
        limit = self._limit(scope) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise FileTooLarge(limit=human_size(limit))
            return message

        await self._app(scope, counting, send)

    def _limit(self, scope: Scope) -> int | None:
        headers = dict(scope["headers"])
        if scope["method"] == "PUT" and scope["path"].endswith(("/documents/", "/files/")):
            return None
        return self._forms if headers.get(b"content-type", b"").startswith(b"multipart/") else self._others


class RequestContext:
    """For everything: a request id, the common headers, what is left of the caller's limit, and the time it took.

    With `secure`, browsers are told to come by HTTPS only, for a year.
    """

    def __init__(self, app: ASGIApp, *, secure: bool = False, answered: Answered | None = None) -> None:
        self._app, self._answered = app, answered
        self._common = COMMON + (STRICT_TRANSPORT if secure else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and complete the answer on its way out."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        CORRELATION.set(request_id)
        begun = time.perf_counter()
        traced = scope["type"] == "http" and not path_in(scope).startswith(UNTRACED)
        with _span(scope) if traced else nullcontext(tracing.SILENT) as span:
            await self._app(scope, receive, self._sending(scope, send, span, request_id, begun))

    def _sending(self, scope: Scope, send: Send, span: tracing.Span, request_id: str, begun: float) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - begun
                took = f"{seconds * 1000:.1f}"
                method, route, status = scope.get("method", "GET"), _route(scope), message["status"]
                if self._answered is not None:
                    self._answered(method, route, status, seconds)
                _note(span, method, route, status)
                extra = (
                    *_limit_headers(scope),
                    (b"x-correlation-id", request_id.encode()),
                    (b"server-timing", f"app;dur={took}".encode()),
                )
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in (*self._common, *extra) if pair[0] not in present),
                ]
            await send(message)

        return sending


def _span(scope: Scope) -> AbstractContextManager[tracing.Span]:
    """The request as a piece of work, in the trace that the caller names."""
    parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
    correlation = scope["state"]["request_id"]
    return tracing.span("request", {"samrad.correlation_id": correlation}, kind="server", parent=parent)


def _note(span: tracing.Span, method: str, route: str, status: int) -> None:
    """What a trace tells of a request: neither its path, which names things, nor its query."""
    span.rename(f"{method} {route}")
    span.note({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))


def _route(scope: Scope) -> str:
    """The route's own form, without what stands for its parameters; all that is no route of the API is one."""
    return str(getattr(scope.get("route"), "path_format", None) or "page")


def _limit_headers(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """What is left of the caller's limit, in the names that clients know; `reset` in seconds from now."""
    room: Room | None = scope.get("state", {}).get("room")
    if room is None:
        return ()
    return (
        (b"x-ratelimit-limit", str(room.limit).encode()),
        (b"x-ratelimit-remaining", str(room.remaining).encode()),
        (b"x-ratelimit-reset", str(room.reset).encode()),
    )
