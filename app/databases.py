"""The database that the settings name: opening it, and bringing it to the present schema."""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from app.config import Settings
from app.from_settings import keys_of
from domain.kernel.errors import DatabaseAway, StorageTrouble
from storage import migrate
from storage.database import Database
from storage.migrate import NotLetIn, SchemaError

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 120.0
"""So long a program that starts waits for its database."""
LOOK_SECONDS = 1.0


def database_path(settings: Settings) -> Path:
    """The database file of a single node."""
    return settings.data_dir / "samrad.db"


class DataFolderError(RuntimeError):
    """Nothing can be kept in the data folder; the message says so."""


def make_data_folder(folder: Path) -> None:
    """Make the data folder, and try whether it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"samrad")
    except OSError as error:
        raise DataFolderError(
            f"The data folder {folder} cannot be written: {error.strerror}. Give the program's user the right to write"
            " there, make room, or name another folder in DATA_DIR."
        ) from error


async def migrate_database(settings: Settings, watch: migrate.Watcher | None = None) -> None:
    """Bring the database to the present schema, or leave it as it is; `watch` looks at it before and after."""
    make_data_folder(settings.data_dir)
    if settings.database_url is None:
        await migrate.migrate_sqlite(database_path(settings), watch)
    else:
        manage = settings.database_app_url is None
        await migrate.migrate_postgres(settings.database_url, keys_of(settings).oldest, watch, manage_role=manage)


async def check_database(settings: Settings) -> None:
    """Raise `SchemaError` unless the database is at the present schema."""
    if settings.database_url is None:
        await migrate.check_sqlite(database_path(settings))
    else:
        await migrate.check_postgres(settings.database_url)


async def patiently(bring: Callable[[], Awaitable[None]], *, migrated: bool = True) -> None:
    """Do what needs the database; again while that does not answer: what belongs together may be started in any order.

    `migrated`: by `bring` itself; otherwise another process does that, and it is waited for too.
    """
    ends, told = monotonic() + PATIENCE_SECONDS, ""
    while True:
        try:
            return await bring()
        except NotLetIn:
            raise
        except (SchemaError, StorageTrouble) as error:
            passes = isinstance(error.shown, DatabaseAway) if isinstance(error, StorageTrouble) else not migrated
            if not passes or monotonic() >= ends:
                raise
            if str(error) != told:
                log.warning("Waiting for the database: %s", error)
            told = str(error)
        await asyncio.sleep(LOOK_SECONDS)


def open_database(settings: Settings) -> Database:
    """The database that the settings name."""
    if settings.database_url is None:
        return Database.sqlite(database_path(settings))
    return Database.postgres(
        settings.database_url, keys_of(settings).keys, program_url=settings.database_app_url,
        pool_size=settings.database_connections, reader_url=settings.database_reader_url,
        most_lag=settings.database_reader_lag,
    )  # fmt: skip
