"""What can be done with a collection, from the list of collections and from its page."""

import functools

from nicegui import ui

from domain.kernel.access import Action
from domain.knowledge.embedding_changes import ChangeScope
from domain.knowledge.entities import (
    CHUNK_TOKENS,
    LEAST_CHUNK_TOKENS,
    MOST_CHUNK_TOKENS,
    Collection,
)
from domain.knowledge.repository import CutCount
from domain.knowledge.service import CollectionView
from pages import embedding_changes, sharing
from pages.components.base import (
    box,
    button,
    icon_button,
    paragraph,
    quiet_button,
)
from pages.dialogs import ask_name, cancel_or, confirm, dialog, inline
from pages.i18n import _, ngettext
from pages.visit import act, toast, visit


def collection_menu(view: CollectionView, *, leave: bool) -> None:
    """What can be done with a collection; with `leave` its page is left when it is gone."""
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
        cancel_or(made, _("Save"), submit)
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
