"""Rows in a form that neither database owns: what columns a table has is read off the database, so any schema will do."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    and_,
    or_,
    select,
    types,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.partitions import is_part
from storage.tables.base import Json, Moment

BATCH = 200
DERIVED = ("chunk_", "sqlite_", "alembic_version")
"""Tables that are made anew: the search index is carried by itself (see `storage.archive.entries`)."""
UUID_CHARACTERS = 32
TYPES: dict[str, types.TypeEngine[Any]] = {
    "uuid": Uuid(), "moment": Moment(), "json": Json, "boolean": Boolean(), "bytes": LargeBinary(), "date": Date(),
    "integer": BigInteger(), "float": Float(), "text": Text(),
}  # fmt: skip
Row = list[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its columns with their kinds, its primary key, and whether each row belongs to an organisation."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    owned: bool

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [name for name, _ in self.columns]

    def table(self) -> Table:
        """The table, for statements."""
        return Table(self.name, MetaData(), *(Column(name, TYPES[kind]) for name, kind in self.columns))


def shapes_of(connection: Connection) -> list[Shape]:
    """The tables of a database as they are, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: not (name.startswith(DERIVED) or is_part(name)))
    return [
        Shape(
            table.name,
            tuple((column.name, _kind(table.name, column)) for column in table.columns),
            tuple(column.name for column in table.primary_key.columns),
            table.name == "tenants" or any(key.target_fullname == "tenants.id" for key in table.foreign_keys),
        )
        for table in metadata.sorted_tables
    ]


def _kind(table: str, column: Column[Any]) -> str:
    found = column.type
    if isinstance(found, types.CHAR) and found.length == UUID_CHARACTERS:
        return "uuid"
    for kind, known in (
        ("uuid", types.Uuid), ("moment", types.DateTime), ("date", types.Date), ("json", types.JSON),
        ("boolean", types.Boolean), ("bytes", types.LargeBinary), ("integer", types.Integer), ("float", types.Numeric),
        ("float", types.Float), ("text", types.String),
    ):  # fmt: skip
        if isinstance(found, known):
            return kind
    raise TypeError(f"{table}.{column.name} is of a type that cannot be carried: {found}")


_OUT: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda value: value.hex,
    "moment": lambda value: value.astimezone(UTC).isoformat(),
    "date": lambda value: value.isoformat(),
    "bytes": lambda value: base64.b64encode(value).decode(),
}
_IN: dict[str, Callable[[Any], Any]] = {
    "uuid": UUID,
    "moment": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytes": base64.b64decode,
}


def line_of(values: Sequence[Any]) -> bytes:
    """One line of JSON, the same for equal values."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def outward(shape: Shape, row: Sequence[Any]) -> Row:
    """A row as it goes into a line."""
    kinds = (_OUT.get(kind) for _, kind in shape.columns)
    return [value if value is None or out is None else out(value) for value, out in zip(row, kinds, strict=True)]


def inward(shape: Shape, row: Sequence[Any]) -> Row:
    """A row of a line, as the database's driver takes it."""
    kinds = (_IN.get(kind) for _, kind in shape.columns)
    return [value if value is None or take is None else take(value) for value, take in zip(row, kinds, strict=True)]


class Sum:
    """Number and checksum of lines in any order: the sum of their SHA-256."""

    def __init__(self) -> None:
        self.count, self._sum = 0, 0

    def add(self, line: bytes) -> None:
        """Count a line in."""
        self.count += 1
        self._sum += int.from_bytes(hashlib.sha256(line).digest(), "big")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and (self.count, self._sum) == (other.count, other._sum)

    def __hash__(self) -> int:
        return hash((self.count, self._sum))


async def rows_of(connection: AsyncConnection, shape: Shape, tenant_id: UUID | None = None) -> AsyncIterator[list[Row]]:
    """The rows of a table in the order of its key, outward, in batches; all of them, or those of one organisation."""
    table = shape.table()
    key = [table.c[name] for name in shape.key]
    statement = select(table).order_by(*key).limit(BATCH)
    if tenant_id is not None:
        statement = statement.where(table.c.tenant_id == tenant_id)
    places, after = [shape.names.index(name) for name in shape.key], None
    while True:
        found = (await connection.execute(statement if after is None else statement.where(after))).all()
        if found:
            yield [outward(shape, row) for row in found]
        if len(found) < BATCH:
            return
        last = [found[-1][place] for place in places]
        after = or_(*(and_(*(key[n] == last[n] for n in range(m)), key[m] > last[m]) for m in range(len(key))))
