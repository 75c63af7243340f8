"""Public shapes of budgets."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.api.wire.base import Wire


class BudgetChange(Wire):
    """How much, in tokens or in money, and for how long before it begins anew."""

    span: Literal["day", "week", "month"] = "month"
    tokens: int | None = Field(None, ge=0)
    cost: Decimal | None = Field(None, ge=0)
    currency: str = "SEK"
    contact: str = ""
    enabled: bool = True


class BudgetCreate(BudgetChange):
    """Without an id it holds for each space, user or assistant by itself."""

    scope: Literal["tenant", "space", "user", "assistant"]
    space_id: UUID | None = None
    user_id: UUID | None = None
    assistant_id: UUID | None = None


class BudgetPublic(Wire):
    id: UUID
    scope: str
    span: str
    space_id: UUID | None
    user_id: UUID | None
    assistant_id: UUID | None
    subject: str
    tokens: int | None
    cost: Decimal | None
    currency: str | None
    contact: str
    enabled: bool
    used_tokens: int
    used_cost: Decimal
    share: float
    resets_at: datetime


class PageOfBudget(Wire):
    items: list[BudgetPublic]
    count: int
    next_cursor: str | None = None


class BudgetStanding(Wire):
    """How much of a budget is used that holds for the caller."""

    scope: str
    span: str
    share: float
    resets_at: datetime
    contact: str


class PageOfBudgetStanding(Wire):
    items: list[BudgetStanding]
    count: int
