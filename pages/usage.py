"""What models have been used for and what it cost: of the organisation, of a space, of oneself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from nicegui import ui

from domain.kernel.access import Action
from domain.kernel.actor import Permission
from domain.kernel.errors import N_, Forbidden
from domain.kernel.paging import Page
from domain.models.money import to_decimal
from domain.spaces.entities import SpaceKind
from domain.usage.entities import Grouping, ModelCall, Outcome, Purpose, UsageQuery, Used, UsedBy
from pages.admin.model_facts import day_of
from pages.components.base import box, chip, empty_state, heading, page_head, quiet_button, text_element
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import inline
from pages.i18n import _, date_text, moment, money, ngettext, number
from pages.names import space_name
from pages.visit import identifier, visit

GROUPS = {
    Grouping.MODEL: N_("Models"),
    Grouping.SPACE: N_("Spaces"),
    Grouping.ASSISTANT: N_("Assistants"),
    Grouping.USER: N_("Users"),
}
FILTERS = {
    Grouping.MODEL: N_("Model"),
    Grouping.SPACE: N_("Space"),
    Grouping.ASSISTANT: N_("Assistant"),
    Grouping.USER: N_("User"),
}
PURPOSES = {
    Purpose.ANSWER: N_("Answer"),
    Purpose.SUMMARY: N_("Summary of a long chat"),
    Purpose.SEARCH: N_("Search"),
    Purpose.DOCUMENT: N_("Document"),
    Purpose.RECORDING: N_("Recording"),
    Purpose.PROGRAM: N_("Program"),
}
OUTCOMES = {
    Outcome.RUNNING: N_("Running"),
    Outcome.DONE: N_("Done"),
    Outcome.STOPPED: N_("Stopped"),
    Outcome.FAILED: N_("Failed"),
    Outcome.INTERRUPTED: N_("Interrupted"),
}
MOST_ROWS = 50


async def admin() -> None:
    """The whole organisation, for administrators."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    with box("page"):
        lead = _(
            "Every call of a model: for whom, how many tokens, what it cost. It stays when conversations are deleted."
        )
        page_head(_("Use of the models"), lead)
        await UsageReport(tuple(GROUPS), {}, whole=True).build()


async def of_space(space_id: str) -> None:
    """One space, for those who run it."""
    here = visit()
    view = await here.services.spaces.get(here.actor, identifier(space_id))
    here.space_id = view.space.id
    if Action.EDIT not in view.permissions or view.space.kind != SpaceKind.SHARED:
        raise Forbidden
    with box("page"):
        page_head(
            _("Use of the models"), space_name(view.space), back=(space_name(view.space), f"/spaces/{view.space.id}")
        )
        await UsageReport((Grouping.MODEL, Grouping.ASSISTANT), {"space_id": view.space.id}).build()


async def mine() -> None:
    """One's own."""
    here = visit()
    with box("page"):
        page_head(_("My use of the models"), back=(_("My account"), "/account"))
        groups = (Grouping.MODEL, Grouping.ASSISTANT)
        await UsageReport(groups, {"user_id": here.actor.user_id}, listed=True).build()


class UsageReport:
    """A period with what it adds up to, day by day, and by model, space, assistant or user."""

    def __init__(
        self,
        groups: Sequence[Grouping],
        fixed: Mapping[str, Any],
        *,
        whole: bool = False,
        listed: bool = False,
    ) -> None:
        self.visit, self.groups, self.whole, self.listed = visit(), groups, whole, listed or whole
        self.query = self.visit.services.usage.query(**fixed)

    async def build(self) -> None:
        """The form, the figures, the calls."""
        with box("line wrap"):
            self.since = self._day(_("From"), self.query.since)
            self.until = self._day(_("To"), self.query.until)
            quiet_button(_("Show"), self._show, icon="refresh")
        self.problem = box("full-width")
        self.region = Region(self._draw)
        await self.region.refresh()
        if self.listed:
            heading(_("Calls"))
            self.list: PagedList[ModelCall] = PagedList(self._fetch, _call, empty=lambda _words: _nothing())
            await self.list.refresh()

    @staticmethod
    def _day(label: str, value: date) -> ui.input:
        return (
            ui.input(label, value=value.isoformat())
            .props("outlined dense stack-label type=date")
            .style("flex:1;min-width:160px")
        )

    async def _show(self) -> None:
        async def work() -> None:
            usage = self.visit.services.usage
            since, until = day_of(self.since.value, "since"), day_of(self.until.value, "until")
            checked = usage.query(since, until)
            self.query = replace(self.query, since=checked.since, until=checked.until)
            await self._again()

        await inline(work, self.problem)

    async def _again(self) -> None:
        await self.region.refresh()
        if self.listed:
            await self.list.restart()

    async def _fetch(self, _words: str, cursor: str | None) -> Page[ModelCall]:
        return await self.visit.services.usage.calls(self.visit.actor, self.query, cursor=cursor)

    async def _draw(self) -> Callable[[], None]:
        usage, actor = self.visit.services.usage, self.visit.actor
        total = await usage.total(actor, self.query)
        days = await usage.by(actor, Grouping.DAY, self.query)
        found = {group: await usage.by(actor, group, self.query, limit=MOST_ROWS) for group in self.groups}

        def build() -> None:
            if self.whole:
                self._filters(found)
            if not total.calls:
                _nothing()
                return
            _totals(total)
            heading(_("Day by day"))
            _days(self.query, days)
            for group, rows in found.items():
                if rows:
                    heading(_(GROUPS[group]))
                    _table(_(FILTERS[group]), [(_name(group, row), row.used) for row in rows])
            if self.whole:
                address = f"/api/v1/usage/export/?{urlencode(_parameters(self.query))}"
                with box("line"):
                    quiet_button(_("Export as CSV"), lambda: ui.navigate.to(address, new_tab=True), icon="download")

        return build

    def _filters(self, found: Mapping[Grouping, Sequence[UsedBy]]) -> None:
        with box("line wrap"):
            for group, label in FILTERS.items():
                name = f"{group}_id"
                options = {row.key: _name(group, row) for row in found[group]}
                chosen = getattr(self.query, name)
                value = str(chosen) if str(chosen) in options else None
                made = ui.select(options, value=value, label=_(label), clearable=True)
                made.props("outlined dense stack-label options-dense").style("flex:1;min-width:180px")
                made.on_value_change(lambda event, name=name: self._filter(name, event.value))

    async def _filter(self, name: str, value: str | None) -> None:
        async def work() -> None:
            change: dict[str, Any] = {name: UUID(value) if value else None}
            self.query = replace(self.query, **change)
            await self._again()

        await inline(work, self.problem)


def _parameters(query: UsageQuery) -> dict[str, str]:
    names = ("since", "until", "space_id", "assistant_id", "user_id", "model_id")
    return {name: str(getattr(query, name)) for name in names if getattr(query, name) is not None}


def _name(group: Grouping, row: UsedBy) -> str:
    if group is Grouping.SPACE:
        special = {SpaceKind.PERSONAL: _("A personal space"), SpaceKind.ORGANIZATION: _("Organisation")}
        return special.get(row.about, row.name) or _("Deleted")  # type: ignore[call-overload]
    if group is Grouping.ASSISTANT and row.about:
        if row.about == SpaceKind.PERSONAL:
            return _("Personal assistant")
        return _("Assistant of {space}", space=_name(Grouping.SPACE, row))
    return _(row.name) if row.name else _("Deleted")


def cost_text(used: Used) -> str:
    """What calls cost, in words."""
    return "–" if used.cost is None or used.currency is None else money(to_decimal(used.cost), used.currency)


def _totals(total: Used) -> None:
    figures = {
        _("Calls"): number(total.calls),
        _("Tokens read"): number(total.tokens_in),
        _("Tokens written"): number(total.tokens_out),
        _("Cost"): cost_text(total),
        _("Failed"): number(total.failed),
    }
    if total.seconds:
        figures[_("Minutes of recordings")] = number(round(total.seconds / 60, 1))
    if total.first_token_ms is not None:
        figures[_("First word after")] = _("{n} ms", n=number(total.first_token_ms))
    with box("card pad"), box("facts", "dl"):
        for label, value in figures.items():
            text_element("dt", label)
            text_element("dd", value)


def _days(query: UsageQuery, rows: Sequence[UsedBy]) -> None:
    """Bars for the eye, and the same as a table."""
    most = max((row.used.tokens for row in rows), default=0) or 1
    known = {row.key: row.used for row in rows}
    count = min((query.until - query.since).days + 1, 366)
    days = [query.until - timedelta(days=back) for back in reversed(range(count))]
    with box("card pad"):
        with box("bars").props("aria-hidden=true"):
            for day in days:
                used = known.get(day.isoformat(), Used())
                bar = box("bar").style(f"height:{max(2, round(120 * used.tokens / most))}px")
                with bar:
                    ui.tooltip(f"{date_text(day)}: {number(used.tokens)}")
        with box("line small muted").props("aria-hidden=true"):
            ui.label(date_text(days[0])).classes("grow")
            ui.label(_("At the most {n} tokens a day", n=number(most)))
            ui.label(date_text(days[-1])).classes("grow right")
        with box("full-width", "details"):
            text_element("summary", _("As a table"), "small")
            _table(_("Day"), [(date_text(date.fromisoformat(row.key)), row.used) for row in rows])


def _table(label: str, rows: Sequence[tuple[str, Used]]) -> None:
    heads = (label, _("Calls"), _("Tokens read"), _("Tokens written"), _("Cost"))
    with box("card scroll").props("tabindex=0"), box("plain", "table"):
        with box("", "thead"), box("", "tr"):
            for head in heads:
                text_element("th", head).props("scope=col")
        with box("", "tbody"):
            for name, used in rows:
                with box("", "tr"):
                    text_element("th", name).props("scope=row")
                    for value in (number(used.calls), number(used.tokens_in), number(used.tokens_out), cost_text(used)):
                        text_element("td", value)


def _call(call: ModelCall) -> None:
    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(f"{_(call.model_name)} · {_(PURPOSES[Purpose(call.purpose)])}").classes("name")
            parts = [moment(call.created_at), ngettext("{n} token", "{n} tokens", call.tokens_in + call.tokens_out)]
            if call.seconds:
                parts.append(_("{n} minutes", n=number(round(call.seconds / 60, 1))))
            if call.cost is not None and call.currency:
                parts.append(money(to_decimal(call.cost), call.currency))
            if call.total_ms is not None:
                parts.append(_("{n} ms", n=number(call.total_ms)))
            ui.label(" · ".join(parts)).classes("sub")
        if call.outcome != Outcome.DONE:
            bad: Any = "bad" if call.outcome in (Outcome.FAILED, Outcome.INTERRUPTED) else "warn"
            chip(_(OUTCOMES[Outcome(call.outcome)]), bad)


def _nothing() -> None:
    empty_state("query_stats", _("No calls of models in this time."), _("Choose other days, or take away a choice."))
