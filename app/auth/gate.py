"""The gate before everything that is not the API: pages, and the sockets of pages.

The page framework's socket knows nobody: here it must carry the session that loaded the page.
"""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, quote

from nicegui import Client
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.caller import cookie_name, is_secure
from app.security.prefix import path_in
from domain.identity.links import PATHS
from domain.kernel.actor import Actor

OPEN = (
    "/sign-in",
    "/set-up",
    *PATHS.values(),
    "/static/",
    "/favicon.ico",
    "/auth/sign-in",
    "/auth/oidc/",
    "/auth/account-link",
    "/auth/forgotten-password",
    "/login/callback",
    "/api/",
    "/v1/",
    "/version",
    "/docs",
    "/openapi.json",
    "/livez",
    "/readyz",
    "/metrics",
)
SOCKET = "/_nicegui_ws"
CLIENT_FILES = "/_nicegui/client/"
FRAMEWORK = "/_nicegui/"
OPERATOR_PAGE = "/sysadmin"
OPERATOR_COOKIE = "samrad-operator"
"""Names a browser that loaded the operator's page: no right, but the page's socket must bring the same one."""
_NAMED = re.compile(r"[\w-]{43}")


class Gate:
    """Lets through what is open, and people with a living session; others are sent to sign in."""

    def __init__(
        self, app: ASGIApp, resolve: Callable[[HTTPConnection], Awaitable[Actor | None]], *, operated: bool = False
    ) -> None:
        self._app, self._resolve, self._operated = app, resolve, operated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, then hand on."""
        if scope["type"] not in ("http", "websocket") or self._is_open(path := path_in(scope)):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if self._operated and path == OPERATOR_PAGE and scope["type"] == "http":
            await self._operator_page(scope, receive, send)
            return
        if self._operated and path.startswith(SOCKET) and of_operator(connection):
            await self._app(scope, receive, send)
            return
        actor = await self._resolve(connection)
        if actor is None:
            await self._refuse(scope, receive, send, 401)
        elif path.startswith(SOCKET) and not self._own_page(connection):
            await self._refuse(scope, receive, send, 403)
        else:
            await self._app(scope, receive, send)

    @staticmethod
    def _is_open(path: str) -> bool:
        if path.startswith(FRAMEWORK):
            return not path.startswith(CLIENT_FILES)
        return path.startswith(OPEN)

    @staticmethod
    def _own_page(connection: HTTPConnection) -> bool:
        """Whether the page that this socket is for was loaded with the very same cookie."""
        client = _client_of(connection)
        if client is None or client._request is None:
            return True
        name = cookie_name(connection)
        return client.request.cookies.get(name) == connection.cookies.get(name)

    async def _operator_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page asks for the key itself; its browser gets a name of its own, which no other one knows."""
        connection = HTTPConnection(scope)
        secure, name = is_secure(connection), _operator_cookie(connection)
        value = connection.cookies.get(name, "")
        if not _NAMED.fullmatch(value):
            value = secrets.token_urlsafe(32)
        others = [(n, v) for n, v in scope["headers"] if n != b"cookie"]
        sent = [v for n, v in scope["headers"] if n == b"cookie"]
        scope = {**scope, "headers": [*others, (b"cookie", b"; ".join([*sent, f"{name}={value}".encode()]))]}
        cookie = f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}".encode()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(n, v) for n, v in message["headers"] if n.lower() != b"cache-control"]
                message = {**message, "headers": [*kept, (b"set-cookie", cookie), (b"cache-control", b"no-store")]}
            await send(message)

        await self._app(scope, receive, named)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4000 + status})
            return
        path = path_in(scope)
        if path.startswith((SOCKET, FRAMEWORK)):
            await JSONResponse({"message": "Not signed in."}, status)(scope, receive, send)
            return
        target = f"/sign-in?next={quote(path, safe='/')}"
        await RedirectResponse(target, 303)(scope, receive, send)


def _client_of(connection: HTTPConnection) -> Client | None:
    """The page that a socket is for."""
    query = parse_qs(connection.scope.get("query_string", b"").decode())
    return Client.instances.get(query.get("client_id", [""])[0])


def _operator_cookie(connection: HTTPConnection) -> str:
    return f"{'__Host-' if is_secure(connection) else ''}{OPERATOR_COOKIE}"


def of_operator(connection: HTTPConnection) -> bool:
    """Whether the socket is for an operator's page, and comes from the browser that loaded it."""
    client = _client_of(connection)
    if client is None or client._request is None or path_in(client.request.scope) != OPERATOR_PAGE:
        return False
    name = _operator_cookie(connection)
    sent, loaded = connection.cookies.get(name, ""), client.request.cookies.get(name, "")
    return loaded != "" and hmac.compare_digest(sent.encode(), loaded.encode())
