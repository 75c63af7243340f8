"""The master keys, and the tenants' data keys that they wrap."""

import base64
import binascii
import fcntl
import hashlib
import hmac
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from domain.kernel.errors import NotFound
from domain.tenants.entities import Tenant, TenantKey
from storage.database import Database
from storage.sealing import KEY_BYTES, NONCE_BYTES, SEALED, VAULT, TenantKeys
from storage.tables.tenants import tenant_keys

log = logging.getLogger(__name__)
REFRESH_SECONDS = 15.0
"""So long a process goes on with the keys that it has read: a new one is waited for before it is used (see `rotation`)."""
FILE = "master.key"
_KEYS = select(TenantKey).order_by(tenant_keys.c.id)


class MasterKeyError(RuntimeError):
    """The master key is missing or wrong; the message says what to do."""


def derived(master: bytes, purpose: str) -> bytes:
    """A key for another purpose (HMAC-SHA256 of the purpose)."""
    return hmac.new(master, purpose.encode(), hashlib.sha256).digest()


class MasterKeys:
    """The master keys of the installation, newest first: the newest wraps, all unwrap. `path` is the file they stand in."""

    def __init__(self, *keys: bytes, path: Path | None = None) -> None:
        self.keys, self.path = tuple(dict.fromkeys(keys)), path
        self.ids = tuple(hashlib.sha256(key).hexdigest()[:16] for key in self.keys)

    @classmethod
    def of(cls, setting: str | None, folder: Path) -> "MasterKeys":
        """The keys of the setting (32 bytes in base64 or hexadecimal, with commas), or of the data folder's file."""
        if setting:
            return cls(*_decoded(setting))
        path = folder / FILE
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(_new_line())
        return cls(*_decoded(path.read_text()), path=path)

    @property
    def newest(self) -> bytes:
        """The key that wraps and signs."""
        return self.keys[0]

    @property
    def oldest(self) -> bytes:
        """The key that every process knows while a newer one is being brought in."""
        return self.keys[-1]

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """A key for another purpose from each master key, the newest first."""
        return tuple(derived(key, purpose) for key in self.keys)

    def again(self) -> "MasterKeys":
        """As they are now: another process may have put a newer one into the file."""
        return self if self.path is None else MasterKeys(*_decoded(self.path.read_text()), path=self.path)

    def renewed(self) -> "MasterKeys":
        """With a new key before the others, in the file as well. The file is replaced whole, or not at all."""
        if self.path is None:
            raise MasterKeyError("the keys are given by ENCRYPTION_KEY: put a new one before the others there")
        beside = self.path.with_suffix(".new")
        with self.path.with_suffix(".lock").open("w") as lock:
            # One command at a time: a key that another one has just put there, and used, must stay.
            fcntl.flock(lock, fcntl.LOCK_EX)
            beside.unlink(missing_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(_new_line() + self.path.read_text())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        return self.again()

    def wrap(self, tenant_id: UUID, key: bytes) -> tuple[bytes, str]:
        """A data key under the newest master key, and the id of that one."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(derived(self.newest, "wrap")).encrypt(nonce, key, tenant_id.bytes), self.ids[0]

    def unwrap(self, found: TenantKey) -> bytes:
        """The data key again."""
        for master, master_id in zip(self.keys, self.ids, strict=True):
            if master_id == found.master_key_id:
                nonce, wrapped = found.wrapped[:NONCE_BYTES], found.wrapped[NONCE_BYTES:]
                try:
                    return AESGCM(derived(master, "wrap")).decrypt(nonce, wrapped, found.tenant_id.bytes)
                except InvalidTag:
                    raise MasterKeyError("a data key was altered. Restore it from the backup.") from None
        raise MasterKeyError(
            f"the master key {found.master_key_id}, with which this data was encrypted, is missing. "
            "Restore it in ENCRYPTION_KEY; several keys are given with commas."
        )


def _new_line() -> str:
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode() + "\n"


def _decoded(text: str) -> list[bytes]:
    found = [_key(part) for part in re.split(r"[,\s]+", text) if part]
    if not found:
        raise MasterKeyError("there is no master key. Make one with: openssl rand -hex 32")
    return found


def _key(text: str) -> bytes:
    for decode in (bytes.fromhex, base64.urlsafe_b64decode):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise MasterKeyError(
        "ENCRYPTION_KEY must be 32 bytes in base64 or hexadecimal, or several such keys with commas, the newest first. "
        "Make one with: openssl rand -hex 32"
    )


def tag_of(key: TenantKey) -> str:
    """How a sealed value names its key: the random end of the key's id."""
    return key.id.hex[-8:]


class _Known(NamedTuple):
    keys: TenantKeys
    read_at: float


class KeyRing:
    """The data keys of the tenants, and sealing of small secrets with them (see `domain.ports.Vault`).

    The oldest key that is not retired encrypts; all decrypt. Keys are read from the database again after a while.
    """

    def __init__(
        self,
        database: Database,
        masters: MasterKeys,
        *,
        fernet: Sequence[str] = (),
        refresh_seconds: float = REFRESH_SECONDS,
        renewed: Callable[[MasterKeys], None] = lambda _: None,
    ) -> None:
        self._database, self.masters, self._fernet = database, masters, tuple(fernet)
        self._refresh, self._renewed = refresh_seconds, renewed
        self._known: dict[UUID, _Known] = {}

    async def of(self, tenant_id: UUID, tag: str | None = None) -> TenantKeys:
        """The tenant's keys, made at their first use; read again when `tag` is not among those that are known."""
        keys = await self.find(tenant_id)
        if keys is not None and tag and tag not in keys.ciphers:
            self.forget(tenant_id)
            keys = await self.find(tenant_id)
        if keys is None:
            raise NotFound
        return keys

    async def find(self, tenant_id: UUID) -> TenantKeys | None:
        """The tenant's keys; None as long as there is no such tenant."""
        known = self._known.get(tenant_id)
        if known is not None and monotonic() - known.read_at < self._refresh:
            return known.keys
        keys = await self._load(tenant_id, known) or await self._make(tenant_id)
        if keys is not None:
            self._known[tenant_id] = _Known(keys, monotonic())
        return keys

    def forget(self, tenant_id: UUID) -> None:
        """Read the tenant's keys again at their next use."""
        self._known.pop(tenant_id, None)

    async def _load(self, tenant_id: UUID, known: _Known | None) -> TenantKeys | None:
        async with self._database.session(tenant_id, write=False) as session:
            found = (await session.scalars(_KEYS)).all()
        try:
            return self._unwrapped(tenant_id, found)
        except MasterKeyError as error:
            # Another process wraps with a newer master key than this one was started with; what it has is still right.
            if known is None:
                raise
            log.warning("the data keys cannot be read again: %s", error)
            return known.keys

    async def _make(self, tenant_id: UUID) -> TenantKeys | None:
        async with self._database.session(tenant_id) as session:
            # One at a time: whoever comes second must find the first one's key, or what either encrypts is lost. SQLite
            # has one writer anyway; Postgres locks the tenant's row, without being in the way of those who refer to it.
            tenant = (await session.scalars(select(Tenant).with_for_update(key_share=True))).first()
            if tenant is None:
                return None
            known = self._unwrapped(tenant_id, (await session.scalars(_KEYS)).all())
            if known is not None:
                return known
            made = self.new_key(tenant_id)
            session.add(made)
            await session.commit()
        return self._unwrapped(tenant_id, [made])

    def take(self, masters: MasterKeys) -> None:
        """Go on with these master keys, and tell whoever derives from them."""
        self.masters = masters
        self._renewed(masters)

    def new_key(self, tenant_id: UUID) -> TenantKey:
        """A new data key, wrapped."""
        wrapped, master_id = self.masters.wrap(tenant_id, os.urandom(KEY_BYTES))
        return TenantKey(tenant_id=tenant_id, wrapped=wrapped, master_key_id=master_id)

    def rewrap(self, key: TenantKey) -> None:
        """Put a data key under the newest master key."""
        key.wrapped, key.master_key_id = self.masters.wrap(key.tenant_id, self.masters.unwrap(key))

    def _unwrapped(self, tenant_id: UUID, found: Sequence[TenantKey]) -> TenantKeys | None:
        living = next((key for key in found if key.retired_at is None), None)
        if living is None:
            return None
        if any(key.master_key_id not in self.masters.ids for key in found):
            self.take(self.masters.again())
        plain = {tag_of(key): self.masters.unwrap(key) for key in found}
        return TenantKeys(tenant_id, plain, tag_of(living), self._fernet)

    async def seal(self, tenant_id: UUID, plain: str) -> str:
        """The encrypted form of a secret, safe to store."""
        return (await self.of(tenant_id)).seal(plain, VAULT)

    async def unseal(self, tenant_id: UUID, sealed: str) -> str:
        """The secret again; raises `InvalidTag` when it was altered, `KeyMissing` when its key is not here."""
        tag = sealed.removeprefix(SEALED).partition(":")[0] if sealed.startswith(SEALED) else None
        return (await self.of(tenant_id, tag)).open(sealed, VAULT)
