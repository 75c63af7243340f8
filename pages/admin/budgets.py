"""Administration: how much of the models may be used, by whom, in which time."""

import functools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.assistants.entities import Assistant
from domain.budgets.entities import WARN_SHARE, Budget, BudgetScope, BudgetView, Span
from domain.budgets.service import BudgetDraft
from domain.kernel.actor import Permission
from domain.kernel.errors import N_
from domain.kernel.paging import MAX_LIMIT, Page
from domain.models.money import CURRENCIES, to_decimal
from pages.components.base import (
    Tone,
    box,
    button,
    chip,
    empty_state,
    icon_button,
    note,
    page_head,
    paragraph,
)
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, moment, money, number
from pages.names import assistant_name, space_name
from pages.visit import News, act, toast, visit

SCOPES = {
    BudgetScope.TENANT: N_("The organisation"),
    BudgetScope.SPACE: N_("Space"),
    BudgetScope.USER: N_("User"),
    BudgetScope.ASSISTANT: N_("Assistant"),
}
EACH = {
    BudgetScope.TENANT: N_("The organisation"),
    BudgetScope.SPACE: N_("Each space by itself"),
    BudgetScope.USER: N_("Each user by themselves"),
    BudgetScope.ASSISTANT: N_("Each assistant by itself"),
}
SPANS = {Span.DAY: N_("a day"), Span.WEEK: N_("a week"), Span.MONTH: N_("a month")}


async def budgets() -> None:
    """All budgets with what is used of them."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def fetch(_words: str, cursor: str | None) -> Page[BudgetView]:
        return await here.services.budgets.page(here.actor, cursor=cursor)

    with box("page"):
        lead = _("Once it is used up, calls are refused until it begins anew. From 80 % on you are warned.")
        with page_head(_("Budgets"), lead):
            button(_("Add budget"), lambda: BudgetForm().open(), icon="add")
        await notice()
        found: PagedList[BudgetView] = PagedList(fetch, _row, empty=lambda _words: _none())
        await found.refresh()
        paragraph(_("A model without a price counts nothing in a budget of money."), "muted")

    async def changed(news: News) -> None:
        if news.kind in ("budgets_changed", "budget_warning", "resync"):
            await found.soon()

    here.listen(f"tenant:{here.actor.tenant_id}", changed)


async def notice() -> None:
    """For administrators: budgets that are nearly used up."""
    here = visit()
    for view in await here.services.budgets.warnings(here.actor):
        percent = number(round(100 * view.share))
        text = _("{percent} % of a budget is used: {whose}.", percent=percent, whose=whose(view))
        note(text, "bad" if view.share >= 1 else "warn", icon_name="savings")


def standing(view: BudgetView) -> None:
    """For those it holds for: a budget that is nearly used up."""
    if view.share < WARN_SHARE:
        return
    percent, resets = number(min(100, int(100 * view.share))), moment(view.resets_at)
    about = _(SCOPES[BudgetScope(view.budget.scope)])
    params = {"percent": percent, "scope": about, "resets": resets, "contact": view.budget.contact}
    note(_("Budget ({scope}): {percent} % is used. It begins anew {resets}. Ask {contact} for more.", **params), "warn")


def budget_list(found: Sequence[BudgetView]) -> None:
    """The budgets that something counts in, for those who cannot change them."""
    if not found:
        paragraph(_("No budget holds for it."), "muted")
        return
    with box("full-width").props("role=list"):
        for view in found:
            with box("rowline").props("role=listitem"):
                meter(view, view.subject or _(SCOPES[BudgetScope(view.budget.scope)]))


def whose(view: BudgetView) -> str:
    """Whose use a budget bounds, and by how much."""
    budget = view.budget
    name = view.subject or _(EACH[BudgetScope(budget.scope)])
    return f"{name}, {bounds(budget)}"


def bounds(budget: Budget) -> str:
    """How much a budget allows."""
    parts = []
    if budget.tokens is not None:
        parts.append(_("{n} tokens", n=number(budget.tokens)))
    if budget.cost is not None and budget.currency:
        parts.append(money(to_decimal(budget.cost), budget.currency))
    return _("{amounts} in {span}", amounts=" / ".join(parts), span=_(SPANS[Span(budget.span)]))


def meter(view: BudgetView, label: str) -> None:
    """What a budget allows and how much of it is used, by its `label`."""
    budget, percent = view.budget, _("{percent} % used", percent=number(round(100 * view.share)))
    with box("grow"):
        ui.label(label).classes("name")
        used = [_("{n} tokens used", n=number(view.tokens))]
        if view.cost and budget.currency:
            used.append(money(to_decimal(view.cost), budget.currency))
        parts = [bounds(budget), *used, _("begins anew {when}", when=moment(view.resets_at)), budget.contact]
        ui.label(" · ".join(parts)).classes("sub")
        bar = ui.linear_progress(min(1.0, round(view.share, 3)), show_value=False, size="6px").props("rounded")
        bar.props["aria-label"] = percent
    tone: Tone = "bad" if view.share >= 1 else "warn" if view.share >= WARN_SHARE else "ok"
    chip(percent, tone)


def _row(view: BudgetView) -> None:
    here, budget = visit(), view.budget

    async def delete() -> None:
        if await confirm(_("Delete the budget?"), whose(view), _("Delete")):
            await here.services.budgets.delete(here.actor, budget.id)

    label = view.subject or _(EACH[BudgetScope(budget.scope)])
    with box("rowline").props("role=listitem"):
        meter(view, label)
        if not budget.enabled:
            chip(_("Off"))
        icon_button("edit", _("Change the budget of {name}", name=label), lambda: BudgetForm(view).open())
        icon_button("delete_outline", _("Delete the budget of {name}", name=label), act(functools.partial(delete)))


def _none() -> None:
    empty_state("savings", _("No budgets."), _("Without one, models may be used as much as the providers allow."))


class BudgetForm:
    """Add or change a budget in a dialog; `of` is the assistant that a new one is for, where that is settled."""

    def __init__(self, view: BudgetView | None = None, of: Assistant | None = None) -> None:
        self.visit, self.view, self.of = visit(), view, of
        self.target: Any = None

    def open(self) -> None:
        """Show the form."""
        known = self.view.budget if self.view else None
        self.dialog, card = dialog(_("Budget"))
        with card:
            if self.view is not None:
                paragraph(self.view.subject or _(EACH[BudgetScope(self.view.budget.scope)]), "muted")
            elif self.of is not None:
                paragraph(self.of.name, "muted")
            else:
                names = {scope.value: _(text) for scope, text in SCOPES.items()}
                self.scope = ui.select(names, value=BudgetScope.TENANT.value, label=_("For"))
                self.scope.props("outlined stack-label options-dense")
                self.region = Region(self._targets, "full-width")
                self.scope.on_value_change(self.region.refresh)
            spans = {span.value: _(text) for span, text in SPANS.items()}
            self.span = ui.select(spans, value=known.span if known else Span.MONTH.value, label=_("In"))
            self.span.props("outlined stack-label options-dense")
            self.tokens = ui.number(_("Tokens"), value=known.tokens if known else None, min=0, precision=0)
            self.tokens.props("outlined stack-label")
            cost = float(to_decimal(known.cost)) if known and known.cost is not None else None
            with box("line"):
                self.cost = ui.number(_("Money"), value=cost, min=0).props("outlined stack-label").classes("grow")
                currency = (known.currency if known else None) or "SEK"
                self.currency = ui.select(list(CURRENCIES), value=currency, label=_("Currency"))
                self.currency.props("outlined stack-label options-dense").style("width:110px;flex:none")
            self.contact = ui.input(_("Whom to ask for more"), value=known.contact if known else self.visit.actor.email)
            self.contact.props("outlined stack-label")
            self.enabled = ui.switch(_("In force"), value=known.enabled if known else True)
            self.problem = box("full-width")
            cancel_or(self.dialog, _("Save"), self._save)
        self.dialog.open()

    async def _targets(self) -> Callable[[], None]:
        scope, actor, services = BudgetScope(self.scope.value), self.visit.actor, self.visit.services
        options: dict[str, str] = {}
        more = False
        if scope is BudgetScope.SPACE:
            page = await services.organisation.spaces(actor)
            options = {str(each.space.id): space_name(each.space) for each in page.items}
        elif scope is BudgetScope.ASSISTANT:
            found = await services.assistants.find(actor, limit=MAX_LIMIT)
            options = {str(v.assistant.id): assistant_name(v.assistant, v.access.space) for v in found.items}
            more = found.next_cursor is not None

        def build() -> None:
            self.target = None
            if scope is BudgetScope.USER:
                self.target = ui.input(_("E-mail (empty for each user)")).props("outlined stack-label")
            elif scope is not BudgetScope.TENANT:
                options_all = {"": _(EACH[scope]), **options}
                self.target = ui.select(options_all, value="", label=_("Which")).props(
                    "outlined stack-label options-dense"
                )
            if more:
                paragraph(_("A budget for an assistant that is not among these is added on its own page."), "sub")

        return build

    async def _save(self) -> None:
        async def work() -> None:
            budgets, actor = self.visit.services.budgets, self.visit.actor
            if self.of is not None:
                await budgets.add(actor, self._draft(BudgetScope.ASSISTANT, self.of.id))
            elif self.view is None:
                await budgets.add(actor, self._draft(self.scope.value, await self._chosen()))
            else:
                await budgets.update(actor, self.view.budget.id, self._draft(self.view.budget.scope, None))
            self.dialog.close()
            toast(_("Saved."))

        await inline(work, self.problem)

    async def _chosen(self) -> UUID | None:
        text = str(self.target.value or "").strip() if self.target is not None else ""
        if not text:
            return None
        if self.scope.value == BudgetScope.USER:
            return await self.visit.services.users.find(self.visit.actor, text)
        return UUID(text)

    def _draft(self, scope: str, target: UUID | None) -> BudgetDraft:
        tokens, cost = self.tokens.value, self.cost.value
        return BudgetDraft(
            scope,
            self.span.value,
            {scope: target} if target else {},
            None if tokens is None else int(tokens),
            None if cost is None else Decimal(str(cost)),
            self.currency.value,
            self.contact.value or "",
            bool(self.enabled.value),
        )
