"""Contents of the file store in the database: equal ones are one blob of the organisation."""

from uuid import UUID

from domain.files.entities import Blob
from domain.ports import StoredContent
from domain.transaction import Transaction


async def kept(tx: Transaction, tenant_id: UUID, stored: StoredContent) -> Blob:
    """The blob of a content that was received: the one that is there already, with the new copy forgotten, or a new one."""
    blob = await tx.files.blob_by_hash(stored.sha256)
    if blob is None:
        blob = Blob(tenant_id=tenant_id, name=stored.name, sha256=stored.sha256, size=stored.size)
        await tx.add(blob)
    elif blob.name != stored.name:
        tx.forget_content(stored.name)
    return blob
