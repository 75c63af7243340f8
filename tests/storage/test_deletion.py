"""An organisation that was deleted is nowhere any more, and a certificate says so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.bootstrap import Runtime, build
from app.security.keys import derived
from domain.kernel.actor import Actor
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.tenants.deletion import DeletionCertificate
from domain.tenants.entities import Tenant, TenantState
from domain.tenants.operator import Operator
from storage.database import Database
from storage.tables import metadata
from tests.conftest import MASTER_KEY, PASSWORD, Place, found
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.pictures import picture
from tests.support.postgres import OWNER
from tests.support.rows import TABLES, fill

CANARY = "kanariefj"
"""Stands in everything that is planted; analysed words keep their beginning."""
OPERATOR = Operator()


def all_seeing(place: Place) -> str | None:
    """The address of the database for its superuser; None on SQLite."""
    return place.url and place.url.replace(f"{OWNER}@", "postgres@")


async def rows(place: Place, table: str) -> list[dict[str, Any]]:
    """All rows of a table, as nobody but the database's owner sees them."""
    url = all_seeing(place) or f"sqlite+aiosqlite:///{place.data / 'samrad.db'}"
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(text(f"select * from {table}"))).mappings()]
    finally:
        await engine.dispose()


async def holding(place: Place, word: str, tenant_id: UUID) -> list[str]:
    """The tables that hold the word or rows of the organisation."""
    names = [table.name for table in metadata.sorted_tables]
    names += ["chunk_index"] if place.url else ["chunk_places"]
    return [
        name for name in names
        if any(word in str(row).lower() or tenant_id.hex in str(row).replace("-", "") for row in await rows(place, name))
        and name != "deletion_certificates"
    ]  # fmt: skip


def files_with(folder: Path, word: str) -> list[str]:
    """The files below the folder whose bytes hold the word."""
    return [path.name for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes().lower()]


async def planted(api: Api, actor: Actor) -> None:
    """The canary in everything that people make."""
    client = await api.client(actor.email)
    space = await make_space(client, f"Rum {CANARY}")
    collection = await make_collection(client, space, CANARY)
    await upload(client, collection, f"{CANARY}.txt", f"Hemligt: {CANARY}orna sjunger. {CANARY}en bor här.".encode())
    await api.work()
    assistant = await make_assistant(client, space, collection)
    body = {"assistant_id": assistant, "question": f"Var bor {CANARY}en?"}
    assert CANARY in (await client.post("/api/v1/conversations/", json=body)).text
    await client.post("/api/v1/files/", files={"upload_file": (f"{CANARY}.txt", CANARY.encode())})
    icon = (await client.post("/api/v1/icons/", files={"file": ("b.png", picture(60))})).json()["id"]
    assert (await client.patch(f"/api/v1/spaces/{space}/", json={"icon_id": icon})).status_code == 200
    await api.runtime.services.users.add(actor, f"{CANARY}@example.org", PASSWORD, username=CANARY)


async def certificate(runtime: Runtime) -> DeletionCertificate:
    """The only certificate."""
    [only] = (await runtime.services.deletion.certificates(OPERATOR)).items
    return only


async def test_nothing_is_left_anywhere(api: Api, place: Place, other: Actor) -> None:
    await planted(api, other)
    database, folder = api.runtime.database, api.runtime.settings.data_dir
    before = set(await holding(place, CANARY, other.tenant_id))
    assert before > {"users", "spaces", "documents", "chunks", "messages", "audit_entries", "files"}
    await database.settle()
    assert files_with(folder, CANARY) == ([] if place.url else ["samrad.db"])
    assert (folder / "files" / other.tenant_id.hex).exists()
    preview = (await api.runtime.services.deletion.preview(OPERATOR, other.tenant_id)).counts
    assert {**preview, "bytes": preview["bytes"] > 0} == {
        "people": 2, "spaces": 1, "documents": 1, "conversations": 1, "files": 4, "bytes": True
    }  # fmt: skip
    last = (await api.entries(other.tenant_id))[-1]

    await api.runtime.services.deletion.begin(OPERATOR, other.tenant_id)
    assert await api.runtime.services.deletion.carry_on() == 1

    assert await holding(place, CANARY, other.tenant_id) == []
    assert files_with(folder, CANARY) == []
    assert not (folder / "files" / other.tenant_id.hex).exists()
    paper = await certificate(api.runtime)
    assert api.runtime.services.deletion.signer.holds(paper)
    assert (paper.name, paper.slug, paper.ended_at is not None) == ("Grannkommunen", "grannkommunen", True)
    assert (paper.counts["users"], paper.counts["documents"], paper.counts["stored_files"]) == (2, 1, 4)
    # One entry more: that the deletion began.
    assert last.sequence is not None
    assert paper.audit_sequence == last.sequence + 1
    assert await api.runtime.services.deletion.carry_on() == 0
    # The neighbours did not notice.
    assert (await (await api.client()).get("/api/v1/users/me/")).status_code == 200


async def test_a_row_in_every_table_goes(api: Api, place: Place, database: Database) -> None:
    tenant_id = new_id()
    await fill(database, all_seeing(place), tenant_id)
    full = set(await holding(place, "\0", tenant_id))
    assert full >= {table.name for table in TABLES}
    # Its data key is none: the deletion needs no key at all.
    async with database.session(tenant_id) as session:
        await session.execute(update(Tenant).values(state=TenantState.DELETING))
        await session.commit()
    while not await api.runtime.services.deletion.carry_on():
        await asyncio.sleep(0.1)
    assert await holding(place, "\0", tenant_id) == []


async def test_access_ends_when_the_deletion_begins_and_there_is_no_way_back(api: Api, other: Actor) -> None:
    client, operator = await api.client(other.email), api.operator()
    url = f"/api/v1/sysadmin/tenants/{other.tenant_id}/"
    assert (await operator.get(f"{url}deletion-preview/")).json()["counts"]["people"] == 1
    answer = await operator.delete(url)
    assert (answer.status_code, answer.json()["state"]) == (200, "deleting")
    assert (await client.get("/api/v1/users/me/")).json()["code"] == 9025
    for change in ({"state": "active"}, {"quota_limit": 1}):
        assert (await operator.post(url, json=change)).status_code == 409
    assert (await operator.delete(url)).status_code == 409
    assert await api.runtime.services.deletion.carry_on() == 1
    assert (await operator.get(url)).status_code == 404
    [done] = (await operator.get("/api/v1/sysadmin/deletion-certificates/")).json()["items"]
    assert (done["valid"], done["tenant_id"]) == (True, str(other.tenant_id))
    # Name, slug and address are free again.
    await found(api.runtime, "Grannkommunen", other.email)


@pytest.fixture
async def second(place: Place) -> AsyncIterator[Runtime]:
    """Another process over the same data."""
    running = await build(place.settings(), listen=False)
    yield running
    await running.close()


async def test_a_deletion_that_was_broken_off_is_finished_by_another_process(
    api: Api, second: Runtime, other: Actor
) -> None:
    for number in range(40):
        await api.runtime.services.spaces.create(other, f"Rum {number}")
    deletion = api.runtime.services.deletion
    await deletion.begin(OPERATOR, other.tenant_id)
    work = asyncio.create_task(deletion.carry_on())
    async with asyncio.timeout(20):
        while not (page := await deletion.certificates(OPERATOR)).items or not page.items[0].counts:
            await asyncio.sleep(0)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert (await certificate(second)).ended_at is None
    assert not deletion.signer.holds(await certificate(second))
    assert await second.services.deletion.carry_on() == 1
    paper = await certificate(second)
    assert deletion.signer.holds(paper)
    assert paper.counts["spaces"] == 40
    paper.counts["spaces"] = 39
    assert not deletion.signer.holds(paper)


async def test_the_deletion_waits_for_a_worker_that_still_writes(api: Api, other: Actor) -> None:
    client = await api.client(other.email)
    collection = await make_collection(client, await make_space(client))
    job = UUID((await upload(client, collection, "a.txt", b"Hej")).json()["id"])
    held = await api.runtime.services.jobs.claim(other.tenant_id, job)
    assert held is not None
    await api.runtime.services.deletion.begin(OPERATOR, other.tenant_id)
    assert await api.runtime.services.deletion.carry_on() == 0
    assert await api.runtime.services.jobs.renew(held) is True
    await api.runtime.services.jobs.cancelled(held)
    assert await api.runtime.services.deletion.carry_on() == 1
    with pytest.raises(NotFound):
        await api.runtime.services.users.tenant(other)


async def test_certificates_outlive_the_master_key(other: Actor, runtime: Runtime) -> None:
    deletion = runtime.services.deletion
    await deletion.begin(OPERATOR, other.tenant_id)
    assert await deletion.carry_on() == 1
    first = (await certificate(runtime)).signature
    key = derived(MASTER_KEY, "deletion-certificates")
    deletion.signer.renew(b"new" * 11, key)
    assert deletion.signer.holds(await certificate(runtime))
    await deletion.sign_anew()
    deletion.signer.renew(b"new" * 11)
    renewed = await certificate(runtime)
    assert deletion.signer.holds(renewed)
    assert renewed.signature != first
