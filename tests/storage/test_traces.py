"""What was deleted is nowhere any more: not in rows, indexes, files, nor between the lines of the database's own file."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import Place
from tests.storage.test_deletion import all_seeing, files_with
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.pictures import picture
from tests.support.site import Site, html

CANARY = "kanariefj"
"""The beginning of a word that stands in the content alone: titles and names stay in the audit log."""
CONTENT = f"Hemligt: {CANARY}ädrarna sjunger. {CANARY}ädern bor i voljären, och xylofonen spelar."


async def everywhere(place: Place, word: str) -> list[str]:
    """All tables, those of the index and its shadows too, whose rows hold the word."""
    url = all_seeing(place) or f"sqlite+aiosqlite:///{place.data / 'samrad.db'}"
    listed = (
        "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables "
        "where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'"
        if place.url
        else "select '\"' || name || '\"' from sqlite_master where type = 'table' and sql not like '%virtual%'"
    )
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    found = []
    async with engine.connect() as connection:
        for (table,) in (await connection.execute(text(listed))).all():
            for row in (await connection.execute(text(f"select * from {table}"))).all():
                if any(word in _readable(value) for value in row):
                    found.append(table)
                    break
    await engine.dispose()
    return found


def _readable(value: object) -> str:
    return value.decode("utf-8", "replace").lower() if isinstance(value, bytes) else str(value).lower()


async def indexed(api: Api) -> int:
    """How many chunks, vectors and words the index holds."""
    tables = {"sqlite": ["chunk_places", "chunk_vector_places"], "postgresql": ["chunk_index", "chunk_vectors"]}
    found = 0
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        for table in ("chunks", "chunk_words", *tables[api.runtime.database.dialect]):
            count = text(f"select count(*) from {table}")
            found += await session.scalar(count, execution_options={"scoped_by_hand": True}) or 0
    return found


async def planted(api: Api, client: httpx.AsyncClient, space: str) -> tuple[str, str]:
    """A collection with the canary in a document, which somebody has asked about; collection and document."""
    collection = await make_collection(client, space)
    await upload(client, collection, "fil.txt", CONTENT.encode())
    await api.work()
    assistant = await make_assistant(client, space, collection)
    body = {"assistant_id": assistant, "question": "Var spelar xylofonen?"}
    assert CANARY in (await client.post("/api/v1/conversations/", json=body)).text
    document = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()["items"][0]["id"]
    return collection, str(document)


async def worn(client: httpx.AsyncClient, space: str) -> None:
    """A picture of an assistant, and one of the space; in a personal space, which bears none, nothing bears it."""
    assistant = await make_assistant(client, space)
    for side, path, change in (
        (60, f"/api/v1/assistants/{assistant}/", client.post), (70, f"/api/v1/spaces/{space}/", client.patch),
    ):  # fmt: skip
        icon = (await client.post("/api/v1/icons/", files={"file": ("b.png", picture(side))})).json()["id"]
        assert (await change(path, json={"icon_id": icon})).status_code in (200, 403)


async def a_document(api: Api, place: Place) -> AsyncIterator[str]:
    client = await api.client()
    _, document = await planted(api, client, await make_space(client))
    yield f"/api/v1/info-blobs/{document}/"


async def a_collection(api: Api, place: Place) -> AsyncIterator[str]:
    client = await api.client()
    collection, _ = await planted(api, client, await make_space(client))
    yield f"/api/v1/groups/{collection}/"


async def a_space(api: Api, place: Place) -> AsyncIterator[str]:
    client = await api.client()
    space = await make_space(client)
    await planted(api, client, space)
    await worn(client, space)
    yield f"/api/v1/spaces/{space}/"


async def a_person(api: Api, place: Place) -> AsyncIterator[str]:
    user_id = await api.user("borta@example.se")
    client = await api.client("borta@example.se")
    personal = (await client.get("/api/v1/spaces/type/personal/")).json()["id"]
    await planted(api, client, personal)
    await worn(client, personal)
    yield f"/api/v1/users/admin/{user_id}/"


async def a_website(api: Api, place: Place) -> AsyncIterator[str]:
    site = Site()
    site.pages = {"/": html("Start", CONTENT, [])}
    client = await api.client()
    space = await make_space(client)
    added = {"url": site.url, "delay": 0}
    made = (await client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=added)).json()
    await api.work()
    yield f"/api/v1/websites/{made['id']}/"
    site.stop()


@pytest.mark.parametrize("plant", [a_document, a_collection, a_space, a_person, a_website])
async def test_nothing_of_it_is_left(api: Api, place: Place, plant: Callable[[Api, Place], AsyncIterator[str]]) -> None:
    database, folder = api.runtime.database, api.runtime.settings.data_dir
    planting = plant(api, place)
    url = await anext(planting)
    assert "chunks" in "".join(await everywhere(place, CANARY))
    assert await indexed(api) > 0
    await database.settle()
    assert files_with(folder, CANARY) == ([] if place.url else ["samrad.db"])
    stored = [path for path in _files(folder, api.owner.tenant_id) if path.is_file()]
    assert stored

    client = await api.client()
    answer = await client.delete(url)
    assert answer.status_code in (200, 204), answer.text
    assert await api.runtime.services.deletion.erase_traces() is (place.url is None)

    assert await everywhere(place, CANARY) == []
    assert await indexed(api) == 0
    assert files_with(folder, CANARY) == []
    assert [path for path in _files(folder, api.owner.tenant_id) if path.is_file()] == []
    # Nothing is left to do.
    assert await api.runtime.services.deletion.erase_traces() is False
    assert [_ async for _ in planting] == []


def _files(folder: Path, tenant_id: UUID) -> list[Path]:
    return list((folder / "files" / tenant_id.hex).rglob("*"))
