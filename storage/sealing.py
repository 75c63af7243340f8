"""Encryption of values in the database: AES-256-GCM with a data key of the tenant, bound to the tenant and the purpose.

A sealed value names its key: `s2:<tag>:<nonce and ciphertext in base64>`. Values of earlier forms are read as well: `s1:`
(no tag), `enc:fernet:v1:` (brought along from elsewhere), and plain text where a column was not yet encrypted. Written
again, or turned over by `python main.py keys rotate`, they take the present form.
"""

import base64
import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Dialect, Text, TypeDecorator

from domain.kernel.errors import N_, KeyMissing

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
SEALED, FIRST_FORM, FERNET = "s2:", "s1:", "enc:fernet:v1:"
_IS_SEALED = re.compile(rf"{SEALED}[0-9a-f]{{8}}:|{FERNET}")
"""A text from before may begin with a few of these signs by chance; it is no sealed one for that."""
PACK_LEVEL = 6
VAULT: Final = "secret"
"""The purpose of keys and passwords, which are sealed above storage (see `domain.ports.Vault`)."""
FERNET_MISSING = N_(
    "A stored key was encrypted with a Fernet key that is missing here. Enter the key again, or ask the operator to name "
    "its Fernet key in FERNET_KEYS."
)
KEY_REMOVED = N_(
    "A stored value was encrypted with a key that is missing here. Ask the operator to restore the keys from the backup."
)


class TenantKeys:
    """The data keys of one tenant by their tags, oldest first; `sealing` is the tag of the one that encrypts now."""

    def __init__(self, tenant_id: UUID, keys: Mapping[str, bytes], sealing: str, fernet: Sequence[str] = ()) -> None:
        self.tenant_id, self.sealing, self._fernet = tenant_id, sealing, tuple(fernet)
        self.ciphers = {tag: AESGCM(key) for tag, key in keys.items()}
        self.prefix = f"{SEALED}{sealing}:"

    def cipher(self, tag: str) -> AESGCM:
        """The cipher of a key; raises `KeyMissing`."""
        try:
            return self.ciphers[tag]
        except KeyError:
            raise KeyMissing(KEY_REMOVED) from None

    def seal(self, text: str, purpose: str) -> str:
        """The encrypted form of `text`, which opens for this tenant and purpose alone."""
        nonce = os.urandom(NONCE_BYTES)
        body = self.ciphers[self.sealing].encrypt(nonce, text.encode(), self._bound(purpose))
        return self.prefix + base64.urlsafe_b64encode(nonce + body).decode()

    def open(self, value: str, purpose: str) -> str:
        """The text again. `InvalidTag` when it was altered or is not this tenant's, `KeyMissing` when its key is lost."""
        if value.startswith(SEALED):
            tag, _, body = value.removeprefix(SEALED).partition(":")
            return self._decrypted(self.cipher(tag), body, self._bound(purpose))
        if value.startswith(FERNET):
            return self._from_fernet(value.removeprefix(FERNET))
        return self._from_first_form(value.removeprefix(FIRST_FORM))

    def open_column(self, value: str, purpose: str) -> str:
        """The same for a column that once held plain text."""
        return self.open(value, purpose) if _IS_SEALED.match(value) else value

    def _bound(self, purpose: str) -> bytes:
        return self.tenant_id.bytes + purpose.encode()

    @staticmethod
    def _decrypted(cipher: AESGCM, body: str, bound: bytes) -> str:
        try:
            raw = base64.urlsafe_b64decode(body)
        except ValueError:
            raise InvalidTag from None
        if len(raw) < NONCE_BYTES + TAG_BYTES:
            raise InvalidTag
        return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound).decode()

    def _from_first_form(self, body: str) -> str:
        for cipher in self.ciphers.values():
            try:
                return self._decrypted(cipher, body, self.tenant_id.bytes)
            except InvalidTag:
                continue
        raise InvalidTag

    def _from_fernet(self, token: str) -> str:
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet

        if not self._fernet:
            raise KeyMissing(FERNET_MISSING)
        try:
            return MultiFernet([Fernet(key) for key in self._fernet]).decrypt(token).decode()
        except InvalidToken:
            raise KeyMissing(FERNET_MISSING) from None


AT_HAND: ContextVar[TenantKeys | None] = ContextVar("keys at hand", default=None)
"""The keys of the session whose statement is being carried out; `storage.guard` puts them here before each one."""


class SealedText(TypeDecorator[str]):
    """Text that is encrypted in the database with the key of the session's tenant, for this `purpose` (its column)."""

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Seal it."""
        return None if value is None else _keys().seal(value, self.purpose)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Open it; a text from before the column was encrypted is what it is."""
        if value is None or not _IS_SEALED.match(value):
            return value  # type: ignore[no-any-return]
        return _keys().open(value, self.purpose)


def opened(value: str, purpose: str, keys: TenantKeys) -> str:
    """What `SealedText` gives, of a value as it is stored."""
    return keys.open(value, purpose) if _IS_SEALED.match(value) else value


class SealedJson(SealedText):
    """The same for what is written as JSON."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Seal it."""
        return super().process_bind_param(None if value is None else json.dumps(value, ensure_ascii=False), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Open it."""
        text = super().process_result_value(value, dialect)
        return None if text is None else json.loads(text)


def packed(value: Any) -> str:
    """What can be written as JSON, in a form that takes less room."""
    return base64.b64encode(zlib.compress(json.dumps(value, ensure_ascii=False).encode(), PACK_LEVEL)).decode()


class SealedPack(SealedJson):
    """The same for what is long: packed before it is sealed."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Pack and seal it."""
        return SealedText.process_bind_param(self, None if value is None else packed(value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Open and unpack it."""
        text = SealedText.process_result_value(self, value, dialect)
        return None if text is None else json.loads(zlib.decompress(base64.b64decode(text)))


def _keys() -> TenantKeys:
    keys = AT_HAND.get()
    if keys is None:
        raise RuntimeError("no keys at hand: encrypted columns are reached through the unit of work")
    return keys
