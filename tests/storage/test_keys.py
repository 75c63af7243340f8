"""The master key and the data keys that it wraps."""

import asyncio
import base64
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import insert, select

from app.security.keys import KeyRing, MasterKeyError, MasterKeys, derived
from domain.kernel.errors import KeyMissing
from domain.kernel.ids import new_id
from domain.tenants.entities import TenantKey
from storage.database import Database
from storage.tables.tenants import tenants
from tests.conftest import MASTER_KEY
from tests.support.rows import row_of


async def _tenant(database: Database):  # type: ignore[no-untyped-def]
    tenant_id = new_id()
    async with database.session(tenant_id) as session:
        await (await session.connection()).execute(insert(tenants), row_of(tenants, tenant_id, {}))
        await session.commit()
    return tenant_id


def test_a_master_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = MasterKeys.of(None, tmp_path / "keys").newest
    assert len(first) == 32
    assert MasterKeys.of(None, tmp_path / "keys").newest == first
    assert stat.S_IMODE((tmp_path / "keys" / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", [MASTER_KEY.hex(), base64.b64encode(MASTER_KEY).decode(), base64.urlsafe_b64encode(MASTER_KEY).decode()]
)
def test_a_given_master_key(text: str, tmp_path: Path) -> None:
    assert MasterKeys.of(f" {text}\n", tmp_path).newest == MASTER_KEY
    assert list(tmp_path.iterdir()) == []


def test_base64_with_signs_of_both_alphabets(tmp_path: Path) -> None:
    key = bytes([0xFB, 0xFF] * 16)
    assert MasterKeys.of(base64.b64encode(key).decode(), tmp_path).newest == key
    assert MasterKeys.of(base64.urlsafe_b64encode(key).decode(), tmp_path).newest == key


@pytest.mark.parametrize("text", ["short", "ff" * 31, "ff" * 33, "å" * 44])
def test_a_wrong_master_key_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="32 bytes"):
        MasterKeys.of(text, tmp_path)


def test_purposes_have_keys_of_their_own() -> None:
    assert len({derived(MASTER_KEY, "jwt"), derived(MASTER_KEY, "wrap"), MASTER_KEY}) == 3


async def test_a_secret_is_sealed_for_one_tenant(database: Database) -> None:
    ours, theirs = await _tenant(database), await _tenant(database)
    ring = KeyRing(database, MasterKeys(MASTER_KEY))
    sealed = await ring.seal(ours, "sk-hemlig-å")
    assert "hemlig" not in sealed
    assert sealed != await ring.seal(ours, "sk-hemlig-å")
    assert await KeyRing(database, MasterKeys(MASTER_KEY)).unseal(ours, sealed) == "sk-hemlig-å"
    with pytest.raises(KeyMissing):
        await ring.unseal(theirs, sealed)
    with pytest.raises(InvalidTag):
        await ring.unseal(theirs, (await ring.of(theirs)).prefix + sealed.rsplit(":", 1)[1])
    middle = len(sealed) // 2
    with pytest.raises(InvalidTag):
        await ring.unseal(ours, sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :])


async def test_secrets_of_the_first_form_are_read(database: Database) -> None:
    tenant_id = await _tenant(database)
    ring = KeyRing(database, MasterKeys(MASTER_KEY))
    keys = await ring.of(tenant_id)
    nonce = bytes(12)
    body = nonce + keys.cipher(keys.sealing).encrypt(nonce, b"sk-hemlig", tenant_id.bytes)
    assert await ring.unseal(tenant_id, "s1:" + base64.urlsafe_b64encode(body).decode()) == "sk-hemlig"
    with pytest.raises(InvalidTag):
        await ring.unseal(tenant_id, "s1:" + base64.urlsafe_b64encode(body[:-1] + b"x").decode())


@pytest.mark.parametrize("value", ["s2:", "s2:ab", "s2:00000000:", "s1:", "enc:fernet:v1:", "sk-plain"])
async def test_what_was_never_sealed_is_refused_with_a_known_error(database: Database, value: str) -> None:
    tenant_id = await _tenant(database)
    with pytest.raises((InvalidTag, KeyMissing)):
        await KeyRing(database, MasterKeys(MASTER_KEY)).unseal(tenant_id, value)


async def test_a_text_opens_for_its_own_column_only(database: Database) -> None:
    tenant_id = await _tenant(database)
    keys = await KeyRing(database, MasterKeys(MASTER_KEY)).of(tenant_id)
    sealed = keys.seal("Vem?", "messages.question")
    assert keys.open(sealed, "messages.question") == "Vem?"
    with pytest.raises(InvalidTag):
        keys.open(sealed, "messages.answer")


async def test_two_processes_that_make_a_key_at_once_agree(database: Database) -> None:
    # Often, because what one commits first may have been begun last.
    for _ in range(12):
        tenant_id = await _tenant(database)
        rings = [KeyRing(database, MasterKeys(MASTER_KEY)) for _ in range(5)]
        found = await asyncio.gather(*(ring.of(tenant_id) for ring in rings))
        again = await KeyRing(database, MasterKeys(MASTER_KEY)).of(tenant_id)
        assert all(again.open(keys.seal("å", "x"), "x") == "å" for keys in found)
        async with database.session(tenant_id, write=False) as session:
            assert len((await session.scalars(select(TenantKey))).all()) == 1


async def test_the_stored_key_is_wrapped(database: Database) -> None:
    tenant_id = await _tenant(database)
    ring = KeyRing(database, MasterKeys(MASTER_KEY))
    await ring.of(tenant_id)
    async with database.session(tenant_id, write=False) as session:
        stored = (await session.scalars(select(TenantKey))).one()
    assert ring.masters.unwrap(stored) not in stored.wrapped
    with pytest.raises(MasterKeyError, match="ENCRYPTION_KEY"):
        await KeyRing(database, MasterKeys(bytes(32))).of(tenant_id)
