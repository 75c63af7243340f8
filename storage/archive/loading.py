"""Filling an empty database from rows: everything or nothing, and read back before it counts."""

import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.knowledge.repository import IndexEntry
from storage import migrate, sqlite
from storage.archive import entries as index_entries
from storage.archive.rows import Row, Shape, Sum, inward, line_of, rows_of, shapes_of
from storage.archive.sealed import ArchiveError
from storage.guard import SYSTEM, TENANT, TenantSession
from storage.migrations import ddl
from storage.search import rebuild
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex

INDEX_TABLES = (ddl.INDEX_TABLE, ddl.VECTORS_TABLE, ddl.WORDS_TABLE, "collections")
"""The search index, and the table that says which of its vectors answer."""
NOT_EMPTY = (
    "There is an installation already ({place}). Restore into a new data folder or a new, empty database: nothing is "
    "ever overwritten."
)
_REFERENCES = text(
    "select conrelid::regclass::text as place, quote_ident(conname) as name, pg_get_constraintdef(oid) as rule "
    "from pg_constraint where contype = 'f' and conparentid = 0 "
    "and connamespace = 'public'::regnamespace"
)


class Loader:
    """Takes rows of one schema, table after table, then entries of the index, and brings them to the present schema."""

    def __init__(self, connection: AsyncConnection, program_password: str | None) -> None:
        self._connection, self._password = connection, program_password
        self._postgres = connection.dialect.name == "postgresql"
        self._index = PostgresSearchIndex() if self._postgres else SqliteSearchIndex()
        self._sums: dict[str, Sum] = defaultdict(Sum)
        self._entries, self._tenants = Sum(), list[UUID]()
        self._references: Sequence[Any] = ()
        self._shapes: Sequence[Shape] = ()
        self._revision = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each table has got."""
        return {name: found.count for name, found in self._sums.items()} | {"index": self._entries.count}

    async def begin(self, revision: str) -> None:
        """Make the tables as they were; the references between them come when all rows are there."""
        await self._connection.run_sync(migrate.upgrade_tables, revision)
        self._revision, self._shapes = revision, await self._connection.run_sync(shapes_of)
        if self._postgres:
            self._references = (await self._connection.execute(_REFERENCES)).all()
            for each in self._references:
                await self._connection.execute(text(f"alter table {each.place} drop constraint {each.name}"))
        for shape in self._shapes:
            # A migration may have put rows into a new table; those of the archive take their place.
            await self._connection.execute(shape.table().delete())

    async def rows(self, shape: Shape, rows: Sequence[Row]) -> None:
        """Write rows of a table."""
        for row in rows:
            self._sums[shape.name].add(line_of(row))
        values = [inward(shape, row) for row in rows]
        if not self._postgres:
            await self._connection.execute(
                insert(shape.table()), [dict(zip(shape.names, row, strict=True)) for row in values]
            )
            return
        json_at = [number for number, (_, kind) in enumerate(shape.columns) if kind == "json"]
        for row in values:
            for number in json_at:
                row[number] = None if row[number] is None else json.dumps(row[number], ensure_ascii=False)
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(shape.name, records=values, columns=shape.names, schema_name="public")

    async def tables_done(self) -> None:
        """Read everything back, put the references on, and bring the schema up to date."""
        for shape in self._shapes:
            found = Sum()
            async for rows in rows_of(self._connection, shape):
                for row in rows:
                    found.add(line_of(row))
            _compare(shape.name, self._sums[shape.name], found)
        for each in self._references:
            await self._connection.execute(text(f"alter table {each.place} add constraint {each.name} {each.rule}"))
        await self._connection.run_sync(migrate.upgrade_all, self._password)
        if self._postgres:
            await self._set_force("no force")
            for dims in ddl.NEAR_DIMENSIONS:
                await self._connection.execute(text(f"drop index if exists ix_chunk_vectors_near_{dims}"))

    async def _set_force(self, words: str) -> None:
        """The owner sees all organisations' rows of the index while it is filled."""
        for table in INDEX_TABLES:
            await self._connection.execute(text(f"alter table {table} {words} row level security"))

    async def entries(self, tenant_id: UUID, entries: Sequence[IndexEntry]) -> None:
        """Write entries of the index."""
        if tenant_id not in self._tenants:
            self._tenants.append(tenant_id)
        if self._postgres:
            # Rounded once: on the way through decimals it would be rounded twice.
            entries = [replace(entry, vector=index_entries.halved(entry.vector)) for entry in entries]
        for entry in entries:
            self._entries.add(_line(entry))
        info = {TENANT: tenant_id}
        async with AsyncSession(self._connection, sync_session_class=TenantSession, info=info) as session:
            for some in index_entries.by_length(entries):
                await self._index.put(session, some)
            await session.flush()

    async def done(self) -> None:
        """Read the index back, and check that the database is what the program expects."""
        found = Sum()
        for tenant_id in self._tenants:
            async for entries in index_entries.entries_of(self._connection, tenant_id):
                for entry in entries:
                    found.add(_line(entry))
        _compare("the search index", self._entries, found)
        if self._revision != migrate.head():
            await self._connection.run_sync(rebuild.anew)
        if self._postgres:
            for dims in ddl.NEAR_DIMENSIONS:
                await self._connection.execute(text(ddl.near_index(dims)))
            await self._set_force("force")
        else:
            self._connection.info[sqlite.TENANT_CELL]["id"] = SYSTEM
            broken = (await self._connection.exec_driver_sql("pragma foreign_key_check")).all()
            if broken:
                raise ArchiveError(f"References would lead nowhere: {broken[:3]}")
        await migrate.check(self._connection)


def _line(entry: IndexEntry) -> bytes:
    return line_of(index_entries.outward(entry))


def _compare(what: str, wanted: Sum, found: Sum) -> None:
    if wanted != found:
        raise ArchiveError(
            f"{what}: {found.count} rows were read back instead of {wanted.count}, or they differ. Nothing was kept."
        )


@asynccontextmanager
async def into_sqlite(path: Path) -> AsyncIterator[Loader]:
    """A loader for a new database file; the file is there when the block has ended well."""
    if path.exists():
        raise ArchiveError(NOT_EMPTY.format(place=path))
    beside = path.with_suffix(".loading")
    remove_database(beside)
    try:
        async with migrate.sqlite_connection(beside) as connection:
            await connection.exec_driver_sql("select 1")
            loader = Loader(connection, None)
            yield loader
            await connection.commit()
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.execute_fetchall("pragma wal_checkpoint(truncate)")
        os.replace(beside, path)
    finally:
        remove_database(beside)


def remove_database(path: Path) -> None:
    """Delete a database file with what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


@asynccontextmanager
async def into_postgres(owner_url: str, program_password: str | None) -> AsyncIterator[Loader]:
    """A loader for an empty database, as its owner, in one transaction."""
    try:
        async with migrate.postgres_connection(owner_url) as connection:
            tables = "select count(*) from pg_tables where schemaname = 'public'"
            if (await connection.execute(text(tables))).scalar_one():
                raise ArchiveError(NOT_EMPTY.format(place="in the Postgres database"))
            yield Loader(connection, program_password)
            await connection.commit()
    except ddl.NotAllowed as error:
        raise ArchiveError(str(error)) from error
