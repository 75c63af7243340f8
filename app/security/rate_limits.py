"""How often anybody may do what: sliding windows of a minute, per caller, organisation and network address.

One web process counts in memory. Several count together in Redis; while it is away each counts for itself, so that limits
are wider for a while but never gone, and nobody is locked out.
"""

import ipaddress
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.realtime.common import Absence, Away
from domain.kernel.actor import Actor
from domain.kernel.errors import TooManyRequests
from domain.ports import Deed


@dataclass(frozen=True, slots=True)
class Rates:
    """How much is allowed in a minute; 0 is without a limit."""

    api: int = 0
    uploads: int = 0
    questions: int = 0
    tenant_factor: int = 0
    strangers: int = 0
    refusals: int = 0

    def of(self, deed: Deed) -> int:
        """What one caller may do in a minute."""
        return {Deed.REQUEST: self.api, Deed.UPLOAD: self.uploads, Deed.QUESTION: self.questions}[deed]


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a limit; `reset` in seconds."""

    limit: int
    remaining: int
    reset: int


class RateLimits:
    """See `domain.ports.Limiter`. With `redis_url`, all processes count together."""

    def __init__(self, rates: Rates, redis_url: str | None = None) -> None:
        self._rates, self._redis_url = rates, redis_url
        self._local: Any = None
        self._shared: Any = None
        self._absence = Absence("rate limits are counted")

    async def take(self, deed: Deed, actor: Actor) -> None:
        """Count what the actor does; raises `TooManyRequests` when it is too much for one, or for one organisation."""
        await self.room(deed, actor)

    async def room(self, deed: Deed, actor: Actor) -> Room | None:
        """The same, telling what is left; None without a limit."""
        limit = self._rates.of(deed)
        if deed is Deed.REQUEST and actor.key is not None and actor.key.requests_per_minute:
            await self._hit(actor.key.requests_per_minute, deed, f"key:{actor.key.id}")
        if self._rates.tenant_factor:
            await self._hit(limit * self._rates.tenant_factor, deed, f"tenant:{actor.tenant_id}")
        return await self._hit(limit, deed, f"user:{actor.user_id}", told=True)

    async def stranger(self, ip: str | None) -> None:
        """Count a request without any credential from this address."""
        await self._hit(self._rates.strangers, "stranger", network_of(ip))

    async def refused(self, ip: str | None) -> None:
        """Count a credential that was refused. Others at this address, whose credentials are good, are not held back."""
        await self._hit(self._rates.refusals, "refused", network_of(ip))

    async def _hit(self, limit: int, what: str, who: str, *, told: bool = False) -> Room | None:
        """Count; what is left is looked up only where it is `told`, or where the caller must wait."""
        if limit == 0:
            return None
        from limits import RateLimitItemPerMinute

        item = RateLimitItemPerMinute(limit)
        allowed, stats = await self._counted(item, what, who, told)
        if stats is None:
            return None
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        if not allowed:
            raise TooManyRequests(retry_after=wait)
        return Room(limit, stats.remaining, wait)

    async def _counted(self, item: Any, what: str, who: str, told: bool) -> tuple[bool, Any]:
        if self._redis_url is not None:
            with suppress(Away), self._absence.noted():
                return await self._ask(self._common(), item, what, who, told)
        return await self._ask(self._own(), item, what, who, told)

    @staticmethod
    async def _ask(counter: Any, item: Any, what: str, who: str, told: bool) -> tuple[bool, Any]:
        allowed = await counter.hit(item, what, who)
        return allowed, await counter.get_window_stats(item, what, who) if told or not allowed else None

    # The library takes a tenth of a second to load, which the start can do without.
    def _own(self) -> Any:
        if self._local is None:
            from limits.aio.storage import MemoryStorage
            from limits.aio.strategies import SlidingWindowCounterRateLimiter

            self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        return self._local

    def _common(self) -> Any:
        if self._shared is None:
            from limits.aio.storage import RedisStorage
            from limits.aio.strategies import SlidingWindowCounterRateLimiter

            storage = RedisStorage(
                f"async+{self._redis_url}", implementation="redispy", key_prefix="samrad:rate",
                socket_connect_timeout=1, socket_timeout=1,
            )  # fmt: skip
            self._shared = SlidingWindowCounterRateLimiter(storage)
        return self._shared


def network_of(ip: str | None) -> str:
    """Whom an address stands for: an IPv4 address for itself, an IPv6 address for its /64, which is one subscriber's."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return "unknown"
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None or address.version == 4:
        return str(mapped or address)
    return str(ipaddress.ip_network((address, 64), strict=False))
