"""Administration: how much room documents take, and in which spaces."""

import functools
from collections.abc import Callable
from typing import Any

from nicegui import ui

from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from domain.spaces.entities import Space
from domain.tenants.own import Storage, StoredSpace
from pages.components.base import (
    box,
    button,
    empty_state,
    heading,
    icon_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.pager import PagedList
from pages.dialogs import dialog, inline
from pages.i18n import _, ngettext, size
from pages.names import space_name
from pages.visit import toast, visit

MEGABYTE = 1024**2


async def storage() -> None:
    """Used and allowed, then each shared space."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(_words: str, cursor: str | None) -> Page[StoredSpace]:
        return await here.services.organisation.spaces(here.actor, cursor=cursor)

    with box("page narrow"):
        page_head(_("Storage"), _("The room that documents take. Who operates the installation sets the limit."))
        _used(await here.services.organisation.storage(here.actor))
        heading(_("Shared spaces"))
        found: PagedList[StoredSpace] = PagedList(
            fetch, functools.partial(_space, lambda: found.refresh()), empty=lambda _words: _none()
        )
        await found.refresh()


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


def _space(redraw: Callable[[], Any], found: StoredSpace) -> None:
    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(space_name(found.space)).classes("name")
            if found.members:
                ui.label(ngettext("{n} member", "{n} members", len(found.members))).classes("sub")
        limit = found.space.quota_limit
        used = size(found.size)
        ui.label(_("{used} of {limit}", used=used, limit=size(limit)) if limit else used).classes("chip")
        name = space_name(found.space)
        icon_button("edit", _("Limit of {name}", name=name), functools.partial(_edit, found.space, redraw))


def _edit(space: Space, redraw: Callable[[], Any]) -> None:
    """How much a space may store."""
    here = visit()
    made, card = dialog(_("Limit of {name}", name=space_name(space)))

    async def submit() -> None:
        async def work() -> None:
            limit = round(float(entry.value) * MEGABYTE) if entry.value else None
            await here.services.organisation.set_space_limit(here.actor, space.id, limit)
            made.close()
            toast(_("Saved."))
            await redraw()

        await inline(work, problem)

    with card:
        text = _("When it is reached, nothing more can be added to the space. What is there stays.")
        paragraph(text, "muted")
        value = round(space.quota_limit / MEGABYTE, 2) if space.quota_limit else None
        entry = ui.number(_("Megabytes (empty for no limit)"), value=value, min=0)
        entry.props("outlined stack-label autofocus")
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            button(_("Save"), submit)
    made.open()


def _none() -> None:
    empty_state("folder_open", _("No shared spaces."), _("Those that people make show up here with what they store."))
