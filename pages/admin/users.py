"""Administration: the people of the organisation."""

from functools import partial
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.identity.links import IssuedLink
from domain.kernel.actor import Permission
from domain.kernel.errors import N_
from domain.kernel.paging import Page
from domain.roles.service import RoleView
from domain.users.bulk import BulkDeed
from domain.users.entities import PredefinedRole, UserState
from domain.users.repository import PRESENT_STATES, UserQuery
from domain.users.service import NewUser, UserView
from pages.admin.import_users import ImportDialog
from pages.components.base import (
    box,
    button,
    chip,
    danger_button,
    empty_state,
    icon_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.face import initials
from pages.components.pager import PagedList
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, moment, ngettext
from pages.names import USER_STATES, permission_name, user_role_name
from pages.visit import act, copy, sentence, toast, visit

EVERYBODY = "present"
ASKED = {
    BulkDeed.DEACTIVATE: N_("They are signed out everywhere and can no longer sign in. Nothing is deleted."),
    BulkDeed.DELETE: N_(
        "They can no longer sign in, their addresses become free, and their personal spaces are deleted with everything in "
        "them. Shared spaces that nobody else administers become yours. The accounts themselves can be restored for 30 days."
    ),
}


async def users() -> None:
    """Search, invite, change roles, deactivate, delete and restore."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    people = _People(await here.services.roles.all(here.actor))
    with box("page"):
        with page_head(_("Users"), _("Everybody who may sign in to {organisation}.", organisation=here.tenant_name)):
            quiet_button(_("Import"), people.take_in, icon="upload_file")
            button(_("Invite user"), people.invite, icon="person_add")
        people.draw()
        await people.found.refresh()


class _People:
    """The list of users with its filter and what can be done to each."""

    def __init__(self, roles: list[RoleView]) -> None:
        self.visit = visit()
        self.names = {view.held.key: user_role_name(view.held) for view in roles}
        self.states: tuple[UserState, ...] = PRESENT_STATES
        self.role: str | None = None
        self.chosen: dict[UUID, str] = {}
        self.found: PagedList[UserView]

    def draw(self) -> None:
        """The filter, then the list."""
        states = {EVERYBODY: _("Everybody"), **{state.value: _(text) for state, text in USER_STATES.items()}}
        with box("line wrap").style("margin-bottom:12px"):
            state = ui.select(states, value=EVERYBODY, label=_("Show"))
            role = ui.select(self.names, value=None, label=_("Role"), clearable=True)
            for control, changed in ((state, self._by_state), (role, self._by_role)):
                control.props("outlined dense stack-label options-dense").style("width:220px")
                control.on_value_change(act(changed))
        self.bar = box("card pad line wrap").props("role=region aria-live=polite")
        self.bar.props["aria-label"] = _("Chosen people")
        self._draw_bar()
        self.found = PagedList(
            self._fetch,
            self._row,
            empty=lambda _words: _nobody(),
            search=_("Search name or e-mail"),
        )

    async def _by_state(self, event: ValueChangeEventArguments[Any]) -> None:
        self.states = PRESENT_STATES if event.value == EVERYBODY else (UserState(event.value),)
        await self.found.restart()

    async def _by_role(self, event: ValueChangeEventArguments[Any]) -> None:
        self.role = event.value
        await self.found.restart()

    # Many at once

    def _draw_bar(self) -> None:
        """What can be done to those who are ticked; hidden while nobody is."""
        self.bar.set_visibility(bool(self.chosen))
        self.bar.clear()
        with self.bar:
            ui.label(ngettext("{n} chosen", "{n} chosen", len(self.chosen))).classes("strong grow")
            with quiet_button(_("Give role")), ui.menu().props("auto-close"):
                for key, name in self.names.items():
                    ui.menu_item(name, on_click=act(partial(self._to_all, BulkDeed.GIVE_ROLE, key)))
            with quiet_button(_("Take role")), ui.menu().props("auto-close"):
                for key, name in self.names.items():
                    ui.menu_item(name, on_click=act(partial(self._to_all, BulkDeed.TAKE_ROLE, key)))
            quiet_button(_("Deactivate"), act(partial(self._to_all, BulkDeed.DEACTIVATE)))
            quiet_button(_("Reactivate"), act(partial(self._to_all, BulkDeed.REACTIVATE)))
            danger_button(_("Delete"), act(partial(self._to_all, BulkDeed.DELETE)))
            quiet_button(_("Choose nobody"), act(self._choose_nobody))

    async def _choose_nobody(self) -> None:
        self.chosen.clear()
        self._draw_bar()
        await self.found.refresh()

    async def _to_all(self, deed: BulkDeed, role: str | None = None) -> None:
        count = len(self.chosen)
        if deed in ASKED:
            title = ngettext("Change {n} account?", "Change {n} accounts?", count)
            if not await confirm(title, _(ASKED[deed]), _("Go on")):
                return
        report = await self.visit.services.user_bulk.run(self.visit.actor, list(self.chosen), deed, role)
        if report.done:
            toast(ngettext("{n} account was changed.", "{n} accounts were changed.", len(report.done)))
        for each in report.refused[:5]:
            toast(f"{each.email}: {sentence(each.failure)}", "negative")
        self.chosen = {each.user_id: each.email for each in report.refused}
        self._draw_bar()
        await self.found.refresh()

    def _box(self, view: UserView) -> None:
        user = view.user

        def tick(event: ValueChangeEventArguments[Any]) -> None:
            if event.value:
                self.chosen[user.id] = user.email
            else:
                self.chosen.pop(user.id, None)
            self._draw_bar()

        box_ = ui.checkbox(value=user.id in self.chosen).props("dense")
        box_.props["aria-label"] = _("Choose {name}", name=user.display_name)
        box_.on_value_change(tick)
        box_.set_enabled(user.id != self.visit.actor.user_id and user.state != UserState.DELETED)

    def take_in(self) -> None:
        """Import people from a table."""
        ImportDialog(self.found.refresh).open()

    async def _fetch(self, words: str, cursor: str | None) -> Page[UserView]:
        query = UserQuery(search=words, states=self.states, role=self.role)
        return await self.visit.services.users.page(self.visit.actor, query, cursor=cursor)

    def _row(self, view: UserView) -> None:
        user, myself = view.user, view.user.id == self.visit.actor.user_id
        with box("rowline").props("role=listitem"):
            self._box(view)
            ui.label(initials(user.display_name)).classes("face")
            with box("grow"):
                ui.label(_("{name} (you)", name=user.display_name) if myself else user.display_name).classes("name")
                ui.label(f"{user.email} · {_seen(view)}").classes("sub")
            tone = {"active": "ok", "invited": "warn"}.get(user.state, "")
            chip(_(USER_STATES[UserState(user.state)]), tone)  # type: ignore[arg-type]
            self._roles(view, locked=myself or user.state == UserState.DELETED)
            if not myself:
                with (
                    icon_button("more_horiz", _("Options for {name}", name=user.display_name)),
                    ui.menu().props("auto-close"),
                ):
                    self._menu(view)

    def _roles(self, view: UserView, *, locked: bool) -> None:
        async def change(event: ValueChangeEventArguments[Any]) -> None:
            await self.visit.services.users.set_roles(self.visit.actor, view.user.id, list(event.value))
            toast(_("The roles were changed."))

        chosen = ui.select(self.names, value=[role.key for role in view.roles], multiple=True)
        chosen.props("outlined dense options-dense").style("width:220px")
        chosen.props["aria-label"] = _("Roles of {name}", name=view.user.display_name)
        chosen.set_enabled(not locked)
        chosen.on_value_change(act(change))

    def _menu(self, view: UserView) -> None:
        services, actor, user = self.visit.services, self.visit.actor, view.user
        name = user.display_name

        async def link() -> None:
            made = await services.users.new_link(actor, user.id)
            if made.link is not None:
                show_link(made.link, user.email)

        async def deactivate() -> None:
            text = _("{name} is signed out everywhere and can no longer sign in. Nothing is deleted.", name=name)
            if await confirm(_("Deactivate the user?"), text, _("Deactivate")):
                await services.users.deactivate(actor, user.id)
                await self.found.refresh()

        async def reactivate() -> None:
            await services.users.reactivate(actor, user.id)
            await self.found.refresh()

        async def delete() -> None:
            text = _(
                "{name} can no longer sign in, the address becomes free, and the personal space is deleted with "
                "everything in it. Shared spaces that nobody else administers become yours. The account itself can be "
                "restored for 30 days.",
                name=name,
            )
            if await confirm(_("Delete the user?"), text, _("Delete")):
                await services.users.delete(actor, user.id)
                await self.found.refresh()

        async def restore() -> None:
            await services.users.restore(actor, user.id)
            toast(_("The account was restored."))
            await self.found.refresh()

        async def explain() -> None:
            _explain(await services.users.get(actor, user.id) if user.state != UserState.DELETED else view)

        ui.menu_item(_("Permissions"), on_click=act(explain))
        if user.state == UserState.DELETED:
            ui.menu_item(_("Restore"), on_click=act(restore))
            return
        if user.state == UserState.INACTIVE:
            ui.menu_item(_("Reactivate"), on_click=act(reactivate))
        else:
            invited = user.state == UserState.INVITED
            ui.menu_item(_("New invitation link") if invited else _("Link for a new password"), on_click=act(link))
            ui.menu_item(_("Deactivate"), on_click=act(deactivate))
        ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")

    def invite(self) -> None:
        """Ask for address, name and roles; the answer is a one-time link."""
        made, card = dialog(_("Invite user"))

        async def submit() -> None:
            async def work() -> None:
                new = NewUser(email.value or "", name.value or None, None, list(roles.value))
                invited = await self.visit.services.users.create(self.visit.actor, new)
                made.close()
                if invited.link is not None:
                    show_link(invited.link, invited.view.user.email)
                await self.found.refresh()

            await inline(work, problem)

        with card:
            email = ui.input(_("E-mail")).props("outlined stack-label autofocus type=email autocomplete=off")
            name = ui.input(_("Name")).props("outlined stack-label autocomplete=off")
            roles = ui.select(self.names, value=[PredefinedRole.USER.value], label=_("Roles"), multiple=True)
            roles.props("outlined stack-label options-dense")
            paragraph(_("The person chooses a password by a link that works once."), "muted small")
            problem = box("full-width")
            cancel_or(made, _("Invite"), submit)
        made.open()


def _nobody() -> None:
    empty_state("person_search", _("Nobody was found."), _("Try another name or address, or another state."))


def _seen(view: UserView) -> str:
    last = view.user.last_sign_in_at
    return _("Last signed in {moment}", moment=moment(last)) if last else _("Never signed in")


def _explain(view: UserView) -> None:
    """What somebody may do in the organisation, and which role allows it."""
    made, card = dialog(_("Permissions of {name}", name=view.user.display_name), wide=True)
    with card:
        if not view.explained:
            paragraph(_("No role gives any permission."))
        with box("full-width").props("role=list"):
            for permission, roles in view.explained.items():
                with box("rowline").props("role=listitem"):
                    ui.label(permission_name(permission)).classes("grow")
                    ui.label(", ".join(user_role_name(role) for role in roles)).classes("sub")
        with box("actions-row"):
            button(_("Close"), made.close).props("autofocus")
    made.open()


def show_link(link: IssuedLink, email: str) -> None:
    """A one-time link, shown this once, to copy and hand over."""
    here = visit()
    made, card = dialog(_("Link for {email}", email=email), wide=True)

    with card:
        if link.mailed:
            paragraph(_("The link was mailed. You can hand it over in another way, too."))
        else:
            paragraph(_("Hand this link over yourself. It is shown this once."))
        shown = ui.input(_("One-time link"), value=f"{here.origin}{link.path}")
        shown.props("outlined stack-label readonly").classes("full-width")
        paragraph(_("It works once, until {moment}.", moment=moment(link.expires_at)), "muted small")
        with box("actions-row"):
            quiet_button(_("Copy"), lambda: copy(shown.value), icon="content_copy")
            button(_("Done"), made.close).props("autofocus")
    made.open()
