"""The master key, and the tenants' data keys that it wraps."""

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from domain.tenants.entities import Tenant, TenantKey
from storage.database import Database
from storage.tables.tenants import tenant_keys

KEY_BYTES, NONCE_BYTES = 32, 12
SEALED_PREFIX = "s1:"
_LIVING_KEY = select(TenantKey).where(tenant_keys.c.retired_at.is_(None)).order_by(tenant_keys.c.id)


class MasterKeyError(RuntimeError):
    """The master key is missing or wrong; the message says what to do."""


def master_key(setting: str | None, folder: Path) -> bytes:
    """The master key from the setting (32 bytes in base64 or hexadecimal), or from the data folder, made when missing."""
    if setting:
        return _decoded(setting)
    path = folder / "master.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode())
    return _decoded(path.read_text())


def _decoded(text: str) -> bytes:
    text = text.strip()
    for decode in (bytes.fromhex, base64.urlsafe_b64decode):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise MasterKeyError(
        "ENCRYPTION_KEY must be 32 bytes in base64 or hexadecimal. Make one with: openssl rand -hex 32"
    )


def derived(master: bytes, purpose: str) -> bytes:
    """A key for another purpose (HMAC-SHA256 of the purpose)."""
    return hmac.new(master, purpose.encode(), hashlib.sha256).digest()


class KeyRing:
    """The data keys of the tenants, and sealing of small secrets with them (see `domain.ports.Vault`)."""

    def __init__(self, database: Database, master: bytes) -> None:
        self._database, self._master = database, derived(master, "wrap")
        self._master_id = hashlib.sha256(master).hexdigest()[:16]
        self._known: dict[UUID, bytes] = {}

    async def data_key(self, tenant_id: UUID) -> bytes:
        """The tenant's data key; made at its first use."""
        if tenant_id not in self._known:
            self._known[tenant_id] = await self._load(tenant_id) or await self._make(tenant_id)
        return self._known[tenant_id]

    async def _load(self, tenant_id: UUID) -> bytes | None:
        async with self._database.session(tenant_id, write=False) as session:
            return self._unwrapped((await session.scalars(_LIVING_KEY)).first())

    async def _make(self, tenant_id: UUID) -> bytes:
        async with self._database.session(tenant_id) as session:
            # One at a time: whoever comes second must find the first one's key, or what either encrypts is lost. SQLite
            # has one writer anyway; Postgres locks the tenant's row, without being in the way of those who refer to it.
            await session.execute(select(Tenant).with_for_update(key_share=True))
            known = self._unwrapped((await session.scalars(_LIVING_KEY)).first())
            if known is not None:
                return known
            key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
            wrapped = nonce + AESGCM(self._master).encrypt(nonce, key, tenant_id.bytes)
            session.add(TenantKey(tenant_id=tenant_id, wrapped=wrapped, master_key_id=self._master_id))
            await session.commit()
            return key

    def _unwrapped(self, found: TenantKey | None) -> bytes | None:
        if found is None:
            return None
        try:
            nonce, wrapped = found.wrapped[:NONCE_BYTES], found.wrapped[NONCE_BYTES:]
            return AESGCM(self._master).decrypt(nonce, wrapped, found.tenant_id.bytes)
        except InvalidTag:
            raise MasterKeyError(
                "the master key is not the one this data was encrypted with. Restore the right ENCRYPTION_KEY."
            ) from None

    async def seal(self, tenant_id: UUID, plain: str) -> str:
        """The encrypted form of a secret, safe to store."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(await self.data_key(tenant_id)).encrypt(nonce, plain.encode(), tenant_id.bytes)
        return SEALED_PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    async def unseal(self, tenant_id: UUID, sealed: str) -> str:
        """The secret again; raises `InvalidTag` when it was altered."""
        raw = base64.urlsafe_b64decode(sealed.removeprefix(SEALED_PREFIX))
        nonce, body = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
        return AESGCM(await self.data_key(tenant_id)).decrypt(nonce, body, tenant_id.bytes).decode()
