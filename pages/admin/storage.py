"""Administration: how much room documents take, and in which spaces."""

from nicegui import ui

from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from domain.tenants.own import Storage, StoredSpace
from pages.components.base import box, empty_state, heading, page_head, paragraph
from pages.components.pager import PagedList
from pages.i18n import _, ngettext, size
from pages.names import space_name
from pages.visit import visit


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
        found: PagedList[StoredSpace] = PagedList(fetch, _space, empty=lambda _words: _none())
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


def _space(found: StoredSpace) -> None:
    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(space_name(found.space)).classes("name")
            if found.members:
                ui.label(ngettext("{n} member", "{n} members", len(found.members))).classes("sub")
        ui.label(size(found.size)).classes("chip")


def _none() -> None:
    empty_state("folder_open", _("No shared spaces."), _("Those that people make show up here with what they store."))
