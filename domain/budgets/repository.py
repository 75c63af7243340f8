"""What budgets ask of storage."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.budgets.entities import Budget, BudgetUse, Settled
from domain.kernel.paging import Page
from domain.usage.attribution import Attribution


class BudgetRepository(Protocol):
    """Budgets of the transaction's tenant."""

    async def page(self, *, limit: int, cursor: str | None) -> Page[Budget]:
        """Budgets in the order in which they were made."""

    async def subjects(self, budgets: Sequence[Budget]) -> Mapping[UUID, str]:
        """The names of the spaces, users and assistants that budgets are for, by the budget's id."""

    async def standings(
        self, who: Attribution, begun: Mapping[str, datetime]
    ) -> Sequence[tuple[Budget, BudgetUse | None]]:
        """The budgets that a call made for `who` counts in, with what the spans that have `begun` then have used."""

    async def most(self, spans: Sequence[tuple[UUID, datetime]]) -> Mapping[UUID, tuple[int, int]]:
        """For each of (budget, beginning of the span) the most tokens and money that anyone it holds for has used."""

    async def open(self, use: BudgetUse) -> BudgetUse:
        """The row of a span, made now unless somebody was faster."""

    async def take(self, use_id: UUID, tokens: int, cost: int, most_tokens: int | None, most_cost: int | None) -> bool:
        """Hold back tokens and money, if with all that is used and held back they stay within the bounds."""

    async def settle(self, use_id: UUID, held: tuple[int, int], used: tuple[int, int]) -> Settled | None:
        """Give back what was held and count what was used, each as (tokens, cost); what the span has used then."""

    async def warned(self, use_id: UUID, moment: datetime) -> None:
        """Note that those concerned were warned."""
