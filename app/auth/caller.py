"""Who is calling: one place for every credential a request can carry."""

import hmac
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.auth import scopes
from app.auth.tokens import TokenRules, csrf_token, read
from domain.api_keys.identity import KeyIdentityService
from domain.identity.service import IdentityService
from domain.kernel.actor import Actor, Origin
from domain.kernel.errors import N_, Forbidden, Unauthenticated

COOKIE = "__Host-samrad"
PLAIN_COOKIE = "samrad"
"""Where the product is reached over plain HTTP on a network, browsers refuse the other one."""
SAFE_METHODS = scopes.SAFE_METHODS
KEY_HEADER = "api-key"
"""Accepted besides the header that the settings name."""
KEY_PREFIXES = ("inp_", "ina_")
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
    return is_ours(origin, connection.headers.get("host"), public_origin)


def is_ours(origin: str, host: str | None, public_origin: str | None) -> bool:
    """Whether pages from `origin` are our own: it is the installation's address, or what the request was sent to."""
    public = urlsplit(public_origin or "")
    if public_origin and origin == f"{public.scheme}://{public.netloc}":
        return True
    return urlsplit(origin).netloc == host


def _bearer_of(connection: HTTPConnection) -> str | None:
    authorization = connection.headers.get("authorization", "")
    return authorization[7:].strip() if authorization.lower().startswith("bearer ") else None


class Callers:
    """Resolves callers to actors. A bearer token counts before an API key, and a key before a browser's cookie."""

    def __init__(
        self, identity: IdentityService, keys: KeyIdentityService, rules: TokenRules, key_header: str = KEY_HEADER
    ) -> None:
        self._identity, self._keys, self._rules = identity, keys, rules
        self._key_headers = (key_header, KEY_HEADER)

    async def actor(self, connection: HTTPConnection) -> Actor:
        """The actor of a request; raises `Unauthenticated`, or `Forbidden` for a forged one or a key's missing scope."""
        actor = await self.resolve(connection)
        connection.state.actor = actor
        if actor.key is not None:
            scopes.check(actor.key, connection)
        elif connection.scope.get("method", "GET") not in SAFE_METHODS:
            self.require_own_page(connection, actor)
        return actor

    async def resolve(self, connection: HTTPConnection) -> Actor:
        """Whose credential a request carries, as of now."""
        bearer, key = _bearer_of(connection), self._key_of(connection)
        if bearer is not None:
            return await self.by_credential(bearer, origin_of(connection))
        if key:
            return await self._keys.by_key(key, origin_of(connection))
        token = connection.cookies.get(cookie_name(connection))
        if not token:
            raise Unauthenticated
        return await self._identity.by_token(token, origin_of(connection))

    def _key_of(self, connection: HTTPConnection) -> str:
        return next(filter(None, (connection.headers.get(name) for name in self._key_headers)), "").strip()

    async def by_credential(self, credential: str, origin: Origin) -> Actor:
        """The actor of an API token or an API key."""
        if credential.startswith(KEY_PREFIXES):
            return await self._keys.by_key(credential, origin)
        return await self.by_jwt(credential, origin)

    def require_own_page(self, connection: HTTPConnection, actor: Actor) -> None:
        """Raise `Forbidden` when a browser's cookie came without the token that only our own pages have."""
        if _bearer_of(connection) is None and not self._key_of(connection):
            self._check_csrf(connection, actor.session_id)

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
