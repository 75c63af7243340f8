"""`move`: an installation from one database to the other, row by row, with nothing lost on the way."""

import argparse
import sys
from pathlib import Path

from sqlalchemy import text

from app.backup import target
from app.config import Settings
from app.databases import database_path, open_database
from app.from_settings import keys_of, redis_url
from app.jobs import valkey
from storage import migrate
from storage.archive.copying import copy_rows
from storage.archive.sealed import ArchiveError
from storage.archive.snapshot import snapshot
from storage.postgres import PROGRAM_ROLE

RUNNING = "The product is running. Stop it first: what is written while rows are copied would be lost."
_CONNECTED = text("select count(*) from pg_stat_activity where datname = current_database() and usename = :role")


async def move(chosen: argparse.Namespace, settings: Settings) -> int:
    """Copy the configured installation `--to` an empty database, or the one at `--from` into what is configured."""
    try:
        here, there = settings, _other(settings, chosen.to or chosen.from_)
        source, destination = (here, there) if chosen.to else (there, here)
        if source.database_url == destination.database_url:
            raise ArchiveError("Both are the same database. Name the other one, or set DATABASE_URL.")
        await refuse_running(source)
        await _copy(source, destination)
    except ArchiveError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    kept = database_path(source) if source.database_url is None else "the old database"
    setting = "DATABASE_URL to the new address" if destination.database_url else "no DATABASE_URL"
    sys.stdout.write(
        f"Every row was read back and compared. Keep keys and files where they are ({settings.data_dir}), set {setting}, "
        f"and start. Delete {kept} when all is well.\n"
    )
    return 0


def _other(settings: Settings, place: str) -> Settings:
    """The same settings with another database: an address, or `sqlite` for the file in the data folder."""
    if place != "sqlite" and not place.startswith(("postgresql://", "postgres://")):
        raise ArchiveError("Give an address like postgresql://owner:password@host/database, or the word sqlite.")
    url = None if place == "sqlite" else place.replace("postgres://", "postgresql://", 1)
    return settings.model_copy(update={"database_url": url, "database_app_url": None})


async def refuse_running(settings: Settings) -> None:
    """Raise `ArchiveError` while the product works on this database."""
    if settings.database_url is None:
        if settings.redis_url is None and valkey.answers(redis_url(settings)):
            raise ArchiveError(RUNNING)
        return
    async with migrate.postgres_connection(settings.database_url) as connection:
        if (await connection.execute(_CONNECTED, {"role": PROGRAM_ROLE})).scalar_one():
            raise ArchiveError(RUNNING)


async def _copy(source: Settings, destination: Settings) -> None:
    if source.database_url is None and not Path(database_path(source)).exists():
        raise ArchiveError(f"There is no database in {source.data_dir}.")
    database = open_database(source)
    try:
        async with snapshot(database) as found, target(destination, keys_of(source)) as loader:
            await copy_rows(found, loader)
    finally:
        await database.close()
    counts = loader.counts
    rows = sum(number for name, number in counts.items() if name != "index")
    sys.stdout.write(f"{rows} rows of {len(counts) - 1} tables and {counts['index']} passages with their vectors.\n")
