"""The operator's page: organisations, their room and their end. It knows no user: the operator's key opens it.

The proof that the key was shown is kept in the visit alone, on the server, and goes with the tab.
"""

import asyncio
import copy
import time
from dataclasses import dataclass
from uuid import UUID

from nicegui import ui
from nicegui.context import context
from starlette.requests import Request

from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, NotFound, Unauthenticated
from domain.kernel.paging import Page
from domain.tenants.administration import NewTenant, TenantView
from domain.tenants.deletion import DeletionCertificate, Preview
from domain.tenants.entities import Tenant, TenantQuery, TenantState
from domain.tenants.operator import OPERATOR, Operator
from domain.users.entities import LANGUAGES as SPOKEN
from pages.admin.users import show_link
from pages.components.base import (
    box,
    button,
    chip,
    danger_button,
    empty_state,
    field,
    heading,
    icon_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.pager import PagedList
from pages.dialogs import confirm, dialog, inline
from pages.i18n import LANGUAGES, _, moment, ngettext, number, size
from pages.shell import QUASAR, brand, paint
from pages.visit import Site, Visit, act, enter_visit, guarded, visit

PATH = "/sysadmin"
IDLE_SECONDS = 1800
LOOK_AGAIN_SECONDS = 1.0
GIGABYTE = 10**9
STATES = {
    TenantState.ACTIVE: ("ok", N_("Active")),
    TenantState.SUSPENDED: ("warn", N_("Suspended")),
    TenantState.DELETING: ("bad", N_("Being deleted")),
}
COUNTED = {
    "people": N_("People"),
    "spaces": N_("Spaces"),
    "documents": N_("Documents"),
    "conversations": N_("Conversations"),
    "files": N_("Files"),
}
NOBODY = Actor(tenant_id=UUID(int=0), user_id=OPERATOR, kind="system")


@dataclass(eq=False)
class OperatorVisit(Visit):
    """A tab of the operator, once the key was shown; after half an hour of quiet it is asked for again."""

    proof: Operator | None = None
    touched: float = 0.0
    way_out: str = PATH

    @property
    def operator(self) -> Operator:
        """The proof that the key was shown; raises `Unauthenticated`."""
        if self.proof is None or time.monotonic() - self.touched > IDLE_SECONDS:
            self.proof = None
            raise Unauthenticated
        self.touched = time.monotonic()
        return self.proof

    async def authenticate(self) -> Actor:
        """Nobody in particular, as long as the proof holds."""
        _proof = self.operator
        return NOBODY

    def enter(self, proof: Operator) -> None:
        """The key was shown."""
        self.proof, self.touched = proof, time.monotonic()


def here() -> OperatorVisit:
    """The visit of the present tab."""
    found = visit()
    assert isinstance(found, OperatorVisit)
    return found


async def sysadmin(site: Site, request: Request, language: str) -> None:
    """Ask for the key, then show the organisations."""
    client = context.client
    enter_visit(OperatorVisit(site, client, request, NOBODY, language if language in LANGUAGES else "sv"))
    page = client.page = copy.copy(client.page)
    page.language, page.dark = QUASAR[here().language], None  # type: ignore[assignment]
    ui.page_title(f"{_('Operation')} – Samråd")
    paint()
    ui.dark_mode(None)
    with ui.header():
        brand()
    with ui.element("main").classes("full-width"):
        place = box("page narrow")
    with place:
        _ask(place)


def _ask(place: ui.element) -> None:
    """The key, and nothing else."""

    async def enter() -> None:
        async def work() -> None:
            found = here()
            assert found.site.enter is not None
            found.enter(await found.site.enter(str(entry.value or ""), found.request))

        if await inline(work, problem, known=False):
            place.clear()
            with place:
                await Organisations().build()

    page_head(_("Operation of Samråd"), _("This page is for those who operate the installation."))
    with box("card pad stack"):
        entry = field(_("The operator's key")).props("type=password autocomplete=off autofocus")
        entry.on("keydown.enter", guarded(enter))
        problem = box("full-width")
        with box("actions-row"):
            button(_("Open"), guarded(enter))


class Organisations:
    """The lists of organisations and of certificates."""

    async def build(self) -> None:
        """Draw both."""
        with page_head(_("Organisations"), _("Everything you do here stands in the audit log of the organisation.")):
            button(_("New organisation"), act(self._create), icon="domain_add")
        self.tenants: PagedList[TenantView] = PagedList(
            self._fetch, self._row, empty=lambda _words: self._none(), search=_("Search organisations")
        )
        await self.tenants.refresh()
        heading(_("Certificates of deletion"))
        self.papers: PagedList[DeletionCertificate] = PagedList(
            self._fetch_papers, self._paper, empty=lambda _words: self._no_papers()
        )
        await self.papers.refresh()

    async def refresh(self) -> None:
        """Draw both anew."""
        await self.tenants.refresh()
        await self.papers.refresh()

    async def _until_gone(self, tenant_id: UUID) -> None:
        """Draw anew when the deletion is done."""
        try:
            while True:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                await here().services.tenants.get(here().operator, tenant_id)
        except NotFound:
            await self.refresh()

    @staticmethod
    async def _fetch(words: str, cursor: str | None) -> Page[TenantView]:
        found = here()
        return await found.services.tenants.page(found.operator, TenantQuery(words), limit=20, cursor=cursor)

    @staticmethod
    async def _fetch_papers(_words: str, cursor: str | None) -> Page[DeletionCertificate]:
        found = here()
        return await found.services.deletion.certificates(found.operator, limit=10, cursor=cursor)

    @staticmethod
    def _none() -> None:
        empty_state("domain", _("No organisations."), _("Make one, and invite its owner."))

    @staticmethod
    def _no_papers() -> None:
        empty_state("verified", _("Nothing was deleted."), _("What is deleted leaves a signed certificate here."))

    def _row(self, view: TenantView) -> None:
        tenant, use = view.tenant, view.use
        tone, state = STATES[TenantState(tenant.state)]
        used = _("{used} of {limit} used", used=size(use.bytes), limit=size(tenant.quota_limit))
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(tenant.name).classes("name")
                people = ngettext("{n} person", "{n} people", use.people)
                ui.label(" · ".join((tenant.slug, people, used))).classes("sub")
            chip(_(state), tone)  # type: ignore[arg-type]
            if tenant.state != TenantState.DELETING:
                self._options(tenant)

    def _options(self, tenant: Tenant) -> None:
        services = here().services

        async def suspend() -> None:
            text = _("All pages and programs of {name} stop at once; nothing is lost.", name=tenant.name)
            if await confirm(_("Suspend the organisation?"), text, _("Suspend")):
                await services.tenants.suspend(here().operator, tenant.id)
                await self.tenants.refresh()

        async def reactivate() -> None:
            await services.tenants.reactivate(here().operator, tenant.id)
            await self.tenants.refresh()

        async def quota() -> None:
            self._ask_quota(tenant)

        async def delete() -> None:
            self._ask_deletion(await services.deletion.preview(here().operator, tenant.id))

        with icon_button("more_horiz", _("Options for {name}", name=tenant.name)), ui.menu().props("auto-close"):
            if tenant.state == TenantState.ACTIVE:
                ui.menu_item(_("Suspend"), on_click=act(suspend))
            else:
                ui.menu_item(_("Reactivate"), on_click=act(reactivate))
            ui.menu_item(_("Change the room"), on_click=act(quota))
            ui.menu_item(_("Delete for good"), on_click=act(delete)).classes("danger")

    async def _create(self) -> None:
        """Ask for name, language and owner; the answer is the owner's link."""
        made, card = dialog(_("New organisation"))

        async def submit() -> None:
            async def work() -> None:
                owner = str(email.value or "").strip() or None
                new = NewTenant(str(name.value or ""), language=str(spoken.value), owner_email=owner)
                founded = await here().services.tenants.create(here().operator, new)
                made.close()
                await self.tenants.refresh()
                if founded.link is not None and owner is not None:
                    show_link(founded.link, owner)

            await inline(work, problem)

        with card:
            name = field(_("Name")).props("autofocus")
            email = field(_("The owner's e-mail address"))
            spoken = ui.select({code: LANGUAGES[code] for code in SPOKEN}, value="sv", label=_("Language"))
            spoken.props("outlined dense").classes("full-width")
            paragraph(_("The owner chooses a password by a link that works once."), "muted small")
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close)
                button(_("Create"), submit)
        made.open()

    def _ask_quota(self, tenant: Tenant) -> None:
        made, card = dialog(_("Room of {name}", name=tenant.name))

        async def submit() -> None:
            async def work() -> None:
                if entry.value is None:
                    raise Invalid(N_("Give a number."), field="quota_limit")
                wanted = {"quota_limit": round(float(entry.value) * GIGABYTE)}
                await here().services.tenants.update(here().operator, tenant.id, wanted)
                made.close()
                await self.tenants.refresh()

            await inline(work, problem)

        with card:
            entry = ui.number(_("Gigabytes"), value=round(tenant.quota_limit / GIGABYTE, 1), min=0)
            entry.props("outlined dense autofocus").classes("full-width")
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close)
                button(_("Save"), submit)
        made.open()

    def _ask_deletion(self, preview: Preview) -> None:
        """What would go; the name must be typed."""
        tenant = preview.tenant
        made, card = dialog(_("Delete {name} for good?", name=tenant.name))

        async def submit() -> None:
            async def work() -> None:
                if str(typed.value or "").strip() != tenant.name:
                    raise Invalid(N_("Type the name of the organisation exactly."), field="name")
                await here().services.deletion.begin(here().operator, tenant.id)
                made.close()
                await self.refresh()
                here().spawn(self._until_gone(tenant.id), "watching a deletion")

            await inline(work, problem)

        with card:
            paragraph(_("All access ends at once. There is no way back."))
            with ui.element("ul").classes("plain"):
                for word, label in COUNTED.items():
                    with ui.element("li"):
                        ui.label(f"{_(label)}: {number(preview.counts[word])}")
                with ui.element("li"):
                    ui.label(f"{_('Stored')}: {size(preview.counts['bytes'])}")
            typed = field(_("Type “{name}” to confirm", name=tenant.name))
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close).props("autofocus")
                danger_button(_("Delete for good"), submit)
        made.open()

    @staticmethod
    def _paper(found: DeletionCertificate) -> None:
        valid = here().services.deletion.signer.holds(found)
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(found.name).classes("name")
                rows = ngettext("{n} row deleted", "{n} rows deleted", sum(found.counts.values()))
                ui.label(" · ".join((moment(found.ended_at or found.begun_at), rows))).classes("sub")
            if found.ended_at is None:
                chip(_("Being deleted"), "warn")
            else:
                chip(_("Signature holds") if valid else _("Signature does not hold"), "ok" if valid else "bad")
