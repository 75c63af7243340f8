"""The passages that an answer rests on."""

from typing import Any

from nicegui import ui

from pages.i18n import _


class Sources(ui.element, component="sources.js"):
    """Cards that unfold to the passage and a picture of its page; `items` as `pages.turns.source_cards` makes them.

    `citation` is the marker that was chosen, or -1.
    """

    def __init__(self, items: list[dict[str, Any]], selected: int, citation: int = -1) -> None:
        super().__init__()
        self.classes("full-width")
        self._props.update(
            items=items,
            selected=selected,
            citation=citation,
            labels={
                "cited": _("Cited"),
                "enlarge": _("Enlarge the page"),
                "document": _("Open the document"),
                "web": _("Open the page"),
                "place": _("Show the place in the document"),
                "checks": _("What the answer says with this source"),
            },
        )

    def select(self, number: int) -> None:
        """Unfold passage `number`."""
        self._props["selected"] = number
        self.run_method("show", number)
