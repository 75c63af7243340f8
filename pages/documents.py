"""One document: its state, and the passages it is searched by."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.kernel.access import Action
from domain.knowledge.entities import LEAST_CHUNK_TOKENS, MOST_CHUNK_TOKENS, Chunk, CollectionKind, DocumentState
from domain.knowledge.parsing import ChunkDraft
from domain.knowledge.service import DocumentView
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    heading,
    icon_button,
    note,
    open_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.document_parts import details, document_actions, original, pages_without_text, state_chip, tags_of
from pages.i18n import _, ngettext
from pages.visit import News, act, guarded, identifier, toast, visit

PASSAGES = 50
MOST_REFUSED, MOST_RUNS = 50, 20


async def document(document_id: str) -> None:
    """What was read from a document, passage by passage."""
    here, key = visit(), identifier(document_id)
    view = await here.services.knowledge.document(here.actor, key)
    place = await here.services.knowledge.collection(here.actor, view.document.collection_id)
    collection, here.space_id = place.collection, place.access.space.id

    async def draw_state() -> Callable[[], None]:
        latest = await here.services.knowledge.document(here.actor, key)
        return lambda: _state(latest)

    kind = "websites" if collection.kind == CollectionKind.WEBSITE else "collections"
    path = f"/{kind}/{collection.id}"

    async def leave() -> None:
        ui.navigate.to(path)

    with box("page"):
        with page_head(view.document.title, back=(collection.name, path)):
            if view.document.url:
                open_button(_("Open the page"), view.document.url)
            quiet_button(
                _("Download the original"), lambda: ui.navigate.to(original(view), new_tab=True), icon="download"
            )
            document_actions(view, here.client.sub_pages_router.refresh, leave)
        state = Region(draw_state)
        await state.refresh()
        if view.version.state == DocumentState.PREVIEW:
            await Looking(view, collection.chunk_tokens).build()
        if view.document.version_id is not None or view.version.state != DocumentState.PREVIEW:
            heading(_("Passages"))
            with box("card"):
                passages = box("full-width")
                foot = box("full-width")
            await Passages(view, passages, foot).more()

    async def changed(news: News) -> None:
        if news.data.get("id") != str(key):
            return
        if news.data.get("state") in (DocumentState.READY, DocumentState.PREVIEW):
            await here.client.sub_pages_router.refresh()
        else:
            await state.soon()

    here.listen(f"collection:{collection.id}", changed)


def _state(view: DocumentView) -> None:
    version = view.version
    with box("line wrap"):
        state_chip(version.state)
        ui.label(" · ".join([*details(version), *tags_of(view.document)])).classes("muted small")
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

    def _passage(self, chunk: Chunk) -> None:
        may = Action.EDIT in self.view.permissions
        with box("passage") as element:
            self._fill(element, chunk, may)

    def _fill(self, element: ui.element, chunk: Chunk, may: bool) -> None:
        element.clear()
        element.classes(add="off" if chunk.disabled else "", remove="" if chunk.disabled else "off")
        with element:
            with box("line wrap"):
                ui.label(place_of(chunk)).classes("muted small grow").style("min-width:180px")
                if chunk.edited:
                    chip(_("Changed by hand"), "acc")
                if chunk.disabled:
                    chip(_("Switched off"), "warn")
                if may:
                    self._buttons(element, chunk)
            ui.label(chunk.text)

    def _buttons(self, element: ui.element, chunk: Chunk) -> None:
        number = chunk.position + 1

        async def switch() -> None:
            changed = await self.visit.services.chunks.update(
                self.visit.actor, self.view.document.id, chunk.id, enabled=chunk.disabled
            )
            self._fill(element, changed, True)

        icon_button("edit", _("Change passage {n}", n=number), lambda: self._edit(element, chunk))
        if chunk.disabled:
            icon_button("visibility", _("Switch passage {n} on", n=number), act(switch))
        else:
            icon_button("visibility_off", _("Switch passage {n} off", n=number), act(switch))

    def _edit(self, element: ui.element, chunk: Chunk) -> None:
        made, card = dialog(_("Change passage {n}", n=chunk.position + 1), wide=True)

        async def submit() -> None:
            async def work() -> None:
                changed = await self.visit.services.chunks.update(
                    self.visit.actor, self.view.document.id, chunk.id, text=str(text.value or "")
                )
                made.close()
                self._fill(element, changed, True)
                toast(_("The passage was changed. The search finds it by its new words."))

            await inline(work, problem)

        with card:
            paragraph(_("The change holds until the document is replaced. The file itself stays as it is."), "muted")
            text = ui.textarea(_("Text"), value=chunk.text)
            text.props('outlined stack-label autofocus input-style="min-height:220px"')
            problem = box("full-width")
            cancel_or(made, _("Save"), submit)
        made.open()


def place_of(chunk: Chunk | ChunkDraft) -> str:
    """Number, page, headings and length of a passage."""
    parts = [_("No. {n}", n=chunk.position + 1)]
    if chunk.page_from:
        parts.append(_("Page {page}", page=chunk.page_from))
    if chunk.heading_path:
        parts.append(" › ".join(chunk.heading_path))
    return " · ".join([*parts, ngettext("{n} token", "{n} tokens", chunk.token_count)])


class Looking:
    """A look at the passages before a document is indexed."""

    def __init__(self, view: DocumentView, tokens: int) -> None:
        self.visit, self.view, self.tokens, self.after = visit(), view, tokens, -1

    async def build(self) -> None:
        """How it would be cut, and what to do with it."""
        with box("card pad stack"):
            heading(_("A look before indexing"))
            paragraph(_("This is how the document would be cut. It is not searchable until you index it."), "muted")
            with box("line wrap"):
                self._controls()
            text = _("Another size is only tried here. Choose it for all documents in the menu of the collection.")
            paragraph(text, "muted small")
            self.drafts = box("full-width")
            self.foot = box("full-width")
        await self._more()

    def _controls(self) -> None:
        self.total = ui.label().classes("chip")
        size = ui.number(
            _("Tokens in a passage"), value=self.tokens, min=LEAST_CHUNK_TOKENS, max=MOST_CHUNK_TOKENS, step=20
        ).props("outlined dense stack-label debounce=500")
        size.style("width:170px").on_value_change(guarded(self._resized))
        box("grow")
        if Action.DELETE in self.view.permissions:
            quiet_button(_("Do not index"), act(self._discard))
        if Action.EDIT in self.view.permissions:
            button(_("Index"), act(self._index), icon="check")

    async def _resized(self, event: ValueChangeEventArguments[Any]) -> None:
        if event.value:
            self.tokens, self.after = int(event.value), -1
            self.drafts.clear()
            await self._more()

    async def _more(self) -> None:
        found = await self.visit.services.chunks.preview(
            self.visit.actor, self.view.document.id, tokens=self.tokens, after=self.after, limit=PASSAGES
        )
        self.total.set_text(ngettext("{n} passage", "{n} passages", found.total))
        with self.drafts:
            for draft in found.drafts:
                with box("passage"):
                    ui.label(place_of(draft)).classes("muted small")
                    ui.label(draft.text)
        self.after = found.drafts[-1].position if found.drafts else self.after
        self.foot.clear()
        if self.after + 1 < found.total:
            with self.foot, box("pager"):
                quiet_button(_("Show more"), act(self._more)).props("dense")

    async def _index(self) -> None:
        await self.visit.services.chunks.index(self.visit.actor, self.view.document.id)
        toast(_("The document is being indexed."))
        await self.visit.client.sub_pages_router.refresh()

    async def _discard(self) -> None:
        await self.visit.services.chunks.discard(self.visit.actor, self.view.document.id)
        toast(_("The document was not indexed."))
        if self.view.document.version_id is None:
            ui.navigate.to(f"/collections/{self.view.document.collection_id}")
        else:
            await self.visit.client.sub_pages_router.refresh()
