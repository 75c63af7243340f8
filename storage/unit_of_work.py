"""Transactions: one tenant, all repositories, and what follows the commit."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from itertools import groupby
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import Select, bindparam, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.util import identity_key

from domain.audit.chain import Signer
from domain.jobs.entities import Job
from domain.kernel.actor import Actor
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, Conflict, NotUnique
from domain.kernel.events import Change, Signal
from domain.transaction import Transaction
from storage.database import Database
from storage.guard import standing
from storage.repositories.allowed_origins import AllowedOriginRepository
from storage.repositories.api_keys import ApiKeyRepository
from storage.repositories.assistants import AssistantRepository
from storage.repositories.audit import AuditRepository, values_of
from storage.repositories.budgets import BudgetRepository
from storage.repositories.classifications import ClassificationRepository
from storage.repositories.conversations import ConversationRepository
from storage.repositories.credentials import CredentialRepository
from storage.repositories.federation import FederationRepository
from storage.repositories.files import FileRepository
from storage.repositories.icons import IconRepository
from storage.repositories.identity import SignInRepository
from storage.repositories.jobs import JobRepository
from storage.repositories.knowledge import KnowledgeRepository
from storage.repositories.models import ModelRepository
from storage.repositories.roles import RoleRepository
from storage.repositories.secrets import SecretRepository
from storage.repositories.spaces import SpaceRepository
from storage.repositories.tenants import TenantRepository
from storage.repositories.usage import UsageRepository
from storage.repositories.user_groups import UserGroupRepository
from storage.repositories.users import UserRepository
from storage.repositories.vectors import VectorRepository
from storage.repositories.websites import WebsiteRepository
from storage.rows import insert_rows
from storage.sealing import TenantKeys
from storage.search import SearchIndex

log = logging.getLogger(__name__)
UNIQUE_VIOLATION, FOREIGN_KEY_VIOLATION = "23505", "23503"
OVERTAKEN = N_(
    "Something that this needs was changed or deleted in the same moment. Look at it again, and try once more."
)
E = TypeVar("E", bound=Owned)
Publish = Callable[[Signal], Awaitable[None]]
Enqueue = Callable[[UUID, UUID, str], Awaitable[None]]
Forget = Callable[[UUID, str], Awaitable[None]]
Told = Callable[[Sequence[dict[str, Any]]], None]
"""Takes the entries of the audit log that a commit has written; must not wait."""


class Keys(Protocol):
    """Who keeps the tenants' data keys."""

    async def find(self, tenant_id: UUID) -> TenantKeys | None:
        """The tenant's keys; None as long as there is no such tenant."""


@cache
def _by_id(kind: Any) -> Select[Any]:
    return standing(select(kind).where(inspect(kind).local_table.c.id == bindparam("id")))


class SqlTransaction:
    """See `domain.transaction.Transaction`."""

    def __init__(
        self, session: AsyncSession, tenant_id: UUID, index: SearchIndex, signer: Signer, keys: TenantKeys | None
    ) -> None:
        self._session, self._tenant_id = session, tenant_id
        self.signals: list[Signal] = []
        self.jobs_to_enqueue: list[Job] = []
        self.contents_to_forget: list[str] = []
        self.users = UserRepository(session, tenant_id)
        self.api_keys = ApiKeyRepository(session)
        self.roles = RoleRepository(session)
        self.user_groups = UserGroupRepository(session, tenant_id)
        self.tenants = TenantRepository(session)
        self.sign_ins = SignInRepository(session)
        self.federation = FederationRepository(session)
        self.allowed_origins = AllowedOriginRepository(session)
        self.spaces = SpaceRepository(session)
        self.models = ModelRepository(session)
        self.usage = UsageRepository(session)
        self.budgets = BudgetRepository(session)
        self.classifications = ClassificationRepository(session)
        self.files = FileRepository(session)
        self.icons = IconRepository(session)
        self.knowledge = KnowledgeRepository(session, index)
        self.vectors = VectorRepository(session, index)
        self.websites = WebsiteRepository(session)
        self.assistants = AssistantRepository(session, tenant_id)
        self.conversations = ConversationRepository(session)
        self.jobs = JobRepository(session)
        self.audit = AuditRepository(session, tenant_id, signer)
        self.credentials = CredentialRepository(session)
        self.secrets = SecretRepository(session, keys)
        self._entries: list[dict[str, Any]] = []

    async def add(self, *entities: Owned) -> None:
        """Write new entities, in this order: there are no mapped relationships to sort them by."""
        for _, same in groupby(entities, key=type):
            self._session.add_all(same)
            await self._session.flush()

    async def write(self, *entities: Owned) -> None:
        """Insert rows that this transaction does not look at again; what else it has changed is written after them."""
        for _, same in groupby(entities, key=type):
            await self._session.run_sync(insert_rows, list(same))

    async def get(self, kind: type[E], entity_id: UUID) -> E | None:
        """The entity with this id, or None."""
        known = self._session.sync_session.identity_map.get(identity_key(kind, entity_id))
        if known is not None:
            return known
        found: E | None = await self._session.scalar(_by_id(cast("Any", kind)), {"id": entity_id})
        return found

    async def flush(self) -> None:
        """Write what has changed so far."""
        await self._session.flush()

    async def remove(self, entity: Owned) -> None:
        """Delete an entity; the database deletes what belongs to it."""
        await self._session.delete(entity)
        await self._session.flush()

    def record(self, actor: Actor, change: Change) -> None:
        """Put an entry at the end of the audit log, in this transaction."""
        self._entries.append(values_of(self._tenant_id, actor, change))

    async def commit(self) -> Sequence[dict[str, Any]]:
        """Write what is left, the audit entries last, and commit; the entries that were written."""
        written: Sequence[dict[str, Any]] = ()
        if self._entries:
            await self._session.flush()
            written = await self.audit.append(self._entries)
        await self._session.commit()
        return written

    def signal(self, signal: Signal) -> None:
        """Publish news after the commit."""
        self.signals.append(signal)

    def enqueue(self, job: Job) -> None:
        """Put a job on its lane after the commit."""
        self.jobs_to_enqueue.append(job)

    def forget_content(self, name: str) -> None:
        """Delete a content from the file store after the commit."""
        self.contents_to_forget.append(name)


def _broken(error: IntegrityError, state: str, constraint: str) -> bool:
    return getattr(error.orig, "sqlstate", None) == state or str(error.orig).startswith(
        f"{constraint} constraint failed"
    )


class SqlUnitOfWork:
    """See `domain.transaction.UnitOfWork`. What follows a commit may fail without undoing it: a sweeper makes it good."""

    def __init__(
        self,
        database: Database,
        index: SearchIndex,
        signer: Signer,
        keys: Keys,
        *,
        publish: Publish,
        enqueue: Enqueue,
        forget: Forget,
        told: Told | None = None,
    ) -> None:
        self._database, self._index, self._signer, self._told = database, index, signer, told
        self._keys = keys
        self._publish, self._enqueue, self._forget = publish, enqueue, forget

    def begin(self, tenant_id: UUID) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that writes."""
        return self._open(tenant_id, write=True)

    def read(
        self, tenant_id: UUID, *, frozen: bool = False, report: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that only reads; on SQLite it always sees one moment."""
        return self._open(tenant_id, write=False, frozen=frozen, report=report)

    @asynccontextmanager
    async def _open(
        self, tenant_id: UUID, *, write: bool, frozen: bool = False, report: bool = False
    ) -> AsyncIterator[Transaction]:
        keys = await self._keys.find(tenant_id)
        async with self._database.session(tenant_id, write=write, report=report, keys=keys) as session:
            if frozen and self._database.dialect == "postgresql":
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            transaction = SqlTransaction(session, tenant_id, self._index, self._signer, keys)
            try:
                yield transaction
                written = await transaction.commit() if write else ()
            except IntegrityError as error:
                # Two people gave the same name at the same moment: the check before could not see the other one.
                if _broken(error, UNIQUE_VIOLATION, "UNIQUE"):
                    raise NotUnique from error
                # What was read before is gone.
                if _broken(error, FOREIGN_KEY_VIOLATION, "FOREIGN KEY"):
                    raise Conflict(OVERTAKEN) from error
                raise
        if written and self._told is not None:
            self._told(written)
        await self._after(tenant_id, transaction)

    async def _after(self, tenant_id: UUID, transaction: SqlTransaction) -> None:
        try:
            for job in transaction.jobs_to_enqueue:
                await self._enqueue(tenant_id, job.id, job.lane)
            for signal in transaction.signals:
                await self._publish(signal)
            for name in transaction.contents_to_forget:
                await self._forget(tenant_id, name)
        except Exception:
            log.exception("work after a commit failed; the sweeper will make it good")
