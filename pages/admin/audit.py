"""Administration: the audit log. First the reason, then the entries; exports and settings."""

import functools
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.audit.catalogue import CATALOGUE, CATEGORY_NAMES, Category, kind_of, recorded
from domain.audit.entities import AuditEntry, AuditTrail
from domain.audit.export import metadata
from domain.audit.repository import AuditFilter
from domain.audit.service import MIN_SEARCH, ExportView
from domain.jobs.entities import JobState
from domain.kernel.actor import Permission
from domain.kernel.errors import N_, Invalid
from domain.kernel.paging import Page
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    heading,
    icon,
    note,
    page_head,
    paragraph,
    quiet_button,
    text_element,
)
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, current_zone, moment, size
from pages.spaces import setting
from pages.visit import News, act, guarded, toast, visit

REASONS = {
    "supervision": N_("Supervision or audit"),
    "incident": N_("Security incident"),
    "support": N_("Support to somebody"),
    "request": N_("Request from the person concerned"),
    "other": N_("Something else"),
}
OUTCOMES = {"success": N_("Done"), "failure": N_("Refused or failed")}
EXPORT_STATES = {
    JobState.QUEUED: N_("Waiting"),
    JobState.RUNNING: N_("Running"),
    JobState.DONE: N_("Done"),
    JobState.FAILED: N_("Failed"),
    JobState.DEAD: N_("Failed"),
    JobState.CANCELLED: N_("Cancelled"),
}
PAGE = 50


def action_name(action: str) -> str:
    """What an action is called."""
    return _(kind_of(action).name)


async def log() -> None:
    """The reason, or the entries."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    with box("page"):
        if await here.services.audit.has_access(here.actor):
            await Log().build()
        else:
            _ask_reason()


def _ask_reason() -> None:
    here = visit()

    async def submit() -> None:
        async def work() -> None:
            await here.services.audit.open_access(here.actor, str(category.value), description.value or "")
            await here.client.sub_pages_router.refresh()

        await inline(work, problem)

    page_head(
        _("Audit log"), _("Who did what. Reading it needs a reason, which is recorded with everything you look at.")
    )
    with box("card pad stack"):
        reasons = {key: _(text) for key, text in REASONS.items()}
        category = ui.select(reasons, value="supervision", label=_("Reason")).props(
            "outlined stack-label options-dense"
        )
        description = ui.textarea(_("What you are looking for, and why")).props(
            "outlined stack-label autogrow autofocus"
        )
        problem = box("full-width")
        button(_("Open the log"), submit).style("align-self:flex-start")


class Log:
    """Filters, entries, and the exports made of them."""

    def __init__(self) -> None:
        self.visit = visit()

    async def build(self) -> None:
        """The page for somebody who has given a reason."""
        with page_head(_("Audit log"), _("Everything you look at here is recorded with your reason.")):
            quiet_button(_("Settings"), lambda: ui.navigate.to("/admin/audit/settings"), icon="tune")
            button(_("Export"), self._export, icon="download")
        with box("card pad"), box("line wrap"):
            self._filters()
        self.entries: PagedList[AuditEntry] = PagedList(
            self._fetch, self._row, empty=_nothing, search=_("Search description or person")
        )
        self.exports = Region(self._draw_exports)
        await self.entries.refresh()
        await self.exports.refresh()
        self.visit.listen(f"user:{self.visit.actor.user_id}", self._news)

    def _filters(self) -> None:
        async def changed(_event: ValueChangeEventArguments[Any]) -> None:
            await self.entries.restart()

        actions = {kind.action: _(kind.name) for kind in CATALOGUE.values()}
        ordered = dict(sorted(actions.items(), key=lambda pair: pair[1].casefold()))
        self.action = ui.select(ordered, label=_("Action"), with_input=True, clearable=True)
        self.action.props("outlined dense options-dense").style("width:260px")
        outcomes = {key: _(text) for key, text in OUTCOMES.items()}
        self.outcome = ui.select(outcomes, label=_("Outcome"), clearable=True)
        self.outcome.props("outlined dense options-dense").style("width:180px")
        self.since = ui.input(_("From")).props("outlined dense stack-label type=date")
        self.until = ui.input(_("To")).props("outlined dense stack-label type=date")
        for control in (self.action, self.outcome, self.since, self.until):
            control.on_value_change(guarded(changed))

    def _wanted(self, words: str = "") -> AuditFilter:
        return AuditFilter(
            actions=(str(self.action.value),) if self.action.value else (),
            outcome=str(self.outcome.value) if self.outcome.value else None,
            since=_day(self.since.value, time.min),
            until=_day(self.until.value, time.max),
            search=words if len(words) >= MIN_SEARCH else "",
        )

    async def _fetch(self, words: str, cursor: str | None) -> Page[AuditEntry]:
        service = self.visit.services.audit
        return await service.page(self.visit.actor, self._wanted(words), limit=PAGE, cursor=cursor)

    @staticmethod
    def _row(entry: AuditEntry) -> None:
        failed = entry.outcome != "success"
        with box("rowline").props("role=listitem"):
            icon("block" if failed else "check_circle_outline")
            with box("grow"):
                ui.label(action_name(entry.action)).classes("name")
                parts = [moment(entry.created_at), entry.actor_name, entry.description, entry.ip or ""]
                ui.label(" · ".join(part for part in parts if part)).classes("sub").style("overflow-wrap:anywhere")
            if failed:
                chip(_("Refused or failed"), "bad")
            details = quiet_button(_("Details"), functools.partial(show, entry)).props("dense")
            details.props["aria-label"] = _("Details of {action}", action=action_name(entry.action))

    def _export(self) -> None:
        made, card = dialog(_("Export the entries found"))

        async def submit() -> None:
            async def work() -> None:
                service = self.visit.services.audit
                await service.start_export(self.visit.actor, self._wanted(self.entries.words), str(kind.value), None)
                made.close()
                await self.exports.refresh()

            await inline(work, problem)

        with card:
            paragraph(_("The file is made beside what you do, and can be fetched here for a day."), "muted")
            names = {"csv": _("Table (CSV)"), "json": "JSON", "jsonl": _("JSON lines")}
            kind = ui.select(names, value="csv", label=_("Format")).props("outlined stack-label options-dense")
            problem = box("full-width")
            cancel_or(made, _("Export"), submit)
        made.open()

    async def _draw_exports(self) -> Callable[[], None]:
        found = await self.visit.services.audit.exports(self.visit.actor)

        def build() -> None:
            if found:
                heading(_("Exports"))
                with box("card").props("role=list"):
                    for view in found:
                        self._export_row(view)

        return build

    def _export_row(self, view: ExportView) -> None:
        state = JobState(view.job.state)

        async def stop() -> None:
            await self.visit.services.audit.cancel_export(self.visit.actor, view.job.id)
            await self.exports.refresh()

        with box("rowline").props("role=listitem"):
            icon("description")
            with box("grow"):
                ui.label(view.job.name or "").classes("name")
                parts = [moment(view.export.created_at), size(view.export.size) if view.export.size else ""]
                ui.label(" · ".join(part for part in parts if part)).classes("sub")
            chip(_(EXPORT_STATES[state]), "ok" if state == JobState.DONE else "")
            if state == JobState.DONE and view.export.content:
                target = f"{self.visit.site.prefix}/api/v1/audit/logs/export/{view.job.id}/download"
                quiet_button(_("Download"), icon="download").props(f'dense href="{target}" download')
            elif state in (JobState.QUEUED, JobState.RUNNING):
                quiet_button(_("Cancel"), act(stop)).props("dense")

    async def _news(self, news: News) -> None:
        if news.kind in ("job", "resync"):
            await self.exports.soon()


def _nothing(_words: str) -> None:
    empty_state("manage_search", _("No entry was found."), _("Choose other filters or another time."))


def _day(text: str | None, at: time) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(datetime.fromisoformat(str(text)).date(), at, current_zone())
    except ValueError:
        raise Invalid(N_("Give a date like 2026-01-31."), field="date") from None


def show(entry: AuditEntry) -> None:
    """Everything an entry holds, in a dialog."""
    made, card = dialog(action_name(entry.action), wide=True)
    key = metadata(entry)["actor"]["api_key"]
    facts = {
        _("When"): moment(entry.created_at),
        _("Who"): entry.actor_name,
        _("API key"): f"{key['name']} {key['id']}" if key else "",
        _("What"): entry.description,
        _("Outcome"): _(OUTCOMES[entry.outcome]) if entry.outcome in OUTCOMES else entry.outcome,
        _("Reason of the refusal"): entry.error or "",
        _("Kind and id"): f"{entry.entity_type} {entry.entity_id or ''}",
        _("Address"): entry.ip or "",
        _("Program"): entry.user_agent or "",
        _("Request"): entry.request_id or "",
        _("Place in the chain"): f"{entry.sequence or ''} {entry.hash or ''}",
    }
    with card:
        with box("stack tight"):
            for name, value in facts.items():
                if value.strip():
                    fact(name, value)
        for name, change in metadata(entry)["changes"].items():
            fact(name, f"{_told(change['old'])} → {_told(change['new'])}")
        with box("actions-row"):
            quiet_button(_("Close"), made.close)
    made.open()


def fact(name: str, value: str) -> None:
    """A name and its value, one under the other."""
    with box():
        text_element("div", name, "muted small")
        text_element("div", value).style("overflow-wrap:anywhere;white-space:pre-wrap")


def _told(value: Any) -> str:
    return "–" if value is None else str(value)


async def settings() -> None:
    """How long entries are kept, and what is recorded."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    trail = await here.services.audit.settings(here.actor)
    with box("page narrow"):
        page_head(_("Settings of the audit log"), back=(_("Audit log"), "/admin/audit"))
        with box("card"):
            _retention(trail)
            _whole()
            _all_switch(trail)
        heading(_("What is recorded"))
        with box("card"):
            for category in Category:
                _category(category, trail)


def _retention(trail: AuditTrail) -> None:
    here = visit()

    async def save() -> None:
        async def work() -> None:
            await here.services.audit.set_retention(here.actor, int(days.value or 0))
            toast(_("Saved."))

        await inline(work, problem)

    with setting(_("Kept for"), _("Older entries are removed once a day; a signed mark shows where the log begins.")):
        with box("line"):
            days = ui.number(value=trail.retention_days, precision=0, suffix=_("days")).props("outlined dense")
            days.props["aria-label"] = _("Days that entries are kept")
            quiet_button(_("Save"), save)
        problem = box("full-width")


def _whole() -> None:
    here = visit()

    async def check() -> None:
        async def work() -> None:
            findings = await here.services.audit.check(here.actor)
            place.clear()
            with place:
                for fault in findings.faults[:20]:
                    note(_(fault.message, **fault.params), "bad", icon_name="error_outline")
                if not findings.faults:
                    note(_("{count} entries, whole and unaltered.", count=findings.checked), "ok", icon_name="verified")

        await inline(work, problem)

    with setting(_("Whole and unaltered"), _("Each entry is sealed together with the one before it.")):
        quiet_button(_("Check the log"), check, icon="verified").style("align-self:flex-start")
        place = box("stack tight").props("aria-live=polite")
        problem = box("full-width")


def _all_switch(trail: AuditTrail) -> None:
    here = visit()

    async def switched(event: ValueChangeEventArguments[Any]) -> None:
        await here.services.audit.set_enabled(here.actor, bool(event.value))
        await here.client.sub_pages_router.refresh()

    with setting(_("Record more than the necessary"), _("Sign-ins, refusals, roles and keys are always recorded.")):
        control = ui.switch(value=trail.enabled)
        control.props["aria-label"] = _("Record more than the necessary")
        control.on_value_change(act(switched))


def _category(category: Category, trail: AuditTrail) -> None:
    here = visit()
    kinds = [kind for kind in CATALOGUE.values() if kind.category is category]

    async def switched(event: ValueChangeEventArguments[Any]) -> None:
        await here.services.audit.set_categories(here.actor, {category: bool(event.value)})
        await here.client.sub_pages_router.refresh()

    async def one(action: str, event: ValueChangeEventArguments[Any]) -> None:
        await here.services.audit.set_actions(here.actor, {action: bool(event.value)})
        toast(_("Saved."))

    name = _(CATEGORY_NAMES[category])
    with box("rowline"):
        with ui.expansion(name).props("dense").classes("grow"):
            for kind in kinds:
                on = recorded(kind.action, trail.enabled, trail.categories, trail.actions)
                control = ui.switch(_(kind.name), value=on)
                control.set_enabled(not kind.core and trail.enabled)
                control.on_value_change(act(functools.partial(one, kind.action)))
        if all(kind.core for kind in kinds):
            chip(_("Always"))
        else:
            whole = ui.switch(value=trail.categories.get(category, True))
            whole.props["aria-label"] = name
            whole.set_enabled(trail.enabled)
            whole.on_value_change(act(switched))
