"""Lists of API keys, the dialogs that make and change them, and the one look at a secret."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from nicegui import ui

from domain.api_keys.entities import KeyKind, KeyState
from domain.api_keys.service import USUAL_DAYS, IssuedKey, KeyDraft, KeyView, Rules
from domain.kernel.actor import Scope
from domain.kernel.clock import now
from domain.kernel.errors import N_
from domain.kernel.paging import Page
from pages.components.base import (
    Tone,
    box,
    button,
    chip,
    empty_state,
    field,
    icon,
    icon_button,
    note,
    paragraph,
    quiet_button,
    text_element,
)
from pages.components.pager import PagedList
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, moment, ngettext
from pages.visit import act, copy, toast, visit

SCOPES = {
    Scope.READ: (N_("Read"), N_("Look at spaces, assistants and documents")),
    Scope.ASK: (N_("Ask"), N_("Ask questions and attach files")),
    Scope.WRITE: (N_("Change"), N_("Create, change and delete")),
    Scope.ADMIN: (N_("Administer"), N_("What the owner may administer")),
}
STATES: dict[KeyState, tuple[str, Tone]] = {
    KeyState.ACTIVE: (N_("Active"), "ok"),
    KeyState.EXPIRED: (N_("Expired"), "warn"),
    KeyState.REVOKED: (N_("Revoked"), ""),
}
LIVES = (30, 90, 180, 365)
GRACES = {0: N_("At once"), 1: N_("After an hour"), 24: N_("After a day"), 168: N_("After a week")}
Make = Callable[[KeyDraft], Awaitable[IssuedKey]]
Fetch = Callable[[str, str | None], Awaitable[Page[KeyView]]]


def scope_names(scopes: list[str]) -> str:
    """What a key may be used for, in a few words."""
    return ", ".join(_(SCOPES[Scope(scope)][0]) for scope in scopes)


class KeyList:
    """Keys in a list. With `owners` each row says whose key it is, and the list can be searched."""

    def __init__(self, fetch: Fetch, *, owners: bool = False) -> None:
        self.visit, self._owners = visit(), owners
        search = _("Search key or owner") if owners else ""
        self.found: PagedList[KeyView] = PagedList(fetch, self._row, empty=lambda _words: _none(), search=search)

    async def refresh(self) -> None:
        """Fetch and draw."""
        await self.found.refresh()

    def _row(self, view: KeyView) -> None:
        key = view.key
        with box("rowline").props("role=listitem"):
            icon("smart_toy" if key.kind == KeyKind.SERVICE_ACCOUNT else "key")
            with box("grow").style("min-width:170px"):
                ui.label(key.name).classes("name")
                if self._owners:
                    ui.label(_owner(view)).classes("sub")
                ui.label(" · ".join(_facts(view))).classes("sub").style("overflow-wrap:anywhere")
            text, tone = STATES[view.state]
            chip(_(text), tone)
            if view.state is not KeyState.REVOKED:
                with icon_button("more_horiz", _("Options for {name}", name=key.name)), ui.menu().props("auto-close"):
                    self._menu(view)

    def _menu(self, view: KeyView) -> None:
        services, actor, key = self.visit.services.api_keys, self.visit.actor, view.key

        async def revoke() -> None:
            text = _("Programs that use “{name}” are refused at once. This cannot be undone.", name=key.name)
            if await confirm(_("Revoke the key?"), text, _("Revoke")):
                await services.revoke(actor, key.id)
                await self.refresh()

        async def change() -> None:
            _change(view, await services.rules(actor), self)

        if view.manageable and view.state is KeyState.ACTIVE:
            ui.menu_item(_("Change"), on_click=act(change))
            ui.menu_item(_("Renew"), on_click=lambda: _renew(view, self))
        ui.menu_item(_("Revoke"), on_click=act(revoke)).classes("danger")


def _none() -> None:
    empty_state("key_off", _("No API keys."), _("A key lets a program in without signing in."))


def _owner(view: KeyView) -> str:
    match view.key.kind:
        case KeyKind.ASSISTANT:
            return _("Assistant {name}, by {user}", name=view.row.assistant_name or "", user=view.row.user.email)
        case KeyKind.SERVICE_ACCOUNT:
            return _("Service account {name}", name=view.row.user.display_name)
        case _:
            return view.row.user.email


def _facts(view: KeyView) -> list[str]:
    key = view.key
    facts = [f"{key.start}…{key.last_four}", scope_names(key.scopes)]
    if view.state is not KeyState.REVOKED:
        facts.append(_("Ends {moment}", moment=moment(key.expires_at)) if key.expires_at else _("No end"))
    facts.append(_("Last used {moment}", moment=moment(key.last_used_at)) if key.last_used_at else _("Never used"))
    if key.networks:
        facts.append(", ".join(key.networks))
    if key.requests_per_minute:
        facts.append(ngettext("{n} request a minute", "{n} requests a minute", key.requests_per_minute))
    if view.state is KeyState.ACTIVE and key.renewing(view.moment):
        facts.append(_("Old secret until {moment}", moment=moment(key.previous_until)))
    return facts


class _Form:
    """What a key is made of, as fields."""

    def __init__(self, rules: Rules, view: KeyView | None, *, scopes: bool, admin: bool) -> None:
        key = view.key if view else None
        self._rules, self._new = rules, view is None
        self.name = field(_("Name"), key.name if key else "").props("autofocus")
        self.scopes: dict[Scope, ui.checkbox] = {}
        if scopes:
            self._scopes(key.scopes if key else [Scope.READ, Scope.ASK], admin)
        self.life = None if key else self._lives()
        self.networks = field(_("Networks"), ", ".join(key.networks) if key else "")
        paragraph(
            _("Addresses and networks the key may be used from, with commas. Empty: from anywhere."), "muted small"
        )
        self.rate = ui.number(
            _("Requests a minute"), value=key.requests_per_minute if key else None, min=1, precision=0
        )
        self.rate.props("outlined stack-label hide-bottom-space").classes("full-width")
        paragraph(_("Empty: the limit that holds for everybody."), "muted small")

    def _scopes(self, chosen: list[str] | list[Scope], admin: bool) -> None:
        with box("full-width", "fieldset"):
            with text_element("legend", ""):
                ui.label(_("What the key may do")).classes("sub")
            for scope, (title, text) in SCOPES.items():
                if scope is not Scope.ADMIN or admin:
                    with box("full-width"):
                        self.scopes[scope] = ui.checkbox(f"{_(title)}: {_(text)}", value=scope in chosen)

    def _lives(self) -> ui.select:
        longest = self._rules.longest_days
        days = sorted({d for d in LIVES if longest is None or d <= longest} | ({longest} if longest else set()))
        choices = {d: ngettext("{n} day", "{n} days", d) for d in days}
        if longest is None:
            choices[0] = _("No end")
        usual = 90 if 90 in choices else days[-1]
        chosen = ui.select(choices, value=usual, label=_("Lives for"))
        return chosen.props("outlined stack-label options-dense").classes("full-width")

    def values(self) -> dict[str, Any]:
        """What was entered."""
        values: dict[str, Any] = {
            "name": self.name.value or "",
            "networks": [part for part in re.split(r"[,\s]+", self.networks.value or "") if part],
            "requests_per_minute": int(self.rate.value) if self.rate.value is not None else None,
        }
        if self.scopes:
            values["scopes"] = [scope for scope, ticked in self.scopes.items() if ticked.value]
        return values

    def draft(self) -> KeyDraft:
        """The key that is asked for."""
        days = int(self.life.value) if self.life is not None else USUAL_DAYS
        end = now() + timedelta(days=days) if days else None
        return KeyDraft(**self.values(), expires_at=end, endless=not days)


async def make_key(make: Make, found: KeyList, *, scopes: bool = True, admin: bool = False) -> None:
    """Ask for a new key; `scopes` and `admin` say whether there is a choice of what it may do, and to administer too."""
    here = visit()
    rules = await here.services.api_keys.rules(here.actor)
    made, card = dialog(_("New API key"), wide=True)

    async def submit() -> None:
        async def work() -> None:
            issued = await make(form.draft())
            made.close()
            await found.refresh()
            show_secret(issued)

        await inline(work, problem)

    with card:
        form = _Form(rules, None, scopes=scopes, admin=admin)
        problem = box("full-width")
        cancel_or(made, _("Create"), submit)
    made.open()


def _change(view: KeyView, rules: Rules, found: KeyList) -> None:
    here, key = visit(), view.key
    made, card = dialog(_("Change {name}", name=key.name), wide=True)

    async def submit() -> None:
        async def work() -> None:
            await here.services.api_keys.update(here.actor, key.id, form.values())
            made.close()
            toast(_("Saved."))
            await found.refresh()

        await inline(work, problem)

    with card:
        admin = here.actor.is_admin or Scope.ADMIN in key.scopes
        form = _Form(rules, view, scopes=key.assistant_id is None, admin=admin)
        problem = box("full-width")
        cancel_or(made, _("Save"), submit)
    made.open()


def _renew(view: KeyView, found: KeyList) -> None:
    here = visit()
    made, card = dialog(_("Renew {name}", name=view.key.name))

    async def submit() -> None:
        async def work() -> None:
            grace = timedelta(hours=int(choice.value))
            issued = await here.services.api_keys.rotate(here.actor, view.key.id, grace)
            made.close()
            await found.refresh()
            show_secret(issued)

        await inline(work, problem)

    with card:
        paragraph(_("The key gets a new secret. Name, rights and end stay."))
        choice = ui.select({hours: _(text) for hours, text in GRACES.items()}, value=24)
        choice.props("outlined stack-label options-dense autofocus").props["label"] = _("The old secret stops working")
        problem = box("full-width")
        cancel_or(made, _("Renew"), submit)
    made.open()


def show_secret(issued: IssuedKey) -> None:
    """The secret, shown this once. Only the button closes it."""
    made, card = dialog(_("Copy the key now"), wide=True)
    made.props("persistent")

    with card:
        note(_("It is shown this once. Afterwards only its beginning and end are known."), "warn", icon_name="warning")
        shown = ui.input(_("API key"), value=issued.secret).props("outlined stack-label readonly").classes("full-width")
        shown.props["data-testid"] = "secret"
        paragraph(_("Send it as the header X-API-Key, or as Authorization: Bearer."), "muted small")
        with box("actions-row"):
            quiet_button(_("Copy"), lambda: copy(issued.secret), icon="content_copy")
            button(_("Done"), made.close).props("autofocus")
    made.open()
