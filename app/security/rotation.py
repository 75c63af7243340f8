"""Replacing keys while the product runs. Whatever is interrupted goes on when it is started again.

A master key: every data key is wrapped anew, tenant by tenant. A data key: a new one is made; once every process has read
it, the older ones are retired, so that the new one encrypts; once every process knows that, everything is encrypted anew;
what nothing needs any more is removed. Which step comes next is read off the keys themselves.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag

from app.security.keys import REFRESH_SECONDS, KeyRing, tag_of
from domain.audit.chain import Signer
from domain.audit.entities import AuditCheckpoint
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import KeyMissing
from domain.kernel.events import Change
from domain.ports import Directory
from domain.secrets.repository import Progress
from domain.tenants.entities import Tenant, TenantKey
from domain.transaction import Transaction, UnitOfWork
from storage.blobs import BlobStore

SETTLE_SECONDS = 2 * REFRESH_SECONDS
BATCH = 25
"""Values to a transaction: few, since a text may be large."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KeysOf:
    """The data keys of a tenant, and the master key that signs the end of its audit log."""

    slug: str
    keys: Sequence[TenantKey]
    signed_by_newest: bool


class Rotation:
    """See above. `settle_seconds` is the time after which every process has read the keys again."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, ring: KeyRing, contents: BlobStore, signer: Signer,
        *, settle_seconds: float = SETTLE_SECONDS,
    ) -> None:  # fmt: skip
        self.unit_of_work = self._uow = uow
        self._directory, self._ring = directory, ring
        self._contents, self._signer, self._settle = contents, signer, settle_seconds

    async def overview(self) -> list[KeysOf]:
        """The keys of every tenant."""
        return [await self._keys_of(tenant_id) for tenant_id in await self._directory.tenant_ids()]

    async def _keys_of(self, tenant_id: UUID) -> KeysOf:
        async with self._uow.read(tenant_id) as tx:
            tenant, trail = await tx.get(Tenant, tenant_id), await tx.audit.trail()
            signed = self._signer.current(tenant_id, trail.sequence, trail.hash, trail.signature)
            return KeysOf(tenant.slug if tenant else "", await tx.secrets.data_keys(), signed or not trail.sequence)

    async def run(self, *, data: bool, say: Say) -> bool:
        """Replace the master key, and with `data` every data key; whether everything could be read."""
        known = await self.overview()
        under_way = any(len(each.keys) > 1 for each in known)
        newest = self._ring.masters.ids[0]
        if self._ring.masters.path is not None and not under_way and _all_under(known, newest):
            self._ring.take(self._ring.masters.renewed())
            say(
                f"A new master key, {self._ring.masters.ids[0]}, stands before the others in {self._ring.masters.path}."
            )
        tenants = await self._directory.tenant_ids()
        for tenant_id in tenants:
            await self._rewrap(tenant_id, say)
        # Retiring begins only when every tenant has its new key.
        if data and not any(key.retired_at for each in known for key in each.keys):
            for tenant_id in tenants:
                await self._add_key(tenant_id)
        if data or under_way:
            await self._retire(tenants, say)
        whole = [await self._turn_over(tenant_id, say) for tenant_id in tenants]
        return all(whole)

    async def _rewrap(self, tenant_id: UUID, say: Say) -> None:
        """Every data key under the newest master key; the audit log's end and beginning signed with it."""
        newest = self._ring.masters.ids[0]
        async with self._uow.begin(tenant_id) as tx:
            keys = [key for key in await tx.secrets.data_keys() if key.master_key_id != newest]
            for key in keys:
                self._ring.rewrap(key)
            await self._sign_anew(tx, tenant_id)
            if keys:
                self._record(tx, tenant_id, master_key=newest, data_keys=len(keys))
                say(f"{tenant_id}: {len(keys)} data keys are under the master key {newest}.")

    async def _sign_anew(self, tx: Transaction, tenant_id: UUID) -> None:
        """What a former key signed is signed with the present one, unless the signature is not ours at all."""
        start, trail = await tx.audit.checkpoint(), await tx.audit.trail()
        old = None if start is None else (tenant_id, start.sequence, start.hash)
        if (
            start
            and old
            and self._signer.holds(*old, start.signature)
            and not self._signer.current(*old, start.signature)
        ):
            signature = self._signer.sign(*old)
            await tx.add(
                AuditCheckpoint(
                    tenant_id=tenant_id, sequence=start.sequence, hash=start.hash, removed=start.removed,
                    signature=signature,
                )
            )  # fmt: skip
        end = (tenant_id, trail.sequence, trail.hash)
        if (
            trail.sequence
            and self._signer.holds(*end, trail.signature)
            and not self._signer.current(*end, trail.signature)
        ):
            # The next entry signs the end.
            self._record(tx, tenant_id, audit_signed_by=self._ring.masters.ids[0])

    async def _add_key(self, tenant_id: UUID) -> None:
        async with self._uow.begin(tenant_id) as tx:
            if len(await tx.secrets.data_keys()) > 1:
                return
            made = self._ring.new_key(tenant_id)
            await tx.add(made)
            self._record(tx, tenant_id, data_key=tag_of(made))

    async def _retire(self, tenants: Sequence[UUID], say: Say) -> None:
        """Let the newest data key of each tenant encrypt, after every process has read it."""
        say(f"Waiting {self._settle:.0f} seconds, until every process has read the keys.")
        await asyncio.sleep(self._settle)
        for tenant_id in tenants:
            async with self._uow.begin(tenant_id) as tx:
                for key in (await tx.secrets.data_keys())[:-1]:
                    key.retired_at = key.retired_at or now()
            self._ring.forget(tenant_id)
        say(f"Waiting {self._settle:.0f} seconds, until every process encrypts with the new keys.")
        await asyncio.sleep(self._settle)

    async def _turn_over(self, tenant_id: UUID, say: Say) -> bool:
        """Encrypt anew what is not in the present form under the present key, and remove keys that nothing needs."""
        self._ring.forget(tenant_id)
        progress, files = Progress(), 0
        more = True
        while more:
            async with self._uow.begin(tenant_id) as tx:
                more = await tx.secrets.turn_over(progress, BATCH)
        for name in await self._contents.names(tenant_id):
            try:
                files += await self._contents.turn_over(tenant_id, name)
            except (KeyMissing, InvalidTag):
                # One damaged file must not keep everything else under the old key; its key stays with it.
                progress.unreadable["files"] += 1
        removed = await self._remove_unused(tenant_id)
        if progress.changed or files or removed:
            say(
                f"{tenant_id}: {progress.changed} values and {files} files encrypted anew, {removed} data keys removed."
            )
        for place, count in progress.unreadable.items():
            say(
                f"{tenant_id}: {count} values in {place} cannot be read: damaged, or their key is missing (see FERNET_KEYS)."
            )
        return not progress.unreadable

    async def _remove_unused(self, tenant_id: UUID) -> int:
        used = await self._contents.tags(tenant_id)
        async with self._uow.begin(tenant_id) as tx:
            retired = [key for key in await tx.secrets.data_keys() if key.retired_at is not None]
            tags = {tag_of(key) for key in retired}
            if not retired or None in used or tags & used or await tx.secrets.needs(tags):
                return 0
            for key in retired:
                await tx.remove(key)
            self._record(tx, tenant_id, removed=sorted(tags))
        return len(retired)

    @staticmethod
    def _record(tx: Transaction, tenant_id: UUID, **new: object) -> None:
        system = Actor.system(tenant_id)
        tx.record(system, Change("encryption_key_rotated", "tenant", tenant_id, new=new))


def _all_under(known: Sequence[KeysOf], master_id: str) -> bool:
    return all(key.master_key_id == master_id for each in known for key in each.keys)
