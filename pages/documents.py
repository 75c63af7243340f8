"""One document: its state, and the passages it is searched by."""

from collections.abc import Callable

from nicegui import ui

from domain.knowledge.entities import Chunk, DocumentState
from domain.knowledge.service import DocumentView
from pages.components.base import box, empty_state, heading, note, page_head, quiet_button
from pages.components.region import Region
from pages.i18n import _, ngettext
from pages.knowledge import details, document_actions, original, state_chip
from pages.visit import News, act, identifier, visit

PASSAGES = 50


async def document(document_id: str) -> None:
    """What was read from a document, passage by passage."""
    here, key = visit(), identifier(document_id)
    view = await here.services.knowledge.document(here.actor, key)
    collection = (await here.services.knowledge.collection(here.actor, view.document.collection_id)).collection
    here.space_id = collection.space_id

    async def draw_state() -> Callable[[], None]:
        latest = await here.services.knowledge.document(here.actor, key)
        return lambda: _state(latest)

    with box("page"):
        with page_head(view.document.title, back=(collection.name, f"/collections/{collection.id}")):
            quiet_button(
                _("Download the original"), lambda: ui.navigate.to(original(view), new_tab=True), icon="download"
            )
            document_actions(view, here.client.sub_pages_router.refresh)
        state = Region(draw_state)
        await state.refresh()
        heading(_("Passages"))
        with box("card"):
            passages = box("full-width")
            foot = box("full-width")
        await Passages(view, passages, foot).more()

    async def changed(news: News) -> None:
        if news.data.get("id") != str(key):
            return
        if news.data.get("state") == DocumentState.READY:
            await here.client.sub_pages_router.refresh()
        else:
            await state.soon()

    here.listen(f"collection:{collection.id}", changed)


def _state(view: DocumentView) -> None:
    version = view.version
    with box("line wrap"):
        state_chip(version.state)
        ui.label(" · ".join(details(version))).classes("muted small")
        if version.chunk_count:
            ui.label(ngettext("{n} passage", "{n} passages", version.chunk_count)).classes("muted small")
    if DocumentState(version.state).busy:
        bar = ui.linear_progress(version.progress, show_value=False, size="6px").props("rounded")
        bar.props["aria-label"] = _("Progress of {name}", name=view.document.title)
    if version.error:
        note(_(version.error, **version.error_params), "bad", icon_name="error_outline")
    if version.pages_without_text:
        pages = ", ".join(str(page) for page in version.pages_without_text[:20])
        note(_("Pages without text (probably pictures): {pages}. They cannot be searched.", pages=pages), "warn")


class Passages:
    """The passages so far, and a button for more."""

    def __init__(self, view: DocumentView, place: ui.element, foot: ui.element) -> None:
        self.visit, self.view, self.place, self.foot, self.after = visit(), view, place, foot, -1

    async def more(self) -> None:
        """Fetch and show the next ones."""
        found = await self.visit.services.chunks.page(
            self.visit.actor, self.view.document.id, after=self.after, limit=PASSAGES
        )
        with self.place:
            for chunk in found:
                self._passage(chunk)
            if not found and self.after < 0:
                empty_state("hourglass_empty", _("No passages yet"), _("They appear when the document is ready."))
        self.after = found[-1].position if found else self.after
        self.foot.clear()
        if len(found) == PASSAGES:
            with self.foot, box("pager"):
                quiet_button(_("Show more"), act(self.more)).props("dense")

    @staticmethod
    def _passage(chunk: Chunk) -> None:
        place = [_("Page {page}", page=chunk.page_from)] if chunk.page_from else []
        if chunk.heading_path:
            place.append(" › ".join(chunk.heading_path))
        with box("passage"):
            if place:
                ui.label(" · ".join(place)).classes("muted small")
            ui.label(chunk.text)
