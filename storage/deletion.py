"""Takes an organisation out of the database, table by table in batches, until nothing of it is left, not even a trace."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Select, Table, delete, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit.chain import Signer
from domain.audit.entities import AuditCheckpoint, AuditEntry, AuditTrail
from domain.files.entities import Blob
from domain.jobs.entities import Job, JobState
from domain.kernel.clock import now
from domain.kernel.paging import Page
from domain.knowledge.entities import Chunk
from domain.tenants.deletion import CertificateSigner, DeletionCertificate
from domain.tenants.entities import Tenant, TenantKey
from storage.database import Database
from storage.repositories.paging import decode, encode, identifier
from storage.search import SearchIndex
from storage.tables import metadata
from storage.tables.audit import audit_checkpoints
from storage.tables.base import mapper
from storage.tables.certificates import deletion_certificates
from storage.tables.files import blobs
from storage.tables.jobs import jobs
from storage.tables.knowledge import chunks

BATCH = 500
UNSYNCHRONISED = {"synchronize_session": False}


def _order() -> list[Any]:
    """The classes of the tenants' tables: keys first, then those that refer before those they refer to.

    What guards the audit log goes with the organisation itself.
    """
    mapped = {each.local_table: each.class_ for each in mapper.mappers}
    kinds = [mapped[table] for table in reversed(metadata.sorted_tables) if table.info.get("tenant")]
    return [TenantKey, *(k for k in kinds if k not in (TenantKey, Tenant, AuditCheckpoint, AuditTrail))]


class SqlEraser:
    """See `domain.tenants.deletion.Eraser`."""

    def __init__(self, database: Database, index: SearchIndex, signer: Signer) -> None:
        self._database, self._index, self._signer = database, index, signer

    async def counts(self, tenant_id: UUID, tables: Sequence[str]) -> Mapping[str, int]:
        """How many rows of these tables the organisation has; `bytes` is what its files hold."""
        kinds = {_table(kind).name: kind for kind in _order()}
        async with self._database.session(tenant_id, write=False) as session:
            found = {t: await session.scalar(select(func.count()).select_from(kinds[t])) or 0 for t in tables}
            size = await session.scalar(select(func.sum(blobs.c.size)).select_from(Blob))
        return {**found, "bytes": int(size or 0)}

    async def busy(self, tenant_id: UUID) -> bool:
        """Whether a worker still holds one of its jobs."""
        held = (jobs.c.state == JobState.RUNNING, jobs.c.lease_until > now())
        async with self._database.session(tenant_id, write=False) as session:
            return bool(await session.scalar(select(func.count()).select_from(Job).where(*held)))

    async def open(self, tenant_id: UUID) -> None:
        """Begin its certificate, unless that was done already."""
        async with self._database.session(tenant_id) as session:
            tenant = (await session.scalars(select(Tenant).with_for_update(key_share=True))).first()
            if tenant is not None and await _certificate(session, tenant_id) is None:
                session.add(DeletionCertificate(tenant_id=tenant_id, name=tenant.name, slug=tenant.slug))
                await session.commit()

    async def count(self, tenant_id: UUID, found: Mapping[str, int]) -> None:
        """Add to the counts of its certificate."""
        async with self._database.session(tenant_id) as session:
            _add(await _certificate(session, tenant_id), found)
            await session.commit()

    async def empty(self, tenant_id: UUID) -> int:
        """Delete the rows of every table, keys first, in batches that are counted as they go; how many."""
        total = 0
        for kind in _order():
            while gone := await self._batch(tenant_id, kind):
                total += gone
        return total

    async def _batch(self, tenant_id: UUID, kind: Any) -> int:
        """Delete some rows; 0 when none are left. The lock on the certificate makes one process work at a time."""
        table = _table(kind)
        async with self._database.session(tenant_id) as session:
            certificate = await _certificate(session, tenant_id, lock=True)
            if kind is AuditEntry:
                await self._cover(session, tenant_id, certificate)
            if kind is Chunk:
                some = select(chunks.c.key).select_from(Chunk).limit(BATCH)
                keys = (await session.scalars(some)).all()
                await self._index.remove(session, keys)
                statement = delete(kind).where(chunks.c.key.in_(keys))
            else:
                few: Select[Any] = select(table.c.id).select_from(kind).limit(BATCH)
                statement = delete(kind).where(table.c.id.in_((await session.scalars(few)).all()))
            done = await session.execute(statement, execution_options=UNSYNCHRONISED)
            gone = done.rowcount if isinstance(done, CursorResult) else 0
            if gone:
                _add(certificate, {table.name: gone})
                await session.commit()
        return gone

    async def _cover(self, session: AsyncSession, tenant_id: UUID, certificate: DeletionCertificate | None) -> None:
        """Note the end of the audit log in the certificate, and let its entries go: a checkpoint covers them all."""
        trail = (await session.scalars(select(AuditTrail))).first()
        if trail is None or certificate is None:
            return
        certificate.audit_sequence, certificate.audit_hash = trail.sequence, trail.hash
        wanted = audit_checkpoints.c.sequence >= trail.sequence
        if trail.sequence and (await session.scalars(select(AuditCheckpoint).where(wanted).limit(1))).first() is None:
            session.add(
                AuditCheckpoint(
                    tenant_id=tenant_id,
                    sequence=trail.sequence,
                    hash=trail.hash,
                    removed=0,
                    signature=self._signer.sign(tenant_id, trail.sequence, trail.hash),
                )
            )
        await session.flush()

    async def close(self, tenant_id: UUID, signer: CertificateSigner) -> None:
        """Delete the organisation itself and finish its certificate, in one transaction, when no trace is left."""
        await self._index.compact(self._database)
        async with self._database.session(tenant_id) as session:
            certificate = await _certificate(session, tenant_id, lock=True)
            done = await session.execute(delete(Tenant), execution_options=UNSYNCHRONISED)
            if certificate is not None and isinstance(done, CursorResult) and done.rowcount:
                certificate.ended_at = now()
                certificate.signature = signer.sign(certificate)
            await session.commit()
        await self._database.settle()

    async def erase_traces(self) -> bool:
        """Rewrite what still holds words of documents that were deleted; whether there was something to do."""
        return await self._index.erase_traces(self._database)

    async def sign_anew(self, signer: CertificateSigner) -> None:
        """Sign with the present key what a former one has signed."""
        async with self._database.system_session(write=True) as session:
            for certificate in await session.scalars(select(DeletionCertificate)):
                if signer.holds(certificate):
                    certificate.signature = signer.sign(certificate)
            await session.commit()

    async def certificates(self, *, limit: int, cursor: str | None) -> Page[DeletionCertificate]:
        """Certificates, newest first."""
        number, last = deletion_certificates.c.id, decode(cursor, 1)
        statement = select(DeletionCertificate).order_by(number.desc()).limit(limit + 1)
        if last is not None:
            statement = statement.where(number < identifier(last[0]))
        async with self._database.system_session() as session:
            found = (await session.scalars(statement)).all()
            total = await session.scalar(select(func.count(number)))
        more = encode(found[limit - 1].id) if len(found) > limit else None
        return Page(found[:limit], more, total)


def _table(kind: Any) -> Table:
    return cast("Table", inspect(kind).local_table)


async def _certificate(session: AsyncSession, tenant_id: UUID, *, lock: bool = False) -> DeletionCertificate | None:
    statement = select(DeletionCertificate).where(deletion_certificates.c.tenant_id == tenant_id)
    return (await session.scalars(statement.with_for_update() if lock else statement)).first()


def _add(certificate: DeletionCertificate | None, found: Mapping[str, int]) -> None:
    if certificate is not None:
        counts = certificate.counts
        certificate.counts = counts | {name: counts.get(name, 0) + number for name, number in found.items()}
