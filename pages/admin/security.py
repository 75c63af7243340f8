"""Administration: suspicious sign-ins, and the web sites that may call the API."""

from collections.abc import Callable

from nicegui import ui

from domain.allowed_origins.entities import AllowedOrigin
from domain.identity.alerts import ALERT_NAMES, AlertView
from domain.identity.entities import AlertKind
from domain.kernel.actor import Permission
from domain.kernel.paging import Page
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    heading,
    icon,
    icon_button,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import ask_name, confirm
from pages.i18n import _, moment, ngettext
from pages.visit import News, act, visit


async def security() -> None:
    """Look at what was noticed; allow and forbid web sites."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(_words: str, cursor: str | None) -> Page[AlertView]:
        return await here.services.sign_in_alerts.page(here.actor, cursor=cursor, limit=20)

    async def changed(news: News) -> None:
        if news.kind in ("sign_in_alert", "resync"):
            await alerts.refresh()

    with box("page narrow"):
        page_head(_("Security"), _("What looks suspicious, and who may call the API from a browser."))
        heading(_("Suspicious sign-ins"))
        alerts: PagedList[AlertView] = PagedList(fetch, _alert, empty=lambda _words: _quiet())
        await alerts.refresh()
        heading(_("Web sites that may call the API"))
        text = _("Their pages may use the API with a token or a key. The session of a browser stays here.")
        paragraph(text, "muted")
        await Origins().region.refresh()
    here.listen(f"tenant:{here.actor.tenant_id}", changed)


def _quiet() -> None:
    empty_state("verified_user", _("Nothing suspicious."), _("Wrong passwords in a row and new places show up here."))


def _alert(view: AlertView) -> None:
    """One alert; those that nobody has looked at can be ticked off."""
    here, alert = visit(), view.alert

    async def seen() -> None:
        await here.services.sign_in_alerts.seen(here.actor, alert.id)

    who = [view.user.email] if view.user else []
    where = [alert.ip] if alert.ip else []
    times = [ngettext("{n} time", "{n} times", alert.times)] if alert.times > 1 else []
    with box("rowline").props("role=listitem"):
        icon("gpp_maybe")
        with box("grow"):
            ui.label(_(ALERT_NAMES[AlertKind(alert.kind)])).classes("name")
            parts = [*who, *where, moment(alert.last_at), *times]
            ui.label(" · ".join(parts)).classes("sub")
            if alert.user_agent:
                ui.label(alert.user_agent).classes("sub").style("overflow-wrap:anywhere")
        if alert.seen_at:
            chip(_("Looked at"), "ok")
        else:
            quiet_button(_("I have looked at it"), act(seen))


class Origins:
    """The list of allowed web sites."""

    def __init__(self) -> None:
        self.visit = visit()
        self.region = Region(self._draw)

    async def _draw(self) -> Callable[[], None]:
        found = await self.visit.services.allowed_origins.all(self.visit.actor)

        def build() -> None:
            with box("card"), box("full-width").props("role=list"):
                for origin in found:
                    self._row(origin)
            if not found:
                empty_state("public_off", _("No web sites."), _("Programs outside browsers need no entry here."))
            button(_("Allow a web site"), act(self._allow), icon="add").style("align-self:flex-start")

        return build

    async def _allow(self) -> None:
        async def save(url: str) -> None:
            await self.visit.services.allowed_origins.add(self.visit.actor, url)
            await self.region.refresh()

        await ask_name(_("Allow a web site"), _("Address, for instance https://www.example.se"), "", _("Allow"), save)

    def _row(self, origin: AllowedOrigin) -> None:
        async def forbid() -> None:
            text = _("Pages of {address} can no longer call the API.", address=origin.url)
            if await confirm(_("Remove the web site?"), text, _("Remove")):
                await self.visit.services.allowed_origins.delete(self.visit.actor, origin.id)
                await self.region.refresh()

        with box("rowline").props("role=listitem"):
            icon("public")
            ui.label(origin.url).classes("name grow")
            icon_button("close", _("Remove {name}", name=origin.url), act(forbid))
