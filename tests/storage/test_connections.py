"""How many connections a process has to PostgreSQL."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import asyncpg
import pytest
from sqlalchemy import text

from app.config import Settings
from app.databases import PATIENCE_SECONDS, check_database, open_database, patiently
from domain.kernel.errors import DatabaseAway, StorageTrouble
from domain.kernel.ids import new_id
from storage import postgres as connections
from storage.database import Database
from storage.migrate import NotLetIn
from tests.conftest import Place
from tests.support.postgres import Postgres

OF_PROGRAM = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'samrad_app'"


def opened(place: Place) -> Database:
    """The database by two connections."""
    settings = Settings(
        _env_file=None,
        data_dir=place.data,
        database_url=place.url,
        database_app_url=place.program_url,
        database_connections=2,
    )
    return open_database(settings)


async def test_as_many_are_kept_as_are_set_and_five_more_are_opened(postgres_place: Place) -> None:
    database = opened(postgres_place)
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


async def test_who_waits_too_long_for_one_hears_when_to_try_again(
    postgres_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WAIT_SECONDS", 0.1)
    database = opened(postgres_place)
    try:
        async with AsyncExitStack() as busy:
            for _ in range(7):
                session = await busy.enter_async_context(database.system_session())
                await session.execute(text("select 1"))
            for one_more in (database.system_session(), database.session(new_id())):
                with pytest.raises(StorageTrouble) as told:
                    async with one_more as session:
                        await session.connection()
                assert isinstance(told.value.shown, DatabaseAway)
                assert told.value.shown.params["retry_after"] > 0
    finally:
        await database.close()


async def test_who_is_not_let_in_does_not_wait_for_another_to_bring_the_database_up(postgres: Postgres) -> None:
    settings = Settings(_env_file=None, database_url=postgres.url("nowhere"))
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        with pytest.raises(NotLetIn, match='"nowhere" does not exist'):
            await patiently(partial(check_database, settings), migrated=False)


async def database_at_rest(looking: asyncpg.Connection) -> None:
    """The server notices a connection's end a moment later."""
    while await looking.fetchval(OF_PROGRAM) != 2:  # the time limit of the test ends it
        await looking.fetchval("select pg_sleep(0.01)")


async def test_a_connection_that_was_cut_while_it_rested_is_replaced(
    postgres_place: Place, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REST_SECONDS", 0)
    database = opened(postgres_place)
    own = text("select pg_backend_pid()")
    try:
        async with database.system_session() as session:
            before = await session.scalar(own)
        async with database.system_session() as session:
            assert await session.scalar(own) == before, "what stands is used again"
        await postgres.execute(f"select pg_terminate_backend({before}, 5000)")
        async with database.system_session() as session:
            assert await session.scalar(own) != before
    finally:
        await database.close()


async def test_a_tenant_is_named_in_the_trip_that_begins_and_forgotten_where_nothing_began(
    postgres_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = asyncpg.Connection.execute

    async def execute(self: asyncpg.Connection, query: str, *args: object, timeout: float | None = None) -> object:
        sent.append(query)
        return await real(self, query, *args, timeout=timeout)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    named = text("select coalesce(current_setting('app.tenant_id', true), '')")
    database, tenant = opened(postgres_place), new_id()
    by_hand = {"scoped_by_hand": True}
    try:
        async with database.session(tenant) as session:
            assert await session.scalar(named, execution_options=by_hand) == str(tenant)
            async with session.begin_nested():
                assert await session.scalar(named, execution_options=by_hand) == str(tenant)
        assert sent.count(f"BEGIN; set local app.tenant_id = '{tenant}'") == 1
        async with database.session(tenant) as session:
            await session.connection()
        for scope in (database.system_session(), database.writer.connect()):
            async with scope as somebody:
                assert await somebody.scalar(named) == ""
    finally:
        await database.close()
