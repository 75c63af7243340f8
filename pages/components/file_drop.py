"""A place to drop files, with progress for each of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from pages.i18n import _, current_language

LIBRARY = {"samrad-upload": "lib", "samrad-folders": "folders"}


class FileDrop(ui.element, component="file_drop.js", esm=LIBRARY):
    """Sends each file with PUT to `url`?name=…, three at a time; files of a folder also with &path=….

    `limit` is the most bytes of a file, `left` what may still be stored. `on_done` gets {name, answer}, where answer is
    the JSON that the server gave.
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
        left: int | None = None,
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
            left=-1 if left is None else left,
            labels={
                "title": title,
                "hint": hint,
                "cancel": _("Cancel"),
                "retry": _("Try again"),
                "remove": _("Remove"),
                "failed": _("The upload failed. Check the connection and try again."),
                "tooLarge": _("The file is too large."),
                "wrongType": _("Files of this type cannot be read."),
                "noRoom": _("There is not enough room left for this file."),
                "folder": _("Choose a folder"),
                "cancelAll": _("Cancel all"),
                "retryAll": _("Try all failed again"),
                "removeAll": _("Remove all failed"),
                "summary": _("{done} of {total} files are uploaded."),
                "failures": _("{count} failed."),
            },
        )

        async def received(e: GenericEventArguments) -> None:
            await on_done(e.args)

        self.on("done", received)

    def send_to(self, url: str) -> None:
        """Send files that are dropped from now on to another address."""
        self._props["url"] = url
        self.update()
