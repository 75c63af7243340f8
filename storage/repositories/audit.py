"""The audit log of one tenant: the chain's writer, and what reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Uuid, bindparam, delete, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit.catalogue import recorded
from domain.audit.chain import Signer, clean, entry_hash, plain
from domain.audit.entities import (
    DEFAULT_RETENTION_DAYS,
    AuditAccess,
    AuditCheckpoint,
    AuditEntry,
    AuditExport,
    AuditTrail,
)
from domain.audit.repository import AuditFilter
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.events import Change
from domain.kernel.ids import new_id
from domain.kernel.paging import Page
from storage.repositories.paging import decode, encode, escape_like
from storage.tables.audit import audit_accesses, audit_checkpoints, audit_entries, audit_exports, audit_trails

_HEAD = (
    select(
        audit_trails.c.sequence,
        audit_trails.c.hash,
        audit_trails.c.enabled,
        audit_trails.c.categories,
        audit_trails.c.actions,
    )
    .where(audit_trails.c.id == bindparam("tenant", type_=Uuid))
    .with_for_update()
)
_INSERT = insert(audit_entries)
_NEW_TRAIL: Mapping[str, Any] = {
    "sequence": 0, "hash": "", "signature": "", "enabled": True, "categories": {}, "actions": {},
    "retention_days": DEFAULT_RETENTION_DAYS, "purge_count": 0,
}  # fmt: skip


def values_of(tenant_id: UUID, actor: Actor, change: Change) -> dict[str, Any]:
    """The columns of an entry, as they come back from the database: texts cut to their columns, values plain."""
    origin = actor.origin
    changed: dict[str, Any] = {"old": change.old, "new": change.new} if change.old or change.new else {}
    if actor.key is not None:
        changed["api_key"] = {"id": str(actor.key.id), "name": actor.key.name}
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": now(),
        "actor_id": actor.user_id,
        "actor_kind": actor.kind,
        "actor_name": clean(actor.shown_name)[:400],
        "action": change.action,
        "entity_type": change.entity_type,
        "entity_id": change.entity_id,
        "description": clean(change.description)[:2000],
        "outcome": change.outcome,
        "error": clean(change.error)[:2000] if change.error else None,
        "changes": plain(changed),
        "ip": clean(origin.ip)[:64] if origin.ip else None,
        "user_agent": clean(origin.user_agent)[:500] if origin.user_agent else None,
        "request_id": clean(origin.request_id)[:64] if origin.request_id else None,
    }


class AuditRepository:
    """See `domain.audit.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID, signer: Signer) -> None:
        self._session, self._tenant_id, self._signer = session, tenant_id, signer

    async def append(self, entries: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Write the entries that the switches let in to the end of the chain; which they were.

        Called last in a transaction: on Postgres the end of the chain is locked from here to the commit.
        """
        connection = await self._session.connection()
        mine = {"tenant": self._tenant_id}
        head = (await connection.execute(_HEAD, mine)).first()
        if head is None:
            first = {"id": self._tenant_id, "tenant_id": self._tenant_id, **_NEW_TRAIL}
            postgres = connection.dialect.name == "postgresql"
            made = postgres_insert(audit_trails).on_conflict_do_nothing() if postgres else insert(audit_trails)
            await connection.execute(made, first)
            head = (await connection.execute(_HEAD, mine)).one()
        kept = [e for e in entries if recorded(e["action"], head.enabled, head.categories, head.actions)]
        if not kept:
            return kept
        sequence, digest = head.sequence, head.hash
        for entry in kept:
            sequence += 1
            entry["sequence"], entry["previous"] = sequence, digest
            entry["hash"] = digest = entry_hash(digest, entry)
            entry["signature"] = self._signer.sign(self._tenant_id, sequence, digest)
        await connection.execute(_INSERT, kept)  # a trigger moves the end of the chain
        return kept

    async def trail(self, *, lock: bool = False) -> AuditTrail:
        """The end of the chain with its settings; made when missing (in a transaction that writes)."""
        statement = select(AuditTrail).with_for_update() if lock else select(AuditTrail)
        found = (await self._session.scalars(statement)).first()
        if found is None:
            found = AuditTrail(tenant_id=self._tenant_id, id=self._tenant_id)
            if lock:
                self._session.add(found)
                await self._session.flush()
        return found

    async def page(
        self, wanted: AuditFilter, *, limit: int, cursor: str | None = None, offset: int = 0, count: bool = True
    ) -> Page[AuditEntry]:
        """Entries, newest first."""
        criteria = _criteria(wanted)
        total = await self.count(wanted) if count else None
        after = decode(cursor, 1)
        if after is not None:
            criteria.append(audit_entries.c.id < _uuid(after[0]))
        statement = select(AuditEntry).where(*criteria).order_by(audit_entries.c.id.desc()).limit(limit + 1)
        rows = list(await self._session.scalars(statement.offset(offset) if offset else statement))
        next_cursor = encode(rows[limit - 1].id) if len(rows) > limit else None
        return Page(rows[:limit], next_cursor, total)

    async def count(self, wanted: AuditFilter) -> int:
        """How many entries there are."""
        return await self._session.scalar(select(func.count()).select_from(AuditEntry).where(*_criteria(wanted))) or 0

    async def in_order(self, after: int, limit: int) -> Sequence[AuditEntry]:
        """The next entries of the chain after a sequence number."""
        statement = select(AuditEntry).where(audit_entries.c.sequence > after).order_by(audit_entries.c.sequence)
        return (await self._session.scalars(statement.limit(limit))).all()

    async def checkpoint(self) -> AuditCheckpoint | None:
        """Where the chain begins now."""
        order = (audit_checkpoints.c.sequence.desc(), audit_checkpoints.c.id.desc())
        return (await self._session.scalars(select(AuditCheckpoint).order_by(*order).limit(1))).first()

    async def last_before(self, moment: datetime) -> AuditEntry | None:
        """The last entry of the chain that is older than `moment`."""
        statement = (
            select(AuditEntry)
            .where(audit_entries.c.created_at < moment, audit_entries.c.sequence.is_not(None))
            .order_by(audit_entries.c.sequence.desc())
            .limit(1)
        )
        return (await self._session.scalars(statement)).first()

    async def remove_up_to(self, sequence: int | None, moment: datetime) -> int:
        """Delete the entries that a checkpoint covers, and unchained ones older than `moment`; how many."""
        old = (audit_entries.c.sequence.is_(None)) & (audit_entries.c.created_at < moment)
        covered = or_(old, audit_entries.c.sequence <= sequence) if sequence is not None else old
        return await self._delete(delete(AuditEntry).where(covered))

    async def accesses_since(self, user_id: UUID, moment: datetime) -> int:
        """How often somebody has justified reading the log since `moment`."""
        wanted = (audit_accesses.c.user_id == user_id, audit_accesses.c.created_at > moment)
        return await self._session.scalar(select(func.count()).select_from(AuditAccess).where(*wanted)) or 0

    async def access(self, user_id: UUID, *, token_hash: str | None, sign_in_id: UUID | None) -> AuditAccess | None:
        """The newest leave with this token, or of this sign-in session."""
        wanted = [audit_accesses.c.user_id == user_id]
        if token_hash is not None:
            wanted.append(audit_accesses.c.token_hash == token_hash)
        else:
            wanted.append(audit_accesses.c.sign_in_id == sign_in_id)
        statement = select(AuditAccess).where(*wanted).order_by(audit_accesses.c.id.desc()).limit(1)
        return (await self._session.scalars(statement)).first()

    async def forget_accesses(self, before: datetime) -> None:
        """Delete leaves that ended before `before`."""
        await self._delete(delete(AuditAccess).where(audit_accesses.c.expires_at < before))

    async def export(self, job_id: UUID) -> AuditExport | None:
        """The export that a job makes."""
        return (await self._session.scalars(select(AuditExport).where(audit_exports.c.job_id == job_id))).first()

    async def exports(self, *, limit: int) -> Sequence[AuditExport]:
        """The newest exports."""
        statement = select(AuditExport).order_by(audit_exports.c.id.desc()).limit(limit)
        return (await self._session.scalars(statement)).all()

    async def expired_exports(self, moment: datetime) -> Sequence[AuditExport]:
        """Exports whose file is to be deleted."""
        statement = select(AuditExport).where(audit_exports.c.expires_at < moment).limit(500)
        return (await self._session.scalars(statement)).all()

    async def _delete(self, statement: Any) -> int:
        done = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return cast("CursorResult[object]", done).rowcount


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def _criteria(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    columns = audit_entries.c
    found: list[ColumnElement[bool]] = []
    if wanted.actions:
        found.append(columns.action.in_(wanted.actions))
    for name in ("actor_id", "entity_type", "entity_id", "outcome"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(columns[name] == value)
    if wanted.about is not None:
        found.append(or_(columns.actor_id == wanted.about, columns.entity_id == wanted.about))
    if wanted.since is not None:
        found.append(columns.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(columns.created_at <= wanted.until)
    if wanted.search:
        pattern = f"%{escape_like(wanted.search.lower())}%"
        texts = (columns.description, columns.actor_name, columns.error)
        found.append(or_(*(func.lower(text).like(pattern, escape="\\") for text in texts)))
    return found
