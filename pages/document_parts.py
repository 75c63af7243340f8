"""A document on a page: what is said of it, and what can be done with it."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from nicegui import ui

from domain.kernel.access import Action
from domain.kernel.errors import N_
from domain.knowledge.entities import (
    Document,
    DocumentState,
    DocumentVersion,
)
from domain.knowledge.parsing import SUPPORTED
from domain.knowledge.service import DocumentView
from pages.components.base import (
    Tone,
    box,
    chip,
    icon_button,
    quiet_button,
)
from pages.components.file_drop import FileDrop
from pages.dialogs import ask_name, confirm, dialog
from pages.i18n import _, moment, ngettext, size
from pages.tagging import tag
from pages.visit import act, toast, visit

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


def document_actions(
    view: DocumentView, refresh: Callable[[], Any], gone: Callable[[], Awaitable[None]] | None = None
) -> None:
    """The buttons and the menu of a document, by its state and what the actor may do; `gone` is for when it was deleted."""
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
            ui.menu_item(_("Delete"), on_click=act(functools.partial(delete, view, gone or refresh))).classes("danger")


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
