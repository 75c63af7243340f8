"""A part of a page that follows its data."""

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import ui

Draw = Callable[[], Awaitable[Callable[[], None] | None]]
QUIET_SECONDS = 0.4


class Region:
    """Drawn anew when its data has changed.

    `draw` fetches the data and returns the function that builds the elements, so that the old content stays until the
    new one is ready. It may return None when what is shown is right as it is: elements that are replaced lose a click
    that is on its way to them.
    """

    def __init__(self, draw: Draw, classes: str = "stack") -> None:
        self._draw = draw
        self.element = ui.element().classes(classes)
        self._lock = asyncio.Lock()
        self._waiting = False

    async def refresh(self) -> None:
        """Fetch and draw now."""
        async with self._lock:
            build = await self._draw()
            if build is None or self.element.is_deleted:
                return
            self.element.clear()
            with self.element:
                build()

    async def soon(self) -> None:
        """Fetch and draw in a moment; several calls in that time are one."""
        if self._waiting:
            return
        self._waiting = True
        await asyncio.sleep(QUIET_SECONDS)
        self._waiting = False
        if not self.element.is_deleted:
            await self.refresh()
