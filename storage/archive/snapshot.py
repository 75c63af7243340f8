"""Reading everything as it is at one moment, while the product goes on writing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.knowledge.repository import IndexEntry
from storage.archive.entries import entries_of
from storage.archive.rows import Row, Shape, rows_of, shapes_of
from storage.archive.sealed import ArchiveError
from storage.database import Database
from storage.search import rebuild


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation in a snapshot or an archive."""

    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a database holds. Tables stand in the order in which rows can be written."""

    revision: str
    shapes: Sequence[Shape]
    organisations: Sequence[Organisation]
    connection: AsyncConnection

    async def rows(self, shape: Shape, tenant_id: UUID | None) -> AsyncIterator[list[Row]]:
        """The rows of a table: those of an organisation, or of a table that is nobody's."""
        if tenant_id is not None:
            await _name(self.connection, tenant_id)
        async for rows in rows_of(self.connection, shape, tenant_id):
            yield rows

    async def entries(self, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
        """What the search index holds of an organisation."""
        table = rebuild.INDEX[self.connection.dialect.name]
        if not await self.connection.run_sync(lambda sync: inspect(sync).has_table(table)):
            return
        await _name(self.connection, tenant_id)
        async for entries in entries_of(self.connection, tenant_id):
            yield entries


async def _name(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Tell row-level security whose rows are read."""
    if connection.dialect.name == "postgresql":
        from storage.postgres_connection import name_tenant

        await connection.run_sync(name_tenant, tenant_id)


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Snapshot]:
    """One moment of a database, read as the program: on Postgres REPEATABLE READ, on SQLite a read transaction."""
    async with database.reader.connect() as connection:
        if database.dialect == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        shapes = await connection.run_sync(shapes_of)
        if not any(shape.name == "tenants" for shape in shapes):
            raise ArchiveError("There is no installation in this database.")
        revision = (await connection.execute(text("select version_num from alembic_version"))).scalar_one()
        yield Snapshot(revision, shapes, await _organisations(connection), connection)


async def _organisations(connection: AsyncConnection) -> list[Organisation]:
    if connection.dialect.name == "sqlite":
        ids = [UUID(found) for (found,) in await connection.execute(text("select id from tenants order by id"))]
    else:
        ids = [
            found for (found,) in await connection.execute(text("select id from app.tenant_ids() as id order by id"))
        ]
    found = []
    for each in ids:
        await _name(connection, each)
        named = {"id": each.hex if connection.dialect.name == "sqlite" else each}
        row = (await connection.execute(text("select slug, name from tenants where id = :id"), named)).one()
        found.append(Organisation(each, row.slug, row.name))
    return found
