"""Taking a stored content into a collection: the part that uploads, members of archives and others have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.files.keeping import kept
from domain.jobs.entities import Job, JobState, Lane
from domain.jobs.service import Ended, request_cancel
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, QuotaExceeded
from domain.kernel.events import Change
from domain.knowledge.entities import Collection, Document, DocumentState, DocumentVersion
from domain.knowledge.limits import require_counts
from domain.knowledge.parsing import SUPPORTED, extension_of
from domain.knowledge.progress import announce
from domain.ports import Contents, StoredContent
from domain.spaces.entities import Space
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

TASK = "upload_info_blob"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The outcome of an upload; `job` is None when the very same content was there already."""

    document: Document
    version: DocumentVersion
    job: Job | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A content in the file store on its way into a collection; with `preview` it waits to be looked at first."""

    filename: str
    title: str
    url: str | None
    stored: StoredContent
    preview: bool = False


async def take_in(
    tx: Transaction, actor: Actor, collection: Collection, incoming: Incoming, ended: Mapping[str, Ended]
) -> Uploaded:
    """A new document, or a new version of the one with this title, and the job that reads it.

    Whether the actor may is asked before. The same content in the collection is not stored twice. Raises
    `QuotaExceeded`.
    """
    stored = incoming.stored
    same = await tx.knowledge.version_with_hash(collection.id, stored.sha256)
    if same is not None:
        document = await tx.get(Document, same.document_id)
        if document is not None:
            tx.forget_content(stored.name)
            return Uploaded(document, same, None)
    # Uploads of an organisation wait for each other here, so that two cannot share the last room.
    await tx.users.take_turns()
    await require_room(tx, actor, stored.size, collection.space_id)
    blob = await kept(tx, actor.tenant_id, stored)
    document, number = await _new_or_replaced(tx, actor, collection, incoming, ended)
    version = DocumentVersion(
        tenant_id=actor.tenant_id,
        document_id=document.id,
        number=number,
        filename=incoming.filename,
        media_type=SUPPORTED[extension_of(incoming.filename)][0],
        size=stored.size,
        sha256=stored.sha256,
        blob_id=blob.id,
    )
    job = reading_job(actor, document, version, preview=incoming.preview)
    version.job_id = job.id
    await tx.add(version, job)
    tx.enqueue(job)
    await announce(tx, document, version)
    action = "document_uploaded" if number == 1 else "document_replaced"
    tx.record(actor, Change(action, "document", document.id, document.title, new={"size": stored.size}))
    return Uploaded(document, version, job)


async def _new_or_replaced(
    tx: Transaction, actor: Actor, collection: Collection, incoming: Incoming, ended: Mapping[str, Ended]
) -> tuple[Document, int]:
    document = await tx.knowledge.document_titled(collection.id, incoming.title)
    if document is None:
        await require_counts(tx, actor.user_id, collection.space_id, documents=1, passages=1)
        document = Document(
            tenant_id=actor.tenant_id,
            collection_id=collection.id,
            user_id=actor.user_id,
            title=incoming.title,
            url=incoming.url,
        )
        await tx.add(document)
        return document, 1
    latest = await tx.knowledge.latest_version(document.id)
    if latest is not None and DocumentState(latest.state).busy:
        await cancel_reading(tx, latest, ended)
    return document, latest.number + 1 if latest else 1


def reading_job(actor: Actor, document: Document, version: DocumentVersion, *, preview: bool = False) -> Job:
    """The job that reads a version; with `preview` it stops before indexing."""
    return Job(
        tenant_id=actor.tenant_id,
        user_id=actor.user_id,
        task=TASK,
        lane=Lane.INGEST,
        name=document.title,
        args={"version_id": str(version.id), "document_id": str(document.id), "preview": preview},
    )


async def cancel_reading(tx: Transaction, version: DocumentVersion, ended: Mapping[str, Ended]) -> None:
    """Stop the reading of a version."""
    job = await tx.get(Job, version.job_id) if version.job_id else None
    version.state = DocumentState.CANCELLED
    if job is not None and job.state in (JobState.QUEUED, JobState.RUNNING):
        await request_cancel(tx, job, ended)


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that may still be stored: in the organisation, by the person, in the space; None where there is no limit."""

    organisation: int
    own: int | None
    space: int | None = None

    @property
    def left(self) -> int:
        """What can be uploaded now."""
        return max(0, min(left for left in (self.organisation, self.own, self.space) if left is not None))


async def room(tx: Transaction, actor: Actor, space_id: UUID | None = None) -> Room:
    """How much more the actor may store, in a space."""
    tenant, user = await tx.get(Tenant, actor.tenant_id), await tx.get(User, actor.user_id)
    total = tenant.quota_limit if tenant else 0
    own = user.quota_limit if user else None
    return Room(
        total - await tx.knowledge.bytes_stored(),
        None if own is None else own - await tx.knowledge.bytes_stored(actor.user_id),
        await room_in_space(tx, space_id) if space_id else None,
    )


async def room_in_space(tx: Transaction, space_id: UUID) -> int | None:
    """How many bytes a space may still store; None without a limit."""
    space = await tx.get(Space, space_id)
    if space is None or space.quota_limit is None:
        return None
    return space.quota_limit - (await tx.spaces.bytes_in([space_id])).get(space_id, 0)


async def require_room_in_space(tx: Transaction, space_id: UUID, more: int) -> None:
    """Raise `QuotaExceeded` unless `more` bytes fit into a space."""
    left, space = await room_in_space(tx, space_id), await tx.get(Space, space_id)
    if left is not None and space is not None and more > left:
        raise QuotaExceeded(
            N_("The storage of the space “{name}” is full ({limit}). Delete something there or ask an administrator."),
            name=space.name,
            limit=human_size(space.quota_limit or 0),
        )


async def require_room(tx: Transaction, actor: Actor, more: int, space_id: UUID) -> None:
    """Raise `QuotaExceeded`, which says whose limit it is, unless `more` bytes can be stored in the space."""
    await require_room_in_space(tx, space_id, more)
    tenant = await tx.get(Tenant, actor.tenant_id)
    user = await tx.get(User, actor.user_id)
    if tenant and await tx.knowledge.bytes_stored() + more > tenant.quota_limit:
        raise QuotaExceeded(N_("The organisation's storage is full ({limit})."), limit=human_size(tenant.quota_limit))
    limit = user.quota_limit if user else None
    if limit is not None and await tx.knowledge.bytes_stored(actor.user_id) + more > limit:
        raise QuotaExceeded(N_("Your own storage is full ({limit})."), limit=human_size(limit))


async def discard(uow: UnitOfWork, contents: Contents, tenant_id: UUID, stored: StoredContent) -> None:
    """Remove a content that was not taken in, unless something else has the same."""
    async with uow.read(tenant_id) as tx:
        blob = await tx.files.blob_by_hash(stored.sha256)
    if blob is None or blob.name != stored.name:
        await contents.delete(tenant_id, stored.name)


def human_size(size: int) -> str:
    """Bytes as people read them: `2 GB`, `300 kB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError(size)
