"""One document: its state, and the passages it is searched by."""

from collections.abc import Callable, Sequence

from nicegui import ui

from domain.knowledge.entities import Chunk, CollectionKind, DocumentState
from domain.knowledge.service import DocumentView
from pages.components.base import box, empty_state, heading, note, open_button, page_head, quiet_button
from pages.components.region import Region
from pages.i18n import _, ngettext
from pages.knowledge import details, document_actions, original, pages_without_text, state_chip
from pages.visit import News, act, identifier, visit

PASSAGES = 50
MOST_REFUSED, MOST_RUNS = 50, 20


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
        kind = "websites" if collection.kind == CollectionKind.WEBSITE else "collections"
        with page_head(view.document.title, back=(collection.name, f"/{kind}/{collection.id}")):
            if view.document.url:
                open_button(_("Open the page"), view.document.url)
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
        note(
            _(
                "{what}: {pages}. They cannot be searched.",
                what=pages_without_text(version),
                pages=numbers(version.pages_without_text),
            ),
            "warn",
        )
    if version.pages_by_ocr:
        if version.pages_by_ocr == list(range(1, (version.page_count or 0) + 1)):
            text = _("The text was read from pictures (OCR). Compare it with the original before you rely on it.")
        else:
            text = _(
                "The text of these pages was read from pictures (OCR): {pages}. Compare it with the original before you "
                "rely on it.",
                pages=numbers(version.pages_by_ocr),
            )
        note(text, icon_name="document_scanner")
    if version.refused:
        note(_("Some files of the archive were not taken in:"), "warn")
        with box("stack tight").props("role=list"):
            for refused in version.refused[:MOST_REFUSED]:
                reason = _(refused["message"], **refused["params"])
                ui.label(f"{refused['path']}: {reason}").classes("small").style("overflow-wrap:anywhere").props(
                    "role=listitem"
                )
            if len(version.refused) > MOST_REFUSED:
                more = len(version.refused) - MOST_REFUSED
                ui.label(ngettext("and {n} more file", "and {n} more files", more)).classes("small")


def numbers(pages: Sequence[int]) -> str:
    """Numbers of pages, consecutive ones as a range: `1–3, 7`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs[:MOST_RUNS]]
    return ", ".join([*shown, *(["…"] if len(runs) > MOST_RUNS else [])])


class Passages:
    """The passages so far, and a button for more."""

    def __init__(self, view: DocumentView, place: ui.element, foot: ui.element) -> None:
        self.visit, self.view, self.place, self.foot, self.after = visit(), view, place, foot, -1

    async def more(self) -> None:
        """Fetch and show the next ones."""
        found = await self.visit.services.knowledge.chunks(
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
