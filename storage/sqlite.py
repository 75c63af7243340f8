"""SQLite on one node: a current SQLite with sqlite-vec, one writer, a few readers, write-ahead log."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pysqlite3
import pysqlite3.dbapi2

# The interpreter's own module may be old and unable to load extensions: this one takes its place before anybody uses it.
sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

import aiosqlite  # noqa: E402
from sqlalchemy import Connection, event  # noqa: E402
from sqlalchemy.engine import ExceptionContext  # noqa: E402
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine  # noqa: E402
from sqlalchemy.util import await_  # noqa: E402

from domain.kernel.errors import NoRoom, StorageTrouble  # noqa: E402
from storage.one_trip import OneTripConnection, may_wait  # noqa: E402

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=10000",
    "cache_size=-16384",
    "mmap_size=2147418112",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
    "secure_delete=ON",
)
UNWRITABLE = ("is full", "readonly database", "disk I/O error", "unable to open database file")
"""What SQLite says when the disk takes no more, or lets nothing be written."""
READS_ONLY = "reads_only"
"""Execution option of connections that cannot write."""
TENANT_CELL = "tenant"
"""Where a connection keeps the tenant that its triggers ask for, in `Connection.info`."""


def _extension() -> str:
    """The path of sqlite-vec. Importing the package would bring in numpy, which nobody here needs: 30 MB."""
    spec = find_spec("sqlite_vec")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package sqlite-vec is not installed")
    return str(Path(spec.origin).parent / "vec0")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def make_engine(url: str, *, write: bool, pool_size: int, foreign_keys: bool = True) -> AsyncEngine:
    """An engine whose transactions begin IMMEDIATE (`write`) or cannot write at all."""
    engine = create_async_engine(
        url,
        connect_args={"isolation_level": None, "timeout": 10, "cached_statements": 512},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        execution_options={READS_ONLY: not write},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, options: Any) -> OneTripConnection:
        opened = aiosqlite.connect(*arguments, **options)
        opened._thread.daemon = True
        return OneTripConnection(dialect.dbapi, await_(opened), reads_only=not write)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        tenant: dict[str, str | None] = {"id": None}
        record.info[TENANT_CELL] = tenant

        async def prepare(driver: Any) -> None:
            await driver.enable_load_extension(True)
            await driver.load_extension(_extension())
            await driver.enable_load_extension(False)
            await driver.create_function("app_tenant", 0, lambda: tenant["id"])
            # SQLite's own knows the letters of English only.
            await driver.create_function("lower", 1, _lower, deterministic=True)

        connection.run_async(prepare)
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, f"foreign_keys={'ON' if foreign_keys else 'OFF'}"):
            cursor.execute(f"pragma {pragma}")
        if not write:
            cursor.execute("pragma query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(context: ExceptionContext) -> StorageTrouble | None:
        said = str(context.original_exception)
        return StorageTrouble(NoRoom()) if any(words in said for words in UNWRITABLE) else None

    @event.listens_for(engine.sync_engine, "checkin")
    def returned(connection: Any, record: Any) -> None:
        record.info[TENANT_CELL]["id"] = None

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.begin("BEGIN IMMEDIATE" if write else "BEGIN")

    @event.listens_for(engine.sync_engine, "do_execute")
    def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return may_wait(context) and cursor.later(False, statement, parameters)

    @event.listens_for(engine.sync_engine, "do_executemany")
    def executemany(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return may_wait(context) and cursor.later(True, statement, parameters)

    return engine
