"""A place to drop files, with progress for each of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from pages.i18n import _, current_language

LIBRARY = {"samrad-upload": "lib"}


class FileDrop(ui.element, component="file_drop.js", esm=LIBRARY):
    """Sends each file with PUT to `url`?name=…, three at a time; `limit` is in bytes.

    `on_done` gets {name, answer}, where answer is the JSON that the server gave.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        title: str,
        hint: str,
        accept: str,
        limit: int,
        on_done: Callable[[dict[str, Any]], Awaitable[None]],
        multiple: bool = True,
    ) -> None:
        super().__init__()
        self.classes("full-width")
        self._props.update(
            url=url,
            token=token,
            language=current_language(),
            accept=accept,
            limit=limit,
            multiple=multiple,
            labels={
                "title": title,
                "hint": hint,
                "cancel": _("Cancel"),
                "retry": _("Try again"),
                "remove": _("Remove"),
                "failed": _("The upload failed. Check the connection and try again."),
                "tooLarge": _("The file is too large."),
            },
        )

        async def received(e: GenericEventArguments) -> None:
            await on_done(e.args)

        self.on("done", received)

    def send_to(self, url: str) -> None:
        """Send files that are dropped from now on to another address."""
        self._props["url"] = url
        self.update()
