"""Budgets of one tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, and_, bindparam, case, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.budgets.entities import Budget, BudgetScope, BudgetUse, Settled, Span
from domain.kernel.paging import Page
from domain.spaces.entities import Space
from domain.usage.attribution import Attribution
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.paging import decode, encode, identifier
from storage.tables.assistants import assistants
from storage.tables.base import Moment
from storage.tables.budgets import budget_uses, budgets
from storage.tables.spaces import spaces
from storage.tables.users import users

USES = budget_uses.c
APART = {"synchronize_session": False}
BOUNDLESS = 2**62
"""More than anybody can use."""
_SUBJECT = case(
    (budgets.c.scope == BudgetScope.SPACE, bindparam("space_of", type_=Uuid)),
    (budgets.c.scope == BudgetScope.USER, bindparam("user_of", type_=Uuid)),
    (budgets.c.scope == BudgetScope.ASSISTANT, bindparam("assistant_of", type_=Uuid)),
    else_=budgets.c.tenant_id,
)
"""Whose share a call counts in; null where it does not count."""
_BEGUN = case(
    (budgets.c.span == Span.DAY, bindparam("day_begun", type_=Moment)),
    (budgets.c.span == Span.WEEK, bindparam("week_begun", type_=Moment)),
    else_=bindparam("month_begun", type_=Moment),
)
_TARGET = func.coalesce(budgets.c.space_id, budgets.c.user_id, budgets.c.assistant_id)
_STANDINGS = standing(
    select(Budget, BudgetUse)
    .outerjoin(BudgetUse, and_(USES.budget_id == budgets.c.id, USES.subject_id == _SUBJECT, USES.begins_at == _BEGUN))
    .where(budgets.c.enabled, _SUBJECT.is_not(None), or_(_TARGET.is_(None), _TARGET == _SUBJECT))
)
_TAKE = standing(
    update(BudgetUse)
    .where(
        USES.id == bindparam("use"),
        USES.tokens + USES.tokens_reserved + bindparam("more_tokens", type_=BigInteger)
        <= bindparam("most_tokens", type_=BigInteger),
        USES.cost + USES.cost_reserved + bindparam("more_cost", type_=BigInteger)
        <= bindparam("most_cost", type_=BigInteger),
    )
    .values(
        tokens_reserved=USES.tokens_reserved + bindparam("more_tokens", type_=BigInteger),
        cost_reserved=USES.cost_reserved + bindparam("more_cost", type_=BigInteger),
    )
    .returning(USES.id)
)
_SETTLE = standing(
    update(BudgetUse)
    .where(USES.id == bindparam("use"))
    .values(
        tokens=USES.tokens + bindparam("used_tokens", type_=BigInteger),
        tokens_reserved=USES.tokens_reserved - bindparam("held_tokens", type_=BigInteger),
        cost=USES.cost + bindparam("used_cost", type_=BigInteger),
        cost_reserved=USES.cost_reserved - bindparam("held_cost", type_=BigInteger),
    )
    .returning(USES.budget_id, USES.tokens, USES.cost, USES.warned_at)
)


class BudgetRepository:
    """See `domain.budgets.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, *, limit: int, cursor: str | None) -> Page[Budget]:
        """Budgets in the order in which they were made."""
        statement, after = select(Budget).order_by(budgets.c.id).limit(limit + 1), decode(cursor, 1)
        if after is not None:
            statement = statement.where(budgets.c.id > identifier(after[0]))
        rows = (await self._session.scalars(statement)).all()
        return Page(rows[:limit], encode(rows[limit - 1].id) if len(rows) > limit else None)

    async def subjects(self, budgets: Sequence[Budget]) -> Mapping[UUID, str]:
        """The names of the spaces, users and assistants that budgets are for, by the budget's id."""
        names: dict[UUID, str] = {}
        sources: tuple[tuple[str, Any, Any, Any], ...] = (
            ("space_id", Space, spaces.c.id, spaces.c.name),
            ("user_id", User, users.c.id, users.c.email),
            ("assistant_id", Assistant, assistants.c.id, assistants.c.name),
        )
        for attribute, kind, key, name in sources:
            wanted = {getattr(b, attribute) for b in budgets} - {None}
            if wanted:
                rows = await self._session.execute(select(key, name).select_from(kind).where(key.in_(wanted)))
                names.update({row[0]: row[1] for row in rows})
        return {b.id: names.get(b.target_id, "") for b in budgets if b.target_id is not None}

    async def standings(
        self, who: Attribution, begun: Mapping[str, datetime]
    ) -> Sequence[tuple[Budget, BudgetUse | None]]:
        """The budgets that a call made for `who` counts in, with what the spans that have `begun` then have used."""
        ids = {f"{scope}_of": getattr(who, f"{scope}_id") for scope in ("space", "user", "assistant")}
        rows = await self._session.execute(_STANDINGS, {**ids, **{f"{span}_begun": begun[span] for span in Span}})
        return [(row[0], row[1]) for row in rows]

    async def most(self, spans: Sequence[tuple[UUID, datetime]]) -> Mapping[UUID, tuple[int, int]]:
        """For each of (budget, beginning of the span) the most tokens and money that anyone it holds for has used."""
        if not spans:
            return {}
        wanted = or_(*(and_(USES.budget_id == b, USES.begins_at == begun) for b, begun in spans))
        columns = (USES.budget_id, func.max(USES.tokens), func.max(USES.cost))
        statement = select(*columns).select_from(BudgetUse).where(wanted).group_by(USES.budget_id)
        return {row[0]: (int(row[1]), int(row[2])) for row in await self._session.execute(statement)}

    async def open(self, use: BudgetUse) -> BudgetUse:
        """The row of a span, made now unless somebody was faster."""
        try:
            async with self._session.begin_nested():
                self._session.add(use)
                await self._session.flush()
        except IntegrityError:
            wanted = (
                USES.budget_id == use.budget_id,
                USES.subject_id == use.subject_id,
                USES.begins_at == use.begins_at,
            )
            found = (await self._session.scalars(select(BudgetUse).where(*wanted))).first()
            if found is None:
                raise
            return found
        return use

    async def take(self, use_id: UUID, tokens: int, cost: int, most_tokens: int | None, most_cost: int | None) -> bool:
        """Hold back tokens and money, if with all that is used and held back they stay within the bounds."""
        given = {
            "use": use_id, "more_tokens": tokens, "more_cost": cost,
            "most_tokens": BOUNDLESS if most_tokens is None else most_tokens,
            "most_cost": BOUNDLESS if most_cost is None else most_cost,
        }  # fmt: skip
        return (await self._session.execute(_TAKE, given, execution_options=APART)).first() is not None

    async def settle(self, use_id: UUID, held: tuple[int, int], used: tuple[int, int]) -> Settled | None:
        """Give back what was held and count what was used, each as (tokens, cost); what the span has used then."""
        given = {
            "use": use_id, "held_tokens": held[0], "held_cost": held[1], "used_tokens": used[0], "used_cost": used[1],
        }  # fmt: skip
        row = (await self._session.execute(_SETTLE, given, execution_options=APART)).first()
        return Settled(use_id, *row) if row else None

    async def warned(self, use_id: UUID, moment: datetime) -> None:
        """Note that those concerned were warned."""
        statement = update(BudgetUse).where(USES.id == use_id).values(warned_at=moment)
        await self._session.execute(statement, execution_options=APART)
