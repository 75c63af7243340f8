"""Administration: how much room documents take, and in which spaces."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from domain.knowledge.limits import KnowledgeLimit
from domain.knowledge.repository import Amount
from domain.tenants.own import Storage, StoredSpace
from domain.users.entities import User
from pages.components.base import (
    box,
    empty_state,
    heading,
    icon_button,
    page_head,
    paragraph,
)
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, ngettext, number, size
from pages.names import space_name
from pages.visit import guarded, toast, visit

MEGABYTE = 1024**2


async def storage() -> None:
    """Used and allowed, then each shared space, then those who have stored most."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    limits: dict[UUID, KnowledgeLimit] = {}

    async def fetch(_words: str, cursor: str | None) -> Page[StoredSpace]:
        page = await here.services.organisation.spaces(here.actor, cursor=cursor, largest=order.value == "size")
        limits.update(await here.services.limits.of(here.actor, [each.space.id for each in page.items]))
        return page

    async def fetch_people(_words: str, cursor: str | None) -> Page[tuple[User, Amount]]:
        page = await here.services.organisation.owners(here.actor, cursor=cursor)
        limits.update(await here.services.limits.of(here.actor, [user.id for user, _held in page.items]))
        return page

    with box("page narrow"):
        page_head(_("Storage"), _("The room that documents take. Who operates the installation sets the limit."))
        _used(await here.services.organisation.storage(here.actor))
        whole = Region(lambda: _organisation(lambda: whole.refresh()))
        await whole.refresh()
        with box("line"):
            heading(_("Shared spaces")).classes("grow")
            orders = {"name": _("In order of name"), "size": _("Largest first")}
            order = ui.select(orders, value="name", label=_("Order"), on_change=guarded(lambda _e: found.restart()))
            order.props("outlined stack-label dense").style("max-width:240px")
        found: PagedList[StoredSpace] = PagedList(
            fetch, functools.partial(_space, lambda: found.refresh(), limits), empty=lambda _words: _none()
        )
        await found.refresh()
        heading(_("People"))
        paragraph(_("Who has stored most, in all spaces together."), "muted")
        people: PagedList[tuple[User, Amount]] = PagedList(
            fetch_people, functools.partial(_person, lambda: people.refresh(), limits), empty=lambda _words: _nobody()
        )
        await people.refresh()


def _used(found: Storage) -> None:
    with box("card pad"):
        text = _("{used} of {limit} used", used=size(found.used), limit=size(found.limit))
        ui.label(text).classes("name")
        share = round(min(1.0, found.used / found.limit), 3) if found.limit else 1.0
        bar = ui.linear_progress(share, show_value=False, size="8px").props("rounded")
        bar.props["aria-label"] = text
        shared, personal = size(found.shared), size(found.personal)
        paragraph(
            _("{shared} in shared spaces, {personal} in personal ones.", shared=shared, personal=personal), "muted"
        )


def _space(redraw: Callable[[], Any], limits: Mapping[UUID, KnowledgeLimit], found: StoredSpace) -> None:
    own = limits.get(found.space.id)
    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(space_name(found.space)).classes("name")
            members = ngettext("{n} member", "{n} members", len(found.members)) if found.members else ""
            ui.label(" · ".join(part for part in (members, counted(found.amount, own)) if part)).classes("sub")
        name, limit = space_name(found.space), found.space.quota_limit
        _room(found.amount, limit)
        save = functools.partial(visit().services.organisation.set_space_limit, visit().actor, found.space.id)
        text = _("When it is reached, nothing more can be added to the space. What is there stays.")
        icon_button(
            "edit",
            _("Limit of {name}", name=name),
            lambda: _edit(name, text, limit, save, redraw, own, {"space_id": found.space.id}),
        )


def _person(redraw: Callable[[], Any], limits: Mapping[UUID, KnowledgeLimit], found: tuple[User, Amount]) -> None:
    here, (user, held) = visit(), found
    own = limits.get(user.id)

    async def save(limit: int | None) -> None:
        await here.services.users.update(here.actor, user.id, {"quota_limit": limit})

    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(user.display_name).classes("name")
            ui.label(f"{user.email} · {counted(held, own)}").classes("sub")
        _room(held, user.quota_limit)
        text = _("When it is reached, the person can add nothing more in any space. What is there stays.")
        if user.id != here.actor.user_id:
            label = _("Limit of {name}", name=user.display_name)
            icon_button(
                "edit",
                label,
                lambda: _edit(user.display_name, text, user.quota_limit, save, redraw, own, {"user_id": user.id}),
            )


def counted(held: Amount, limit: KnowledgeLimit | None) -> str:
    """Documents and passages, with how many there may be."""
    documents = ngettext("{n} document", "{n} documents", held.documents)
    passages = ngettext("{n} passage", "{n} passages", held.passages)
    if limit and limit.documents is not None:
        documents = _("{held} (at most {limit})", held=documents, limit=number(limit.documents))
    if limit and limit.passages is not None:
        passages = _("{held} (at most {limit})", held=passages, limit=number(limit.passages))
    return f"{documents} · {passages}"


async def _organisation(redraw: Callable[[], Any]) -> Callable[[], None]:
    """Documents and passages of all of the organisation."""
    here = visit()
    found = await here.services.limits.organisation(here.actor)

    def build() -> None:
        with box("card"), box("rowline"):
            ui.label(counted(found.amount, found.limit)).classes("grow")
            text = _("When it is reached, nobody can add anything more. What is there stays.")
            name = _("the whole organisation")
            label = _("Limit of {name}", name=name)
            icon_button("edit", label, lambda: _edit(name, text, None, None, redraw, found.limit, {}))

    return build


def _room(held: Amount, limit: int | None) -> None:
    used = size(held.bytes)
    ui.label(_("{used} of {limit}", used=used, limit=size(limit)) if limit else used).classes("chip")


def _edit(
    name: str,
    told: str,
    present: int | None,
    save: Callable[[int | None], Awaitable[Any]] | None,
    redraw: Callable[[], Any],
    limit: KnowledgeLimit | None,
    subject: dict[str, UUID],
) -> None:
    """How much a space or a person may store; the organisation's bytes are the operator's to set (no `save`)."""
    here = visit()
    made, card = dialog(_("Limit of {name}", name=name))

    async def submit() -> None:
        async def work() -> None:
            counts = {key: None if field.value is None else int(field.value) for key, field in fields.items()}
            await here.services.limits.set(
                here.actor,
                space_id=subject.get("space_id"),
                user_id=subject.get("user_id"),
                documents=counts["documents"],
                passages=counts["passages"],
            )
            if save is not None:
                await save(round(float(entry.value) * MEGABYTE) if entry.value else None)
            made.close()
            toast(_("Saved."))
            await redraw()

        await inline(work, problem)

    with card:
        paragraph(told, "muted")
        value = round(present / MEGABYTE, 2) if present else None
        entry = ui.number(_("Megabytes (empty for no limit)"), value=value, min=0)
        entry.props("outlined stack-label autofocus").set_visibility(save is not None)
        labels = {"documents": _("Documents (empty for no limit)"), "passages": _("Passages (empty for no limit)")}
        fields = {
            key: ui.number(label, value=getattr(limit, key, None), min=0, precision=0).props("outlined stack-label")
            for key, label in labels.items()
        }
        problem = box("full-width")
        cancel_or(made, _("Save"), submit)
    made.open()


def _nobody() -> None:
    empty_state("person", _("Nobody has stored anything."), _("Those who add documents show up here."))


def _none() -> None:
    empty_state("folder_open", _("No shared spaces."), _("Those that people make show up here with what they store."))
