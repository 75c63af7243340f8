"""Keyboard shortcuts of the whole page."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments


class Shortcuts(ui.element, component="shortcuts.js"):
    """`keys` maps combinations such as `mod+k` (Ctrl or ⌘) to names; only matches reach the server."""

    def __init__(self, keys: dict[str, str], on_key: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._props["keys"] = keys

        async def received(e: GenericEventArguments) -> None:
            await on_key(str(e.args))

        self.on("shortcut", received)
