"""Looking into the usage ledger: for administrators all of it, for a space those who run it, for everybody their own."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, tzinfo
from decimal import Decimal
from uuid import UUID

from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.events import Change
from domain.kernel.paging import MAX_LIMIT, Page, clamp
from domain.models.money import to_decimal
from domain.spaces.entities import Space
from domain.spaces.service import space_access
from domain.transaction import Transaction, UnitOfWork
from domain.usage.entities import Grouping, ModelCall, UsageQuery, Used, UsedBy
from domain.users.entities import User

USUAL_DAYS = 30
MOST_DAYS = 3_660
MOST_GROUPS = 1_000
COLUMNS = (
    "id", "created_at", "day", "kind", "purpose", "model_name", "provider_name", "user_id", "api_key_id", "space_id",
    "assistant_id", "conversation_id", "tokens_in", "tokens_out", "tokens_cached", "seconds", "estimated", "cost",
    "currency", "first_token_ms", "total_ms", "outcome", "error_code",
)  # fmt: skip
"""What an export holds of each call."""


class UsageService:
    """Use cases of the usage ledger."""

    def __init__(self, uow: UnitOfWork, zone: tzinfo) -> None:
        self._uow, self._zone = uow, zone

    def today(self) -> date:
        """The day it is where the installation is."""
        return now().astimezone(self._zone).date()

    def query(self, since: date | None = None, until: date | None = None, **ids: UUID | None) -> UsageQuery:
        """A question to the ledger; without days the last thirty. Raises `Invalid`."""
        until = until or self.today()
        since = since or date.fromordinal(max(1, until.toordinal() - USUAL_DAYS + 1))
        if since > until:
            raise Invalid(N_("The first day is after the last one."), field="since")
        if (until - since).days > MOST_DAYS:
            raise Invalid(N_("Choose at most {limit} days."), field="since", limit=MOST_DAYS)
        return UsageQuery(since, until, **ids)

    async def total(self, actor: Actor, query: UsageQuery) -> Used:
        """What calls add up to, as far as the actor may know."""
        async with self._uow.read(actor.tenant_id, report=True) as tx:
            return await tx.usage.total(await self._allowed(tx, actor, query))

    async def by(
        self,
        actor: Actor,
        grouping: Grouping,
        query: UsageQuery,
        *,
        limit: int = MAX_LIMIT,
        offset: int = 0,
        order: str = "tokens",
        up: bool = False,
    ) -> Sequence[UsedBy]:
        """What they add up to for each model, space, assistant, user or day."""
        limit = max(1, min(limit, MOST_DAYS + 1 if grouping is Grouping.DAY else MOST_GROUPS))
        async with self._uow.read(actor.tenant_id, report=True) as tx:
            allowed = await self._allowed(tx, actor, query)
            if grouping is Grouping.USER and allowed.user_id is None:
                # Who uses how much is for administrators; whoever runs a space sees what it uses together.
                actor.require(Permission.ADMIN)
            return await tx.usage.by(grouping, allowed, limit=limit, offset=max(0, offset), order=order, up=up)

    async def count_by(self, actor: Actor, grouping: Grouping, query: UsageQuery) -> int:
        """How many models, spaces … there are, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id, report=True) as tx:
            return await tx.usage.count_by(grouping, query)

    async def space(self, actor: Actor, space_id: UUID) -> None:
        """Raise `NotFound` unless the actor may look into what this space uses."""
        async with self._uow.read(actor.tenant_id) as tx:
            if not actor.is_admin:
                (await space_access(tx, actor, space_id)).require(actor, Resource.SPACE, Action.EDIT)
            elif await tx.get(Space, space_id) is None:
                raise NotFound(N_("The space was not found."))

    async def user(self, actor: Actor, user_id: UUID) -> User:
        """Whose use is asked for, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            user = await tx.get(User, user_id)
        if user is None:
            raise NotFound(N_("The user was not found."))
        return user

    async def calls(
        self, actor: Actor, query: UsageQuery, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ModelCall]:
        """The calls themselves, the newest first: all for administrators, for others their own."""
        if query.user_id != actor.user_id:
            actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id, report=True) as tx:
            return await tx.usage.page(query, limit=clamp(limit), cursor=cursor)

    async def of_messages(self, actor: Actor, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[ModelCall]]:
        """The calls for answers of the actor's, by message."""
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.usage.of_messages(message_ids)
        by_message: dict[UUID, list[ModelCall]] = {}
        for call in found:
            if call.message_id is not None and call.user_id == actor.user_id:
                by_message.setdefault(call.message_id, []).append(call)
        return by_message

    async def export(self, actor: Actor, query: UsageQuery) -> AsyncIterator[bytes]:
        """The calls as CSV, page by page; taking them along is recorded."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            new = {"since": query.since.isoformat(), "until": query.until.isoformat()}
            tx.record(actor, Change("usage_exported", "tenant", actor.tenant_id, new=new))
        return self._lines(actor, query)

    async def _lines(self, actor: Actor, query: UsageQuery) -> AsyncIterator[bytes]:
        yield ("\ufeff" + _csv([COLUMNS])).encode()
        cursor: str | None = None
        while True:
            async with self._uow.read(actor.tenant_id, report=True) as tx:
                page = await tx.usage.page(query, limit=MAX_LIMIT, cursor=cursor)
            yield _csv([[_cell(call, name) for name in COLUMNS] for call in page.items]).encode()
            cursor = page.next_cursor
            if cursor is None:
                return

    @staticmethod
    async def _allowed(tx: Transaction, actor: Actor, query: UsageQuery) -> UsageQuery:
        """The query if the actor may ask it: administrators all, whoever runs a space its own, others theirs."""
        if actor.is_admin or query.user_id == actor.user_id:
            return query
        if query.space_id is not None:
            access = await space_access(tx, actor, query.space_id)
            access.require(actor, Resource.SPACE, Action.EDIT)
            return replace(query, user_id=None)
        actor.require(Permission.ADMIN)
        return query


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(call: ModelCall, name: str) -> object:
    value = getattr(call, name)
    if name == "cost" and value is not None:
        return format(to_decimal(value), "f")
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        # A spreadsheet would take it for a formula.
        return f"'{value}"
    return "" if value is None else value


def cost_of(calls: Sequence[ModelCall]) -> tuple[Decimal, str] | None:
    """What calls cost together; None where no price was set."""
    priced = [call for call in calls if call.cost is not None and call.currency]
    if not priced or len({call.currency for call in priced}) > 1:
        return None
    return to_decimal(sum(call.cost or 0 for call in priced)), priced[0].currency or ""
