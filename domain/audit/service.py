"""The audit log: reading it with a reason, its settings, exports, retention, and whether it is whole."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.audit.catalogue import CATALOGUE, Category
from domain.audit.chain import ChainCheck, Fault, Signer
from domain.audit.entities import AuditAccess, AuditCheckpoint, AuditEntry, AuditExport, AuditTrail
from domain.audit.export import FORMATS, written
from domain.audit.repository import AuditFilter
from domain.identity.service import hash_token
from domain.jobs.entities import Job, JobState, Lane
from domain.jobs.service import request_cancel
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import (
    N_,
    BadRequest,
    Failure,
    Invalid,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
)
from domain.kernel.events import Change
from domain.kernel.paging import Page
from domain.kernel.text import clean_text
from domain.ports import Contents, Directory
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork

log = logging.getLogger(__name__)
TASK = "audit_export"
ACCESS_LIFE = timedelta(hours=1)
ACCESSES_PER_HOUR = 5
MAX_PAGE, MAX_RECORDS, USUAL_RECORDS = 1000, 100_000, 50_000
RUNNING_EXPORTS = 2
EXPORT_LIFE = timedelta(hours=24)
EXPORT_LIMIT = 2 * 1024**3
BATCH = 500
MIN_DAYS, MAX_DAYS = 1, 2555
MIN_SEARCH, MAX_SEARCH = 3, 100
Report = Callable[[float, str], Awaitable[None]]


class JustificationNeeded(Unauthenticated):
    """The log is read with a reason only."""

    label = "AUDIT_SESSION_REQUIRED"
    default = N_("Say first why you need to read the audit log.")


class JustificationEnded(Unauthenticated):
    """The leave to read has ended."""

    label = "AUDIT_SESSION_EXPIRED"
    default = N_("Your access to the audit log has ended. Say again why you need to read it.")


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check of a chain found."""

    checked: int
    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export with the job that makes it."""

    export: AuditExport
    job: Job


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is being made: its pieces, how many entries there are, and whether some are left out."""

    stream: AsyncIterator[bytes]
    total: int
    truncated: bool


class AuditService:
    """Use cases of the audit log, for administrators. Every look at it is itself recorded, with the reason."""

    def __init__(self, uow: UnitOfWork, directory: Directory, contents: Contents, signer: Signer) -> None:
        self._uow, self._directory, self._contents, self._signer = uow, directory, contents, signer

    # Leave to read

    async def open_access(self, actor: Actor, category: str, description: str) -> str:
        """Give the reason for reading; the token that opens the log for an hour."""
        actor.require(Permission.ADMIN)
        category = _justified(category, "category", 1, 100)
        description = _justified(description, "description", 10, 500)
        token, moment = secrets.token_urlsafe(32), now()
        async with self._uow.begin(actor.tenant_id) as tx:
            if await tx.audit.accesses_since(actor.user_id, moment - timedelta(hours=1)) >= ACCESSES_PER_HOUR:
                raise TooManyRequests(retry_after=3600)
            access = AuditAccess(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                sign_in_id=actor.session_id,
                token_hash=hash_token(token),
                category=category,
                description=description,
                expires_at=moment + ACCESS_LIFE,
            )
            await tx.add(access)
            self._record(tx, actor, "audit_session_created", access)
        return token

    async def has_access(self, actor: Actor) -> bool:
        """Whether the actor's sign-in session may read the log now."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            access = await tx.audit.access(actor.user_id, token_hash=None, sign_in_id=actor.session_id)
        return actor.session_id is not None and access is not None and access.expires_at > now()

    async def _access(self, tx: Transaction, actor: Actor, token: str | None) -> AuditAccess:
        """The leave that a token, or else the sign-in session, has; it lives an hour longer."""
        actor.require(Permission.ADMIN)
        if token is None and actor.session_id is None:
            raise JustificationNeeded
        digest = hash_token(token) if token is not None else None
        access = await tx.audit.access(actor.user_id, token_hash=digest, sign_in_id=actor.session_id)
        if access is None:
            raise JustificationNeeded
        if access.expires_at <= now():
            raise JustificationEnded
        access.expires_at = now() + ACCESS_LIFE
        return access

    @staticmethod
    def _record(tx: Transaction, actor: Actor, action: str, access: AuditAccess, **more: Any) -> None:
        reason = {"category": access.category, "justification": access.description}
        tx.record(actor, Change(action, "audit_log", actor.tenant_id, access.description, new=reason | more))

    # Reading

    async def page(
        self,
        actor: Actor,
        wanted: AuditFilter,
        *,
        token: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        offset: int = 0,
    ) -> Page[AuditEntry]:
        """Entries, newest first, with their number."""
        _check(wanted)
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._access(tx, actor, token)
            page = await tx.audit.page(wanted, limit=max(1, min(limit, MAX_PAGE)), cursor=cursor, offset=offset)
            self._record(tx, actor, "audit_log_viewed", access, filters=_named(wanted))
        return page

    async def export(
        self, actor: Actor, wanted: AuditFilter, file_format: str, most: int | None, *, token: str | None = None
    ) -> Download:
        """The entries as a file, made while it is sent."""
        _check(wanted)
        wanted, limit = _up_to_now(wanted), _most(most)
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._access(tx, actor, token)
            total = await tx.audit.count(wanted)
            self._record(tx, actor, "audit_log_exported", access, filters=_named(wanted), format=file_format)
        stream = written(file_format, self._batches(actor.tenant_id, wanted, limit))
        return Download(stream, min(total, limit), total > limit)

    async def _batches(self, tenant_id: UUID, wanted: AuditFilter, limit: int) -> AsyncIterator[Sequence[AuditEntry]]:
        cursor: str | None = None
        while limit > 0:
            async with self._uow.read(tenant_id) as tx:
                page = await tx.audit.page(wanted, limit=min(BATCH, limit), cursor=cursor, count=False)
            if page.items:
                yield page.items
            limit -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    # Exports by a job

    async def start_export(
        self, actor: Actor, wanted: AuditFilter, file_format: str, most: int | None, *, token: str | None = None
    ) -> ExportView:
        """Let a job make the file; at most two at a time."""
        _check(wanted)
        if file_format not in FORMATS:
            raise Invalid(N_("Choose one of the listed values."), field="format")
        wanted, limit = _up_to_now(wanted), _most(most)
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._access(tx, actor, token)
            await self._few_running(tx)
            job = Job(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                task=TASK,
                lane=Lane.MAINTENANCE,
                name=f"audit-log.{file_format}",
            )
            export = AuditExport(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                job_id=job.id,
                format=file_format,
                filters=_named(wanted),
                most=limit,
                expires_at=now() + EXPORT_LIFE,
                total=min(await tx.audit.count(wanted), limit),
            )
            await tx.add(job, export)
            tx.enqueue(job)
            self._record(tx, actor, "audit_log_exported", access, filters=_named(wanted), format=file_format)
        return ExportView(export, job)

    @staticmethod
    async def _few_running(tx: Transaction) -> None:
        running = 0
        for export in await tx.audit.exports(limit=20):
            job = await tx.get(Job, export.job_id)
            running += job is not None and job.state in (JobState.QUEUED, JobState.RUNNING)
        if running >= RUNNING_EXPORTS:
            raise TooManyRequests(
                N_("{count} exports are running already. Wait until one is ready."), retry_after=30, count=running
            )

    async def run_export(self, job: Job, report: Report) -> str:
        """Make the file of an export, as a worker does; where it can be fetched."""
        async with self._uow.begin(job.tenant_id) as tx:
            export = await self._export(tx, job.id)
            export.started_at, export.processed = now(), 0
        wanted = _filter_of(export.filters)

        async def counted() -> AsyncIterator[Sequence[AuditEntry]]:
            done = 0
            async for batch in self._batches(job.tenant_id, wanted, export.most):
                yield batch
                done += len(batch)
                async with self._uow.begin(job.tenant_id) as tx:
                    (await self._export(tx, job.id)).processed = done
                await report(min(0.99, done / max(1, export.total)), "write")

        stored = await self._contents.receive(job.tenant_id, written(export.format, counted()), EXPORT_LIMIT)
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._export(tx, job.id)
            if current.content:
                tx.forget_content(current.content)
            current.content, current.size = stored.name, stored.size
        return f"/api/v1/audit/logs/export/{job.id}/download"

    async def export_status(self, actor: Actor, job_id: UUID) -> ExportView:
        """How far an export has come."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._export_view(tx, job_id)

    async def cancel_export(self, actor: Actor, job_id: UUID) -> ExportView:
        """Stop an export that is not ready."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._export_view(tx, job_id)
            if view.job.state not in (JobState.QUEUED, JobState.RUNNING):
                raise BadRequest(N_("The export has ended already."))
            await request_cancel(tx, view.job, {})
            tx.record(actor, Change("job_cancelled", "audit_log", job_id, view.job.name or ""))
            return view

    async def download(
        self, actor: Actor, job_id: UUID, *, token: str | None = None
    ) -> tuple[AuditExport, AsyncIterator[bytes]]:
        """The file of an export that is ready."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._access(tx, actor, token)
            view = await self._export_view(tx, job_id)
            if view.job.state != JobState.DONE or view.export.content is None:
                raise BadRequest(N_("The export is not ready."))
            self._record(tx, actor, "audit_log_exported", access, downloaded=str(job_id))
        return view.export, self._contents.read(actor.tenant_id, view.export.content)

    async def exports(self, actor: Actor) -> list[ExportView]:
        """The newest exports."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = [(e, await tx.get(Job, e.job_id)) for e in await tx.audit.exports(limit=10)]
        return [ExportView(export, job) for export, job in found if job is not None]

    @staticmethod
    async def _export(tx: Transaction, job_id: UUID) -> AuditExport:
        export = await tx.audit.export(job_id)
        if export is None:
            raise NotFound(N_("The export was not found."))
        return export

    async def _export_view(self, tx: Transaction, job_id: UUID) -> ExportView:
        export, job = await self._export(tx, job_id), await tx.get(Job, job_id)
        if job is None or export.expires_at <= now():
            raise NotFound(N_("The export was not found."))
        return ExportView(export, job)

    # Settings

    async def settings(self, actor: Actor) -> AuditTrail:
        """The switches and how long entries are kept."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.audit.trail()

    async def enabled(self, actor: Actor) -> bool:
        """Whether more is recorded than what always is."""
        async with self._uow.read(actor.tenant_id) as tx:
            return (await tx.audit.trail()).enabled

    async def set_categories(self, actor: Actor, changes: Mapping[str, bool]) -> AuditTrail:
        """Switch whole categories; what is always recorded stays so."""
        for name in changes:
            if name not in set(Category):
                raise Invalid(N_("There is no category {name}."), field="updates", name=name)
        return await self._change(actor, categories=changes)

    async def set_actions(self, actor: Actor, changes: Mapping[str, bool]) -> AuditTrail:
        """Switch single actions, except those that are always recorded."""
        for name, wanted in changes.items():
            if name not in CATALOGUE:
                raise Invalid(N_("There is no action {name}."), field="updates", name=name)
            if CATALOGUE[name].core and not wanted:
                raise BadRequest(N_("{name} is always recorded."), field="updates", name=name)
        return await self._change(actor, actions=changes)

    async def set_enabled(self, actor: Actor, enabled: bool) -> AuditTrail:
        """Switch off everything that need not be recorded, or on again."""
        return await self._change(actor, enabled=enabled)

    async def set_retention(self, actor: Actor, days: int) -> AuditTrail:
        """Keep entries for so many days."""
        if not MIN_DAYS <= days <= MAX_DAYS:
            raise Invalid(
                N_("Give a number of days from {low} to {high}."), field="retention_days", low=MIN_DAYS, high=MAX_DAYS
            )
        return await self._change(actor, retention_days=days)

    async def _change(self, actor: Actor, **changes: Any) -> AuditTrail:
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            trail = await tx.audit.trail(lock=True)
            old = {name: getattr(trail, name) for name in changes}
            for name, value in changes.items():
                setattr(trail, name, {**old[name], **value} if isinstance(value, Mapping) else value)
            new = {name: getattr(trail, name) for name in changes}
            tx.record(actor, Change("audit_settings_updated", "audit_log", actor.tenant_id, old=old, new=new))
        return trail

    # What the system does

    async def denied(self, actor: Actor, what: str, failure: Failure) -> None:
        """Record that somebody was refused. The refusal stands even when this fails."""
        change = Change("access_denied", "request", None, what, outcome="failure", error=failure.text())
        try:
            async with self._uow.begin(actor.tenant_id) as tx:
                tx.record(actor, change)
        except Exception:
            log.exception("a refusal could not be recorded")

    async def retain(self, tenant_id: UUID, *, moment: datetime | None = None) -> int:
        """Remove what is older than the organisation keeps it, leaving a signed checkpoint; how many entries."""
        moment = moment or now()
        system = Actor.system(tenant_id)
        async with self._uow.begin(tenant_id) as tx:
            trail = await tx.audit.trail(lock=True)
            before = moment - timedelta(days=trail.retention_days)
            last = await tx.audit.last_before(before)
            if last is not None and last.sequence is not None and last.hash is not None:
                start = await tx.audit.checkpoint()
                removed = last.sequence - (start.sequence if start else 0)
                await tx.add(self._checkpoint(tenant_id, last.sequence, last.hash, removed))
            count = await tx.audit.remove_up_to(last.sequence if last else None, before)
            await tx.audit.forget_accesses(moment - timedelta(hours=1))
            for export in await tx.audit.expired_exports(moment):
                if export.content:
                    tx.forget_content(export.content)
                await tx.remove(export)
            trail.last_purge_at, trail.purge_count = moment, trail.purge_count + count
            if count:
                new = {"removed": count, "retention_days": trail.retention_days}
                tx.record(system, Change("retention_policy_applied", "audit_log", tenant_id, new=new))
        return count

    def _checkpoint(self, tenant_id: UUID, sequence: int, digest: str, removed: int) -> AuditCheckpoint:
        signature = self._signer.sign(tenant_id, sequence, digest)
        return AuditCheckpoint(
            tenant_id=tenant_id, sequence=sequence, hash=digest, removed=removed, signature=signature
        )

    async def verify(self, tenant_id: UUID) -> Findings:
        """Read the whole chain and say what is wrong with it."""
        async with self._uow.read(tenant_id, frozen=True) as tx:
            start, trail = await tx.audit.checkpoint(), await tx.audit.trail()
            check = ChainCheck(self._signer, tenant_id, start)
            after = start.sequence if start else 0
            while entries := await tx.audit.in_order(after, BATCH):
                for entry in entries:
                    check.take(entry)
                after = entries[-1].sequence or 0
            check.end(trail)
        return Findings(check.checked, check.faults)

    async def slug(self, tenant_id: UUID) -> str:
        """The short name of an organisation."""
        async with self._uow.read(tenant_id) as tx:
            tenant = await tx.get(Tenant, tenant_id)
        return tenant.slug if tenant else ""

    async def check(self, actor: Actor) -> Findings:
        """The same for the actor's own organisation."""
        actor.require(Permission.ADMIN)
        return await self.verify(actor.tenant_id)

    async def retain_everywhere(self) -> int:
        """Once a day for each organisation; how many entries were removed."""
        removed = 0
        for tenant_id in await self._directory.tenant_ids():
            async with self._uow.read(tenant_id) as tx:
                last = (await tx.audit.trail()).last_purge_at
            if last is None or now() - last > timedelta(hours=23):
                removed += await self.retain(tenant_id)
        return removed


def _justified(text: str, field: str, low: int, high: int) -> str:
    text = clean_text(text, field, high).strip()
    if len(text) < low:
        raise Invalid(N_("Write at least {limit} characters."), field=field, limit=low)
    return text


def _check(wanted: AuditFilter) -> None:
    if wanted.search and not MIN_SEARCH <= len(wanted.search) <= MAX_SEARCH:
        raise Invalid(N_("Search with {low} to {high} characters."), field="search", low=MIN_SEARCH, high=MAX_SEARCH)
    for action in wanted.actions:
        if action not in CATALOGUE:
            raise Invalid(N_("There is no action {name}."), field="actions", name=action)


def _up_to_now(wanted: AuditFilter) -> AuditFilter:
    """The same without what is recorded from here on, so that a file holds as many entries as were counted."""
    moment = now()
    return replace(wanted, until=min(wanted.until or moment, moment))


def _most(most: int | None) -> int:
    if most is not None and most < 1:
        raise Invalid(N_("Give a number from {low} to {high}."), field="max_records", low=1, high=MAX_RECORDS)
    if most is not None and most > MAX_RECORDS:
        raise TooLarge(N_("At most {limit} entries can be exported at a time."), field="max_records", limit=MAX_RECORDS)
    return most or USUAL_RECORDS


def _named(wanted: AuditFilter) -> dict[str, Any]:
    """The filters that are set, as they are stored."""
    named = {name: value for name, value in asdict(wanted).items() if value not in (None, "", ())}
    return {
        n: v.isoformat() if isinstance(v, datetime) else list(v) if n == "actions" else str(v) for n, v in named.items()
    }


def _filter_of(named: Mapping[str, Any]) -> AuditFilter:
    values: dict[str, Any] = dict(named)
    for name in ("actor_id", "entity_id", "about"):
        values[name] = UUID(named[name]) if name in named else None
    for name in ("since", "until"):
        values[name] = datetime.fromisoformat(named[name]) if name in named else None
    values["actions"] = tuple(named.get("actions", ()))
    return AuditFilter(**values)
