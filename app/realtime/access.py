"""What stays open (streams, sockets) lives no longer than the right to it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from app.realtime.bus import RESYNC, Bus
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure
from domain.tenants.entities import TenantState

RECHECK_SECONDS = 5.0
"""How soon the end is noticed when its news does not come through."""
ENDINGS = frozenset({"signed_out", RESYNC, *TenantState})
"""News after which a right may be gone."""


async def until_refused(bus: Bus, actor: Actor, check: Callable[[], Awaitable[object]]) -> Failure:
    """Wait until `check`, which resolves the caller's credential anew, refuses the actor; the refusal."""
    async with bus.subscribe(f"user:{actor.user_id}", f"tenant:{actor.tenant_id}") as signals:
        while True:
            try:
                await check()
            except Failure as failure:
                return failure
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    while (await anext(signals)).kind not in ENDINGS:
                        continue
