"""Which tables Alembic compares."""

from typing import Any

OWN_TABLES = ("chunk_", "sqlite_")
"""Tables that `storage.migrations.ddl` keeps, not the metadata."""


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Leave the search index's tables alone."""
    return not (kind == "table" and (name or "").startswith(OWN_TABLES))
