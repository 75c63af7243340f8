"""What is stored, added up: for the overviews of spaces and people."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import Amount
from storage.repositories.paging import decode, encode, identifier, number
from storage.tables.knowledge import document_versions, documents

BYTES: ColumnElement[Any] = func.sum(document_versions.c.size)
AMOUNT: Sequence[ColumnElement[Any]] = (
    BYTES,
    func.count(documents.c.id.distinct()),
    func.sum(case((documents.c.version_id == document_versions.c.id, document_versions.c.chunk_count), else_=0)),
)
"""Of versions joined with their documents."""


def amount(size: Any, count: Any, passages: Any) -> Amount:
    """From a row of `AMOUNT`; Postgres adds up to decimals."""
    return Amount(int(size or 0), int(count or 0), int(passages or 0))


async def most_first(
    session: AsyncSession, statement: Select[Any], key: Any, row_id: Any, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of groups, those with the largest `key` first, and the cursor of the next one.

    The rows hold an entity first and the key second.
    """
    after = decode(cursor, 2)
    if after is not None:
        size, last = number(after[0]), identifier(after[1])
        statement = statement.having(or_(key < size, and_(key == size, row_id > last)))
    rows = (await session.execute(statement.order_by(key.desc(), row_id).limit(limit + 1))).all()
    more = encode(int(rows[limit - 1][1]), rows[limit - 1][0].id) if len(rows) > limit else None
    return rows[:limit], more
