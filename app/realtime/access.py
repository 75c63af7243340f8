"""What is open for long, a stream or a socket, ends with the right to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from app.realtime.bus import RESYNC, Bus
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure, Unauthenticated
from domain.kernel.events import Signal

T = TypeVar("T")
RECHECK_SECONDS = 10.0
"""News of other processes can be lost; then it takes so long."""
OF_USER: Final = frozenset({"signed_out", "permissions_changed", RESYNC})


async def until_ended(bus: Bus, actor: Actor, again: Callable[[], Awaitable[Actor]]) -> None:
    """Return once `again` no longer gives an actor: asked at news of user, organisation and key, and now and then."""
    user = f"user:{actor.user_id}"
    topics = [user, f"tenant:{actor.tenant_id}", *([f"api_key:{actor.key.id}"] if actor.key else [])]
    async with bus.subscribe(*topics) as signals:
        while True:
            # At once, too: the right may have ended before anybody listened.
            try:
                await again()
            except Failure:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await _news(signals, user)


async def _news(signals: AsyncIterator[Signal], user: str) -> None:
    async for signal in signals:
        if signal.topic != user or signal.kind in OF_USER:
            return


async def unless_ended(work: Coroutine[Any, Any, T], ending: Callable[[], Awaitable[None]]) -> T:
    """The outcome of `work`; raises `Unauthenticated` when the right to it ends before."""
    task, guard = asyncio.ensure_future(work), asyncio.ensure_future(ending())
    try:
        await asyncio.wait((task, guard), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Unauthenticated
        return await task
    finally:
        task.cancel()
        guard.cancel()
        await asyncio.gather(task, guard, return_exceptions=True)
