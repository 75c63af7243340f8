"""Holding back a part of the budgets before a call, and counting what it used when it has ended.

Parallel calls never overspend: the reservation is one conditional update for each budget, in the order of their ids.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from domain.budgets.entities import WARN_SHARE, Budget, BudgetScope, BudgetUse, Settled, Span, share
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


@dataclass(frozen=True, slots=True)
class Room:
    """Why the budgets allow no call that costs money, and why none that costs nothing; None where they do."""

    paid: BudgetExhausted | None = None
    free: BudgetExhausted | None = None


def refusal(budget: Budget, begun: datetime) -> BudgetExhausted:
    """Why a call is refused, when it may be made again, and whom to ask."""
    resets = Span(budget.span).ends(begun)
    failure = BudgetExhausted(
        USED_UP[BudgetScope(budget.scope)], resets=f"{resets:%Y-%m-%d %H:%M}", contact=budget.contact
    )
    failure.details = {"resets_at": resets.isoformat(), "contact": budget.contact}
    return failure


async def standings(tx: Transaction, who: Attribution, zone: tzinfo) -> list[tuple[Budget, datetime, BudgetUse | None]]:
    """Each budget that counts for `who`, when its present span began, and what that has used."""
    moment = now()
    begun = {span.value: span.begins(moment, zone) for span in Span}
    return [(budget, begun[budget.span], use) for budget, use in await tx.budgets.standings(who, begun)]


async def room(tx: Transaction, who: Attribution, zone: tzinfo) -> Room:
    """What the budgets still allow, as far as they are used up already."""
    paid = free = None
    for budget, begun, use in await standings(tx, who, zone):
        if budget.tokens is not None and (use.tokens if use else 0) >= budget.tokens:
            paid = free = free or refusal(budget, begun)
        elif budget.cost is not None and (use.cost if use else 0) >= budget.cost:
            paid = paid or refusal(budget, begun)
    return Room(paid, free)


async def reserve(tx: Transaction, who: Attribution, zone: tzinfo, tokens: int, cost: int) -> list[dict[str, Any]]:
    """Hold back what a call may use at most; what was held, to be kept with the call. Raises `BudgetExhausted`."""
    rows = []
    for budget, begun, use in await standings(tx, who, zone):
        rows.append((use or await _opened(tx, budget, who, begun), budget, begun))
    rows.sort(key=lambda row: row[0].id)
    # In one order everywhere, so that two calls never wait for each other.
    for use, budget, begun in rows:
        # What costs nothing needs no money to be left.
        if not await tx.budgets.take(use.id, tokens, cost, budget.tokens, budget.cost if cost else None):
            raise refusal(budget, begun)
    return [{"use": str(use.id), "tokens": tokens, "cost": cost} for use, _, _ in rows]


async def _opened(tx: Transaction, budget: Budget, who: Attribution, begun: datetime) -> BudgetUse:
    subject = budget.subject(who)
    assert subject is not None
    use = BudgetUse(tenant_id=budget.tenant_id, budget_id=budget.id, subject_id=subject, begins_at=begun)
    return await tx.budgets.open(use)


async def settle(tx: Transaction, call: ModelCall) -> None:
    """Count what a call has used, give back the rest, and warn when a budget is nearly used up."""
    for held in call.reservations:
        used = (call.tokens_in + call.tokens_out, call.cost or 0)
        use = await tx.budgets.settle(UUID(held["use"]), (held["tokens"], held["cost"]), used)
        if use is not None and use.warned_at is None:
            await _warn(tx, call.tenant_id, use)


async def _warn(tx: Transaction, tenant_id: UUID, use: Settled) -> None:
    budget = await tx.get(Budget, use.budget_id)
    if budget is None or share(budget, use.tokens, use.cost) < WARN_SHARE:
        return
    await tx.budgets.warned(use.use_id, now())
    new = {"scope": budget.scope, "span": budget.span, "percent": round(100 * share(budget, use.tokens, use.cost))}
    tx.record(Actor.system(tenant_id), Change("budget_nearly_used", "budget", budget.id, new=new))
    tx.signal(Signal(f"tenant:{tenant_id}", "budget_warning", {"id": str(budget.id)}))
