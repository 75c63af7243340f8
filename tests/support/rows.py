"""One row in every tenant's table, made from the tables themselves, so that a new table is covered the day it appears."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    type_coerce,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.database import Database
from storage.sealing import SealedJson, SealedPack, SealedText, packed
from storage.tables import metadata
from storage.tables.base import Json, Moment

Rows = dict[str, dict[str, Any]]
TABLES: list[Table] = [table for table in metadata.sorted_tables if table.info.get("tenant")]
_numbers = count(1)


def _value(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, Uuid):
        return uuid4()
    if isinstance(kind, Moment):
        return datetime.now(UTC)
    if isinstance(kind, Date):
        return datetime.now(UTC).date()
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Float):
        return 0.5
    if column.name == "vector_set":
        return 0
    if isinstance(kind, Integer):
        return next(_numbers)
    if isinstance(kind, LargeBinary):
        return b"x"
    if isinstance(kind, SealedPack):
        return packed({})
    if isinstance(kind, SealedJson):
        return "{}"
    if kind is Json or type(kind).__name__ == "JSON":
        return {}
    return f"v{next(_numbers):x}"


def row_of(table: Table, tenant_id: UUID, others: Rows) -> dict[str, Any]:
    """Values for a new row of `tenant_id` whose references point to `others`."""
    values = {c.name: _value(c) for c in table.columns if c.name not in ("created_at", "updated_at") and not c.nullable}
    values["tenant_id"] = tenant_id
    if table.name == "tenants":
        values["id"] = tenant_id
    for key in table.foreign_key_constraints:
        target = key.referred_table.name
        for element in key.elements:
            local = element.parent.name
            if local != "tenant_id" and local in values and target in others:
                values[local] = others[target][element.column.name]
    return values


def stored(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    """Encrypted columns as plain text: as they were before they were encrypted."""
    return {
        name: type_coerce(value, Text)
        if isinstance(value, str) and isinstance(table.c[name].type, SealedText)
        else value
        for name, value in values.items()
    }


def raw(table: Table) -> list[Any]:
    """The columns as they stand in the database."""
    return [type_coerce(c, Text) if isinstance(c.type, SealedText) else c for c in table.columns]


async def fill(database: Database, owner_url: str | None, tenant_id: UUID) -> Rows:
    """A row in every tenant's table; by the superuser on Postgres, in the system scope on SQLite."""
    rows: Rows = {}
    for table in TABLES:
        rows[table.name] = row_of(table, tenant_id, rows)
    statements = [(insert(table).values(stored(table, rows[table.name])), {}) for table in TABLES]
    if owner_url is None:
        async with database.system_session(write=True) as session:
            for statement, values in statements:
                await session.execute(statement, values)
            await session.commit()
        return rows
    engine = create_async_engine(owner_url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("set session_replication_role = 'origin'"))
            for statement, values in statements:
                await connection.execute(statement, values)
    finally:
        await engine.dispose()
    return rows


async def snapshot(
    database: Database, owner_url: str | None, tenant_id: UUID, leave_out: set[str]
) -> dict[str, list[str]]:
    """Every row of a tenant as text, by table: two snapshots differ when anything was changed, added or removed."""
    found: dict[str, list[str]] = {}
    tables = [table for table in TABLES if table.name not in leave_out]
    if owner_url is None:
        async with database.system_session() as session:
            connection = await session.connection()
            for table in tables:
                rows = await connection.execute(select(*raw(table)).where(table.c.tenant_id == tenant_id))
                found[table.name] = sorted(str(tuple(row)) for row in rows)
        return found
    engine = create_async_engine(owner_url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            for table in tables:
                rows = await connection.execute(select(*raw(table)).where(table.c.tenant_id == tenant_id))
                found[table.name] = sorted(str(tuple(row)) for row in rows)
    finally:
        await engine.dispose()
    return found
