"""The usage ledger of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, Select, String, bindparam, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.kernel.paging import Page
from domain.models.entities import ModelKind
from domain.spaces.entities import Space
from domain.usage.entities import Grouping, ModelCall, Outcome, UsageQuery, Used, UsedBy
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.paging import decode, encode, identifier
from storage.tables.assistants import assistants
from storage.tables.spaces import spaces
from storage.tables.usage import model_calls
from storage.tables.users import users

END = (
    "tokens_in", "tokens_out", "tokens_cached", "seconds", "estimated", "cost", "currency", "first_token_ms", "total_ms",
    "outcome", "error_code", "finished_at", "lease_until",
)  # fmt: skip
"""What the end of a call changes in its row."""
CALLS = model_calls.c
_CLOSE = standing(
    update(ModelCall)
    .where(CALLS.id == bindparam("call"), CALLS.outcome == Outcome.RUNNING)
    .values({name: bindparam(f"new_{name}", type_=CALLS[name].type) for name in END})
    .returning(CALLS.id)
)
SUMS = {
    "calls": func.count(CALLS.id),
    "failed": func.sum(cast(CALLS.outcome.in_((Outcome.FAILED, Outcome.INTERRUPTED)), Integer)),
    "tokens_in": func.sum(CALLS.tokens_in),
    "tokens_out": func.sum(CALLS.tokens_out),
    "tokens_cached": func.sum(CALLS.tokens_cached),
    "seconds": func.sum(CALLS.seconds),
    "cost": func.sum(CALLS.cost),
    "currency": func.max(CALLS.currency),
    "another": func.min(CALLS.currency),
    "total_ms": func.avg(CALLS.total_ms),
    "first_token_ms": func.avg(CALLS.first_token_ms),
}
KEYS: dict[Grouping, ColumnElement[Any]] = {
    Grouping.DAY: CALLS.day,
    Grouping.MODEL: CALLS.model_id,
    Grouping.SPACE: CALLS.space_id,
    Grouping.ASSISTANT: CALLS.assistant_id,
    Grouping.USER: CALLS.user_id,
}
TOKENS = func.sum(CALLS.tokens_in + CALLS.tokens_out)
ORDERS: dict[str, ColumnElement[Any]] = {
    "tokens": TOKENS, "tokens_in": SUMS["tokens_in"], "tokens_out": SUMS["tokens_out"], "calls": SUMS["calls"],
    "cost": func.coalesce(SUMS["cost"], 0), "name": func.max(users.c.username),
}  # fmt: skip


class UsageRepository:
    """See `domain.usage.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def close(self, call: ModelCall) -> bool:
        """Write how a call ended; False when that was written before."""
        given = {"call": call.id, **{f"new_{name}": getattr(call, name) for name in END}}
        found = await self._session.execute(_CLOSE, given, execution_options={"synchronize_session": False})
        return found.first() is not None

    async def running(self, message_id: UUID) -> Sequence[ModelCall]:
        """The calls for a message that have not ended."""
        wanted = (CALLS.message_id == message_id, CALLS.outcome == Outcome.RUNNING)
        return await self._detached(select(ModelCall).where(*wanted))

    async def expired(self, moment: datetime) -> Sequence[ModelCall]:
        """Calls that should have ended before."""
        return await self._detached(select(ModelCall).where(CALLS.lease_until < moment).limit(500))

    async def cut_leases(self, longest: datetime) -> None:
        """Let no lease reach further than this."""
        late = update(ModelCall).where(CALLS.lease_until > longest).values(lease_until=longest)
        await self._session.execute(late, execution_options={"synchronize_session": False})

    async def _detached(self, statement: Select[Any]) -> Sequence[ModelCall]:
        """Calls whose changes are written by `close` alone."""
        found: Sequence[ModelCall] = (await self._session.scalars(statement)).all()
        for call in found:
            self._session.expunge(call)
        return found

    async def of_messages(self, message_ids: Sequence[UUID]) -> Sequence[ModelCall]:
        """The calls of completion models for messages, the oldest first."""
        wanted = (CALLS.message_id.in_(set(message_ids)), CALLS.kind == ModelKind.COMPLETION)
        return (await self._session.scalars(select(ModelCall).where(*wanted).order_by(CALLS.id))).all()

    async def total(self, query: UsageQuery) -> Used:
        """What the calls add up to."""
        columns = [column.label(name) for name, column in SUMS.items()]
        row = (await self._session.execute(select(*columns).select_from(ModelCall).where(*_wanted(query)))).one()
        return _used(row)

    async def by(
        self,
        grouping: Grouping,
        query: UsageQuery,
        *,
        limit: int,
        offset: int = 0,
        order: str = "tokens",
        up: bool = False,
    ) -> Sequence[UsedBy]:
        """What they add up to for each model, space, assistant, user or day."""
        key = KEYS[grouping]
        columns = [key.label("key"), *(column.label(name) for name, column in SUMS.items())]
        statement = select(*columns).select_from(ModelCall)
        names: list[ColumnElement[Any]] = []
        match grouping:
            case Grouping.MODEL:
                names = [func.max(CALLS.model_name), func.max(CALLS.provider_name)]
            case Grouping.SPACE:
                statement = statement.outerjoin(Space, spaces.c.id == CALLS.space_id)
                names = [func.max(spaces.c.name), func.max(spaces.c.kind)]
            case Grouping.ASSISTANT:
                statement = statement.outerjoin(Assistant, assistants.c.id == CALLS.assistant_id)
                statement = statement.outerjoin(Space, (spaces.c.id == assistants.c.space_id) & assistants.c.is_default)
                names = [func.max(func.coalesce(spaces.c.name, assistants.c.name)), func.max(spaces.c.kind)]
            case Grouping.USER:
                statement = statement.outerjoin(User, users.c.id == CALLS.user_id)
                names = [func.max(users.c.email), func.max(users.c.username)]
        for label, column in zip(("name", "about"), names, strict=False):
            statement = statement.add_columns(column.label(label))
        # Days stand in their order; everything else by how much it is, then by its key.
        if order == "name" and grouping is not Grouping.USER:
            order = "tokens"
        first = key if grouping is Grouping.DAY else ORDERS.get(order, TOKENS)
        first = first if up or grouping is Grouping.DAY else first.desc()
        statement = statement.where(*_wanted(query), key.is_not(None)).group_by(key).order_by(first, cast(key, String))
        rows = await self._session.execute(statement.limit(limit).offset(offset))
        return [_used_by(row) for row in rows]

    async def count_by(self, grouping: Grouping, query: UsageQuery) -> int:
        """How many models, spaces … there are."""
        counted = select(func.count(KEYS[grouping].distinct())).select_from(ModelCall).where(*_wanted(query))
        return await self._session.scalar(counted) or 0

    async def page(self, query: UsageQuery, *, limit: int, cursor: str | None) -> Page[ModelCall]:
        """The calls themselves, the newest first."""
        wanted, after = _wanted(query), decode(cursor, 1)
        if after is not None:
            wanted.append(CALLS.id < identifier(after[0]))
        statement = select(ModelCall).where(*wanted).order_by(CALLS.id.desc()).limit(limit + 1)
        rows = (await self._session.scalars(statement)).all()
        return Page(rows[:limit], encode(rows[limit - 1].id) if len(rows) > limit else None)


def _wanted(query: UsageQuery) -> list[ColumnElement[bool]]:
    wanted = [CALLS.day >= query.since, CALLS.day <= query.until]
    for name in ("space_id", "assistant_id", "user_id", "model_id"):
        value = getattr(query, name)
        if value is not None:
            wanted.append(CALLS[name] == value)
    return wanted


def _used(row: Row[Any]) -> Used:
    one = row.currency == row.another
    return Used(
        calls=int(row.calls or 0),
        failed=int(row.failed or 0),
        tokens_in=int(row.tokens_in or 0),
        tokens_out=int(row.tokens_out or 0),
        tokens_cached=int(row.tokens_cached or 0),
        seconds=float(row.seconds or 0),
        cost=int(row.cost) if one and row.cost is not None else None,
        currency=row.currency if one else None,
        total_ms=_whole(row.total_ms),
        first_token_ms=_whole(row.first_token_ms),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else round(float(value))


def _used_by(row: Row[Any]) -> UsedBy:
    return UsedBy(str(row.key), getattr(row, "name", "") or "", _used(row), getattr(row, "about", "") or "")
