"""Knowledge: the collections of a space, and the documents of a collection."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from nicegui import ui

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import N_, NotFound
from domain.kernel.paging import Page
from domain.knowledge.embedding_changes import ChangeScope
from domain.knowledge.entities import (
    CHUNK_TOKENS,
    LEAST_CHUNK_TOKENS,
    MOST_CHUNK_TOKENS,
    Collection,
    CollectionKind,
    Document,
    DocumentState,
    DocumentVersion,
)
from domain.knowledge.parsing import SUPPORTED
from domain.knowledge.repository import CutCount
from domain.knowledge.service import CollectionView, DocumentView
from domain.spaces.entities import Space
from pages import embedding_changes, sharing, websites
from pages.components.base import (
    Tone,
    box,
    button,
    chip,
    empty_state,
    icon,
    icon_button,
    link_box,
    page_head,
    paragraph,
    quiet_button,
    text_element,
)
from pages.components.file_drop import FileDrop
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import ask_name, confirm, dialog, inline
from pages.i18n import _, moment, ngettext, size
from pages.spaces import back_to, enter
from pages.tagging import Chosen, tag
from pages.visit import News, act, identifier, toast, visit

ACCEPT = ",".join(f".{extension}" for extension in SUPPORTED)
STATES: dict[str, tuple[str, Tone]] = {
    DocumentState.QUEUED: (N_("Waiting"), ""),
    DocumentState.PARSING: (N_("Reading"), "warn"),
    DocumentState.INDEXING: (N_("Indexing"), "warn"),
    DocumentState.READY: (N_("Ready"), "ok"),
    DocumentState.FAILED: (N_("Failed"), "bad"),
    DocumentState.CANCELLED: (N_("Cancelled"), ""),
    DocumentState.PREVIEW: (N_("To be looked at"), "acc"),
    DocumentState.REPLACED: (N_("Replaced"), ""),
}


async def collections(space_id: str) -> None:
    """The collections of a space."""
    here, view = visit(), await enter(space_id)
    space = view.space
    allowed = permissions(here.actor, view.role, Resource.COLLECTION)
    if Action.READ not in allowed:
        raise NotFound

    async def draw() -> Callable[[], None]:
        found = await here.services.knowledge.collections(here.actor, space.id)
        borrowed = await here.services.knowledge.borrowed(here.actor, space.id)

        def build() -> None:
            with box("card"):
                for item in [*found, *borrowed]:
                    _collection(item)
                if not found and not borrowed:
                    text = _(
                        "A collection holds documents that assistants answer from. Create one and drop files into it."
                    )
                    with empty_state("folder_open", _("No collections yet"), text):
                        if Action.CREATE in allowed:
                            button(_("Create collection"), create, icon="add")

        return build

    async def create() -> None:
        async def save(name: str) -> None:
            made = await here.services.knowledge.create_collection(here.actor, space.id, name)
            ui.navigate.to(f"/collections/{made.collection.id}")

        await ask_name(_("Create collection"), _("Name"), "", _("Create"), save)

    with box("page"):
        with page_head(_("Knowledge"), _("Documents that assistants answer from."), back=back_to(space)):
            base = f"/spaces/{space.id}"
            quiet_button(_("Try the search"), lambda: ui.navigate.to(f"{base}/playground"), icon="manage_search")
            if Action.EDIT in allowed:
                label = _("Questions without an answer")
                quiet_button(label, lambda: ui.navigate.to(f"{base}/unanswered"), icon="contact_support")
                button_text = _("Embedding model")
                scope = ChangeScope(space_id=space.id)
                ask = functools.partial(embedding_changes.ask, scope, _("Change the embedding model of the space"))
                quiet_button(button_text, act(ask), icon="published_with_changes")
            if Action.CREATE in allowed:
                button(_("Create collection"), create, icon="create_new_folder")
        await embedding_changes.changes(ChangeScope(space_id=space.id), f"space:{space.id}")
        region = Region(draw)
        await region.refresh()
        await websites.section(space, view.role)

    async def changed(news: News) -> None:
        if news.kind in ("collections_changed", "document", "resync"):
            await region.soon()

    here.listen(f"space:{space.id}", changed)


def _collection(view: CollectionView) -> None:
    collection = view.collection
    with box("rowline"):
        icon("folder")
        with link_box(f"/collections/{collection.id}", "grow") as link:
            link.style("text-decoration:none;color:inherit")
            ui.label(collection.name).classes("name")
            parts = [ngettext("{n} document", "{n} documents", view.size.documents), size(view.size.size)]
            ui.label(" · ".join(parts)).classes("sub")
        sharing.origin_chip(view.origin)
        if view.choice is not None and not view.choice.usable:
            chip(_("The embedding model is switched off"), "bad")
        _collection_menu(view, leave=False)


def _collection_menu(view: CollectionView, *, leave: bool) -> None:
    collection = view.collection
    if not {Action.EDIT, Action.DELETE} & set(view.permissions):
        return
    with icon_button("more_horiz", _("Options for {name}", name=collection.name)), ui.menu().props("auto-close"):
        if Action.EDIT in view.permissions:
            ui.menu_item(_("Rename"), on_click=functools.partial(_rename, collection))
            ui.menu_item(_("Size of passages"), on_click=functools.partial(_resize, collection))
            scope = ChangeScope(collection_id=collection.id)
            ask = functools.partial(embedding_changes.ask, scope, _("Change the embedding model"))
            ui.menu_item(_("Embedding model"), on_click=act(ask))
            share = functools.partial(sharing.ask_share, collection.id, collection.name)
            ui.menu_item(_("Share"), on_click=act(share))
        if Action.DELETE in view.permissions:
            move = functools.partial(sharing.ask_move, collection.id, collection.name)
            ui.menu_item(_("Move"), on_click=act(move))
            ui.menu_item(_("Delete"), on_click=act(functools.partial(_delete, collection, leave))).classes("danger")


async def _rename(collection: Collection) -> None:
    here = visit()

    async def save(name: str) -> None:
        await here.services.knowledge.rename_collection(here.actor, collection.id, name)
        await here.client.sub_pages_router.refresh()

    await ask_name(_("Rename the collection"), _("Name"), collection.name, _("Save"), save)


def _resize(collection: Collection) -> None:
    """Choose how long passages are, and offer to cut anew what is there."""
    here = visit()
    made, card = dialog(_("Size of passages"))

    async def submit() -> None:
        async def work() -> None:
            count = await here.services.chunks.resize(here.actor, collection.id, int(entry.value or 0))
            made.close()
            collection.chunk_tokens = int(entry.value or 0)
            if count.outdated:
                _offer_reindexing(collection, count)
            else:
                toast(_("Saved."))

        await inline(work, problem)

    with card:
        text = _("Short passages are found more exactly, long ones hold more of what belongs together.")
        paragraph(text, "muted")
        entry = ui.number(
            _("Tokens in a passage"),
            value=collection.chunk_tokens,
            min=LEAST_CHUNK_TOKENS,
            max=MOST_CHUNK_TOKENS,
            step=20,
        ).props("outlined stack-label autofocus")
        bounds = {"least": LEAST_CHUNK_TOKENS, "most": MOST_CHUNK_TOKENS, "usual": CHUNK_TOKENS}
        paragraph(_("Between {least} and {most}; {usual} suits most.", **bounds), "muted small")
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            button(_("Save"), submit)
    made.open()


def _offer_reindexing(collection: Collection, count: CutCount) -> None:
    here = visit()
    made, card = dialog(_("Cut the documents anew?"))

    async def submit() -> None:
        await here.services.chunks.reindex(here.actor, collection.id)
        made.close()
        toast(_("The documents are being cut anew. Follow it under Jobs."))

    with card:
        text = ngettext(
            "{n} document is cut in another size. It stays searchable meanwhile.",
            "{n} documents are cut in another size. They stay searchable meanwhile.",
            count.outdated,
        )
        paragraph(text)
        if count.kept:
            kept = ngettext(
                "{n} document with passages changed by hand stays as it is.",
                "{n} documents with passages changed by hand stay as they are.",
                count.kept,
            )
            paragraph(kept, "muted")
        with box("actions-row"):
            quiet_button(_("Later"), made.close)
            button(_("Cut anew"), act(submit))
    made.open()


async def _delete(collection: Collection, leave: bool) -> None:
    here = visit()
    text = _(
        "“{name}” and all its documents will be gone for good. Assistants no longer answer from them.",
        name=collection.name,
    )
    if await confirm(_("Delete the collection?"), text, _("Delete")):
        await here.services.knowledge.delete_collection(here.actor, collection.id)
        toast(_("The collection was deleted."))
        if leave:
            ui.navigate.to(f"/spaces/{collection.space_id}/knowledge")


async def documents(collection_id: str) -> None:
    """The documents of a collection, live."""
    here = visit()
    view = await here.services.knowledge.collection(here.actor, identifier(collection_id))
    if view.collection.kind == CollectionKind.WEBSITE:
        raise NotFound
    here.space_id = view.access.space.id
    may_add = Action.CREATE in view.access.permissions(here.actor, Resource.DOCUMENT)
    await Documents(view, may_add).build()


def _elsewhere(view: CollectionView) -> Space | None:
    return view.access.space if view.access.shared else None


class Documents:
    """The page of one collection. Rows of documents that are being read follow their progress one by one."""

    def __init__(self, view: CollectionView, may_add: bool) -> None:
        self.visit, self.view, self.may_add = visit(), view, may_add
        self.rows: dict[str, DocumentRow] = {}
        self.chosen = Chosen(view.collection.id, self._refresh)

    async def build(self) -> None:
        """Head, drop zone, list."""
        collection = self.view.collection
        knowledge = self.visit.services.knowledge
        left = (await knowledge.room(self.visit.actor, collection.id)).left if self.may_add else 0
        with box("page"):
            lead = _("Drop files here: they are read and indexed in the background.") if self.may_add else ""
            with page_head(collection.name, lead, back=sharing.back_to_knowledge(self.view.access)):
                sharing.origin_chip(self.view.origin or _elsewhere(self.view))
                if self.may_add:
                    quiet_button(_("Write a text"), self._write, icon="edit_note")
                _collection_menu(self.view, leave=True)
            self.model = Region(self._draw_model)
            scope = ChangeScope(collection_id=collection.id)
            await embedding_changes.changes(scope, f"collection:{collection.id}", self._model_changed)
            await self.model.refresh()
            if self.may_add:
                self._drop(left)
            self.chosen.build()
            self.list = PagedList(self._fetch, self._row, empty=self._empty, search=_("Search documents by name"))
            await self.list.refresh()
        self.visit.listen(f"collection:{collection.id}", self._changed)

    async def _draw_model(self) -> Callable[[], None]:
        view = await self.visit.services.knowledge.collection(self.visit.actor, self.view.collection.id)

        def build() -> None:
            if view.model is not None:
                paragraph(_("Embedding model: {name}", name=view.model.name), "muted small")

        return build

    def _model_changed(self) -> None:
        self.visit.spawn(self.model.soon(), "the model of the collection")

    def _drop(self, left: int) -> None:
        limit = self.visit.services.knowledge.max_file_size
        labels = ", ".join(dict.fromkeys(_(label) for _type, label in SUPPORTED.values()))
        address = f"/api/v1/groups/{self.view.collection.id}/documents/"
        look = ui.switch(_("Look at the passages before they are indexed"))
        drop = FileDrop(
            address,
            token=self.visit.csrf_token,
            title=_("Drop files or folders here or click to choose"),
            hint=_(
                "{types}. Up to {limit} each; {left} of room are left.",
                types=labels,
                limit=size(limit),
                left=size(left),
            ),
            accept=ACCEPT,
            limit=limit,
            left=left,
            on_done=self._uploaded,
        )
        look.on_value_change(lambda event: drop.send_to(f"{address}?preview=true" if event.value else address))

    async def _uploaded(self, data: dict[str, Any]) -> None:
        if data.get("answer", {}).get("duplicate"):
            toast(_("“{name}” is here already, with the same content.", name=data["name"]), "info")
        await self.list.soon()

    async def _refresh(self) -> None:
        await self.list.refresh()

    async def _fetch(self, words: str, cursor: str | None) -> Page[DocumentView]:
        self.rows.clear()
        self.chosen.forget_shown()
        return await self.visit.services.knowledge.documents(
            self.visit.actor, self.view.collection.id, search=words, cursor=cursor
        )

    def _row(self, view: DocumentView) -> None:
        self.rows[str(view.document.id)] = DocumentRow(view, self.list, self.chosen)

    @staticmethod
    def _empty(words: str) -> None:
        if words:
            empty_state("search_off", _("Nothing was found."), _("Try other words."))
        else:
            empty_state(
                "description", _("No documents yet"), _("Drop files above. Then give the collection to an assistant.")
            )

    async def _changed(self, news: News) -> None:
        row = self.rows.get(str(news.data.get("id")))
        if news.kind == "document" and row is not None and row.follow(news.data):
            return
        await self.list.soon()

    def _write(self) -> None:
        made, card = dialog(_("Write a text"), wide=True)

        async def submit() -> None:
            async def work() -> None:
                knowledge = self.visit.services.knowledge
                await knowledge.add_text(self.visit.actor, self.view.collection.id, text.value or "", title.value or "")
                made.close()
                await self.list.refresh()

            await inline(work, problem)

        with card:
            title = ui.input(_("Title")).props("outlined stack-label autofocus")
            text = ui.textarea(_("Text")).props('outlined stack-label input-style="min-height:220px"')
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close)
                button(_("Save"), submit)
        made.open()


class DocumentRow:
    """One document in the list, with what can be done to it."""

    def __init__(self, view: DocumentView, owner: PagedList[DocumentView], chosen: Chosen) -> None:
        self.view, self.list, self.state = view, owner, view.version.state
        document, version = view.document, view.version
        with box("rowline").props("role=listitem"):
            chosen.checkbox(view)
            icon("description")
            with link_box(f"/documents/{document.id}", "grow") as link:
                link.style("text-decoration:none;color:inherit")
                folder, name = folder_of(document, version)
                ui.label(name).classes("name")
                ui.label(" · ".join([*([folder] if folder else []), *details(version), *tags_of(document)])).classes(
                    "sub"
                )
                if version.error:
                    text_element("div", _(version.error, **version.error_params), "sub").style("color:var(--err)")
            self.bar = ui.linear_progress(version.progress, show_value=False, size="6px").props("rounded")
            self.bar.style("width:120px").set_visibility(DocumentState(version.state).busy)
            self.bar.props["aria-label"] = _("Progress of {name}", name=document.title)
            self.chip = state_chip(version.state)
            document_actions(view, self.list.refresh)

    def follow(self, data: dict[str, Any]) -> bool:
        """Show progress within a state; False when the row must be drawn anew."""
        state = str(data.get("state"))
        if (
            self.chip.is_deleted
            or state not in STATES
            or not DocumentState(state).busy
            or not DocumentState(self.state).busy
        ):
            return False
        self.state = state
        text, tone = STATES[state]
        self.chip.set_text(_(text))
        self.chip.classes(replace=f"chip {tone}")
        self.bar.set_value(float(data.get("progress") or 0.0))
        return True


def folder_of(document: Document, version: DocumentVersion) -> tuple[str, str]:
    """The folder that a document came from, and its name there; no folder when the title is no path of its file."""
    folder, slash, name = document.title.rpartition("/")
    return (folder, name) if slash and name == version.filename else ("", document.title)


def tags_of(document: Document) -> list[str]:
    """The tags as they are shown beside a title."""
    return [f"#{tag}" for tag in document.tags]


def details(version: DocumentVersion) -> list[str]:
    """Size, pages and date of a version, and what reading it met."""
    parts = [size(version.size)]
    if version.page_count:
        parts.append(ngettext("{n} page", "{n} pages", version.page_count))
    if version.number > 1:
        parts.append(_("Version {number}", number=version.number))
    if version.pages_by_ocr:
        parts.append(_("Read by OCR"))
    if version.pages_without_text:
        parts.append(pages_without_text(version))
    if version.refused:
        parts.append(ngettext("{n} file was not taken in", "{n} files were not taken in", len(version.refused)))
    return [*parts, moment(version.created_at)]


def pages_without_text(version: DocumentVersion) -> str:
    """How many pages cannot be searched."""
    return _(
        "{count} of {total} pages have no text",
        count=len(version.pages_without_text),
        total=version.page_count or len(version.pages_without_text),
    )


def state_chip(state: str) -> ui.label:
    """The state of a version in words."""
    text, tone = STATES[state]
    return chip(_(text), tone)


def document_actions(view: DocumentView, refresh: Callable[[], Any]) -> None:
    """The buttons and the menu of a document, by its state and what the actor may do."""
    here, knowledge = visit(), visit().services.knowledge
    document, version, allowed = view.document, view.version, set(view.permissions)

    async def do(method: Callable[..., Any]) -> None:
        await method(here.actor, document.id)
        await refresh()

    if Action.EDIT in allowed and DocumentState(version.state).busy:
        label = _("Cancel the reading of {name}", name=document.title)
        icon_button("close", label, act(functools.partial(do, knowledge.cancel)))
    if Action.EDIT in allowed and version.state in (DocumentState.FAILED, DocumentState.CANCELLED):
        icon_button("refresh", _("Read {name} again", name=document.title), act(functools.partial(do, knowledge.retry)))
    with icon_button("more_horiz", _("Options for {name}", name=document.title)), ui.menu().props("auto-close"):
        ui.menu_item(_("Show"), on_click=lambda: ui.navigate.to(f"/documents/{document.id}"))
        ui.menu_item(_("Download the original"), on_click=lambda: ui.navigate.to(original(view), new_tab=True))
        if Action.EDIT in allowed:
            ui.menu_item(_("Replace with a new version"), on_click=functools.partial(replace, view, refresh))
            ui.menu_item(_("Rename"), on_click=functools.partial(rename, view, refresh))
            ui.menu_item(_("Tags"), on_click=functools.partial(tag, view, refresh))
        if Action.DELETE in allowed:
            ui.menu_item(_("Delete"), on_click=act(functools.partial(delete, view, refresh))).classes("danger")


def original(view: DocumentView) -> str:
    """The address of the uploaded file."""
    return f"/api/v1/info-blobs/{view.document.id}/original/"


async def rename(view: DocumentView, refresh: Callable[[], Any]) -> None:
    """Give a document another title."""
    here = visit()

    async def save(title: str) -> None:
        await here.services.knowledge.update_document(here.actor, view.document.id, title=title)
        await refresh()

    await ask_name(_("Rename the document"), _("Title"), view.document.title, _("Save"), save)


async def delete(view: DocumentView, refresh: Callable[[], Any]) -> None:
    """Delete a document after asking."""
    here = visit()
    text = _(
        "“{name}” will be gone for good. Answers given before keep the passages they quoted.", name=view.document.title
    )
    if await confirm(_("Delete the document?"), text, _("Delete")):
        await here.services.knowledge.delete_document(here.actor, view.document.id)
        toast(_("The document was deleted."))
        await refresh()


def replace(view: DocumentView, refresh: Callable[[], Any]) -> None:
    """Upload a new content under the same title; the old one stays searchable until the new one is ready."""
    here = visit()
    made, card = dialog(_("Replace with a new version"))

    async def done(_data: dict[str, Any]) -> None:
        made.close()
        toast(_("The new version is being read. The old one stays until it is ready."))
        await refresh()

    with card:
        extension = view.version.filename.rpartition(".")[2].lower()
        FileDrop(
            f"/api/v1/groups/{view.document.collection_id}/documents/?title={quote(view.document.title)}",
            token=here.csrf_token,
            title=_("Drop the new file here or click to choose"),
            hint=_("It replaces “{name}”.", name=view.document.title),
            accept=ACCEPT if extension not in SUPPORTED else f".{extension},{ACCEPT}",
            limit=here.services.knowledge.max_file_size,
            on_done=done,
            multiple=False,
        )
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
    made.open()
