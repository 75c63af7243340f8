"""The one way out: every outbound call goes to an address that was looked at, and to that very address.

A name is resolved once; if any of its addresses is not public, the call is refused unless the installation's allow-list
names the host. The connection is then made to the vetted address, so that a second look-up cannot change it.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpcore
import httpx

from domain.kernel.errors import N_, ProviderFailed, Trouble

if TYPE_CHECKING:
    import aiohttp

MOST_CONNECTIONS = 500
REFUSED = N_(
    "The address {host} is in a private network and may not be called. An operator can allow it with OUTBOUND_ALLOW."
)
UNRESOLVED = N_("The address {host} is not known. Check the spelling.")
_V4_MAPPED = ipaddress.ip_network("::ffff:0:0/96")
_V4_COMPATIBLE = ipaddress.ip_network("::/96")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from everywhere, also when it hides an IPv4 address in an IPv6 one."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        if ip in _V4_MAPPED or ip in _V4_COMPATIBLE or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
        if ip in _SIX_TO_FOUR:
            return is_public(str(ipaddress.IPv4Address(int(ip) >> 80 & 0xFFFF_FFFF)))
    return ip.is_global and not ip.is_multicast


class OutboundGuard:
    """Makes HTTP clients that can only go where the rules allow. `allow` names hosts, `host:port` pairs or networks."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = [entry.strip().lower() for entry in allow if entry.strip()]
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._streams: aiohttp.ClientSession | None = None
        self._importing = asyncio.Lock()

    def require(self, host: str, port: int, addresses: Iterable[str]) -> None:
        """Raise `ProviderFailed` unless each of the addresses of a host may be called."""
        if not all(self._allowed(host.lower(), port, address) for address in addresses):
            raise ProviderFailed(REFUSED, trouble=Trouble.REJECTED, host=host)

    def _allowed(self, host: str, port: int, address: str) -> bool:
        if is_public(address):
            return True
        ip = ipaddress.ip_address(address.split("%")[0])
        for entry in self._allow:
            if entry in (host, f"{host}:{port}", address, f"{address}:{port}"):
                return True
            if "/" in entry and ip in ipaddress.ip_network(entry):
                return True
        return False

    async def resolve(self, host: str, port: int) -> str:
        """An address of `host` that may be called; raises `ProviderFailed` when one of them may not."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ProviderFailed(UNRESOLVED, trouble=Trouble.UNREACHABLE, host=host) from error
        addresses = [str(info[4][0]) for info in found]
        if not addresses:
            raise ProviderFailed(UNRESOLVED, trouble=Trouble.UNREACHABLE, host=host)
        self.require(host, port, addresses)
        return addresses[0]

    async def check(self, url: str, purpose: str) -> None:
        """Raise `ProviderFailed` unless `url` may be called."""
        parts = urlsplit(url)
        await self.resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))

    def client(self, purpose: str) -> httpx.AsyncClient:
        """The guarded client for one purpose. It follows no redirects and uses no proxy from the environment."""
        if purpose not in self._clients:
            self._clients[purpose] = self.fresh()
        return self._clients[purpose]

    def fresh(self) -> httpx.AsyncClient:
        """A guarded client that shares neither connections nor cookies with any other; whoever asks for it closes it."""
        limits = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=50)
        transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        transport._pool._network_backend = _GuardedBackend(self)
        return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)

    async def streams(self) -> "aiohttp.ClientSession":
        """The guarded client for answers that come in many small pieces. It follows redirects unless told not to."""
        async with self._importing:
            if self._streams is None:
                session = await asyncio.to_thread(_imported)
                self._streams = session(self)
            return self._streams

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.aclose()
        if self._streams is not None:
            await self._streams.close()


def _imported() -> "Callable[[OutboundGuard], aiohttp.ClientSession]":
    from app.security.outbound_streams import session

    return session


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the vetted address of a host; the certificate is still checked against its name."""

    def __init__(self, guard: OutboundGuard) -> None:
        from httpcore._backends.auto import AutoBackend

        self._guard, self._plain = guard, AutoBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                address = await self._guard.resolve(host, port)
        except TimeoutError as error:
            # A name service that is silent is as good as a host that is.
            raise httpcore.ConnectTimeout from error
        return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        raise ProviderFailed(REFUSED, trouble=Trouble.REJECTED, host="unix")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
