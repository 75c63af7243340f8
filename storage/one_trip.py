"""SQLite over aiosqlite with one trip to the connection's thread for each statement.

SQLAlchemy's own adapter makes a trip for each of cursor, execute, fetch and close, and one more for BEGIN. A trip costs
more processor time than most of our statements, so here execute and fetch travel together, and BEGIN with the first of them.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_

T = TypeVar("T")


class _Outcome(NamedTuple):
    description: Any
    rowcount: int
    lastrowid: int
    rows: Sequence[Any]


def _run(connection: Any, many: bool, operation: str, parameters: Any) -> _Outcome:
    """In the connection's thread."""
    cursor = connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(operation, parameters)
        rows = cursor.fetchall() if cursor.description else ()
        return _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()


def _begun(connection: Any, begin: str | None, work: Callable[[Any], T]) -> T:
    """In the connection's thread."""
    if begin is not None:
        connection.execute(begin)
    return work(connection)


async def in_one_trip(session: AsyncSession, work: Callable[[sqlite3.Connection], T]) -> T:
    """Let statements that follow from each other be carried out in one trip. They are not scoped to a tenant here."""
    proxied = await (await session.connection()).get_raw_connection()
    own: Any = proxied.dbapi_connection
    try:
        found: T = await own.trip(work)
    except Exception as error:
        own._handle_exception(error)
    return found


class OneTripCursor(AsyncAdapt_aiosqlite_cursor):
    """A DBAPI cursor whose rows have come with the execution; there is nothing to close."""

    __slots__ = ("_outcome", "arraysize")

    def __init__(self, adapt_connection: "OneTripConnection") -> None:
        self._adapt_connection = adapt_connection
        self._outcome = _Outcome(None, -1, 0, ())
        self._rows: deque[Any] = deque()
        self.arraysize = 1

    @property
    def description(self) -> Any:
        """The columns of the last statement, or None."""
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        """The rows that the last statement touched."""
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> int:
        """The id of the last inserted row."""
        return self._outcome.lastrowid

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        """Run a statement and keep its rows."""
        self._send(False, operation, parameters or ())

    def executemany(self, operation: Any, seq_of_parameters: Any) -> Any:
        """Run a statement once for each set of parameters."""
        self._send(True, operation, seq_of_parameters)

    def _send(self, many: bool, operation: str, parameters: Any) -> None:
        connection: Any = self._adapt_connection
        try:
            self._outcome = await_(
                connection.trip(partial(_run, many=many, operation=operation, parameters=parameters))
            )
        except Exception as error:
            connection._handle_exception(error)
        self._rows = deque(self._outcome.rows)

    async def _async_soft_close(self) -> None:
        """See `AsyncAdapt_dbapi_cursor`."""

    def close(self) -> None:
        """Let go of the rows."""
        self._rows.clear()


class OneTripConnection(AsyncAdapt_aiosqlite_connection):
    """A DBAPI connection that begins its transaction together with the first statement."""

    __slots__ = ("_begin", "_reads_only")

    _cursor_cls = OneTripCursor  # type: ignore[assignment]

    def __init__(self, dbapi: Any, connection: Any, *, reads_only: bool) -> None:
        super().__init__(dbapi, connection)
        self._begin: str | None = None
        self._reads_only = reads_only

    def begin(self, statement: str) -> None:
        """Begin with this statement as soon as there is something to do."""
        self._begin = statement

    async def trip(self, work: Callable[[Any], T]) -> T:
        """What `work` does in the thread, there and back."""
        driver: Any = self._connection
        async with self._execute_mutex:
            # What was handed over counts as begun, even if the wait for it is cancelled: a rollback then follows it.
            begin, self._begin = self._begin, None
            found: T = await driver._execute(_begun, driver._conn, begin, work)
            return found

    def commit(self) -> None:
        """Commit what was begun."""
        if self._begun():
            super().commit()

    def rollback(self) -> None:
        """Undo what was begun. A reader need not wait for it: whatever comes next is queued behind."""
        if not self._begun():
            return
        driver: Any = self._connection
        if self._reads_only and driver._connection is not None:
            driver._tx.put_nowait((None, driver._conn.rollback))
        else:
            super().rollback()

    def _begun(self) -> bool:
        waiting, self._begin = self._begin is not None, None
        return not waiting
