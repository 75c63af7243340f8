"""Alembic's environment: runs on the connection that `storage.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeEngine

from storage.migrations.env_filter import include_name, include_object
from storage.sealing import SealedText
from storage.tables import metadata
from storage.tables.base import Moment


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Our own column types by name."""
    if kind == "type" and isinstance(item, Moment):
        autogen.imports.add("from storage.tables.base import Json, Moment")
        return "Moment()"
    if kind == "type" and isinstance(item, SealedText):
        return "sa.Text()"
    if kind == "type" and isinstance(item, TypeEngine) and type(item).__name__ == "JSON":
        return "Json"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=include_name,
    include_object=include_object(context.config.attributes["connection"].dialect.name),
    render_item=render_item,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
