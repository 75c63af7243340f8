"""SQLite over aiosqlite with one trip to the connection's thread for each statement.

SQLAlchemy's own adapter makes a trip for each of cursor, execute, fetch and close, and one more for BEGIN. A trip costs
more processor time than most of our statements, so here execute and fetch travel together, and BEGIN with the first of them.

Rows that are inserted do not travel alone: they go with whatever comes next, at the latest with the COMMIT. Whoever comes
back from a trip waits for the event loop, and meanwhile nobody else can write; so a transaction that only adds rows makes
one trip in all. What is wrong with a row is therefore said when it travels.
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
Work = Callable[[Any], Any]
"""What is done with the driver's connection, in its thread."""


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


def _with_waiting(connection: Any, begin: str | None, waiting: Sequence["Work"], work: Callable[[Any], T]) -> T:
    """In the connection's thread."""
    if begin is not None:
        connection.execute(begin)
    for each in waiting:
        each(connection)
    return work(connection)


async def _nothing() -> None:
    pass


def _commit(connection: Any) -> None:
    """In the connection's thread."""
    connection.commit()


def may_wait(context: Any) -> bool:
    """Whether nobody asks what came of the statement: it inserts rows whose values are all known.

    In a savepoint they are not let wait, since it has to say whether they could be inserted.
    """
    if not context.isinsert or context.compiled is None:
        return False
    compiled, statement = context.compiled, context.compiled.statement
    return not (
        compiled.effective_returning
        or compiled.postfetch_lastrowid
        or statement.select is not None
        or statement._post_values_clause is not None
        or context.root_connection.in_nested_transaction()
    )


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

    def later(self, many: bool, operation: str, parameters: Any) -> bool:
        """Insert rows with the next trip; True, since that is all."""
        connection: Any = self._adapt_connection
        connection.wait(partial(_run, many=many, operation=operation, parameters=parameters))
        self._outcome = _Outcome(None, len(parameters) if many else 1, 0, ())
        self._rows = deque()
        # SQLAlchemy insists on an await; this one does not wait.
        await_(_nothing())
        return True

    async def _async_soft_close(self) -> None:
        """See `AsyncAdapt_dbapi_cursor`."""

    def close(self) -> None:
        """Let go of the rows."""
        self._rows.clear()


class OneTripConnection(AsyncAdapt_aiosqlite_connection):
    """A DBAPI connection that begins its transaction, and inserts the rows that wait, together with the next statement."""

    __slots__ = ("_begin", "_begun", "_reads_only", "_waiting")

    _cursor_cls = OneTripCursor  # type: ignore[assignment]

    def __init__(self, dbapi: Any, connection: Any, *, reads_only: bool) -> None:
        super().__init__(dbapi, connection)
        self._begin: str | None = None
        self._begun = False
        self._waiting: list[Work] = []
        self._reads_only = reads_only

    def begin(self, statement: str) -> None:
        """Begin with this statement as soon as there is something to do."""
        self._begin, self._begun = statement, False

    def wait(self, work: Work) -> None:
        """Do this before the next statement, in the same trip."""
        self._waiting.append(work)

    async def trip(self, work: Callable[[Any], T]) -> T:
        """What waits and what `work` does in the thread, there and back."""
        driver: Any = self._connection
        async with self._execute_mutex:
            # What was handed over counts as begun, even if the wait for it is cancelled: a rollback then follows it.
            begin, self._begin, self._begun = self._begin, None, True
            waiting, self._waiting = self._waiting, []
            found: T = await driver._execute(_with_waiting, driver._conn, begin, waiting, work)
            return found

    def commit(self) -> None:
        """Commit what was begun or waits."""
        if self._begun or self._waiting:
            try:
                await_(self.trip(_commit))
            except Exception as error:
                # SQLAlchemy takes what could not be committed for undone.
                self.rollback()
                self._handle_exception(error)
        self._begin, self._begun = None, False

    def rollback(self) -> None:
        """Undo what was begun. A reader need not wait for it: whatever comes next is queued behind."""
        begun, self._begin, self._begun = self._begun, None, False
        self._waiting.clear()
        driver: Any = self._connection
        if begun and self._reads_only and driver._connection is not None:
            driver._tx.put_nowait((None, driver._conn.rollback))
        elif begun:
            super().rollback()
