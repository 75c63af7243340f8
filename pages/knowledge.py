"""Knowledge: the collections of a space, and the documents of a collection."""

import functools
from collections.abc import Callable
from typing import Any

from nicegui import ui

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import NotFound
from domain.kernel.paging import Page
from domain.knowledge.embedding_changes import ChangeScope
from domain.knowledge.entities import (
    CollectionKind,
    DocumentState,
)
from domain.knowledge.parsing import SUPPORTED
from domain.knowledge.service import CollectionView, DocumentView
from domain.spaces.entities import Space
from pages import embedding_changes, sharing, websites
from pages.collection_menu import collection_menu
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    icon,
    link_box,
    page_head,
    paragraph,
    quiet_button,
    text_element,
)
from pages.components.file_drop import FileDrop
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import ask_name, cancel_or, dialog, inline
from pages.document_parts import ACCEPT, STATES, details, document_actions, folder_of, state_chip, tags_of
from pages.i18n import _, ngettext, size
from pages.spaces import back_to, enter
from pages.tagging import Chosen
from pages.visit import News, act, identifier, toast, visit


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
        collection_menu(view, leave=False)


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
                collection_menu(self.view, leave=True)
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
            cancel_or(made, _("Save"), submit)
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
