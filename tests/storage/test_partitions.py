"""The audit log and the ledger by month, on Postgres."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import Connection

from domain.kernel.clock import now
from domain.kernel.ids import new_id
from storage import migrate, partitions
from tests.conftest import MASTER_KEY, Place
from tests.support.postgres import Postgres

MARCH, APRIL = datetime(2025, 3, 17, 12, tzinfo=UTC), datetime(2025, 4, 2, 12, tzinfo=UTC)
CALLS = """
insert into model_calls (id, tenant_id, day, kind, purpose, model_id, model_name, provider_name, tokens_in, tokens_out,
  tokens_cached, seconds, estimated, outcome, reservations)
values ($1, $2, $3, 'completion', 'answer', $1, 'm', 'p', 1, 1, 0, 0, false, 'ok', '[]')
"""
ENTRIES = """
insert into audit_entries (id, tenant_id, actor_kind, action, entity_type, description, outcome, changes, sequence)
values ($1, $2, 'user', 'a', 'b', 'c', 'success', '{}', $3)
"""


def made_at(moment: datetime) -> UUID:
    """An id like those that are made then."""
    bits = new_id().int & (2**80 - 1)
    return UUID(int=int(moment.timestamp() * 1000) << 80 | bits)


@pytest.fixture
def whole(postgres: Postgres) -> Iterator[str]:
    """A database whose tables are not divided yet, at the revision before."""
    name = asyncio.run(postgres.create())
    asyncio.run(postgres.execute("create extension vector", name))
    yield postgres.url(name)
    asyncio.run(postgres.drop(name))


def before(connection: Connection) -> None:
    migrate.upgrade_tables(connection, "0043")


async def parts(connection: asyncpg.Connection, table: str) -> dict[str, int]:
    """How many rows each part has."""
    names = await connection.fetch(
        "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass", table
    )
    counts = {name: await connection.fetchval(f"select count(*) from {name}") for (name,) in names}
    return {name.removeprefix(f"{table}_"): count for name, count in counts.items()}


async def tenant(connection: asyncpg.Connection) -> UUID:
    """An organisation, with what its columns ask for."""
    columns = await connection.fetch(
        "select column_name, data_type from information_schema.columns where table_name = 'tenants' "
        "and is_nullable = 'NO' and column_default is null"
    )
    tenant_id = uuid4()
    plain = {
        "uuid": f"'{tenant_id}'",
        "json": "'{}'",
        "jsonb": "'{}'",
        "boolean": "true",
        "integer": "1",
        "bigint": "1",
    }
    values = [plain.get(kind, f"'{name}'") for name, kind in columns]
    names = ", ".join(name for name, _ in columns)
    await connection.execute("alter table tenants no force row level security")
    await connection.execute(f"insert into tenants ({names}) values ({', '.join(values)})")
    await connection.execute("alter table tenants force row level security")
    return tenant_id


async def test_tables_that_were_whole_are_divided_with_their_rows(whole: str) -> None:
    async with migrate.postgres_connection(whole) as connection, connection.begin():
        await connection.run_sync(before)
    owner = await asyncpg.connect(whole)
    theirs = await tenant(owner)
    for moment in (MARCH, MARCH, APRIL, now()):
        await owner.execute(CALLS, made_at(moment), theirs, moment.date())
    strange = uuid4()
    await owner.execute(CALLS, UUID(int=strange.int | 0xFF << 120), theirs, MARCH.date())
    await migrate.migrate_postgres(whole, MASTER_KEY)
    found = await parts(owner, "model_calls")
    assert (found["2025_03"], found["2025_04"], found[f"{now():%Y_%m}"], found["rest"]) == (2, 1, 1, 1)
    assert sum(found.values()) == 5
    await migrate.check_postgres(whole)
    await owner.close()


async def test_what_has_no_month_is_sorted_in_and_months_are_made_ahead(postgres_place: Place) -> None:
    assert postgres_place.url is not None
    owner = await asyncpg.connect(postgres_place.url)
    theirs = await tenant(owner)
    for table in partitions.DIVIDED:
        await owner.execute(f"alter table {table} no force row level security")
    for number, moment in enumerate((MARCH, APRIL, now()), 1):
        await owner.execute(CALLS, made_at(moment), theirs, moment.date())
        await owner.execute(ENTRIES, made_at(moment), theirs, number)
    await owner.execute(f"drop table audit_entries_{partitions._months(now(), 2)[-1]:%Y_%m}")
    for table in partitions.DIVIDED:
        assert (await parts(owner, table))["rest"] == 2
    assert await migrate.spread_parts(postgres_place.url) == 5
    for table in partitions.DIVIDED:
        found = await parts(owner, table)
        assert (found["2025_03"], found["2025_04"], found[f"{now():%Y_%m}"], found["rest"]) == (1, 1, 1, 0)
        assert {f"{month:%Y_%m}" for month in partitions._months(now(), 2)} < found.keys()
    assert await migrate.spread_parts(postgres_place.url) == 0
    await migrate.check_postgres(postgres_place.url)
    await owner.execute("alter table audit_entries no force row level security")
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(ENTRIES, made_at(MARCH), theirs, 1)
    for statement in ("delete from audit_entries", "update audit_entries set action = 'x'"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await owner.execute(statement)
    await owner.close()


async def test_the_program_reaches_no_part_by_itself(postgres_place: Place) -> None:
    assert postgres_place.url is not None
    await migrate.spread_parts(postgres_place.url)
    program = await asyncpg.connect(postgres_place.program_url or "")
    for table in partitions.DIVIDED:
        for name in await program.fetch(
            "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass", table
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await program.fetch(f"select 1 from {name['name']}")
    await program.close()
