"""The dialog in which a website is added or its settings changed, with a look at it first."""

from typing import Any
from uuid import UUID

from nicegui import ui

from domain.kernel.errors import N_
from domain.websites.entities import REASONS, CrawlType, Interval, Website
from domain.websites.preview import Preview, PreviewPage
from pages.components.base import box, button, chip, field, heading, note, paragraph, quiet_button
from pages.dialogs import dialog, inline
from pages.i18n import _, ngettext
from pages.visit import toast, visit

INTERVALS: dict[str, str] = {
    Interval.NEVER: N_("Only when asked"),
    Interval.DAILY: N_("Every day"),
    Interval.EVERY_OTHER_DAY: N_("Every other day"),
    Interval.WEEKLY: N_("Every week"),
}
TYPES: dict[str, str] = {
    CrawlType.CRAWL: N_("Follow the links from this address"),
    CrawlType.SITEMAP: N_("Read the site's own list of pages (sitemap)"),
}
LINKS_SHOWN = 8


class WebsiteForm:
    """Asks for everything a website is; `site` is None for a new one."""

    def __init__(self, space_id: UUID, site: Website | None = None) -> None:
        self.visit, self.space_id, self.site = visit(), space_id, site

    async def open(self) -> None:
        """Show the dialog."""
        site = self.site
        self.made, card = dialog(_("Settings of the website") if site else _("Add website"), wide=True)
        with card:
            self.url = field(_("Address"), site.url if site else "").props("autofocus inputmode=url")
            self.name = field(_("Name (optional)"), (site.name if site else "") or "")
            names = {key: _(text) for key, text in TYPES.items()}
            self.type = ui.select(
                names, value=site.crawl_type if site else CrawlType.CRAWL, label=_("How pages are found")
            )
            self.type.props("outlined stack-label options-dense")
            with box("line wrap"):
                names = {key: _(text) for key, text in INTERVALS.items()}
                self.interval = ui.select(
                    names, value=site.update_interval if site else Interval.NEVER, label=_("Read anew")
                )
                self.interval.props("outlined stack-label options-dense").style("flex:1;min-width:180px")
                self.time = field(_("Time of day"), site.update_time if site else "03:00").props("type=time")
                self.time.bind_visibility_from(self.interval, "value", lambda v: v != Interval.NEVER)
            self.files = ui.switch(_("Read linked files too (PDF, Word …)"), value=bool(site and site.download_files))
            self.scripts = ui.switch(
                _("Run the scripts of the pages (slower; for pages that are empty without)"),
                value=bool(site and site.run_scripts),
            )
            self.scripts.set_visibility(self.visit.services.websites.runs_scripts or bool(site and site.run_scripts))
            with ui.expansion(_("More settings")).classes("full-width"):
                self._more()
            self.problem = box("full-width")
            self.seen = box("full-width stack").props("role=status")
            with box("actions-row"):
                quiet_button(_("Cancel"), self.made.close)
                quiet_button(_("Preview"), self._preview, icon="visibility")
                button(_("Save") if site else _("Add"), self._save)
        self.made.open()

    def _more(self) -> None:
        site = self.site
        hint = _("One pattern a line, as in robots.txt: /news/ or *.pdf$")
        with box("stack"):
            self.include = self._lines(_("Only pages that fit"), site.include if site else [], hint)
            self.exclude = self._lines(_("No pages that fit"), site.exclude if site else [], hint)
            with box("line wrap"):
                self.depth = self._number(_("Links from the start at most"), site.max_depth if site else 10, 0, 50)
                self.pages = self._number(_("Pages at most"), site.max_pages if site else 1_000, 1, 20_000)
                self.delay = self._number(_("Seconds between requests"), site.delay if site else 0.2, 0, 60, step=0.1)
            self.login = ui.switch(
                _("The site asks for user name and password"), value=bool(site and site.http_auth_secret)
            )
            with box("line wrap") as entered:
                self.username = field(_("User name"), (site.http_auth_username if site else "") or "")
                self.username.props("autocomplete=off")
                self.password = field(_("Password"), "").props("type=password autocomplete=new-password")
                if site and site.http_auth_secret:
                    self.password.props["placeholder"] = _("Unchanged")
            entered.bind_visibility_from(self.login, "value")

    @staticmethod
    def _lines(label: str, values: list[str], hint: str) -> ui.textarea:
        made = ui.textarea(label, value="\n".join(values)).props("outlined stack-label autogrow")
        made.props["hint"] = hint
        return made

    @staticmethod
    def _number(label: str, value: float, low: float, high: float, step: float = 1) -> ui.number:
        made = ui.number(label, value=value, min=low, max=high, step=step).props("outlined stack-label")
        return made.style("flex:1;min-width:150px")

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            "url": self.url.value or "",
            "name": self.name.value or None,
            "crawl_type": self.type.value,
            "update_interval": self.interval.value,
            "update_time": self.time.value or "03:00",
            "download_files": self.files.value,
            "run_scripts": self.scripts.value,
            "include": (self.include.value or "").splitlines(),
            "exclude": (self.exclude.value or "").splitlines(),
            "max_depth": int(self.depth.value or 0),
            "max_pages": int(self.pages.value or 0),
            "delay": float(self.delay.value or 0),
        }
        site = self.site
        unchanged = site and site.http_auth_secret and not self.password.value
        if not self.login.value:
            values |= {"http_auth_username": None, "http_auth_password": None}
        elif not unchanged or site is None or self.username.value != site.http_auth_username:
            values |= {"http_auth_username": self.username.value, "http_auth_password": self.password.value}
        return values

    async def _preview(self) -> None:
        async def work() -> None:
            self.seen.clear()
            with self.seen:
                paragraph(_("Looking at the website…"), "muted")
            found = await self.visit.services.website_preview.look(self.visit.actor, self.space_id, self._values())
            self.seen.clear()
            with self.seen:
                _shown(found)

        if not await inline(work, self.problem):
            self.seen.clear()

    async def _save(self) -> None:
        async def work() -> None:
            websites, actor = self.visit.services.websites, self.visit.actor
            if self.site is None:
                made = await websites.create(actor, self.space_id, self._values())
                self.made.close()
                ui.navigate.to(f"/websites/{made.website.id}")
            else:
                await websites.update(actor, self.site.id, self._values())
                self.made.close()
                toast(_("Saved."))
                await self.visit.client.sub_pages_router.refresh()

        await inline(work, self.problem)


def _shown(found: Preview) -> None:
    heading(_("This is what would be read"), 3)
    for page in found.pages:
        _page(page)
    if found.follows:
        paragraph(ngettext("{n} further page so far:", "{n} further pages so far:", len(found.follows)), "small strong")
        for url in found.follows[:LINKS_SHOWN]:
            ui.label(url).classes("small muted").style("overflow-wrap:anywhere")
    for url, reason in found.leaves[:LINKS_SHOWN]:
        ui.label(f"{url}: {_(REASONS[reason], detail='')}").classes("small muted").style("overflow-wrap:anywhere")


def _page(page: PreviewPage) -> None:
    with box("card pad stack tight"):
        with box("line wrap"):
            ui.label(page.title or page.url).classes("strong grow").style("overflow-wrap:anywhere")
            if page.characters:
                chip(ngettext("{n} character", "{n} characters", page.characters))
        if page.reason:
            note(_(REASONS[page.reason], detail=_(page.detail)), "warn")
        if page.text:
            ui.label(page.text).classes("small").style(
                "white-space:pre-wrap;max-height:120px;overflow-y:auto;overflow-wrap:anywhere"
            ).props("tabindex=0")
