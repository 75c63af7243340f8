"""What Alembic compares."""

from collections.abc import Callable
from typing import Any

from storage.partitions import is_part, loses_unique

OWN_TABLES = ("chunk_", "sqlite_")
"""Tables that `storage.migrations.ddl` keeps, not the metadata."""


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Leave the search index's tables alone, and the parts of tables."""
    return not (kind == "table" and ((name or "").startswith(OWN_TABLES) or is_part(name or "")))


def include_object(dialect: str) -> Callable[[Any, str | None, str, bool, Any], bool]:
    """Leave out what a database of this kind cannot promise."""

    def included(_thing: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        return not (dialect == "postgresql" and loses_unique(name))

    return included
