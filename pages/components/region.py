"""A part of a page that follows its data."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from nicegui import ui

Draw = Callable[[], Awaitable[Callable[[], None] | None]]
QUIET_SECONDS = 0.4
LATE_SECONDS = 5.0
"""How long what was replaced still hears what is done to it."""


class Region:
    """Drawn anew when its data has changed.

    `draw` fetches the data and returns the function that builds the elements, so that the old content stays until the
    new one is ready; it returns None where what is shown is still right. What is replaced disappears at once but hears
    for a moment longer: a press that was on its way when the new content was drawn does what it was meant to do.
    """

    def __init__(self, draw: Draw, classes: str = "stack") -> None:
        self._draw = draw
        self.element = ui.element().classes(classes)
        self._lock = asyncio.Lock()
        self._waiting = False
        self._told, self._fetched = 0.0, 0.0
        """When news came last, and when the fetching of what is shown began."""

    async def refresh(self) -> None:
        """Fetch and draw now."""
        async with self._lock:
            began = monotonic()
            build = await self._draw()
            if self.element.is_deleted:
                return
            self._fetched = began
            if build is None:
                return
            self._retire()
            with self.element:
                build()

    async def soon(self) -> None:
        """Fetch and draw in a moment; several calls in that time are one, and none when all was fetched meanwhile."""
        self._told = monotonic()
        if self._waiting:
            return
        self._waiting = True
        await asyncio.sleep(QUIET_SECONDS)
        self._waiting = False
        # Whoever changed something gets it drawn at once, and then hears the news of it.
        if not self.element.is_deleted and self._fetched <= self._told:
            await self.refresh()

    def _retire(self) -> None:
        """Take the content out of the page; it is deleted when nothing can be on its way to it any more."""
        client, content = self.element.client, self.element.default_slot.children
        gone, content[:] = list(content), []
        self.element.update()

        def delete() -> None:
            parts = (part for top in gone for part in top.descendants(include_self=True))
            client.remove_elements([part for part in parts if not part.is_deleted])

        asyncio.get_running_loop().call_later(LATE_SECONDS, delete)
