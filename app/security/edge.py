"""The outer edge: which names the product answers to, and how much strangers may ask of it."""

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import failure_response, language_of
from app.auth.caller import COOKIE, LOCAL, PLAIN_COOKIE
from app.config import Settings
from app.security.prefix import path_in
from app.security.rate_limits import RateLimits
from domain.kernel.errors import N_, BadRequest, Failure, StorageTrouble, TooManyRequests
from pages.i18n import translate

log = logging.getLogger(__name__)
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 — compared with, not listened on
WRONG_HOST = N_("This server does not answer to the name {host}. Set PUBLIC_ORIGIN or ALLOWED_HOSTS if it should.")
UNCOUNTED = ("/static/", "/_nicegui/", "/livez", "/readyz", "/api/healthz", "/favicon.ico", "/metrics")


def hosts_of(settings: Settings) -> frozenset[str] | None:
    """The host names that requests may be for; None when the product cannot know (it listens everywhere, unnamed)."""
    named = {part.strip().lower() for part in settings.allowed_hosts.split(",") if part.strip()}
    if settings.public_origin:
        named.add(urlsplit(settings.public_origin).hostname or "")
    if not named and settings.host in ANY_ADDRESS:
        return None
    return frozenset(named | LOCAL | {settings.host.lower()})


class HostCheck:
    """Refuses requests for another host: a foreign name that leads here (DNS rebinding), or a forged `Host`."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what is meant for us."""
        if scope["type"] in ("http", "websocket"):
            host = _hostname(Headers(scope=scope).get("host", ""))
            if host not in self._hosts:
                await refuse(BadRequest(WRONG_HOST, host=host[:100]), scope, receive, send)
                return
        await self._app(scope, receive, send)


class Troubled:
    """Says it in a sentence when what is kept can at present not be read or written."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on; an answer that has begun is broken off, and can be asked for again."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] in ("http.response.start", "websocket.accept")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except StorageTrouble as trouble:
            log.warning("%s %s: %r", scope["type"], scope.get("path"), trouble.__cause__ or trouble)
            if begun:
                raise
            await refuse(trouble.shown, scope, receive, send)


class Strangers:
    """Counts requests without any credential by network address."""

    def __init__(self, app: ASGIApp, limits: RateLimits, key_header: str) -> None:
        self._app, self._limits = app, limits
        self._credentials = (b"authorization", b"api-key", key_header.lower().encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what is not too much."""
        if scope["type"] == "http" and not path_in(scope).startswith(UNCOUNTED) and not self._has_credential(scope):
            client = scope.get("client")
            try:
                await self._limits.stranger(client[0] if client else None)
            except TooManyRequests as failure:
                await refuse(failure, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _has_credential(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name in self._credentials:
                return True
            if name == b"cookie" and any(f"{cookie}=".encode() in value for cookie in (COOKIE, PLAIN_COOKIE)):
                return True
        return False


def _hostname(host: str) -> str:
    """The name in a `Host` header, without the port."""
    return (host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]).lower()


async def refuse(failure: Failure, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal, in the shape that the caller can show."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    request = Request(scope)
    response: Response = failure_response(request, failure)
    if "text/html" in request.headers.get("accept", ""):
        sentence = translate(failure.message, language_of(request), **failure.params)
        headers = {name: value for name, value in response.headers.items() if name in ("retry-after", "x-error-code")}
        response = PlainTextResponse(sentence, failure.status, headers)
    await response(scope, receive, send)
