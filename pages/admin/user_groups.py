"""Administration: groups of users, to share spaces with."""

from typing import Any
from uuid import UUID

from nicegui import ui

from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from domain.user_groups.service import UserGroupView
from pages.components.base import box, button, empty_state, icon_button, page_head, paragraph, quiet_button
from pages.components.pager import PagedList
from pages.dialogs import ask_name, confirm, dialog, inline
from pages.i18n import _, ngettext
from pages.visit import act, visit

MEMBERS_SHOWN = 200


async def user_groups() -> None:
    """Search, add, rename, change members, delete."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(words: str, cursor: str | None) -> Page[UserGroupView]:
        return await here.services.user_groups.page(here.actor, search=words, cursor=cursor)

    async def create() -> None:
        async def save(name: str) -> None:
            await here.services.user_groups.create(here.actor, name)
            await found.refresh()

        await ask_name(_("New group"), _("Name"), "", _("Create"), save)

    with box("page"):
        with page_head(_("User groups"), _("A space shared with a group is shared with everybody in it.")):
            button(_("New group"), act(create), icon="group_add")
        found: PagedList[UserGroupView] = PagedList(
            fetch, lambda view: _row(view, found), empty=lambda _words: _none(), search=_("Search groups")
        )
        await found.refresh()


def _none() -> None:
    empty_state("groups", _("No groups."), _("Make one to share spaces with many people at once."))


def _row(view: UserGroupView, owner: PagedList[UserGroupView]) -> None:
    here, group = visit(), view.group

    async def rename() -> None:
        async def save(name: str) -> None:
            await here.services.user_groups.update(here.actor, group.id, name=name)
            await owner.refresh()

        await ask_name(_("Rename group"), _("Name"), group.name, _("Save"), save)

    async def delete() -> None:
        text = _("The group “{name}” is gone for good; its members stay.", name=group.name)
        if await confirm(_("Delete the group?"), text, _("Delete")):
            await here.services.user_groups.delete(here.actor, group.id)
            await owner.refresh()

    async def show() -> None:
        await members(group.id, owner)

    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(group.name).classes("name")
            ui.label(ngettext("{n} member", "{n} members", view.count)).classes("sub")
        shown = quiet_button(_("Members"), act(show))
        shown.props["aria-label"] = _("Members of {name}", name=group.name)
        with icon_button("more_horiz", _("Options for {name}", name=group.name)), ui.menu().props("auto-close"):
            ui.menu_item(_("Rename"), on_click=act(rename))
            ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")


async def members(group_id: UUID, owner: PagedList[UserGroupView]) -> None:
    """The members of a group; people are added by their address."""
    here = visit()
    view = await here.services.user_groups.get(here.actor, group_id)
    made, card = dialog(_("Members of {name}", name=view.group.name), wide=True)

    async def add() -> None:
        async def work() -> None:
            user_id = await here.services.users.find(here.actor, (entry.value or "").strip())
            draw(await here.services.user_groups.add_member(here.actor, group_id, user_id))
            entry.set_value("")
            await owner.refresh()

        await inline(work, problem)

    def remover(user_id: UUID) -> Any:
        async def remove() -> None:
            draw(await here.services.user_groups.remove_member(here.actor, group_id, user_id))
            await owner.refresh()

        return act(remove)

    def draw(now: UserGroupView) -> None:
        people.clear()
        with people:
            for user in now.members[:MEMBERS_SHOWN]:
                with box("rowline").props("role=listitem"):
                    with box("grow"):
                        ui.label(user.display_name).classes("name")
                        ui.label(user.email).classes("sub")
                    icon_button("close", _("Remove {name}", name=user.display_name), remover(user.id))
            if not now.members:
                paragraph(_("Nobody yet."), "muted")

    with card:
        with box("line"):
            entry = ui.input(_("E-mail")).props("outlined stack-label dense autofocus").classes("grow")
            entry.on("keydown.enter", add)
            button(_("Add"), add)
        problem = box("full-width").props("role=alert")
        people = box("full-width").props("role=list")
        draw(view)
        with box("actions-row"):
            quiet_button(_("Close"), made.close)
    made.open()
