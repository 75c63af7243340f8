"""Stored contents that no row names any more: what a crash between a file and its row leaves behind."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, String, Text, cast, inspect, or_, select

from storage.database import Database
from storage.sealing import SealedText
from storage.tables.base import mapper
from storage.tables.files import blobs

NAME_LENGTH = 48
CHUNK = 50


async def unnamed(database: Database, tenant_id: UUID, names: Sequence[str]) -> set[str]:
    """Those of the names that stand in no column of the organisation's tables, whichever table that may be."""
    async with database.session(tenant_id, write=False) as session:
        known = set(await session.scalars(select(blobs.c.name).select_from(_kind(blobs))))
        left = set(names) - known
        for some in _chunks(sorted(left)):
            for kind, column in _columns():
                if isinstance(column.type, String):
                    left -= set(await session.scalars(select(column).select_from(kind).where(column.in_(some))))
                    continue
                shown = cast(column, Text)
                wanted = select(shown).select_from(kind).where(or_(*(shown.contains(name) for name in some)))
                for found in await session.scalars(wanted):
                    left -= {name for name in some if name in found}
    return left


def _kind(table: Any) -> Any:
    return next(each.class_ for each in mapper.mappers if each.local_table is table)


def _columns() -> Iterator[tuple[Any, Column[Any]]]:
    """Every column that has room for a name."""
    for mapped in mapper.mappers:
        table = inspect(mapped.class_).local_table
        if not table.info.get("tenant") or table is blobs:
            continue
        for column in table.columns:
            kind = column.type
            if isinstance(kind, SealedText):
                continue
            short = isinstance(kind, String) and kind.length is not None and kind.length < NAME_LENGTH
            if (isinstance(kind, String) and not short and not isinstance(kind, Text)) or isinstance(kind, JSON):
                yield mapped.class_, column


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, CHUNK)):
        yield some
