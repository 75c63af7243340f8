"""Administration: signing in through the organisation's identity provider."""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.federation.entities import GROUP_CLAIM, IN_GROUP, SCOPES, Federation
from domain.federation.service import Addresses, FederationDraft
from domain.kernel.actor import Permission
from domain.kernel.errors import Failure
from domain.kernel.paging import MAX_LIMIT
from domain.users.entities import PredefinedRole
from pages.components.base import (
    box,
    button,
    chip,
    danger_button,
    empty_state,
    field,
    heading,
    icon,
    icon_button,
    note,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.region import Region
from pages.dialogs import confirm, inline
from pages.i18n import _
from pages.names import user_role_name
from pages.spaces import setting
from pages.visit import News, act, sentence, toast, visit

GONE = "…"
"""In place of the name of what was deleted since."""


async def sign_in() -> None:
    """Set up the provider, let it be examined, switch it on."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    service = here.services.federation

    async def draw() -> Callable[[], None]:
        found = await service.find(here.actor) if service.per_tenant else None
        given = await _what_groups_give() if service.per_tenant else {}

        def build() -> None:
            if not service.per_tenant:
                _not_ours(service.shared)
                return
            if found is not None:
                _state(found)
                if found.report:
                    _last_test(found, given)
            ProviderSettings(found, given).build()

        return build

    with box("page narrow"):
        page_head(_("Sign-in"), _("Let people sign in with your organisation's identity provider (OpenID Connect)."))
        region = Region(draw)
        await region.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("federation_changed", "resync"):
            await region.soon()

    here.listen(f"tenant:{here.actor.tenant_id}", changed)


async def _what_groups_give() -> dict[str, str]:
    """Roles and user groups by the key that the mapping has for them, with their names."""
    here = visit()
    roles = await here.services.roles.all(here.actor)
    groups = await here.services.user_groups.page(here.actor, limit=MAX_LIMIT)
    named = {IN_GROUP + str(view.group.id): _("User group: {name}", name=view.group.name) for view in groups.items}
    return {view.held.key: user_role_name(view.held) for view in roles} | named


def _not_ours(shared: str | None) -> None:
    with box("card"):
        if shared:
            text = _(
                "Everybody on this installation signs in through {address}. The operator decides this.", address=shared
            )
            empty_state("login", _("One identity provider for all"), text)
        else:
            text = _("The operator can allow it with FEDERATION_PER_TENANT_ENABLED. Until then people use passwords.")
            empty_state("login", _("Identity providers are switched off here"), text)


def _state(found: Federation) -> None:
    """What is on, and the switches."""
    here, service = visit(), visit().services.federation

    async def switch() -> None:
        await service.set_active(here.actor, not found.active)

    async def passwords(event: ValueChangeEventArguments[Any]) -> None:
        try:
            await service.set_passwords(here.actor, bool(event.value))
        except Failure:
            toggle.value = found.passwords
            raise

    async def remove() -> None:
        text = _("People can then sign in with passwords only, and are linked anew if you set it up again.")
        if await confirm(_("Remove the identity provider?"), text, _("Remove")):
            await service.delete(here.actor)

    headers = json.dumps({"X-CSRF-Token": here.csrf_token})
    test = (
        f"() => fetch('{here.site.prefix}/auth/oidc/test', {{method: 'POST', headers: {headers}}}).then(async answer => {{"
        "const body = await answer.json(); if (answer.ok) window.location.assign(body.url);"
        "else emitEvent('test_refused', body.message); })"
    )
    ui.on("test_refused", lambda event: toast(str(event.args), "negative"))
    with box("card"):
        with box("rowline"):
            icon("login")
            with box("grow"):
                ui.label(found.provider).classes("name")
                ui.label(found.issuer).classes("sub").style("overflow-wrap:anywhere")
            chip(_("On") if found.active else _("Off"), "ok" if found.active else "")
        with box("line wrap").style("padding:0 16px 14px"):
            quiet_button(_("Test sign-in")).on("click", js_handler=test)
            if found.active:
                quiet_button(_("Switch off"), act(switch))
            else:
                button(_("Switch on"), act(switch))
            danger_button(_("Remove"), act(remove))
        with setting(_("Passwords"), _("Whether people may also sign in with e-mail and password.")):
            toggle = ui.switch(_("Passwords are allowed"), value=found.passwords)
            toggle.on_value_change(act(passwords))


def _last_test(found: Federation, given: dict[str, str]) -> None:
    """What the last test sign-in showed."""
    report = found.report
    with box("card").style("padding:16px"), box("stack"):
        with box("line wrap"):
            heading(_("The last test sign-in")).classes("grow")
            chip(_("Passed") if report.get("ok") else _("Failed"), "ok" if report.get("ok") else "bad")
        _steps(report.get("steps", ()))
        if report.get("claims"):
            paragraph(_("Claims: {names}", names=", ".join(report["claims"])), "muted small")
        if report.get("groups"):
            paragraph(_("Groups: {names}", names=", ".join(report["groups"])), "muted small")
        if report.get("roles"):
            names = ", ".join(given.get(role, GONE) for role in report["roles"])
            paragraph(_("Roles that follow: {names}", names=names), "muted small")
        paragraph(_("Reference: {id}", id=report.get("reference", "")), "muted small")


def _steps(steps: Iterable[Sequence[Any]]) -> None:
    for message, params, passed in steps:
        with box("line").classes("passed" if passed else "refused"):
            icon("check_circle" if passed else "error_outline")
            ui.label(_(message, **params)).classes("grow").style("overflow-wrap:anywhere")


class ProviderSettings:
    """The form, with the sign-in doctor and the preview of roles."""

    def __init__(self, found: Federation | None, given: dict[str, str]) -> None:
        self.visit, self.found, self.given = visit(), found, given
        self.base = self.visit.origin
        self.mapping: list[dict[str, str]] = [dict(entry) for entry in found.group_roles] if found else []

    def build(self) -> None:
        """The whole form in the present place."""
        found = self.found
        with box("card").style("padding:18px"), box("stack"):
            heading(_("Identity provider"))
            self._addresses()
            self.provider = field(_("Name on the sign-in page"), found.provider if found else "")
            self.endpoint = field(
                _("Address of the provider or its discovery document"), found.discovery_endpoint if found else ""
            )
            self.client = field(_("Client id"), found.client_id if found else "")
            self.secret = field(_("Client secret"), password=True).props("autocomplete=new-password")
            if found:
                tail = found.secret_tail or ""
                paragraph(
                    _("Leave the secret empty to keep the one ending in {tail}.", tail=tail or "…"), "muted small"
                )
            self.domains = field(
                _("E-mail domains that may sign in (with commas; empty: all)"),
                ", ".join(found.allowed_domains) if found else "",
            )
            self.scopes = field(_("Scopes"), found.scopes if found else SCOPES)
            self.trust = ui.switch(
                _("Trust its e-mail addresses also where it does not say that they are verified"),
                value=bool(found and found.trust_email),
            )
            self._groups()
            self.problem = box("full-width")
            with box("line wrap"):
                button(_("Save"), self._save)
                quiet_button(_("Examine"), self._examine, icon="troubleshoot")
            self.outcome = box("full-width").props("role=status")

    def _addresses(self) -> None:
        try:
            shown = self.visit.services.federation.addresses(self.visit.actor, self.found, self.base)
        except Failure as failure:
            note(sentence(failure), "warn", icon_name="warning")
            return
        self._address_rows(shown)

    def _address_rows(self, shown: Addresses) -> None:
        paragraph(_("Enter these addresses at the provider:"), "small")
        for label, address in (
            (_("Redirect address"), shown.redirect_uri),
            (_("Address after signing out"), shown.after_sign_out),
            (_("Back-channel logout"), shown.back_channel),
        ):
            with box("line wrap"):
                ui.label(label).classes("muted small").style("width:170px")
                ui.label(address).classes("small grow").style("overflow-wrap:anywhere;font-family:var(--mono)")

    def _groups(self) -> None:
        heading(_("Roles and user groups from groups"), 3)
        paragraph(
            _(
                "People get these roles and user groups at each sign-in, in place of those given by hand. "
                "What no group is mapped to stays as it is."
            ),
            "muted small",
        )
        self.claim = field(_("Claim that names the groups"), self.found.group_claim if self.found else GROUP_CLAIM)
        self.rows = box("stack tight full-width")
        self._draw_rows()
        quiet_button(_("Add a group"), self._add_row, icon="add").style("align-self:flex-start")
        with box("line wrap"):
            self.tried = field(_("Try with groups (with commas)")).classes("grow")
            quiet_button(_("Preview"), self._preview)
        self.preview = box("full-width").props("role=status")

    def _draw_rows(self) -> None:
        self.rows.clear()
        with self.rows:
            for index, entry in enumerate(self.mapping):
                with box("line wrap"):
                    name = field(_("Group"), entry["group"]).classes("grow").style("min-width:160px")
                    name.on_value_change(functools.partial(self._set, index, "group"))
                    # What was deleted since is still shown, so that it can be taken out.
                    choices = {**({} if entry["role"] in self.given else {entry["role"]: GONE}), **self.given}
                    role = ui.select(choices, value=entry["role"], label=_("Role or user group"))
                    role.props("outlined stack-label options-dense").style("width:200px")
                    role.on_value_change(functools.partial(self._set, index, "role"))
                    icon_button("delete_outline", _("Remove the group"), functools.partial(self._drop, index))

    def _set(self, index: int, name: str, event: ValueChangeEventArguments[Any]) -> None:
        self.mapping[index][name] = str(event.value or "")

    def _add_row(self) -> None:
        self.mapping.append({"group": "", "role": str(PredefinedRole.USER)})
        self._draw_rows()

    def _drop(self, index: int) -> None:
        del self.mapping[index]
        self._draw_rows()

    async def _preview(self) -> None:
        async def work() -> None:
            groups = (self.tried.value or "").split(",")
            service = self.visit.services.federation
            roles, joined = await service.preview(self.visit.actor, self.mapping, groups)
            self.preview.clear()
            with self.preview:
                if roles:
                    paragraph(_("Roles that follow: {names}", names=", ".join(map(user_role_name, roles))))
                if joined:
                    paragraph(_("User groups that follow: {names}", names=", ".join(group.name for group in joined)))
                if not roles and not joined:
                    paragraph(_("Nothing follows from these groups."))

        await inline(work, self.problem)

    def _draft(self) -> FederationDraft:
        return FederationDraft(
            provider=self.provider.value or "",
            discovery_endpoint=self.endpoint.value or "",
            client_id=self.client.value or "",
            client_secret=self.secret.value or None,
            allowed_domains=(self.domains.value or "").split(","),
            canonical_public_origin=self.found.canonical_public_origin if self.found else None,
            redirect_path=self.found.redirect_path if self.found else None,
            scopes=self.scopes.value or "",
            trust_email=bool(self.trust.value),
            group_claim=self.claim.value or "",
            group_roles=self.mapping,
        )

    async def _save(self) -> None:
        async def work() -> None:
            await self.visit.services.federation.save(self.visit.actor, self._draft(), base=self.base)
            toast(_("Saved."))

        await inline(work, self.problem)

    async def _examine(self) -> None:
        """The sign-in doctor looks at what stands in the form, saved or not."""

        async def work() -> None:
            self.outcome.clear()
            with self.outcome:
                ui.label(_("Examining…"))
            report = await self.visit.services.federation.examine(self.visit.actor, self._draft(), base=self.base)
            self.outcome.clear()
            with self.outcome, box("note"), box("stack tight"):
                _steps(report.steps)
                if report.ok:
                    paragraph(_("No mistake was found. A test sign-in shows the rest."), "strong")

        if not await inline(work, self.problem):
            self.outcome.clear()
