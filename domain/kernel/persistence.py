"""Writing what may not be lost while the database is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from domain.kernel.errors import StorageTrouble

log = logging.getLogger(__name__)
T = TypeVar("T")


async def persistently(write: Callable[[], Awaitable[T]], what: str, *, seconds: float, pause: float) -> T:
    """What `write` gives; tried again, `pause` seconds later each time, for so many `seconds`. The log says `what` waits."""
    last = monotonic() + seconds
    while True:
        try:
            return await write()
        except StorageTrouble as trouble:
            if monotonic() > last:
                raise
            log.warning("%s is not saved yet: %s", what, trouble)
            await asyncio.sleep(pause)
