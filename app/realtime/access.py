"""What is open for long, a stream or a socket, ends with the right to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from app.realtime.bus import RESYNC, Bus
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure
from domain.kernel.events import Signal

RECHECK_SECONDS = 5.0
"""News of other processes can be lost; then it takes so long."""
OF_USER: Final = frozenset({"signed_out", "permissions_changed", RESYNC})


async def until_ended(bus: Bus, actor: Actor, again: Callable[[], Awaitable[Actor]]) -> None:
    """Return once `again` no longer gives an actor: asked at news of user, organisation and key, and now and then."""
    user = f"user:{actor.user_id}"
    topics = [user, f"tenant:{actor.tenant_id}", *([f"api_key:{actor.key.id}"] if actor.key else [])]
    async with bus.subscribe(*topics) as signals:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await _news(signals, user)
            try:
                await again()
            except Failure:
                return


async def _news(signals: AsyncIterator[Signal], user: str) -> None:
    async for signal in signals:
        if signal.topic != user or signal.kind in OF_USER:
            return
