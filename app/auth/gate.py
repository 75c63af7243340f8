"""The gate before everything that is not the API: pages, and the sockets of pages.

The page framework's socket knows nobody: here it must carry the session that loaded the page.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, quote

from nicegui import Client
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.caller import cookie_name
from app.security.prefix import path_in
from domain.identity.links import PATHS
from domain.kernel.actor import Actor

OPERATORS_PAGE = "/sysadmin"
"""Knows no user: what is behind it asks for the operator's key."""
OPEN = (
    "/sign-in",
    "/set-up",
    OPERATORS_PAGE,
    *PATHS.values(),
    "/static/",
    "/favicon.ico",
    "/auth/sign-in",
    "/auth/oidc/",
    "/auth/account-link",
    "/auth/forgotten-password",
    "/login/callback",
    "/api/",
    "/version",
    "/docs",
    "/openapi.json",
    "/livez",
    "/readyz",
)
SOCKET = "/_nicegui_ws"
CLIENT_FILES = "/_nicegui/client/"
FRAMEWORK = "/_nicegui/"


class Gate:
    """Lets through what is open, and people with a living session; others are sent to sign in."""

    def __init__(self, app: ASGIApp, resolve: Callable[[HTTPConnection], Awaitable[Actor | None]]) -> None:
        self._app, self._resolve = app, resolve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, then hand on."""
        if scope["type"] not in ("http", "websocket") or self._is_open(path_in(scope)):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        actor = await self._resolve(connection)
        if actor is None and not self._operators_socket(connection):
            await self._refuse(scope, receive, send, 401)
        elif actor is not None and path_in(scope).startswith(SOCKET) and not self._own_page(connection):
            await self._refuse(scope, receive, send, 403)
        else:
            await self._app(scope, receive, send)

    @staticmethod
    def _is_open(path: str) -> bool:
        if path.startswith(FRAMEWORK):
            return not path.startswith(CLIENT_FILES)
        return path.startswith(OPEN)

    @staticmethod
    def _client(connection: HTTPConnection) -> Client | None:
        """The page that this socket is for."""
        query = parse_qs(connection.scope.get("query_string", b"").decode())
        return Client.instances.get(query.get("client_id", [""])[0])

    def _operators_socket(self, connection: HTTPConnection) -> bool:
        """Whether this is the socket of the operator's page."""
        client = self._client(connection) if path_in(connection.scope).startswith(SOCKET) else None
        return client is not None and client.page.path == OPERATORS_PAGE

    def _own_page(self, connection: HTTPConnection) -> bool:
        """Whether the page that this socket is for was loaded with the very same cookie."""
        client = self._client(connection)
        if client is None or client._request is None:
            return True
        name = cookie_name(connection)
        return client.request.cookies.get(name) == connection.cookies.get(name)

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
