"""Statements that take long, as pieces of the traces they belong to."""

import re
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel import tracing

SLOW_SECONDS = 0.25
_TABLE = re.compile(r"\b(?:from|into|update)\s+\"?(\w+)", re.IGNORECASE)


def tell_slow(engine: AsyncEngine) -> None:
    """Let slow statements of `engine` be told: what they do and to which table, never their text."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begun(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        context.begun = monotonic()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def ended(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        took = monotonic() - context.begun
        if took >= SLOW_SECONDS:
            facts = {"db.system.name": engine.dialect.name, **_about(statement)}
            tracing.begin("database statement", facts, kind="client", seconds_ago=took).end()


def _about(statement: str) -> dict[str, str]:
    words, table = statement.split(None, 1), _TABLE.search(statement)
    about = {"db.operation.name": words[0].upper()} if words else {}
    return {**about, "db.collection.name": table[1]} if table else about
