"""Reports are read from a copy of the database, unless it is behind or away: then from the main one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from storage.database import Database
from storage.replica import LOOK_SECONDS
from tests.conftest import MASTER_KEY, Place, _template
from tests.support.postgres import TEMPLATE, Postgres
from tests.support.worker import until

LAG_SECONDS = 0.5


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server that is followed by a copy."""
    server = Postgres()
    asyncio.run(_template(server))
    yield server
    server.stop()


@pytest.fixture
async def copy(postgres: Postgres) -> AsyncIterator[Postgres]:
    """The copy."""
    server = Postgres(copy_of=postgres)
    yield server
    server.stop()


@pytest.fixture
async def database(postgres_place: Place, copy: Postgres) -> AsyncIterator[Database]:
    assert postgres_place.url is not None
    reader = copy.url(postgres_place.url.rpartition("/")[2])
    opened = Database.postgres(
        postgres_place.url,
        [MASTER_KEY],
        program_url=postgres_place.program_url,
        reader_url=reader,
        most_lag=LAG_SECONDS,
    )
    yield opened
    await opened.close()


async def _at_the_copy(database: Database, *, report: bool = True) -> bool:
    assert database.replica is not None
    database.replica._looked = -LOOK_SECONDS
    async with database.session(uuid4(), write=False, report=report) as session:
        connection = await session.connection()
        return bool(await connection.scalar(text("select pg_is_in_recovery()")))


async def test_reports_follow_the_copy_while_it_keeps_up(
    database: Database, postgres: Postgres, copy: Postgres
) -> None:
    async def there() -> bool:
        return await _at_the_copy(database)

    async def here() -> bool:
        return not await _at_the_copy(database)

    await until(there)
    assert not await _at_the_copy(database, report=False)
    await copy.execute("select pg_wal_replay_pause()")
    await postgres.execute("create table written_meanwhile (id int)", TEMPLATE)
    await until(here)
    await copy.execute("select pg_wal_replay_resume()")
    await until(there)
    copy.kill()
    assert await here()
    copy.start()
    await until(there)
