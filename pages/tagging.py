"""Tags of documents: of one, or of many that are chosen in the list of a collection."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.kernel.access import Action
from domain.kernel.errors import N_, Invalid
from domain.knowledge.service import DocumentView
from pages.components.base import box, button, paragraph, quiet_button
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, ngettext
from pages.narrowing import tags_field
from pages.visit import toast, visit


def tag(view: DocumentView, refresh: Callable[[], Any]) -> None:
    """Change the tags of a document, by which searches can be narrowed."""
    here = visit()
    made, card = dialog(_("Tags of {name}", name=view.document.title))

    async def submit() -> None:
        async def work() -> None:
            await here.services.knowledge.update_document(here.actor, view.document.id, tags=list(entry.value or ()))
            made.close()
            await refresh()

        await inline(work, problem)

    with card:
        entry = tags_field(_("Tags"), view.document.tags)
        problem = box("full-width")
        cancel_or(made, _("Save"), submit)
    made.open()


class Chosen:
    """The documents that are chosen in a list, also on its other pages, and what can be done to all of them."""

    def __init__(self, collection_id: UUID, refresh: Callable[[], Awaitable[None]]) -> None:
        self.visit, self.collection_id, self.refresh = visit(), collection_id, refresh
        self.chosen: dict[UUID, DocumentView] = {}
        self.shown: dict[UUID, tuple[ui.checkbox, DocumentView]] = {}

    def build(self) -> None:
        """The bar, which is there while something is chosen."""
        with box("card line wrap").style("padding:8px 16px").props("data-testid=chosen") as self.bar:
            self.count = ui.label().classes("strong grow").props("role=status")
            quiet_button(_("Choose all shown"), self._all).props("dense")
            quiet_button(_("Choose none"), self._none).props("dense")
            button(_("Change tags"), self._ask, icon="sell").props("dense")
        self._told()

    def forget_shown(self) -> None:
        """The list is drawn anew."""
        self.shown.clear()

    def checkbox(self, view: DocumentView) -> None:
        """Where a document is chosen; nothing for those that cannot be changed."""
        if Action.EDIT not in view.permissions:
            return
        key = view.document.id
        made = ui.checkbox(value=key in self.chosen).props("dense")
        made.props["aria-label"] = _("Choose {name}", name=view.document.title)
        self.shown[key] = (made, view)
        if key in self.chosen:
            self.chosen[key] = view
        made.on_value_change(lambda event: self._choose(view, chosen=bool(event.value)))

    def _choose(self, view: DocumentView, *, chosen: bool) -> None:
        if chosen:
            self.chosen[view.document.id] = view
        else:
            self.chosen.pop(view.document.id, None)
        self._told()

    def _all(self) -> None:
        for made, _view in self.shown.values():
            made.set_value(True)

    def _none(self) -> None:
        self.chosen.clear()
        for made, _view in self.shown.values():
            made.set_value(False)
        self._told()

    def _told(self) -> None:
        count = len(self.chosen)
        self.count.set_text(ngettext("{n} document chosen", "{n} documents chosen", count))
        self.bar.set_visibility(count > 0)

    def _ask(self) -> None:
        made, card = dialog(_("Change tags"))
        views: Sequence[DocumentView] = list(self.chosen.values())
        held = sorted({tag for view in views for tag in view.document.tags}, key=str.casefold)

        async def submit() -> None:
            async def work() -> None:
                added, taken = list(add.value or ()), list(take.value or ()) if take else []
                if not added and not taken:
                    raise Invalid(N_("Name at least one tag to add or to take away."), field="add")
                ids = [view.document.id for view in views]
                count = await self.visit.services.tagging.change(
                    self.visit.actor, self.collection_id, ids, add=added, remove=taken
                )
                made.close()
                self._none()
                toast(
                    ngettext("The tags of {n} document were changed.", "The tags of {n} documents were changed.", count)
                )
                await self.refresh()

            await inline(work, problem)

        with card:
            paragraph(ngettext("{n} document chosen", "{n} documents chosen", len(views)), "muted")
            add = tags_field(_("Add to all of them"), [])
            take = None
            if held:
                take = ui.select(held, value=[], multiple=True, label=_("Take away"))
                take.props("outlined dense stack-label use-chips options-dense")
            problem = box("full-width")
            cancel_or(made, _("Save"), submit)
        made.open()
