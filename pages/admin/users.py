"""Administration: the people of the organisation."""

import secrets
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from domain.users.entities import PredefinedRole, UserState
from domain.users.service import UserView
from pages.components.base import box, button, chip, empty_state, icon_button, page_head, paragraph, quiet_button
from pages.components.pager import PagedList
from pages.components.thread import initials
from pages.dialogs import confirm, dialog, inline
from pages.i18n import _, moment
from pages.names import USER_ROLES, USER_STATES
from pages.visit import act, toast, visit

PASSWORD_BYTES = 12


async def users() -> None:
    """Search, add, change roles, deactivate."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(words: str, cursor: str | None) -> Page[UserView]:
        return await here.services.users.page(here.actor, search=words, cursor=cursor)

    def empty(_words: str) -> None:
        empty_state("person_search", _("Nobody was found."), _("Try another name or address."))

    with box("page"):
        with page_head(_("Users"), _("Everybody who may sign in to {organisation}.", organisation=here.tenant_name)):
            button(_("Add user"), lambda: add_user(found), icon="person_add")
        found: PagedList[UserView] = PagedList(
            fetch, lambda view: _row(view, found), empty=empty, search=_("Search name or e-mail")
        )
        await found.refresh()


def _row(view: UserView, owner: PagedList[UserView]) -> None:
    here, user = visit(), view.user
    myself = user.id == here.actor.user_id

    async def set_role(event: ValueChangeEventArguments[Any]) -> None:
        await here.services.users.set_roles(here.actor, user.id, [str(event.value)])
        toast(_("The role was changed."))

    with box("rowline").props("role=listitem"):
        ui.label(initials(user.display_name)).classes("face")
        with box("grow"):
            ui.label(_("{name} (you)", name=user.display_name) if myself else user.display_name).classes("name")
            seen = (
                _("Last signed in {moment}", moment=moment(user.last_sign_in_at))
                if user.last_sign_in_at
                else _("Never signed in")
            )
            ui.label(f"{user.email} · {seen}").classes("sub")
        tone = {"active": "ok", "invited": "warn"}.get(user.state, "")
        chip(_(USER_STATES.get(UserState(user.state), user.state)), tone)  # type: ignore[arg-type]
        role = ui.select({r: _(text) for r, text in USER_ROLES.items()}, value=next(iter(view.roles), None))
        role.props("outlined dense options-dense").style("width:200px")
        role.props["aria-label"] = _("Role of {name}", name=user.display_name)
        role.set_enabled(not myself)
        role.on_value_change(act(set_role))
        if not myself:
            with (
                icon_button("more_horiz", _("Options for {name}", name=user.display_name)),
                ui.menu().props("auto-close"),
            ):
                _menu(view, owner)


def _menu(view: UserView, owner: PagedList[UserView]) -> None:
    here, user = visit(), view.user

    async def deactivate() -> None:
        text = _(
            "{name} is signed out everywhere and can no longer sign in. Nothing is deleted.", name=user.display_name
        )
        if await confirm(_("Deactivate the user?"), text, _("Deactivate")):
            await here.services.users.deactivate(here.actor, user.id)
            await owner.refresh()

    async def reactivate() -> None:
        await here.services.users.reactivate(here.actor, user.id)
        await owner.refresh()

    async def delete() -> None:
        text = _("{name} can no longer sign in, and the address becomes free.", name=user.display_name)
        if await confirm(_("Delete the user?"), text, _("Delete")):
            await here.services.users.delete(here.actor, user.id)
            await owner.refresh()

    if user.state == UserState.INACTIVE:
        ui.menu_item(_("Reactivate"), on_click=act(reactivate))
    else:
        ui.menu_item(_("Deactivate"), on_click=act(deactivate))
    ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")


def add_user(owner: PagedList[UserView]) -> None:
    """Ask for address, name, role and a first password."""
    here = visit()
    made, card = dialog(_("Add user"))

    async def submit() -> None:
        async def work() -> None:
            await here.services.users.add(
                here.actor, email.value or "", password.value or "", role=str(role.value), username=name.value or None
            )
            made.close()
            toast(_("{email} can now sign in.", email=email.value))
            await owner.refresh()

        await inline(work, problem)

    with card:
        email = ui.input(_("E-mail")).props("outlined stack-label autofocus type=email autocomplete=off")
        name = ui.input(_("Name")).props("outlined stack-label autocomplete=off")
        role = ui.select({r: _(text) for r, text in USER_ROLES.items()}, value=PredefinedRole.USER, label=_("Role"))
        role.props("outlined stack-label options-dense")
        with box("line"):
            password = ui.input(_("First password")).props("outlined stack-label autocomplete=off")
            quiet_button(_("Suggest"), lambda: password.set_value(secrets.token_urlsafe(PASSWORD_BYTES)))
        paragraph(_("Hand the password over in person; it can be changed under Account."), "muted small")
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            button(_("Add user"), submit)
    made.open()
