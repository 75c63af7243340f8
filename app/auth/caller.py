"""Who is calling: one place for every credential a request can carry."""

import hmac
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.auth.tokens import TokenRules, csrf_token, read
from domain.identity.service import IdentityService
from domain.kernel.actor import Actor, Origin
from domain.kernel.errors import N_, Forbidden, Unauthenticated

COOKIE = "__Host-samrad"
PLAIN_COOKIE = "samrad"
"""Where the product is reached over plain HTTP on a network, browsers refuse the other one."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
CSRF_FAILED = N_("The page is out of date. Load it again and repeat what you did.")


def is_secure(connection: HTTPConnection) -> bool:
    """Whether browsers treat the connection as secure: HTTPS, or this very machine."""
    return connection.url.scheme in ("https", "wss") or (connection.url.hostname or "") in LOCAL


def cookie_name(connection: HTTPConnection) -> str:
    """The name of the session cookie on this connection."""
    return COOKIE if is_secure(connection) else PLAIN_COOKIE


def set_session(response: Response, connection: HTTPConnection, token: str, seconds: int) -> None:
    """Hand a session's token to the browser in a cookie that scripts cannot read."""
    response.set_cookie(
        cookie_name(connection), token, max_age=seconds, path="/", secure=is_secure(connection), httponly=True,
        samesite="lax",
    )  # fmt: skip


def origin_of(connection: HTTPConnection) -> Origin:
    """Where the request came from."""
    client = connection.client.host if connection.client else None
    return Origin(client, connection.headers.get("user-agent"), getattr(connection.state, "request_id", None))


def same_origin(connection: HTTPConnection, public_origin: str | None) -> bool:
    """Whether the request was made by our own page, as far as its `Origin` tells."""
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site") in (None, "same-origin", "none")
    public = urlsplit(public_origin or "")
    if public_origin and origin == f"{public.scheme}://{public.netloc}":
        return True
    return urlsplit(origin).netloc == connection.headers.get("host")


class Callers:
    """Resolves callers to actors."""

    def __init__(self, identity: IdentityService, rules: TokenRules) -> None:
        self._identity, self._rules = identity, rules

    async def actor(self, connection: HTTPConnection) -> Actor:
        """The actor of a request; raises `Unauthenticated`, or `Forbidden` for a forged one."""
        authorization = connection.headers.get("authorization", "")
        if authorization.lower().startswith("bearer "):
            return await self.by_jwt(authorization[7:].strip(), origin_of(connection))
        token = connection.cookies.get(cookie_name(connection))
        if not token:
            raise Unauthenticated
        actor = await self._identity.by_token(token, origin_of(connection))
        connection.state.actor = actor
        method = connection.scope.get("method", "GET")
        if method not in SAFE_METHODS:
            self._check_csrf(connection, actor.session_id)
        return actor

    async def page_actor(self, connection: HTTPConnection) -> Actor | None:
        """The actor whose browser loads a page or holds its socket; None when nobody is signed in."""
        token = connection.cookies.get(cookie_name(connection))
        return await self._identity.by_token(token, origin_of(connection)) if token else None

    def csrf_of(self, connection: HTTPConnection) -> str:
        """The CSRF token of the session in a page's cookie."""
        token = connection.cookies.get(cookie_name(connection), "")
        parts = token.split(".")
        return self.csrf(UUID(parts[1])) if len(parts) == 3 else ""

    async def by_jwt(self, token: str, origin: Origin) -> Actor:
        """The actor of an API token."""
        claims = read(self._rules, token)
        return await self._identity.by_session(claims.tenant_id, claims.session_id, origin, user_id=claims.user_id)

    def csrf(self, session_id: UUID) -> str:
        """The CSRF token of a browser's session."""
        return csrf_token(self._rules.key, session_id)

    def _check_csrf(self, connection: HTTPConnection, session_id: UUID | None) -> None:
        sent = connection.headers.get("x-csrf-token", "")
        if session_id is None or not hmac.compare_digest(sent, self.csrf(session_id)):
            raise Forbidden(CSRF_FAILED)
