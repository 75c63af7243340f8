"""Engines and sessions. A session belongs to one tenant from its first statement to its last."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

import storage.tables  # noqa: F401  (maps the entities)
from domain.kernel.errors import DatabaseAway, StorageTrouble
from storage import postgres, sqlite
from storage.guard import KEYS, SYSTEM, TENANT, TenantSession
from storage.replica import Replica
from storage.sealing import TenantKeys

READERS = 4
LEAST_FREE_PAGES = 1_000


class Database:
    """SQLite in a file or Postgres by URL, behind the same sessions."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, replica: Replica | None = None) -> None:
        self.writer, self.reader, self.replica = writer, reader, replica
        if replica is not None:
            self._report = async_sessionmaker(replica.engine, sync_session_class=TenantSession, expire_on_commit=False)
        self._write = async_sessionmaker(writer, sync_session_class=TenantSession, expire_on_commit=False)
        self._read = async_sessionmaker(reader, sync_session_class=TenantSession, expire_on_commit=False)

    @classmethod
    def sqlite(cls, path: Path) -> "Database":
        """A database file: one connection that writes, a few that read."""
        url = f"sqlite+aiosqlite:///{path}"
        return cls(
            sqlite.make_engine(url, write=True, pool_size=1), sqlite.make_engine(url, write=False, pool_size=READERS)
        )

    @classmethod
    def postgres(
        cls,
        owner_url: str,
        keys: Sequence[bytes],
        *,
        program_url: str | None = None,
        pool_size: int = 10,
        reader_url: str | None = None,
        most_lag: float = 10,
    ) -> "Database":
        """A Postgres database, connected to as the program's role, whose password one of the master keys gives.

        At `reader_url` is a copy for reports, used while it is at most `most_lag` seconds behind.
        """
        urls = [postgres.async_url(program_url)] if program_url else [postgres.program_url(owner_url, k) for k in keys]
        engine = postgres.make_engine(urls, pool_size=pool_size)
        if reader_url is None:
            return cls(engine, engine)
        copies = [url.set(host=(at := postgres.async_url(reader_url)).host, port=at.port) for url in urls]
        return cls(engine, engine, Replica(postgres.make_engine(copies, pool_size=3), most_lag))

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.writer.dialect.name

    @asynccontextmanager
    async def session(
        self, tenant_id: UUID, *, write: bool = True, report: bool = False, keys: TenantKeys | None = None
    ) -> AsyncIterator[AsyncSession]:
        """A session of one tenant; without `keys`, encrypted columns are out of its reach. Rolls back without a commit."""
        maker = self._write if write else self._read
        if report and self.replica is not None and await self.replica.usable():
            maker = self._report
        with _waiting():
            async with maker(info={TENANT: tenant_id, KEYS: keys}) as session:
                yield session

    @asynccontextmanager
    async def system_session(self, *, write: bool = False) -> AsyncIterator[AsyncSession]:
        """The explicit scope across tenants, for `storage.directory` alone."""
        maker = self._write if write else self._read
        with _waiting():
            async with maker(info={TENANT: SYSTEM}) as session:
                yield session

    async def settle(self) -> None:
        """On SQLite, bring what was written into the file and empty the log beside it, as far as readers let it."""
        if self.dialect == "sqlite":
            async with self.writer.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                await driver.execute_fetchall("pragma wal_checkpoint(truncate)")

    async def tend(self, *, vacuum_from: float = 0.25) -> str:
        """What SQLite wants now and then: its statistics, and the file made smaller when a large part of it is empty.

        PostgreSQL does both by itself. What was done.
        """
        if self.dialect != "sqlite":
            return "PostgreSQL tends itself"
        await self.settle()
        async with self.writer.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute_fetchall("pragma optimize")
            [[free]], [[pages]] = [
                await driver.execute_fetchall(f"pragma {name}") for name in ("freelist_count", "page_count")
            ]
            if free < pages * vacuum_from or free < LEAST_FREE_PAGES:
                return f"SQLite: statistics are up to date, {free} of {pages} pages are free"
            await driver.execute_fetchall("vacuum")
        await self.settle()
        return f"SQLite: the file was made smaller by {free} of {pages} pages"

    async def close(self) -> None:
        """Close all connections."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()
        if self.replica is not None:
            await self.replica.engine.dispose()


@contextmanager
def _waiting() -> Iterator[None]:
    """Whoever waits too long for a connection hears when to try again, as where the database is away."""
    try:
        yield
    except WaitedTooLong as error:
        raise StorageTrouble(DatabaseAway(retry_after=postgres.RETRY_SECONDS)) from error
