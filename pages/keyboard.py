"""What the keyboard does."""

from domain.kernel.errors import N_
from pages.components.base import box, quiet_button, text_element
from pages.dialogs import dialog
from pages.i18n import _

KEYS = (
    ("Ctrl/⌘ + K, /", N_("Search spaces, conversations and documents")),
    ("Ctrl/⌘ + Shift + O", N_("New chat")),
    ("?", N_("Keyboard shortcuts")),
)


def show() -> None:
    """The shortcuts in a dialog, until it is closed."""
    made, card = dialog(_("Keyboard shortcuts"))
    with card:
        with box("facts", "dl"):
            for keys, text in KEYS:
                text_element("dt", keys)
                text_element("dd", _(text))
        with box("actions-row"):
            quiet_button(_("Close"), made.close).props("autofocus")
    made.open()
