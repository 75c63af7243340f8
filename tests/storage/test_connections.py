"""How many connections a process has to PostgreSQL."""

from contextlib import AsyncExitStack

import asyncpg
from sqlalchemy import text

from app.config import Settings
from app.databases import open_database
from tests.conftest import Place

OF_PROGRAM = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'samrad_app'"


async def test_as_many_are_kept_as_are_set_and_five_more_are_opened(postgres_place: Place) -> None:
    settings = Settings(
        _env_file=None,
        data_dir=postgres_place.data,
        database_url=postgres_place.url,
        database_app_url=postgres_place.program_url,
        database_connections=2,
    )
    database = open_database(settings)
    looking = await asyncpg.connect(postgres_place.url or "")
    try:
        async with AsyncExitStack() as busy:
            for _ in range(7):
                session = await busy.enter_async_context(database.system_session())
                await session.execute(text("select 1"))
            assert await looking.fetchval(OF_PROGRAM) == 7
        await database_at_rest(looking)
    finally:
        await looking.close()
        await database.close()


async def database_at_rest(looking: asyncpg.Connection) -> None:
    """The server notices a connection's end a moment later."""
    while await looking.fetchval(OF_PROGRAM) != 2:  # the time limit of the test ends it
        await looking.fetchval("select pg_sleep(0.01)")
