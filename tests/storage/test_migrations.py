"""One history for both databases: it makes what the code expects, may run twice at once, and is checked afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, insert, inspect, text, type_coerce
from sqlalchemy.ext.asyncio import create_async_engine

from domain.kernel.ids import new_id
from storage import migrate, postgres, sqlite
from storage.database import Database
from storage.migrate import SchemaError
from storage.tables import metadata
from storage.tables.base import Json
from storage.tables.spaces import spaces
from storage.tables.tenants import tenants
from storage.tables.users import users
from tests.conftest import MASTER_KEY, Place
from tests.support.postgres import Postgres
from tests.support.rows import TABLES, Rows, fill, row_of, stored


@pytest.fixture
async def empty(postgres: Postgres) -> AsyncIterator[str]:
    """The address of an empty Postgres database."""
    name = await postgres.create()
    await postgres.execute("create extension vector", name)
    yield postgres.url(name)
    await postgres.drop(name)


async def test_sqlite_is_migrated_by_several_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "samrad.db"
    await asyncio.gather(*(migrate.migrate_sqlite(path) for _ in range(4)))
    await migrate.check_sqlite(path)


async def test_postgres_is_migrated_by_several_at_once(empty: str) -> None:
    await asyncio.gather(*(migrate.migrate_postgres(empty, MASTER_KEY) for _ in range(3)))
    await migrate.check_postgres(empty)


async def test_an_owner_who_may_not_add_the_extension_is_told(postgres: Postgres) -> None:
    name = await postgres.create()
    try:
        with pytest.raises(SchemaError, match="create extension vector"):
            await migrate.migrate_postgres(postgres.url(name), MASTER_KEY)
    finally:
        await postgres.drop(name)


async def test_a_database_that_is_not_there_is_named(postgres: Postgres) -> None:
    with pytest.raises(SchemaError, match=r'"nowhere" does not exist.*DATABASE_URL'):
        await migrate.migrate_postgres(postgres.url("nowhere"), MASTER_KEY)


async def test_a_program_role_that_escapes_the_policies_is_refused(postgres: Postgres, empty: str) -> None:
    await migrate.migrate_postgres(empty, MASTER_KEY)
    await postgres.execute("alter role samrad_app bypassrls")
    try:
        with pytest.raises(SchemaError, match="row-level security"):
            await migrate.migrate_postgres(empty, MASTER_KEY)
    finally:
        await postgres.execute("alter role samrad_app nobypassrls")


async def test_a_database_that_does_not_exist_is_not_made_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "samrad.db"
    with pytest.raises(SchemaError, match="migrate"):
        await migrate.check_sqlite(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("drop trigger spaces_updated_at", "spaces_updated_at"),
        ("drop trigger users_tenant_insert_new", "users_tenant_insert_new"),
        ("drop trigger users_tenant_delete_old", "users_tenant_delete_old"),
        ("alter table spaces add column extra text", "extra"),
        ("drop index ix_jobs_open", "ix_jobs_open"),
        ("update alembic_version set version_num = '0000'", "0000"),
    ],
)
async def test_sqlite_that_is_not_as_expected_is_refused(sqlite_place: Place, damage: str, found: str) -> None:
    path = sqlite_place.data / "samrad.db"
    engine = sqlite.make_engine(f"sqlite+aiosqlite:///{path}", write=True, pool_size=1)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(damage)
    await engine.dispose()
    with pytest.raises(SchemaError, match=found):
        await migrate.check_sqlite(path)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("drop policy tenant_isolation on spaces", "spaces"),
        ("alter table users no force row level security", "users"),
        ("alter table chunk_index disable row level security", "chunk_index"),
        ("alter table spaces add column extra text", "extra"),
        ("drop trigger spaces_updated_at on spaces", "spaces_updated_at"),
    ],
)
async def test_postgres_that_is_not_as_expected_is_refused(postgres_place: Place, damage: str, found: str) -> None:
    url = postgres_place.url or ""
    connection = await asyncpg.connect(url)
    await connection.execute(damage)
    await connection.close()
    with pytest.raises(SchemaError, match=found):
        await migrate.check_postgres(url)


async def test_migrating_again_mends_triggers_and_policies(place: Place) -> None:
    if place.url is None:
        path = place.data / "samrad.db"
        engine = sqlite.make_engine(f"sqlite+aiosqlite:///{path}", write=True, pool_size=1)
        async with engine.begin() as connection:
            await connection.exec_driver_sql("drop trigger spaces_updated_at")
        await engine.dispose()
        await migrate.migrate_sqlite(path)
        await migrate.check_sqlite(path)
    else:
        owner = await asyncpg.connect(place.url)
        await owner.execute("drop policy tenant_isolation on spaces")
        await owner.close()
        await migrate.migrate_postgres(place.url, MASTER_KEY)
        await migrate.check_postgres(place.url)


def test_every_tenant_table_has_id_tenant_moments_and_composite_references() -> None:
    for table in TABLES:
        assert {"id", "tenant_id", "created_at", "updated_at"} <= set(table.columns.keys()), table.name
        for key in table.foreign_key_constraints:
            columns = [element.parent.name for element in key.elements]
            assert columns[0] == "tenant_id", f"{table.name} {columns}"
            assert key.referred_table.name in metadata.tables


async def _organisation(database: Database) -> tuple[UUID, UUID]:
    tenant_id = new_id()
    rows = {"tenants": row_of(tenants, tenant_id, {})}
    rows["users"] = row_of(users, tenant_id, rows)
    rows["spaces"] = row_of(spaces, tenant_id, rows)
    async with database.session(tenant_id) as session:
        connection = await session.connection()
        for table in (tenants, users, spaces):
            await connection.execute(insert(table), rows[table.name])
        await session.commit()
    found: UUID = rows["spaces"]["id"]
    return tenant_id, found


async def test_the_database_keeps_updated_at(database: Database) -> None:
    tenant_id, space_id = await _organisation(database)
    times = []
    for name in ("first", "second"):
        async with database.session(tenant_id) as session:
            connection = await session.connection()
            # Raw, so that nothing but the database can have set it.
            await connection.execute(text(f"update spaces set name = '{name}'"))
            row = (await connection.execute(spaces.select().where(spaces.c.id == space_id))).one()
            await session.commit()
            times.append(row.updated_at)
            assert row.updated_at.tzinfo is not None
    assert times[0] < times[1]


async def test_deleting_a_tenant_deletes_all_its_rows(
    place: Place, database: Database, request: pytest.FixtureRequest
) -> None:
    url = None
    if place.url is not None:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(place.url.rsplit("/", 1)[1], user="postgres")
    ours, theirs = new_id(), new_id()
    await fill(database, url, ours)
    await fill(database, url, theirs)
    async with database.session(ours) as session:
        connection = await session.connection()
        await connection.execute(text("delete from tenants where id = :id"), {"id": _native(place, ours)})
        await session.commit()
    for tenant_id, count in ((ours, 0), (theirs, 1)):
        async with database.session(tenant_id, write=False) as session:
            connection = await session.connection()
            for table in TABLES:
                statement = text(f"select count(*) from {table.name} where tenant_id = :id")
                found = await connection.execute(statement, {"id": _native(place, tenant_id)})
                assert found.scalar_one() == count, table.name


def _native(place: Place, value: UUID) -> UUID | str:
    return value.hex if place.url is None else value


def test_the_programs_password_follows_from_key_and_database() -> None:
    first = postgres.program_password("one", MASTER_KEY)
    assert first != postgres.program_password("two", MASTER_KEY)
    assert first != postgres.program_password("one", bytes(32))
    assert len(bytes.fromhex(first)) == 32


QUESTIONED = ("tenants", "users", "spaces", "assistants", "conversations", "messages")
"""What an answer stands on, in an order in which it can be written."""


def _as_it_was(connection: Connection) -> None:
    """The schema before texts were encrypted, with an answer whose trace repeats the question."""
    command.upgrade(migrate._config(connection), "0006")
    rows: Rows = {}
    for name in QUESTIONED:
        table = metadata.tables[name]
        rows[name] = row_of(table, rows["tenants"]["id"] if rows else new_id(), rows)
        if name == "messages":
            # Both were JSON then.
            rows[name]["trace"] = type_coerce({"query": "Vem får bygglov?", "left_out": 3}, Json)
            rows[name]["error_params"] = type_coerce({}, Json)
            # It was a reference then.
            rows[name]["assistant_id"] = rows["assistants"]["id"]
        present = {column["name"] for column in inspect(connection).get_columns(name)}
        values = {column: value for column, value in stored(table, rows[name]).items() if column in present}
        connection.execute(insert(table).values(values))


async def test_traces_no_longer_repeat_the_question(empty: str, tmp_path: Path) -> None:
    path = tmp_path / "samrad.db"
    engines = [
        sqlite.make_engine(f"sqlite+aiosqlite:///{path}", write=True, pool_size=1, foreign_keys=False),
        create_async_engine(postgres.async_url(empty)),
    ]
    for engine in engines:
        async with engine.begin() as connection:
            connection.info[sqlite.TENANT_CELL] = connection.info.get(sqlite.TENANT_CELL, {})
            connection.info[sqlite.TENANT_CELL]["id"] = "*"
            await connection.run_sync(_as_it_was)
        await engine.dispose()
    await migrate.migrate_sqlite(path)
    await migrate.migrate_postgres(empty, MASTER_KEY)
    files = Database.sqlite(path)
    async with files.system_session() as session:
        traces = [*await session.scalars(text("select trace from messages"))]
    await files.close()
    server = await asyncpg.connect(empty.replace("samrad_owner@", "postgres@"))
    traces += [row["trace"] for row in await server.fetch("select trace::text from messages")]
    await server.close()
    assert [json.loads(trace) for trace in traces] == [{"left_out": 3}] * 2


async def test_another_start_locks_nothing_while_people_work(postgres_place: Place) -> None:
    """A process that starts beside others must not wait for them, nor they for it."""
    url = postgres_place.url or ""
    working = await asyncpg.connect(url)
    async with working.transaction():
        # As any reader does; making triggers or policies anew would have to wait for its end.
        await working.execute("lock table spaces, users, chunk_index in access share mode")
        async with asyncio.timeout(20):
            await migrate.migrate_postgres(url, MASTER_KEY)
    await working.close()
