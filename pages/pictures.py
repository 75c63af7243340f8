"""Choosing the picture of an assistant or a space."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.icons.service import LIMIT
from pages.components.base import box, quiet_button
from pages.components.face import picture
from pages.components.file_drop import FileDrop
from pages.i18n import _, size
from pages.visit import visit

ACCEPT = ".png,.jpg,.jpeg,.webp"
ADDRESS = "/api/v1/icons/"


class PictureField:
    """A picture that can be chosen, replaced and removed; `value` counts when the page is saved.

    `face` draws what is shown without a picture.
    """

    def __init__(self, value: UUID | None, face: Callable[[], object]) -> None:
        self.value, self._face = value, face
        self._handlers: list[Callable[[], None]] = []
        with box("line"):
            self._shown = box("picturefield")
            self._remove = quiet_button(_("Remove the picture"), self._take_away, icon="delete_outline").props("dense")
        self._drop = FileDrop(
            ADDRESS,
            token=visit().csrf_token,
            title=_("Drop a picture here or click to choose"),
            hint=_("PNG, JPEG or WebP, at most {size}. Its middle is shown as a square.", size=size(LIMIT)),
            accept=ACCEPT,
            limit=LIMIT,
            on_done=self._brought,
            multiple=False,
        )
        self._said = ui.label().classes("sub").props("role=status")
        self._draw()

    def on_value_change(self, handler: Callable[[], None]) -> None:
        """Call `handler` when another picture, or none, is chosen."""
        self._handlers.append(handler)

    def _draw(self) -> None:
        self._shown.clear()
        with self._shown:
            if self.value is None:
                self._face()
            else:
                picture(self.value, "big")
        self._remove.set_visibility(self.value is not None)

    async def _brought(self, data: dict[str, Any]) -> None:
        self._choose(UUID(data["answer"]["id"]), _("The picture is chosen. Save to keep it."))

    def _take_away(self) -> None:
        self._choose(None, _("The picture is taken away. Save to keep it so."))
        # The button that had the focus is gone.
        ui.run_javascript(f"getElement({self._drop.id}).$el.querySelector('input').focus()")

    def _choose(self, value: UUID | None, said: str) -> None:
        self.value = value
        self._draw()
        self._said.set_text(said)
        for handler in self._handlers:
            handler()

    def saved(self) -> None:
        """What is chosen is kept."""
        self._said.set_text("")
