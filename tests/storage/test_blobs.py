"""The file store: encrypted, streamed, tamper-proof, apart for each tenant."""

import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from domain.kernel.errors import FileTooLarge, NotFound
from domain.kernel.ids import new_id
from storage.blobs import ABANDONED_SECONDS, FIRST_MAGIC, HEADER_BYTES, SEGMENT, TAG_BYTES, BlobStore
from storage.sealing import TenantKeys

SIZES = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 17]
SEALED = SEGMENT + TAG_BYTES


class Keys:
    """A key for each tenant, made of its id; `add` brings another one into use."""

    def __init__(self) -> None:
        self.tags = ["00000001"]

    async def of(self, tenant_id: UUID, tag: str | None = None) -> TenantKeys:
        plain = {known: hashlib.sha256(tenant_id.bytes + known.encode()).digest() for known in self.tags}
        return TenantKeys(tenant_id, plain, self.tags[-1])


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    made = BlobStore(tmp_path / "files", Keys())
    made.prepare()
    return made


async def pieces(content: bytes, size: int = 70_001) -> AsyncIterator[bytes]:
    for first in range(0, len(content), size):
        yield content[first : first + size]


async def read(store: BlobStore, tenant_id: UUID, name: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([part async for part in store.read(tenant_id, name, start, end)])


def path_of(store: BlobStore, tenant_id: UUID, name: str) -> Path:
    return store._path(tenant_id, name)


@pytest.mark.parametrize("size", SIZES)
async def test_what_goes_in_comes_out(store: BlobStore, size: int) -> None:
    content, tenant_id = os.urandom(size), new_id()
    stored = await store.receive(tenant_id, pieces(content), 10 * SEGMENT)
    assert stored.size == size
    assert await read(store, tenant_id, stored.name) == content
    on_disk = path_of(store, tenant_id, stored.name).read_bytes()
    assert size < 32 or content[:32] not in on_disk


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 10), (5, 5), (SEGMENT - 3, SEGMENT + 3), (SEGMENT, 2 * SEGMENT), (2 * SEGMENT + 5, None), (0, 10**9)],
)
async def test_ranges(store: BlobStore, start: int, end: int | None) -> None:
    content, tenant_id = os.urandom(2 * SEGMENT + 100), new_id()
    stored = await store.receive(tenant_id, pieces(content), 10 * SEGMENT)
    assert await read(store, tenant_id, stored.name, start, end) == content[start:end]


async def _altered(store: BlobStore, change: str) -> tuple[UUID, str]:
    tenant_id = new_id()
    stored = await store.receive(tenant_id, pieces(os.urandom(3 * SEGMENT)), 10 * SEGMENT)
    path = path_of(store, tenant_id, stored.name)
    raw = bytearray(path.read_bytes())
    head, segments = raw[:HEADER_BYTES], [raw[HEADER_BYTES + i * SEALED :][:SEALED] for i in range(3)]
    match change:
        case "a bit of the content":
            segments[1][100] ^= 1
        case "the header":
            head[-1] ^= 1
        case "segments exchanged":
            segments[0], segments[1] = segments[1], segments[0]
        case "the last segment cut off":
            segments.pop()
        case "the last byte cut off":
            segments[2] = segments[2][:-1]
        case "a segment repeated":
            segments.append(segments[2])
    path.chmod(0o600)
    path.write_bytes(bytes(head) + b"".join(bytes(segment) for segment in segments))
    return tenant_id, stored.name


@pytest.mark.parametrize(
    "change",
    [
        "a bit of the content",
        "the header",
        "segments exchanged",
        "the last segment cut off",
        "the last byte cut off",
        "a segment repeated",
    ],
)
async def test_an_altered_file_is_not_given_out(store: BlobStore, change: str) -> None:
    tenant_id, name = await _altered(store, change)
    with pytest.raises(InvalidTag):
        await read(store, tenant_id, name)


async def test_another_tenant_cannot_read_it(store: BlobStore) -> None:
    ours, theirs = new_id(), new_id()
    stored = await store.receive(ours, pieces(b"secret" * 100), SEGMENT)
    with pytest.raises(NotFound):
        await read(store, theirs, stored.name)
    moved = path_of(store, theirs, stored.name)
    moved.parent.mkdir(parents=True)
    path_of(store, ours, stored.name).rename(moved)
    with pytest.raises(InvalidTag):
        await read(store, theirs, stored.name)


async def test_equal_files_do_not_look_equal(store: BlobStore) -> None:
    first = await store.receive(new_id(), pieces(b"same" * 1000), SEGMENT)
    second = await store.receive(new_id(), pieces(b"same" * 1000), SEGMENT)
    assert first.sha256 == second.sha256
    assert first.name != second.name


async def test_too_large_leaves_nothing_behind(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(FileTooLarge):
        await store.receive(new_id(), pieces(bytes(SEGMENT * 2)), SEGMENT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_broken_upload_leaves_nothing_behind(store: BlobStore, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(SEGMENT * 2)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.receive(new_id(), broken(), 10 * SEGMENT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_copy_on_disk_is_private_and_goes_away(store: BlobStore) -> None:
    content, tenant_id = os.urandom(SEGMENT + 5), new_id()
    stored = await store.receive(tenant_id, pieces(content), 10 * SEGMENT)
    async with store.on_disk(tenant_id, stored.name) as path:
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


async def test_another_key_takes_over_and_the_first_form_is_read(tmp_path: Path) -> None:
    keys, tenant_id, content = Keys(), new_id(), os.urandom(2 * SEGMENT + 5)
    store = BlobStore(tmp_path / "files", keys)
    store.prepare()
    stored = await store.receive(tenant_id, pieces(content), 10 * SEGMENT)
    path = path_of(store, tenant_id, stored.name)
    cipher = (await keys.of(tenant_id)).cipher(keys.tags[0])
    header, parts = FIRST_MAGIC + os.urandom(7), [content[i * SEGMENT :][:SEGMENT] for i in range(3)]
    nonces = [header[-7:] + number.to_bytes(4, "big") + bytes([number == 2]) for number in range(3)]
    sealed = [cipher.encrypt(nonce, part, header) for nonce, part in zip(nonces, parts, strict=True)]
    path.write_bytes(header + b"".join(sealed))
    keys.tags.append("00000002")
    assert await read(store, tenant_id, stored.name) == content
    assert await store.tags(tenant_id) == {None}
    open_reader = store.read(tenant_id, stored.name)
    first = await anext(open_reader)
    assert await store.turn_over(tenant_id, stored.name)
    assert first + b"".join([part async for part in open_reader]) == content
    assert await store.tags(tenant_id) == {"00000002"}
    assert await read(store, tenant_id, stored.name, SEGMENT - 3, SEGMENT + 3) == content[SEGMENT - 3 : SEGMENT + 3]
    assert not await store.turn_over(tenant_id, stored.name)
    assert await store.names(tenant_id) == [stored.name]


async def test_deleting_twice(store: BlobStore) -> None:
    tenant_id = new_id()
    stored = await store.receive(tenant_id, pieces(b"x"), SEGMENT)
    await store.delete(tenant_id, stored.name)
    await store.delete(tenant_id, stored.name)
    with pytest.raises(NotFound):
        await read(store, tenant_id, stored.name)


async def test_what_was_half_done_is_removed_at_the_start(store: BlobStore, tmp_path: Path) -> None:
    folder = tmp_path / "files" / "tmp"
    left, open_still = folder / "left", folder / "reading"
    left.write_bytes(b"half")
    open_still.mkdir()
    long_ago = time.time() - 2 * ABANDONED_SECONDS
    os.utime(left, (long_ago, long_ago))
    # Another process may have begun the other one just now.
    store.prepare()
    assert [left.exists(), open_still.exists()] == [False, True]
    store.prepare(alone=True)
    assert not open_still.exists()
