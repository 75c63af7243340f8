"""Budgets of one tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.budgets.entities import Budget, BudgetScope, BudgetUse
from domain.kernel.paging import Page
from domain.spaces.entities import Space
from domain.usage.attribution import Attribution
from domain.users.entities import User
from storage.repositories.paging import decode, encode, identifier
from storage.tables.assistants import assistants
from storage.tables.budgets import budget_uses, budgets
from storage.tables.spaces import spaces
from storage.tables.users import users

USES = budget_uses.c
APART = {"synchronize_session": False}


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

    async def applying(self, who: Attribution) -> Sequence[Budget]:
        """The budgets that a call made for `who` counts in."""
        scopes: list[ColumnElement[bool]] = [budgets.c.scope == BudgetScope.TENANT]
        for scope in (BudgetScope.SPACE, BudgetScope.USER, BudgetScope.ASSISTANT):
            column, value = budgets.c[f"{scope}_id"], getattr(who, f"{scope}_id")
            if value is not None:
                scopes.append(and_(budgets.c.scope == scope, or_(column.is_(None), column == value)))
        return (await self._session.scalars(select(Budget).where(budgets.c.enabled, or_(*scopes)))).all()

    async def uses(self, keys: Sequence[tuple[UUID, UUID, datetime]]) -> Sequence[BudgetUse]:
        """What was used, for each of (budget, subject, beginning of the span) that has anything."""
        if not keys:
            return ()
        wanted = [and_(USES.budget_id == b, USES.subject_id == s, USES.begins_at == begun) for b, s, begun in keys]
        return (await self._session.scalars(select(BudgetUse).where(or_(*wanted)))).all()

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
            found = await self.uses([(use.budget_id, use.subject_id, use.begins_at)])
            if not found:
                raise
            return found[0]
        return use

    async def take(self, use_id: UUID, tokens: int, cost: int, most_tokens: int | None, most_cost: int | None) -> bool:
        """Hold back tokens and money, if with all that is used and held back they stay within the bounds."""
        wanted: list[ColumnElement[bool]] = [USES.id == use_id]
        if most_tokens is not None:
            wanted.append(USES.tokens + USES.tokens_reserved + tokens <= most_tokens)
        if most_cost is not None:
            wanted.append(USES.cost + USES.cost_reserved + cost <= most_cost)
        values = {"tokens_reserved": USES.tokens_reserved + tokens, "cost_reserved": USES.cost_reserved + cost}
        statement = update(BudgetUse).where(*wanted).values(values).returning(USES.id)
        return (await self._session.execute(statement, execution_options=APART)).first() is not None

    async def settle(self, use_id: UUID, held: tuple[int, int], used: tuple[int, int]) -> BudgetUse | None:
        """Give back what was held and count what was used, each as (tokens, cost); the row as it is then."""
        values = {
            "tokens": USES.tokens + used[0], "tokens_reserved": USES.tokens_reserved - held[0],
            "cost": USES.cost + used[1], "cost_reserved": USES.cost_reserved - held[1],
        }  # fmt: skip
        statement = update(BudgetUse).where(USES.id == use_id).values(values)
        await self._session.execute(statement, execution_options=APART)
        found = select(BudgetUse).where(USES.id == use_id).execution_options(populate_existing=True)
        return await self._session.scalar(found)

    async def warned(self, use_id: UUID, moment: datetime) -> None:
        """Note that those concerned were warned."""
        statement = update(BudgetUse).where(USES.id == use_id).values(warned_at=moment)
        await self._session.execute(statement, execution_options=APART)
