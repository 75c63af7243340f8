"""Changes that were not saved: whoever leaves the page is asked, inside the product and by the browser."""

from collections.abc import Callable, Iterable
from typing import Any

from nicegui import ui

from pages.components.base import box, button, chip, quiet_button
from pages.dialogs import confirm
from pages.i18n import _
from pages.visit import visit

BROWSER = """
if (!window.samradUnsaved) {
  window.samradUnsaved = true;
  window.addEventListener('beforeunload', event => {
    if (document.querySelector('[data-unsaved=true]')) event.preventDefault();
  });
}
"""


class SaveBar:
    """The bar below a page of settings: what went wrong and what others did (`told`), whether there is something to save."""

    def __init__(self, save: Callable[..., Any], discard: Callable[..., Any]) -> None:
        with box("card savebar"):
            with box("grow") as self.told:
                self.problem = box("full-width")
            self.mark = chip(_("Changes to keep"), "warn")
            quiet_button(_("Discard"), discard)
            button(_("Save"), save, icon="check").props["data-testid"] = "save"


class Unsaved:
    """Compares what the fields of a page say now with what was saved; `mark` is an element that shows it."""

    def __init__(self, values: Callable[[], dict[str, Any]], mark: ui.element, fields: Iterable[Any]) -> None:
        self._values, self._mark, self._saved = values, mark, values()
        self.followers: list[Callable[[], None]] = []
        """Called whenever a field was changed or everything was saved."""
        here, self._asking = visit(), False
        self.path = here.client.sub_pages_router.current_path
        here.unsaved = self
        for field in fields:
            field.on_value_change(self.look)
        self.look()
        ui.run_javascript(BROWSER)

    @property
    def changes(self) -> dict[str, Any]:
        """What the fields say otherwise than what was saved: others may have changed the rest meanwhile."""
        return {
            name: value
            for name, value in self._values().items()
            if name not in self._saved or self._saved[name] != value
        }

    @property
    def there(self) -> bool:
        """Whether something has changed."""
        return bool(self._values() != self._saved)

    def look(self) -> None:
        """Show whether something has changed."""
        self._mark.props["data-unsaved"] = "true" if self.there else "false"
        self._mark.update()
        self._mark.set_visibility(self.there)
        for follower in self.followers:
            follower()

    def saved(self, values: dict[str, Any]) -> None:
        """These values are saved; more may have been changed meanwhile."""
        self._saved = values
        self.look()

    async def leave_for(self, path: str) -> None:
        """Ask, and go there when nothing is to be kept."""
        if self._asking:
            return
        here, self._asking = visit(), True
        text = _("What you changed on this page is not saved.")
        left = await confirm(_("Leave without saving?"), text, _("Leave"))
        self._asking = False
        if left:
            here.unsaved = None
            ui.navigate.to(path)

    async def discard(self) -> None:
        """Show the page anew, as it is saved."""
        here = visit()
        here.unsaved = None
        await here.client.sub_pages_router.refresh()
