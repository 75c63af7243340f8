"""The operator's page: organisations of the installation. It stands outside of all organisations and asks for a key.

The key is not kept: what remains of it is the operator in the memory of this one open page, for an hour at most.
"""

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.context import context
from starlette.requests import Request

from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure, Invalid, Unauthenticated
from domain.kernel.paging import Page
from domain.tenants.administration import NewTenant, TenantView
from domain.tenants.deletion import DeletionCertificate
from domain.tenants.entities import DEFAULT_QUOTA, Tenant, TenantQuery, TenantState
from domain.tenants.operator import Operator
from pages.admin.users import show_link
from pages.components.base import (
    Tone,
    box,
    button,
    chip,
    danger_button,
    empty_state,
    field,
    heading,
    icon_button,
    note,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.pager import PagedList
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import LANGUAGES, _, moment, ngettext, number, size
from pages.operator_status import Operations
from pages.public import language_of
from pages.shell import QUASAR, announce_page
from pages.visit import Site, Visit, act, enter, sentence, visit

PATH = "/sysadmin"
OPEN_SECONDS = 3600.0
GIGABYTE = 1024**3
FOLLOW_SECONDS = 2.0
STATES: Mapping[str, tuple[str, Tone]] = {
    TenantState.ACTIVE: (N_("active"), "ok"),
    TenantState.SUSPENDED: (N_("suspended"), "warn"),
    TenantState.DELETING: (N_("being deleted"), "bad"),
}
COUNTED = {
    "people": N_("People"),
    "spaces": N_("Spaces"),
    "documents": N_("Documents"),
    "conversations": N_("Conversations"),
    "files": N_("Files"),
}


Admit = Callable[[str, Request], Awaitable[Operator]]
"""Checks a key that was typed; holds back who guesses."""


@dataclass(eq=False)
class OperatorVisit(Visit):
    """The operator's open page. Without the key, and when its time is over, it can do nothing."""

    _operator: Operator | None = None
    _module_operator: Operator | None = None
    _until: float = 0.0
    admit_modules: Admit | None = None

    @property
    def operator(self) -> Operator:
        """Who has shown the key; raises `Unauthenticated`."""
        if self._operator is None or monotonic() > self._until:
            self._operator = self._module_operator = None
            raise Unauthenticated
        return self._operator

    @property
    def module_operator(self) -> Operator | None:
        """Who has shown the second key too, which alone gives modules."""
        return self._module_operator if self.operator else None

    def let_in_to_modules(self, operator: Operator) -> None:
        """The second key was right."""
        self._module_operator = operator

    def let_in(self, operator: Operator) -> None:
        """The key was right."""
        self._operator, self._until = operator, monotonic() + OPEN_SECONDS

    async def authenticate(self) -> Actor:
        """Whether the operator is still here; what is done is done by `operator`."""
        return self.operator.within(UUID(int=0))

    def close(self) -> None:
        """The tab is gone, and the operator with it."""
        self._operator = self._module_operator = None
        super().close()


def here() -> OperatorVisit:
    """The visit of this page."""
    found = visit()
    assert isinstance(found, OperatorVisit)
    return found


def register(site: Site, admit: Admit, admit_modules: Admit | None) -> None:
    """Put the page at its address. Each key has its own check; without the second one nobody gives modules here."""

    async def page(request: Request) -> None:
        nobody = Operator().within(UUID(int=0))
        made = OperatorVisit(site, context.client, request, nobody, language_of(request), door=PATH)
        made.admit_modules = admit_modules
        enter(made)
        shown = made.client.page = copy.copy(made.client.page)
        shown.language = QUASAR[made.language]  # type: ignore[assignment]
        ui.colors(primary="#3b4fd8", positive="#11734a", negative="#b3261e", warning="#8a5200")
        ui.dark_mode(None)
        with ui.header(), box("brand"):
            ui.element("img").props(f'src="{site.prefix}/static/favicon.svg" alt=""')
            ui.label("Samråd")
            chip(_("Operator"))
        with box("full-width") as main:
            ask(main, admit)

    ui.page(PATH)(page)


def ask(main: ui.element, admit: Admit) -> None:
    """Ask for the key."""

    async def submit() -> None:
        try:
            here().let_in(await admit(str(entry.value or ""), here().request))
        except Failure as failure:
            entry.set_value("")
            problem.clear()
            with problem:
                note(sentence(failure), "bad", icon_name="error_outline")
            return
        main.clear()
        with main:
            await Organisations().show()
            await Operations(here().services, lambda: here().operator).show()
        announce_page(focus=True)

    with box("page narrow"):
        page_head(_("The operator's page"), _("Organisations of this installation."))
        with box("card stack").style("padding:20px"):
            paragraph(
                _("The key is SUPER_API_KEY of the installation. It is not stored; a new page asks again."), "muted"
            )
            entry = field(_("The operator's key")).props("type=password autocomplete=off autofocus")
            entry.on("keydown.enter", submit)
            problem = box("full-width")
            with box("actions-row"):
                button(_("Continue"), submit)
    announce_page(focus=False)


class Organisations:
    """The list of organisations and, below it, what was deleted."""

    def __init__(self) -> None:
        self._services = here().services
        self._deleting = False

    async def show(self) -> None:
        """Draw both lists."""
        with box("page"):
            with page_head(_("Organisations"), _("Who uses this installation, and how much.")):
                button(_("New organisation"), act(self._new), icon="domain_add")
            self._list: PagedList[TenantView] = PagedList(
                self._fetch, self._row, empty=_no_organisation, search=_("Search organisations")
            )
            await self._list.refresh()
            heading(_("Deletions"))
            self._gone: PagedList[DeletionCertificate] = PagedList(
                self._certificates, self._certificate, empty=lambda _words: _nothing_deleted()
            )
            await self._gone.refresh()
        ui.timer(FOLLOW_SECONDS, act(self._follow))

    async def _follow(self) -> None:
        """Deletions go on by themselves: look again while there are any."""
        if self._deleting:
            await self._refresh()

    async def _refresh(self) -> None:
        self._deleting = False
        await self._list.refresh()
        await self._gone.refresh()

    async def _fetch(self, words: str, cursor: str | None) -> Page[TenantView]:
        return await self._services.tenants.page(here().operator, TenantQuery(words), cursor=cursor, limit=20)

    def _row(self, view: TenantView) -> None:
        tenant = view.tenant
        going = tenant.state == TenantState.DELETING
        self._deleting = self._deleting or going
        stored = _("{used} of {limit}", used=size(view.use.bytes), limit=size(tenant.quota_limit))
        people = ngettext("{n} person", "{n} people", view.use.people)
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(tenant.title).classes("name")
                ui.label(f"{tenant.slug} · {people} · {stored}").classes("sub")
            word, tone = STATES[tenant.state]
            chip(_(word), tone)
            if not going:
                self._menu(tenant)

    def _menu(self, tenant: Tenant) -> None:
        async def settings() -> None:
            self._settings(tenant)

        async def suspend() -> None:
            text = _("Its people are signed out at once and cannot work until it is reactivated. Nothing is deleted.")
            if await confirm(_("Suspend {name}?", name=tenant.title), text, _("Suspend")):
                await self._services.tenants.suspend(here().operator, tenant.id)
                await self._refresh()

        async def reactivate() -> None:
            await self._services.tenants.reactivate(here().operator, tenant.id)
            await self._refresh()

        async def modules() -> None:
            await self._modules(tenant)

        async def delete() -> None:
            await self._delete(tenant)

        with icon_button("more_horiz", _("Options for {name}", name=tenant.title)), ui.menu().props("auto-close"):
            ui.menu_item(_("Settings"), on_click=act(settings))
            if here().admit_modules is not None:
                ui.menu_item(_("Modules"), on_click=act(modules))
            if tenant.state == TenantState.ACTIVE:
                ui.menu_item(_("Suspend"), on_click=act(suspend))
            else:
                ui.menu_item(_("Reactivate"), on_click=act(reactivate))
            ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")

    async def _new(self) -> None:
        """Ask for name, language and owner; the answer is the owner's one-time link."""
        made, card = dialog(_("New organisation"), wide=True)

        async def submit() -> None:
            async def work() -> None:
                email = str(owner.value or "").strip()
                new = NewTenant(
                    str(name.value or ""), language.value, quota_limit=_bytes(quota), owner_email=email or None
                )
                founded = await self._services.tenants.create(here().operator, new)
                made.close()
                if founded.link is not None:
                    show_link(founded.link, email)
                await self._refresh()

            await inline(work, problem)

        with card:
            name = field(_("Name")).props("autofocus")
            language = ui.select(dict(LANGUAGES), value=here().language, label=_("Language"))
            language.props("outlined stack-label").classes("full-width")
            owner = field(_("E-mail of the owner")).props("type=email")
            paragraph(_("The owner gets a link that works once, and invites the others."), "muted small")
            quota = _quota_field(DEFAULT_QUOTA)
            problem = box("full-width")
            cancel_or(made, _("Create"), submit)
        made.open()

    def _settings(self, tenant: Tenant) -> None:
        made, card = dialog(_("Settings of {name}", name=tenant.title), wide=True)

        async def submit() -> None:
            async def work() -> None:
                changes: dict[str, Any] = {
                    "display_name": name.value,
                    "domain": domain.value,
                    "quota_limit": _bytes(quota),
                }
                await self._services.tenants.update(here().operator, tenant.id, changes)
                made.close()
                await self._refresh()

            await inline(work, problem)

        with card:
            name = field(_("Displayed name"), tenant.display_name or "").props("autofocus")
            domain = field(_("E-mail domain"), tenant.domain or "")
            quota = _quota_field(tenant.quota_limit)
            problem = box("full-width")
            cancel_or(made, _("Save"), submit)
        made.open()

    async def _modules(self, tenant: Tenant) -> None:
        """Switch modules, once the second key was shown."""
        made, card = dialog(_("Modules of {name}", name=tenant.title), wide=True)

        async def unlock() -> None:
            async def work() -> None:
                admit = here().admit_modules
                if admit is None:
                    raise Unauthenticated
                try:
                    here().let_in_to_modules(await admit(str(entry.value or ""), here().request))
                except Unauthenticated as failure:
                    # Only this key was wrong: the page goes on.
                    raise Invalid(failure.message) from None
                finally:
                    entry.set_value("")
                body.clear()
                with body:
                    await self._switches(tenant, made)

            await inline(work, problem)

        with card, box("stack full-width") as body:
            if here().module_operator is not None:
                await self._switches(tenant, made)
            else:
                paragraph(_("Modules have a key of their own, SUPER_DUPER_API_KEY."), "muted")
                entry = field(_("The key of modules")).props("type=password autocomplete=off autofocus")
                problem = box("full-width")
                cancel_or(made, _("Continue"), unlock)
        made.open()

    async def _switches(self, tenant: Tenant, made: ui.dialog) -> None:
        operator = here().module_operator
        if operator is None:
            raise Unauthenticated
        known = await self._services.modules.all(operator)
        held = set(await self._services.modules.held(operator, tenant.id))

        async def save() -> None:
            async def work() -> None:
                chosen = [module.id for module in known if boxes[module.id].value]
                await self._services.modules.give(operator, tenant.id, chosen)
                made.close()

            await inline(work, problem)

        boxes = {module.id: ui.checkbox(module.name, value=module.id in held) for module in known}
        if not known:
            paragraph(_("The installation has no modules."), "muted")
        problem = box("full-width")
        cancel_or(made, _("Save"), save)

    async def _delete(self, tenant: Tenant) -> None:
        """Show what goes, and want the name typed."""
        preview = await self._services.deletion.preview(here().operator, tenant.id)
        made, card = dialog(_("Delete {name}?", name=tenant.title), wide=True)

        async def submit() -> None:
            async def work() -> None:
                if str(typed.value or "").strip() != tenant.name:
                    raise Invalid(N_("This is not the name."), field="name")
                await self._services.deletion.begin(here().operator, tenant.id)
                made.close()
                await self._refresh()

            await inline(work, problem)

        with card:
            paragraph(_("All access ends at once, and everything is gone for good. A signed certificate stays."))
            with box("full-width").props("role=list"):
                for word, label in COUNTED.items():
                    with box("rowline").props("role=listitem"):
                        ui.label(_(label)).classes("grow")
                        ui.label(number(preview.counts[word]))
                with box("rowline").props("role=listitem"):
                    ui.label(_("Stored")).classes("grow")
                    ui.label(size(preview.counts["bytes"]))
            typed = field(_("Type “{name}” to confirm", name=tenant.name)).props("autocomplete=off")
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close).props("autofocus")
                danger_button(_("Delete for good"), submit)
        made.open()

    async def _certificates(self, _words: str, cursor: str | None) -> Page[DeletionCertificate]:
        return await self._services.deletion.certificates(here().operator, cursor=cursor, limit=20)

    def _certificate(self, found: DeletionCertificate) -> None:
        rows = ngettext("{n} row", "{n} rows", sum(found.counts.values()))
        begun, ended = moment(found.begun_at), moment(found.ended_at)
        times = (
            _("begun {begun}, ended {ended}", begun=begun, ended=ended) if ended else _("begun {begun}", begun=begun)
        )
        self._deleting = self._deleting or not ended
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(found.name).classes("name")
                ui.label(f"{found.tenant_id} · {rows} · {times}").classes("sub")
            if not ended:
                chip(_("being deleted"), "warn")
            elif self._services.deletion.signer.holds(found):
                chip(_("signature holds"), "ok")
            else:
                chip(_("signature does not hold"), "bad")


def _quota_field(limit: int) -> ui.number:
    shown = ui.number(_("Storage in GB"), value=round(limit / GIGABYTE, 2), min=0)
    shown.props("outlined stack-label hide-bottom-space").classes("full-width")
    return shown


def _bytes(quota: ui.number) -> int:
    if quota.value is None:
        raise Invalid(N_("Give a number of gigabytes."), field="quota_limit")
    return int(quota.value * GIGABYTE)


def _no_organisation(words: str) -> None:
    text = _("Try other words.") if words else _("Create the first one, and its owner gets a link.")
    empty_state("domain", _("No organisation found."), text)


def _nothing_deleted() -> None:
    empty_state(
        "verified", _("Nothing was deleted."), _("Each deletion of an organisation leaves a signed certificate here.")
    )
