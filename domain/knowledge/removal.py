"""Deleting deletes: rows, vectors, full text and files, in one transaction."""

from collections.abc import Iterable
from uuid import UUID

from domain.files.entities import Blob
from domain.jobs.entities import Job, JobState
from domain.knowledge.entities import Collection, Document, DocumentVersion
from domain.transaction import Transaction


async def release_blobs(tx: Transaction, blob_ids: Iterable[UUID | None]) -> None:
    """Delete the contents that nothing refers to any more; the files follow after the commit."""
    for blob_id in {b for b in blob_ids if b is not None}:
        blob = await tx.get(Blob, blob_id)
        if blob is not None and not await tx.files.blob_in_use(blob_id):
            await tx.remove(blob)
            tx.forget_content(blob.name)


async def cancel_job(tx: Transaction, job_id: UUID | None) -> None:
    """Ask a job to stop; one that has not begun ends at once."""
    job = await tx.get(Job, job_id) if job_id else None
    if job is None or job.state not in (JobState.QUEUED, JobState.RUNNING):
        return
    job.cancel_requested = True
    if job.state == JobState.QUEUED:
        job.state = JobState.CANCELLED


async def remove_document(tx: Transaction, document: Document) -> None:
    """Delete a document with all its versions."""
    await _release_versions(tx, await tx.knowledge.versions([document.id]))
    await tx.knowledge.drop_chunks(document.id)
    await tx.remove(document)
    await tx.flush()


async def remove_versions(tx: Transaction, versions: Iterable[DocumentVersion]) -> None:
    """Delete versions that are not searchable any more."""
    versions = list(versions)
    await _release_versions(tx, versions)
    for version in versions:
        await tx.remove(version)


async def _release_versions(tx: Transaction, versions: Iterable[DocumentVersion]) -> None:
    blobs: list[UUID | None] = []
    for version in versions:
        await cancel_job(tx, version.job_id)
        blobs += [version.blob_id, version.text_blob_id]
        version.blob_id = version.text_blob_id = None
    await tx.flush()
    await release_blobs(tx, blobs)


async def remove_collection(tx: Transaction, collection: Collection) -> None:
    """Delete a collection with all its documents."""
    await tx.knowledge.drop_collection_index(collection.id)
    cursor: str | None = None
    while True:
        page = await tx.knowledge.documents([collection.id], search="", limit=200, cursor=cursor)
        for row in page.items:
            await _release_versions(tx, await tx.knowledge.versions([row.document.id]))
        cursor = page.next_cursor
        if cursor is None:
            break
    await tx.remove(collection)
    await tx.flush()
