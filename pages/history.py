"""Who changed what in an assistant or a space, and back to an earlier version."""

import functools
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.audit.catalogue import kind_of
from domain.audit.entities import AuditEntry
from domain.audit.export import metadata
from domain.kernel.access import Action
from domain.kernel.errors import N_, Forbidden, NotFound
from domain.kernel.paging import Page
from pages.components.base import box, empty_state, icon, page_head, quiet_button
from pages.components.pager import PagedList
from pages.dialogs import confirm
from pages.i18n import _, moment
from pages.names import assistant_name, space_name
from pages.spaces import enter
from pages.visit import act, identifier, toast, visit

FIELDS = {
    "name": N_("Name"),
    "description": N_("Description"),
    "prompt_id": N_("Instruction"),
    "collection_ids": N_("Knowledge"),
    "file_ids": N_("Files"),
    "completion_model_id": N_("AI model"),
    "model_settings": N_("Model settings"),
    "published": N_("Published"),
    "logging_enabled": N_("Logging"),
    "insight_enabled": N_("Insights"),
    "whole_documents": N_("Whole documents"),
    "starter_questions": N_("Questions to begin with"),
    "contact": N_("Contact"),
    "fallback_model_id": N_("Model that stands in"),
    "model_preference": N_("Which model is asked first"),
    "answer_reuse": N_("Earlier answers"),
    "answer_reuse_hours": N_("Hours that answers are given again"),
    "data_retention_days": N_("Days that conversations are kept"),
    "metadata_json": N_("Details"),
    "security_classification_id": N_("Security class"),
    "allowed_models": N_("AI models"),
    "icon_id": N_("Picture"),
    "space_id": N_("Space"),
    "kind": N_("Kind"),
}
SAID = ("name", "description", "contact", "data_retention_days")
"""Fields whose values say something to people."""
RESTORABLE = ("assistant_created", "assistant_updated", "assistant_published", "assistant_transferred")


async def of_assistant(assistant_id: str) -> None:
    """The history of an assistant, with a way back."""
    here, found = visit(), identifier(assistant_id)
    view = await here.services.assistants.get(here.actor, found)
    here.space_id = view.access.space.id
    if Action.EDIT not in view.permissions:
        raise Forbidden

    async def fetch(_words: str, cursor: str | None) -> Page[AuditEntry]:
        return await here.services.assistant_history.page(here.actor, found, cursor=cursor)

    newest: list[UUID] = []

    def row(entry: AuditEntry) -> None:
        newest.append(entry.id)
        with _row(entry):
            if entry.action in RESTORABLE and entry.id != newest[0]:
                restore = quiet_button(_("Go back to this"), act(functools.partial(_restore, found, entry))).props(
                    "dense"
                )
                restore.props["aria-label"] = _("Go back to this, of {moment}", moment=moment(entry.created_at))

    with box("page narrow"):
        name = assistant_name(view.assistant, view.access.space)
        page_head(_("History"), name, back=(name, f"/assistants/{found}"))
        await PagedList(fetch, row, empty=_nothing).refresh()


async def of_space(space_id: str) -> None:
    """The history of a space and its members."""
    here, view = visit(), await enter(space_id)
    if Action.EDIT not in view.permissions:
        raise NotFound

    async def fetch(_words: str, cursor: str | None) -> Page[AuditEntry]:
        return await here.services.spaces.history(here.actor, view.space.id, cursor=cursor)

    def row(entry: AuditEntry) -> None:
        _row(entry)

    with box("page narrow"):
        page_head(_("History"), space_name(view.space), back=(_("Settings"), f"/spaces/{view.space.id}/settings"))
        await PagedList(fetch, row, empty=_nothing).refresh()


def _row(entry: AuditEntry) -> ui.element:
    with box("rowline").props("role=listitem") as line:
        icon("history")
        with box("grow"):
            ui.label(_(kind_of(entry.action).name)).classes("name")
            ui.label(f"{moment(entry.created_at)} · {entry.actor_name}").classes("sub")
            for text in _changes(metadata(entry)["changes"], created=entry.action.endswith("_created")):
                ui.label(text).classes("small").style("overflow-wrap:anywhere")
            if entry.action.startswith("space_member") or entry.action == "role_modified":
                ui.label(entry.description).classes("small")
    return line


def _changes(changes: Mapping[str, Any], *, created: bool) -> list[str]:
    if created:
        return []
    told = []
    for name, change in changes.items():
        if name not in FIELDS:
            continue
        label = _(FIELDS[name])
        old, new = change["old"], change["new"]
        said = name in SAID and len(f"{old}{new}") < 200
        told.append(f"{label}: {_value(old)} → {_value(new)}" if said else label)
    return told


def _value(value: Any) -> str:
    return "–" if value in (None, "") else _("“{text}”", text=value) if isinstance(value, str) else str(value)


async def _restore(assistant_id: UUID, entry: AuditEntry) -> None:
    here = visit()
    text = _(
        "Instruction, knowledge, model and settings become what they were on {moment}. What was deleted meanwhile stays so.",
        moment=moment(entry.created_at),
    )
    if await confirm(_("Go back to this version?"), text, _("Go back")):
        await here.services.assistant_history.restore(here.actor, assistant_id, entry.id)
        toast(_("The assistant is what it was."))
        await here.client.sub_pages_router.refresh()


def _nothing(_words: str) -> None:
    empty_state("history", _("Nothing was changed yet."), _("Changes show here, as far back as the audit log is kept."))
