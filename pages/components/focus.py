"""The focus, while parts of the page are drawn anew."""

from nicegui import ui


class KeptFocus(ui.element, component="focus.js"):
    """Gives the focus to what has taken the place of what had it; one for a page."""
