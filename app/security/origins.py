"""Which web sites' pages may call the API from a browser (CORS).

A browser asks before it sends who is calling: then a site passes that any organisation, or the installation,
allows. The call itself is checked against the caller's own organisation. Other sites never get the session cookie: they
bring a token or a key.
"""

import time
from collections.abc import Awaitable, Callable

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.caller import same_origin

REMEMBERED_SECONDS = 30.0
MOST_REMEMBERED = 1000


class Origins(CORSMiddleware):
    """`known` says whether any organisation allows a site; the answer is remembered for half a minute."""

    def __init__(
        self,
        app: ASGIApp,
        everywhere: frozenset[str],
        known: Callable[[str], Awaitable[bool]],
        public_origin: str | None,
    ) -> None:
        super().__init__(
            app, allow_methods=["*"], allow_headers=["*"],
            expose_headers=["X-Correlation-ID", "X-Error-Code", "Retry-After", "X-RateLimit-Remaining"],
        )  # fmt: skip
        self._everywhere, self._known, self._public_origin = everywhere, known, public_origin
        self._remembered: dict[str, tuple[bool, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pages of allowed sites read the answers."""
        if scope["type"] == "http":
            connection = HTTPConnection(scope)
            origin = connection.headers.get("origin")
            if origin is not None and not same_origin(connection, self._public_origin):
                await self._look_up(origin)
        await super().__call__(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether the site was found allowed a moment ago."""
        return origin in self._everywhere or self._remembered.get(origin, (False, 0.0))[0]

    async def _look_up(self, origin: str) -> None:
        if origin in self._everywhere or self._remembered.get(origin, (False, 0.0))[1] > time.monotonic():
            return
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[origin] = (await self._known(origin), time.monotonic() + REMEMBERED_SECONDS)
