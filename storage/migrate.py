"""Bringing a database to the schema the code expects: under a lock, on both databases, with a check afterwards."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import partitions, postgres, sqlite
from storage.guard import SYSTEM
from storage.migrations import ddl
from storage.migrations.env_filter import include_name, include_object
from storage.search import rebuild
from storage.tables import metadata

LOCK_KEY = 7_261_836_451
_HERE = Path(__file__).parent / "migrations"


class SchemaError(RuntimeError):
    """The database is not as the code expects; the message says what to do."""


class NotLetIn(SchemaError):
    """The server answers and refuses: a wrong name or password, which waiting does not mend."""


class Watcher(Protocol):
    """Looks at a database inside the transaction that upgrades it; what it raises takes everything back."""

    async def before(self, connection: AsyncConnection) -> None:
        """As it was."""

    async def after(self, connection: AsyncConnection) -> None:
        """As it will be."""


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    return ScriptDirectory.from_config(config).get_current_head() or ""


@asynccontextmanager
async def _file_lock(path: Path) -> AsyncIterator[None]:
    with path.open("w") as handle:
        # In a thread: whoever holds the lock may need this very event loop to finish.
        await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
        yield


def upgrade_tables(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, without what `ddl` adds to them."""
    command.upgrade(_config(connection), revision)


def upgrade_all(connection: Connection, program_password: str | None) -> None:
    """Bring everything to the newest revision.

    Where everything is so already, tables, triggers and policies are left alone: making them anew locks every table, and
    each start of another process would stop those that work, or be stopped by them.
    """
    if _up_to_date(connection):
        if connection.dialect.name == "postgresql":
            ddl.role(connection, program_password)
    else:
        upgrade_tables(connection)
        ddl.apply(connection, program_password)
    rebuild.words(connection)


def _up_to_date(connection: Connection) -> bool:
    if MigrationContext.configure(connection).get_current_revision() != head():
        return False
    return ddl.applied(connection) and not _missing_guards(connection)


def _problems(connection: Connection) -> list[str]:
    included = include_object(connection.dialect.name)
    opts = {"include_name": include_name, "include_object": included, "compare_type": True}
    context = MigrationContext.configure(connection, opts=opts)
    found = [_told(difference) for difference in compare_metadata(context, metadata)]
    if context.get_current_revision() != head():
        found.append(f"revision {context.get_current_revision()} instead of {head()}")
    return found + _missing_guards(connection)


def _told(difference: Any) -> str:
    """What the database has too little or too much, or what is different in it."""
    if isinstance(difference, list):
        return "; ".join(map(_told, difference))
    kind, *what = difference
    deed, _, thing = str(kind).partition("_")
    named = next((part.name for part in reversed(what) if getattr(part, "name", None)), "")
    table = next((part for part in what if isinstance(part, str) and part != named), "")
    place = f"{thing.replace('_', ' ')} {f'{table}.' if table else ''}{named}"
    match deed:
        case "add":
            return f"the {place} is missing"
        case "remove":
            return f"the {place} is not known"
        case _:
            return f"the {place} is not as expected: {str(difference)[:200]}"


def _missing_guards(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("select name from sqlite_master where type = 'trigger'")
        missing = ddl.sqlite_triggers() - {row[0] for row in rows}
        return [f"the trigger {name} is missing" for name in sorted(missing)]
    rows = connection.execute(text("select tgname from pg_trigger where not tgisinternal and tgenabled <> 'D'"))
    wanted = {f"{table}_updated_at" for table in ddl.tenant_tables()} | {f"{table}_kept" for table in ddl.APPEND_ONLY}
    wanted.add(ddl.CHAIN_TRIGGER)
    missing = wanted - {row[0] for row in rows}
    rows = connection.execute(
        text(
            "select c.relname from pg_class c join pg_policy p on p.polrelid = c.oid "
            "where p.polname = 'tenant_isolation' and c.relrowsecurity and c.relforcerowsecurity"
        )
    )
    unguarded = {*ddl.tenant_tables(), ddl.INDEX_TABLE, ddl.VECTORS_TABLE, ddl.WORDS_TABLE} - {row[0] for row in rows}
    return [
        *(f"the trigger {name} is missing" for name in sorted(missing)),
        *(f"row-level security of {table} is missing" for table in sorted(unguarded)),
    ]


@asynccontextmanager
async def sqlite_connection(path: Path) -> AsyncIterator[AsyncConnection]:
    """A connection that may change the schema of a database file, in the scope of all organisations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite.make_engine(f"sqlite+aiosqlite:///{path}", write=True, pool_size=1, foreign_keys=False)
    try:
        async with engine.connect() as connection:
            connection.info[sqlite.TENANT_CELL]["id"] = SYSTEM
            yield connection
    finally:
        await engine.dispose()


async def migrate_sqlite(path: Path, watch: Watcher | None = None) -> None:
    """Upgrade a database file. Several processes may call this at once: one works, the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    async with _file_lock(path.with_suffix(".lock")), sqlite_connection(path) as connection:
        # A transaction that is open already is the only one: everything is brought up to date, or nothing.
        await connection.exec_driver_sql("select 1")
        if watch is not None:
            await watch.before(connection)
        await connection.run_sync(upgrade_all, None)
        broken = (await connection.exec_driver_sql("pragma foreign_key_check")).all()
        if broken:
            raise SchemaError(f"the upgrade would break references: {broken[:5]}")
        await check(connection)
        if watch is not None:
            await watch.after(connection)
        await connection.commit()


@asynccontextmanager
async def postgres_connection(owner_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of the owner of a Postgres database; raises `NotLetIn`."""
    engine = postgres.make_engine([postgres.async_url(owner_url)])
    try:
        connection = engine.connect()
        try:
            await connection.start()
        except DBAPIError as error:
            raise NotLetIn(f"the database cannot be opened: {error.orig}. Look at DATABASE_URL.") from error
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await engine.dispose()


async def migrate_postgres(
    owner_url: str, key: bytes, watch: Watcher | None = None, *, manage_role: bool = True
) -> None:
    """Upgrade a Postgres database as its owner. An advisory lock lets one process work while others wait.

    With `manage_role` the program's role is created, with the password derived from `key`.
    """
    password = postgres.program_password(postgres.async_url(owner_url).database or "", key) if manage_role else None
    try:
        async with postgres_connection(owner_url) as connection:
            await connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK_KEY})
            await connection.commit()
            await connection.execute(text("select 1"))
            if watch is not None:
                await watch.before(connection)
            await connection.run_sync(upgrade_all, password)
            await check(connection)
            if watch is not None:
                await watch.after(connection)
            await connection.commit()
    except ddl.NotAllowed as error:
        raise SchemaError(str(error)) from error


async def spread_parts(owner_url: str) -> int:
    """Make the parts of divided tables for the months to come; how many were made. Waits for nobody longer than a moment."""
    async with postgres_connection(owner_url) as connection, connection.begin():
        await connection.execute(text("set local lock_timeout = '5s'"))
        return await connection.run_sync(partitions.spread)


async def check(connection: AsyncConnection) -> None:
    """Raise `SchemaError` unless the database on `connection` has exactly the expected schema."""
    problems = await connection.run_sync(_problems)
    if problems:
        raise SchemaError(f"the database is not as expected: {'; '.join(problems[:5])}. Run: python main.py migrate")


async def check_sqlite(path: Path) -> None:
    """Raise `SchemaError` unless the file has exactly the expected schema."""
    if not path.exists():
        raise SchemaError("the database does not exist yet. Run: python main.py migrate")
    async with sqlite_connection(path) as connection:
        await check(connection)


async def check_postgres(owner_url: str) -> None:
    """Raise `SchemaError` unless the database has exactly the expected schema."""
    async with postgres_connection(owner_url) as connection:
        await check(connection)


def new_revision(connection: Connection, message: str, revision: str) -> Any:
    """Write the revision that brings the database on `connection` to the metadata (for developers)."""
    return command.revision(_config(connection), message, autogenerate=True, rev_id=revision)
