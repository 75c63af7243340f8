"""PostgreSQL: the program's own role, apart from the owner that migrates."""

import hashlib
import hmac
from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from domain.kernel.errors import DatabaseAway, NoRoom, StorageTrouble

PROGRAM_ROLE = "samrad_app"
REFUSED = "28P01"
"""What Postgres answers to a wrong password."""
AWAY = ("08", "57P", "53300")
"""What it answers when it ends, starts, or has no connection left."""
FULL = ("53100", "25006")
"""What it answers when its disk is full, or may only be read."""
BETWEEN = "another operation ("
"""What the driver says of a connection that broke between two of its steps."""
WAIT_SECONDS = 30
"""So long somebody waits for a connection that another has."""
CONNECT_SECONDS = 10
RETRY_SECONDS = 5
REST_SECONDS = 1.0
"""A connection that nobody used for so long is asked whether it still stands before it is used again."""
RESTS_FROM = "rests from"


def program_url(owner_url: str, key: bytes) -> URL:
    """The address under which the program connects: same database, the role that row-level security binds."""
    url = async_url(owner_url)
    return url.set(username=PROGRAM_ROLE, password=program_password(url.database or "", key))


def program_password(database: str, key: bytes) -> str:
    """The role's password, derived from the master key (HMAC-SHA256), so that there is nothing more to keep."""
    return hmac.new(key, f"postgres:{database}".encode(), hashlib.sha256).hexdigest()


def async_url(url: str) -> URL:
    """`url` with the asynchronous driver."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def make_engine(urls: Sequence[URL], *, pool_size: int = 0) -> AsyncEngine:
    """An engine with a small pool, or with none. Just-in-time compilation is off: it costs seconds at each new connection.

    What fails because of the server raises `StorageTrouble`. Each password of `urls` is tried: while a master key is being
    replaced, the role's may come from the old or the new one.
    """
    from storage.postgres_connection import NamingConnection, forget_tenant

    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size:
        pool = {
            "pool_size": pool_size, "max_overflow": 5, "pool_timeout": WAIT_SECONDS, "pool_recycle": 1800,
            "pool_use_lifo": True,
        }  # fmt: skip
    connecting = {
        "server_settings": {"jit": "off"}, "timeout": CONNECT_SECONDS, "connection_class": NamingConnection
    }  # fmt: skip
    engine = create_async_engine(urls[0], connect_args=connecting, **pool)
    passwords = [url.password for url in urls]

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        for password in passwords[:-1]:
            try:
                return dialect.connect(*arguments, **{**options, "password": password})
            except Exception as error:
                if getattr(error, "sqlstate", None) != REFUSED:
                    raise trouble(error) or error from error
        try:
            return dialect.connect(*arguments, **{**options, "password": passwords[-1]})
        except Exception as error:
            raise trouble(error) or error from error

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(context: ExceptionContext) -> StorageTrouble | None:
        if BETWEEN in str(context.original_exception):
            context.is_disconnect = True
        return trouble(context.original_exception, lost=context.is_disconnect)

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: ConnectionPoolEntry, taken: Any) -> None:
        """Whether the connection still stands, where it rested: SQLAlchemy's own way takes three trips, each time."""
        if monotonic() - record.info.pop(RESTS_FROM, inf) > REST_SECONDS:
            try:
                connection.run_async(lambda own: own.execute("select 1"))
            except Exception as error:
                raise InvalidatePoolError from error

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[RESTS_FROM] = monotonic()
        if connection is not None:
            forget_tenant(connection)

    return engine


def trouble(error: BaseException, *, lost: bool = False) -> StorageTrouble | None:
    """What an error of the driver means for people, when it is the server's and not the statement's."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    if state.startswith(FULL):
        return StorageTrouble(NoRoom())
    if lost or state.startswith(AWAY) or isinstance(error, OSError | TimeoutError):
        return StorageTrouble(DatabaseAway(retry_after=RETRY_SECONDS))
    return None
