"""Rows on their way from one database to another: every table, every type, every vector; and rows of earlier schemas."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from sqlalchemy import Connection, insert, text

from app.backup import verify
from app.config import Settings
from app.upgrade import upgrade
from domain.kernel.ids import new_id
from domain.knowledge.repository import IndexEntry
from storage import migrate
from storage.archive import entries
from storage.archive.copying import copy_rows
from storage.archive.loading import into_postgres, into_sqlite
from storage.archive.rows import Sum, line_of
from storage.archive.snapshot import Snapshot, snapshot
from storage.database import Database
from storage.search.analysis import analyse
from storage.search.sqlite import SqliteSearchIndex
from storage.tables import metadata
from tests.conftest import MASTER_KEY, Place
from tests.support.postgres import Postgres
from tests.support.rows import Rows, fill, row_of, stored

CHUNKS = 700
SECRET_FILE = "backup.key"
LIVING = ("tenants", "users", "spaces")


async def _sums(found: Snapshot) -> dict[str, Sum]:
    """Number and checksum of every table's rows; of vectors in half precision, as Postgres keeps them."""
    sums: dict[str, Sum] = {}
    for shape in found.shapes:
        sums[shape.name] = Sum()
        for tenant_id in [each.id for each in found.organisations] if shape.owned else [None]:
            async for rows in found.rows(shape, tenant_id):
                for row in rows:
                    sums[shape.name].add(line_of(row))
    sums["index"] = Sum()
    for organisation in found.organisations:
        async for some in found.entries(organisation.id):
            for entry in some:
                *rest, _, number = entries.outward(entry)
                sums["index"].add(line_of([*rest, number, entries.halved(entry.vector).hex()]))
    return sums


async def _shelve(database: Database, rows: Rows) -> None:
    """Chunks of the organisation of `rows`, with vectors of two lengths, all in the index."""
    tenant_id, random = rows["tenants"]["id"], np.random.default_rng(7)
    table, made = metadata.tables["chunks"], []
    for number in range(CHUNKS):
        values = row_of(table, tenant_id, rows) | {"text": f"Bygglov {number} för altaner", "position": number + 1000}
        made.append(values)
    async with database.session(tenant_id) as session:
        connection = await session.connection()
        await connection.execute(insert(table), made)
        for dims, some in ((384, made[:-50]), (100, made[-50:])):
            vectors = random.normal(size=(len(some), dims)).astype(np.float32)
            found = [
                IndexEntry(each["key"], each["id"], each["collection_id"], each["document_id"],
                           analyse(each["text"], "sv"), vector.tobytes())
                for each, vector in zip(some, vectors, strict=True)
            ]  # fmt: skip
            await SqliteSearchIndex().put(session, found)
        await session.commit()


async def test_every_row_and_vector_is_the_same_there_and_back(
    sqlite_place: Place, postgres: Postgres, tmp_path: Path
) -> None:
    here = Database.sqlite(sqlite_place.data / "samrad.db")
    for _ in range(2):
        await _shelve(here, await fill(here, None, new_id()))
    name = await postgres.create()
    await postgres.execute("create extension vector", name)
    url, again = postgres.url(name), tmp_path / "again.db"
    async with snapshot(here) as found, into_postgres(url, None) as loader:
        await copy_rows(found, loader)
    there = Database.postgres(url, [MASTER_KEY], program_url=postgres.url(name, user="samrad_app"), pool_size=2)
    async with snapshot(there) as found, into_sqlite(again) as loader:
        await copy_rows(found, loader)
    back = Database.sqlite(again)
    sums = []
    for database in (here, there, back):
        async with snapshot(database) as found:
            sums.append(await _sums(found))
        await database.close()
    await postgres.drop(name)
    assert len(sums[0]) > 50
    assert {name for name, each in sums[0].items() if not each.count} <= {"login_throttles", "modules", "switches",
                                                                         "deletion_certificates"}  # fmt: skip
    assert sums[0]["index"].count == 2 * CHUNKS
    assert sums[0] == sums[1] == sums[2]
    assert loader.counts["users"] == 2


async def test_one_moment_is_read_while_others_write(
    database: Database, place: Place, request: pytest.FixtureRequest
) -> None:
    url = None
    if place.url is not None:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(place.url.rsplit("/", 1)[1], user="postgres")
    await fill(database, url, new_id())
    async with snapshot(database) as found:
        before = await _sums(found)
        await fill(database, url, new_id())
        assert await _sums(found) == before
    async with snapshot(database) as found:
        assert (await _sums(found))["users"].count == 2


def _as_it_was(connection: Connection) -> None:
    """A schema two steps ago, with an organisation in it, and something in the way of the second step."""
    command.upgrade(migrate._config(connection), "0013")
    rows: Rows = {}
    for name in LIVING:
        table = metadata.tables[name]
        rows[name] = row_of(table, rows["tenants"]["id"] if rows else new_id(), rows)
        connection.execute(insert(table).values(stored(table, rows[name])))
    connection.execute(text("create index ix_chunks_tenant_id_key on chunks (tenant_id, position)"))


@pytest.fixture
async def former(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> AsyncIterator[Place]:
    """An installation of a former version, on either database."""
    data, url, name = tmp_path / "former", None, None
    data.mkdir()
    if request.param == "postgres":
        name = await postgres.create()
        await postgres.execute("create extension vector", name)
        url = postgres.url(name)
        async with migrate.postgres_connection(url) as connection, connection.begin():
            await connection.run_sync(_as_it_was)
            # As a former version's `migrate` leaves it: the look-ups of the program, and its rights.
            await connection.execute(text("create schema app"))
            await connection.execute(text("create function app.tenant_ids() returns setof uuid language sql as "
                                          "'select id from tenants'"))  # fmt: skip
            for grant in ("usage on schema public, app", "select on all tables in schema public"):
                await connection.execute(text(f"grant {grant} to samrad_app"))
    else:
        async with migrate.sqlite_connection(data / "samrad.db") as connection:
            await connection.run_sync(_as_it_was)
            await connection.commit()
    yield Place(data, url, url and url.replace("samrad_owner@", "samrad_app@"))
    if name is not None:
        await postgres.drop(name)


async def _run(settings: Settings, statement: str) -> list[str]:
    if settings.database_url is None:
        async with migrate.sqlite_connection(settings.data_dir / "samrad.db") as connection:
            found = [str(row[0]) for row in await connection.execute(text(statement))] if "select" in statement else []
            if not found:
                await connection.execute(text(statement))
                await connection.commit()
            return found
    async with migrate.postgres_connection(settings.database_url) as connection, connection.begin():
        done = await connection.execute(text(statement))
        return [str(row[0]) for row in done] if "select" in statement else []


@pytest.mark.parametrize("former", ["sqlite", "postgres"], indirect=True)
async def test_an_upgrade_that_fails_half_way_is_taken_back(former: Place, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    key_file = former.data / SECRET_FILE
    key_file.write_text("0123456789abcdef" * 4)
    settings, file = former.settings(), former.data / "before.samrad"
    chosen = argparse.Namespace(backup=file, key_file=key_file)
    assert await upgrade(chosen, settings) == 1
    told = capsys.readouterr().err
    assert "ix_chunks_tenant_id_key" in told
    assert "taken back" in told
    assert await _run(settings, "select version_num from alembic_version") == ["0013"]
    columns = "chunks" if former.url is None else "information_schema.columns where table_name = 'chunks'"
    statement = (
        "select name from pragma_table_info('chunks')" if former.url is None else f"select column_name from {columns}"
    )
    assert "edited" not in await _run(settings, statement)
    contents = await verify(file, key_file.read_bytes().strip())
    assert {name: contents.counts[name] for name in LIVING} == dict.fromkeys(LIVING, 1)
    await _run(settings, "drop index ix_chunks_tenant_id_key")
    again = argparse.Namespace(backup=former.data / "again.samrad", key_file=key_file)
    assert await upgrade(again, settings) == 0
    assert f"From 0013 to {migrate.head()}" in capsys.readouterr().out
    assert await upgrade(again, settings) == 0
    assert "already" in capsys.readouterr().out
