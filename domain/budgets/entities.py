"""Budgets: how many tokens, or how much money, may be used of models in a day, a week or a month."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from uuid import UUID

from domain.kernel.entity import Owned
from domain.usage.attribution import Attribution

WARN_SHARE = 0.8
"""From this share on those concerned are warned."""


class BudgetScope(StrEnum):
    """Whose use is bounded."""

    TENANT = "tenant"
    SPACE = "space"
    USER = "user"
    ASSISTANT = "assistant"


class Span(StrEnum):
    """How long a budget lasts before it begins anew, at midnight where the installation is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def begins(self, moment: datetime, zone: tzinfo) -> datetime:
        """When the span began that `moment` is in."""
        day = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self is Span.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Span.MONTH else day

    def ends(self, begun: datetime) -> datetime:
        """When the span ends that began then."""
        if self is Span.MONTH:
            return (begun + timedelta(days=32)).replace(day=1)
        return begun + timedelta(days=7 if self is Span.WEEK else 1)


@dataclass(eq=False, kw_only=True)
class Budget(Owned):
    """A bound on the use of models. Of `tokens` and `cost` (billionths of `currency`) at least one is set.

    Without an id of what its scope says it holds for each space, user or assistant by itself. `contact` is whom to ask.
    """

    scope: str
    span: str
    space_id: UUID | None = None
    user_id: UUID | None = None
    assistant_id: UUID | None = None
    tokens: int | None = None
    cost: int | None = None
    currency: str | None = None
    contact: str = ""
    enabled: bool = True

    @property
    def target_id(self) -> UUID | None:
        """The one space, user or assistant it is for; None for each of them."""
        return self.space_id or self.user_id or self.assistant_id

    def subject(self, who: Attribution) -> UUID | None:
        """Whose share a call counts in; None where it does not count."""
        match self.scope:
            case BudgetScope.SPACE:
                return who.space_id if self.space_id in (None, who.space_id) else None
            case BudgetScope.USER:
                return who.user_id if self.user_id in (None, who.user_id) else None
            case BudgetScope.ASSISTANT:
                return who.assistant_id if self.assistant_id in (None, who.assistant_id) else None
        return self.tenant_id


@dataclass(eq=False, kw_only=True)
class BudgetUse(Owned):
    """What a span of a budget has seen: used, and held back for calls that have not ended."""

    budget_id: UUID
    subject_id: UUID
    begins_at: datetime
    tokens: int = 0
    tokens_reserved: int = 0
    cost: int = 0
    cost_reserved: int = 0
    warned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a span has used, once a call was counted."""

    use_id: UUID
    budget_id: UUID
    tokens: int
    cost: int
    warned_at: datetime | None


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget with what its present span has used: where it holds for each one, the most that anyone has.

    `subject` names whose it is, empty for the organisation's and for each one's.
    """

    budget: Budget
    tokens: int
    cost: int
    resets_at: datetime
    subject: str = ""

    @property
    def share(self) -> float:
        """How much of it is used, 1 for all."""
        return share(self.budget, self.tokens, self.cost)


def share(budget: Budget, tokens: int, cost: int) -> float:
    """How much of a budget is used: the larger share of tokens and money."""
    parts = ((tokens, budget.tokens), (cost, budget.cost))
    return max((used / limit if limit else 1.0 for used, limit in parts if limit is not None), default=0.0)
