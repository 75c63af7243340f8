"""The passages that an answer rests on."""

from typing import Any

from nicegui import ui

from pages.i18n import _


class Sources(ui.element, component="sources.js"):
    """Cards that unfold to the passage and a picture of its page; `items` as `pages.sources.card` makes them."""

    def __init__(self, items: list[dict[str, Any]], selected: int) -> None:
        super().__init__()
        self.classes("full-width")
        self._props.update(
            items=items,
            selected=selected,
            labels={"cited": _("Cited"), "enlarge": _("Enlarge the page"), "document": _("Open the document")},
        )

    def select(self, number: int) -> None:
        """Unfold passage `number`."""
        self._props["selected"] = number
        self.run_method("show", number)
