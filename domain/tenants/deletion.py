"""Deleting an organisation for good: access ends at once, the data go in steps, a signed certificate stays.

The work can be broken off anywhere and goes on where it was: what is still there is what is left to do.
"""

import asyncio
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.kernel.paging import Page, clamp
from domain.ports import Contents, Directory
from domain.tenants.administration import changeable, existing
from domain.tenants.entities import Tenant, TenantState
from domain.tenants.operator import Operator
from domain.transaction import UnitOfWork

SHOWN = {
    "people": "users",
    "spaces": "spaces",
    "documents": "documents",
    "conversations": "conversations",
    "files": "blobs",
}
"""What a preview counts, and the tables it counts in."""


@dataclass(eq=False, kw_only=True)
class DeletionCertificate:
    """What was deleted of whom and when. It belongs to the installation: the organisation is gone.

    `counts` are rows of each table, and files. `audit_sequence` and `audit_hash` are the last entry of the organisation's
    audit log, by which a copy of that log can be told to be whole. Without `ended_at` the deletion is still going on.
    """

    id: UUID = field(default_factory=new_id)
    tenant_id: UUID
    name: str
    slug: str
    begun_at: datetime = field(default_factory=now)
    ended_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    audit_sequence: int = 0
    audit_hash: str = ""
    signature: str = ""

    def content(self) -> dict[str, Any]:
        """Everything that is signed."""
        return {
            "id": str(self.id),
            "tenant_id": str(self.tenant_id),
            "name": self.name,
            "slug": self.slug,
            "begun_at": self.begun_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "counts": dict(sorted(self.counts.items())),
            "audit_sequence": self.audit_sequence,
            "audit_hash": self.audit_hash,
        }


class CertificateSigner:
    """Signs certificates. `former` keys are believed until what they signed is signed anew."""

    def __init__(self, key: bytes, *former: bytes) -> None:
        self._keys = (key, *former)

    def renew(self, key: bytes, *former: bytes) -> None:
        """Sign with another key from now on."""
        self._keys = (key, *former)

    def sign(self, certificate: DeletionCertificate) -> str:
        """HMAC-SHA256 over the content as JSON with sorted keys."""
        return _mac(self._keys[0], certificate)

    def holds(self, certificate: DeletionCertificate) -> bool:
        """Whether the certificate is finished, ours and unaltered."""
        made = (_mac(key, certificate) for key in self._keys)
        return certificate.ended_at is not None and any(hmac.compare_digest(m, certificate.signature) for m in made)


def _mac(key: bytes, certificate: DeletionCertificate) -> str:
    text = json.dumps(certificate.content(), sort_keys=True, ensure_ascii=False)
    return hmac.new(key, text.encode(), sha256).hexdigest()


class Eraser(Protocol):
    """Takes an organisation out of the database. Whatever it is doing, it may be killed and begun again.

    It needs none of the organisation's data keys: they are the first to go.
    """

    async def counts(self, tenant_id: UUID, tables: Sequence[str]) -> Mapping[str, int]:
        """How many rows of these tables the organisation has; `bytes` is what its files hold."""

    async def busy(self, tenant_id: UUID) -> bool:
        """Whether a worker still holds one of its jobs."""

    async def open(self, tenant_id: UUID) -> None:
        """Begin its certificate, unless that was done already."""

    async def count(self, tenant_id: UUID, found: Mapping[str, int]) -> None:
        """Add to the counts of its certificate."""

    async def empty(self, tenant_id: UUID) -> int:
        """Delete the rows of every table, keys first, in batches that are counted as they go; how many."""

    async def close(self, tenant_id: UUID, signer: CertificateSigner) -> None:
        """Delete the organisation itself and finish its certificate, in one transaction, when no trace is left."""

    async def erase_traces(self) -> bool:
        """Rewrite what still holds words of documents that were deleted; whether there was something to do."""

    async def sign_anew(self, signer: CertificateSigner) -> None:
        """Sign with the present key what a former one has signed."""

    async def certificates(self, *, limit: int, cursor: str | None) -> Page[DeletionCertificate]:
        """Certificates, newest first."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deletion would take."""

    tenant: Tenant
    counts: Mapping[str, int]


class DeletionService:
    """Use cases of the operator, and the work itself."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, eraser: Eraser, contents: Contents, signer: CertificateSigner
    ) -> None:
        self._uow, self._directory, self._eraser = uow, directory, eraser
        self._contents, self.signer = contents, signer

    async def preview(self, _: Operator, tenant_id: UUID) -> Preview:
        """What would be deleted: people, spaces, documents, conversations, files and their bytes."""
        async with self._uow.read(tenant_id) as tx:
            tenant = await existing(tx, tenant_id)
        found = await self._eraser.counts(tenant_id, list(SHOWN.values()))
        return Preview(tenant, {word: found[table] for word, table in SHOWN.items()} | {"bytes": found["bytes"]})

    async def begin(self, operator: Operator, tenant_id: UUID) -> Tenant:
        """End all access to an organisation at once and mark it for deletion. There is no way back."""
        async with self._uow.begin(tenant_id) as tx:
            tenant = await changeable(tx, tenant_id)
            old, tenant.state = tenant.state, TenantState.DELETING
            change = Change("tenant_deletion_begun", "tenant", tenant_id, tenant.name, old={"state": old})
            tx.record(operator.within(tenant_id), change)
            tx.signal(Signal(f"tenant:{tenant_id}", TenantState.DELETING))
            await tx.conversations.stop_all()
            await tx.jobs.cancel_all()
        return tenant

    async def certificates(
        self, _: Operator, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[DeletionCertificate]:
        """What was deleted, and what is being deleted, newest first."""
        return await self._eraser.certificates(limit=clamp(limit), cursor=cursor)

    async def sign_anew(self) -> None:
        """After the master key was replaced: certificates that hold are signed with the key that came of it."""
        await self._eraser.sign_anew(self.signer)

    async def erase_traces(self) -> bool:
        """Take the words of documents that were deleted out of the database's files; whether there were some."""
        return await self._eraser.erase_traces()

    async def carry_on(self) -> int:
        """Go on with every deletion that has begun; how many came to their end."""
        ended = 0
        for tenant_id in await self._directory.deleting():
            ended += await self._delete(tenant_id)
        return ended

    async def finish(self, tenant_id: UUID) -> None:
        """Delete one organisation here and now, waiting for workers to let go of its jobs."""
        while tenant_id in await self._directory.deleting():
            if not await self._delete(tenant_id):
                await asyncio.sleep(1)

    async def _delete(self, tenant_id: UUID) -> bool:
        """Delete one organisation; False while a worker still writes for it."""
        if await self._eraser.busy(tenant_id):
            return False
        await self._eraser.open(tenant_id)
        # What a request from before was still writing is found by another round.
        while await self._eraser.empty(tenant_id) + await self._files(tenant_id):
            continue
        await self._eraser.close(tenant_id, self.signer)
        await self._contents.erase(tenant_id)
        return True

    async def _files(self, tenant_id: UUID) -> int:
        gone = await self._contents.erase(tenant_id)
        if gone:
            await self._eraser.count(tenant_id, {"stored_files": gone})
        return gone
