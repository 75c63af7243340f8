"""Holding back a part of the budgets before a call, and counting what it used when it has ended.

Parallel calls never overspend: the reservation is one conditional update for each budget, in the order of their ids.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from domain.budgets.entities import WARN_SHARE, Budget, BudgetScope, BudgetUse, Span, share
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BudgetExhausted
from domain.kernel.events import Change, Signal
from domain.transaction import Transaction
from domain.usage.attribution import Attribution
from domain.usage.entities import ModelCall

USED_UP = {
    BudgetScope.TENANT: N_("Your organisation's budget for AI models allows no more until {resets}. Ask {contact}."),
    BudgetScope.SPACE: N_("The space's budget for AI models allows no more until {resets}. Ask {contact}."),
    BudgetScope.USER: N_("Your own budget for AI models allows no more until {resets}. Ask {contact}."),
    BudgetScope.ASSISTANT: N_("The assistant's budget for AI models allows no more until {resets}. Ask {contact}."),
}


def refusal(budget: Budget, begun: datetime) -> BudgetExhausted:
    """Why a call is refused, when it may be made again, and whom to ask."""
    resets = Span(budget.span).ends(begun)
    failure = BudgetExhausted(
        USED_UP[BudgetScope(budget.scope)], resets=f"{resets:%Y-%m-%d %H:%M}", contact=budget.contact
    )
    failure.details = {"resets_at": resets.isoformat(), "contact": budget.contact}
    return failure


async def uses_of(
    tx: Transaction, budgets: Sequence[Budget], who: Attribution, zone: tzinfo
) -> list[tuple[Budget, UUID, datetime, BudgetUse | None]]:
    """Each budget that counts for `who`, whose share it is, when its present span began, and what that has used."""
    moment = now()
    keys = [
        (budget, subject, Span(budget.span).begins(moment, zone))
        for budget in budgets
        if (subject := budget.subject(who)) is not None
    ]
    found = {(u.budget_id, u.subject_id): u for u in await tx.budgets.uses([(b.id, s, begun) for b, s, begun in keys])}
    return [(budget, subject, begun, found.get((budget.id, subject))) for budget, subject, begun in keys]


async def require_room(tx: Transaction, who: Attribution, zone: tzinfo) -> None:
    """Raise `BudgetExhausted` when a budget is used up already."""
    budgets = await tx.budgets.applying(who)
    for budget, _, begun, use in await uses_of(tx, budgets, who, zone) if budgets else ():
        if share(budget, use.tokens if use else 0, use.cost if use else 0) >= 1.0:
            raise refusal(budget, begun)


async def reserve(tx: Transaction, who: Attribution, zone: tzinfo, tokens: int, cost: int) -> list[dict[str, Any]]:
    """Hold back what a call may use at most; what was held, to be kept with the call. Raises `BudgetExhausted`."""
    budgets = await tx.budgets.applying(who)
    if not budgets:
        return []
    rows = []
    for budget, subject, begun, use in await uses_of(tx, budgets, who, zone):
        opened = use or await tx.budgets.open(
            BudgetUse(tenant_id=budget.tenant_id, budget_id=budget.id, subject_id=subject, begins_at=begun)
        )
        rows.append((opened, budget, begun))
    # In one order everywhere, so that two calls never wait for each other.
    for use, budget, begun in sorted(rows, key=lambda row: row[0].id):
        if not await tx.budgets.take(use.id, tokens, cost, budget.tokens, budget.cost):
            raise refusal(budget, begun)
    return [{"use": str(use.id), "tokens": tokens, "cost": cost} for use, _, _ in sorted(rows, key=lambda r: r[0].id)]


async def settle(tx: Transaction, call: ModelCall) -> None:
    """Count what a call has used, give back the rest, and warn when a budget is nearly used up."""
    for held in call.reservations:
        used = (call.tokens_in + call.tokens_out, call.cost or 0)
        use = await tx.budgets.settle(UUID(held["use"]), (held["tokens"], held["cost"]), used)
        if use is not None and use.warned_at is None:
            await _warn(tx, use)


async def _warn(tx: Transaction, use: BudgetUse) -> None:
    budget = await tx.get(Budget, use.budget_id)
    if budget is None or share(budget, use.tokens, use.cost) < WARN_SHARE:
        return
    await tx.budgets.warned(use.id, now())
    new = {"scope": budget.scope, "span": budget.span, "percent": round(100 * share(budget, use.tokens, use.cost))}
    tx.record(Actor.system(use.tenant_id), Change("budget_nearly_used", "budget", budget.id, new=new))
    tx.signal(Signal(f"tenant:{use.tenant_id}", "budget_warning", {"id": str(budget.id)}))
