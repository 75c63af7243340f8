"""Entities as rows that are inserted and forgotten: the session does not come to know them.

That costs less than a flush, which has to remember them. The statements below do not pass `storage.guard`'s check of
statements, so the tenant is looked at here, as a flush has it looked at.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Insert, Table, insert, inspect
from sqlalchemy.orm import Session

from domain.kernel.entity import Owned
from storage.guard import KEYS, check_owner
from storage.sealing import AT_HAND

Names = tuple[tuple[str, str], ...]
"""The columns of a table, each with the attribute that has its value."""


@cache
def _insertion(kind: Any) -> tuple[Insert, Names]:
    mapper = inspect(kind)
    table: Table = mapper.local_table
    return insert(table), tuple((c.key, mapper.get_property_by_column(c).key) for c in table.columns)


def insert_rows(session: Session, entities: Sequence[Owned]) -> None:
    """Insert entities of one kind, whose values are all given."""
    for entity in entities:
        check_owner(session, entity)
    statement, names = _insertion(cast("Any", type(entities[0])))
    rows: list[dict[str, Any]] = [{column: getattr(each, name) for column, name in names} for each in entities]
    AT_HAND.set(session.info.get(KEYS))
    session.connection().execute(statement, rows if len(rows) > 1 else rows[0])
