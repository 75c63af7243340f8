"""The way out for answers that come in many small pieces, by the rules of `outbound`.

aiohttp takes a piece in for a quarter of the processor time that httpx needs; importing it takes a moment, which
`OutboundGuard.streams` spends beside the event loop.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from app.security.outbound import MOST_CONNECTIONS, OutboundGuard

HEAD_BYTES = 64 * 1024
"""So long may a line of an answer's head be."""


class _Vetted(str):
    """An address that was vetted for a name."""


class _VettedNames(AbstractResolver):
    """Resolves a name to the one address that was vetted for it."""

    def __init__(self, guard: OutboundGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The vetted address of a name; raises `ProviderFailed` when it may not be called."""
        address = _Vetted(await self._guard.resolve(host, port))
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
        ]

    async def close(self) -> None:
        """See `AbstractResolver`."""


@dataclass(slots=True)
class _Way:
    """How a request goes: `kept`: on a connection that was used before."""

    kept: bool = False


async def _note_kept(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceConnectionReuseconnParams
) -> None:
    way = context.trace_request_ctx
    if isinstance(way, _Way):
        way.kept = True


@asynccontextmanager
async def posted(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], timeout: aiohttp.ClientTimeout
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a POST. A server may close a kept connection just as it is used again: then another one is taken."""
    while True:
        way = _Way()
        try:
            response = await session.post(
                url, data=BytesIO(body), headers=headers, timeout=timeout, allow_redirects=False, trace_request_ctx=way
            )
            break
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
            # Each kept connection fails once, so this ends.
            if not way.kept:
                raise
    async with response:
        yield response


def session(guard: OutboundGuard) -> aiohttp.ClientSession:
    """A guarded session; it keeps no cookies and uses no proxy of the environment. Callers refuse redirects."""

    def vetted(place: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address. One that stands in the URL itself was not vetted before: no name was resolved."""
        kind, sort, protocol, _, (address, port, *_) = place
        if not isinstance(address, _Vetted):
            guard.require(address, port, [address])
        made = socket.socket(kind, sort, protocol)
        made.setblocking(False)
        return made

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_kept)
    connector = aiohttp.TCPConnector(
        resolver=_VettedNames(guard),
        socket_factory=vetted,
        use_dns_cache=False,
        limit=MOST_CONNECTIONS,
        ssl=httpx.create_ssl_context(trust_env=False),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[trace],
        max_line_size=HEAD_BYTES,
        max_field_size=HEAD_BYTES,
    )
