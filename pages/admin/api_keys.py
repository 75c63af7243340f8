"""Administration: all API keys, the rules about them, and service accounts."""

from typing import Any

from nicegui import ui

from domain.api_keys.entities import KeyMakers
from domain.api_keys.service import IssuedKey, KeyDraft, KeyView, Rules
from domain.kernel.actor import Permission
from domain.kernel.errors import N_
from domain.kernel.paging import Page
from domain.roles.entities import granted
from domain.roles.service import RoleView
from domain.service_accounts.service import ServiceAccountView
from domain.users.entities import UserState
from pages.components.api_keys import KeyList, make_key
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    field,
    heading,
    icon,
    icon_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.pager import PagedList
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, ngettext
from pages.names import USER_STATES, user_role_name
from pages.spaces import setting
from pages.visit import act, toast, visit

MAKERS = {KeyMakers.EVERYBODY: N_("Everybody"), KeyMakers.ADMINISTRATORS: N_("Administrators only")}


async def api_keys() -> None:
    """Service accounts, every key of the organisation, and what holds for keys."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(words: str, cursor: str | None) -> Page[KeyView]:
        return await here.services.api_keys.all(here.actor, search=words, cursor=cursor)

    async def new_account() -> None:
        await accounts.edit(None)

    with box("page"):
        text = _("How programs get in: what they may do, from where and how long.")
        with page_head(_("API keys and service accounts"), text):
            button(_("New service account"), act(new_account), icon="add")
        heading(_("Service accounts"))
        paragraph(_("Programs of the organisation itself. They come with keys only and belong to nobody."), "muted")
        accounts = _Accounts()
        heading(_("All keys"))
        accounts.keys = KeyList(fetch, owners=True)
        await accounts.changed()
        heading(_("Rules"))
        _RulesForm(await here.services.api_keys.rules(here.actor))


class _RulesForm:
    """Who makes keys, and how long they live."""

    def __init__(self, rules: Rules) -> None:
        self.visit = visit()
        with box("card"):
            with setting(_("Who makes keys"), _("For themselves. Keys that exist are not touched.")):
                self.makers = ui.select({key: _(text) for key, text in MAKERS.items()}, value=KeyMakers(rules.makers))
                self.makers.props("outlined dense options-dense").props["aria-label"] = _("Who makes keys")
            with setting(_("Longest life"), _("Keys that never end are forgotten, and found by others.")):
                self.ends = ui.switch(_("Every key ends"), value=rules.longest_days is not None)
                self.days = ui.number(_("Days at the most"), value=rules.longest_days or 365, min=1, precision=0)
                self.days.props("outlined dense stack-label hide-bottom-space").bind_visibility_from(self.ends, "value")
            with setting(_("Save"), _("Holds for new keys from now on.")):
                self.problem = box("full-width")
                quiet_button(_("Save the rules"), self._save).style("align-self:flex-start")

    async def _save(self) -> None:
        await inline(self._send, self.problem)

    async def _send(self) -> None:
        longest = int(self.days.value) if self.ends.value and self.days.value else None
        services, actor = self.visit.services.api_keys, self.visit.actor
        await services.set_rules(actor, makers=str(self.makers.value), longest_days=longest)
        toast(_("Saved."))


class _Accounts:
    """The list of service accounts and what can be done to each; `keys` is the list of keys below it."""

    keys: KeyList

    def __init__(self) -> None:
        self.visit = visit()
        self.found: PagedList[ServiceAccountView] = PagedList(
            self._fetch, self._row, empty=lambda _words: _none(), search=_("Search service accounts")
        )

    async def _fetch(self, words: str, cursor: str | None) -> Page[ServiceAccountView]:
        return await self.visit.services.service_accounts.page(self.visit.actor, search=words, cursor=cursor, limit=20)

    async def changed(self) -> None:
        """Fetch and draw both lists."""
        await self.found.refresh()
        await self.keys.refresh()

    def _row(self, view: ServiceAccountView) -> None:
        user = view.user

        async def new_key() -> None:
            await self._new_key(view)

        with box("rowline").props("role=listitem"):
            icon("smart_toy")
            with box("grow").style("min-width:170px"):
                ui.label(user.display_name).classes("name")
                if user.description:
                    ui.label(user.description).classes("sub")
                roles = ", ".join(user_role_name(role) for role in view.roles) or _("No roles")
                keys = ngettext("{n} key", "{n} keys", view.keys)
                ui.label(" · ".join((user.email, roles, keys))).classes("sub").style("overflow-wrap:anywhere")
            if user.state != UserState.ACTIVE:
                chip(_(USER_STATES[UserState(user.state)]))
            maker = quiet_button(_("New key"), act(new_key), icon="key").props("dense")
            maker.props["aria-label"] = _("New key for {name}", name=user.display_name)
            with (
                icon_button("more_horiz", _("Options for {name}", name=user.display_name)),
                ui.menu().props("auto-close"),
            ):
                self._menu(view)

    async def _new_key(self, view: ServiceAccountView) -> None:
        async def make(draft: KeyDraft) -> IssuedKey:
            made = await self.visit.services.api_keys.create_for_service_account(self.visit.actor, view.user.id, draft)
            await self.found.refresh()
            return made

        await make_key(make, self.keys, admin=Permission.ADMIN in granted(view.roles))

    def _menu(self, view: ServiceAccountView) -> None:
        services, actor, user = self.visit.services.service_accounts, self.visit.actor, view.user
        active = user.state == UserState.ACTIVE

        async def switch() -> None:
            await services.update(actor, user.id, {"state": UserState.INACTIVE if active else UserState.ACTIVE})
            await self.found.refresh()

        async def delete() -> None:
            text = _("All keys of “{name}” end at once. What it did stays in the audit log.", name=user.display_name)
            if await confirm(_("Delete the service account?"), text, _("Delete")):
                await services.delete(actor, user.id)
                await self.changed()

        async def change() -> None:
            await self.edit(view)

        ui.menu_item(_("Change"), on_click=act(change))
        ui.menu_item(_("Deactivate") if active else _("Reactivate"), on_click=act(switch))
        ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")

    async def edit(self, view: ServiceAccountView | None) -> None:
        """Name, purpose and roles of a new service account, or of one that exists."""
        roles = await self.visit.services.roles.all(self.visit.actor)
        made, card = dialog(_("Change service account") if view else _("New service account"), wide=True)

        async def submit() -> None:
            async def work() -> None:
                values: dict[str, Any] = {"description": purpose.value or "", "roles": list(chosen.value or [])}
                services, actor = self.visit.services.service_accounts, self.visit.actor
                if view is None:
                    await services.create(actor, name.value or "", **values)
                else:
                    await services.update(actor, view.user.id, {"name": name.value or "", **values})
                made.close()
                toast(_("Saved."))
                await self.found.refresh()

            await inline(work, problem)

        with card:
            name = field(_("Name"), view.user.display_name if view else "").props("autofocus")
            purpose = field(_("Purpose"), (view.user.description or "") if view else "")
            chosen = _role_choice(roles, view)
            paragraph(_("To work in a shared space, it is made a member there like everybody."), "muted small")
            problem = box("full-width")
            cancel_or(made, _("Save"), submit)
        made.open()


def _role_choice(roles: list[RoleView], view: ServiceAccountView | None) -> ui.select:
    names = {each.held.key: user_role_name(each.held) for each in roles}
    present = [role.key for role in view.roles] if view else []
    chosen = ui.select(names, value=present, label=_("Roles"), multiple=True)
    return chosen.props("outlined stack-label options-dense").classes("full-width")


def _none() -> None:
    empty_state("smart_toy", _("No service accounts."), _("Make one for a program that many people rely on."))
