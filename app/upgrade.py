"""`upgrade`: backup, new schema, self-check; when anything fails, everything is as it was before."""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app import __version__
from app.backup import secret_of, verify, write
from app.config import Settings
from app.databases import database_path, migrate_database
from app.from_settings import keys_of
from app.moving import refuse_running
from app.security.keys import MasterKeyError, MasterKeys
from domain.kernel.clock import now
from domain.tenants.entities import TenantKey
from storage import migrate
from storage.archive.sealed import ArchiveError
from storage.migrate import SchemaError

WATCHED = ("tenants", "users", "documents", "chunks", "assistants", "conversations", "messages")
"""Of these no row may vanish by an upgrade."""


async def upgrade(chosen: argparse.Namespace, settings: Settings) -> int:
    """Bring the installation to this version's schema; returns the exit status."""
    try:
        before = await _revision(settings)
        if before == migrate.head():
            await migrate_database(settings)
            sys.stdout.write(f"The database is at the schema of version {__version__} already.\n")
            return 0
        await refuse_running(settings)
        path = await _back_up(chosen, settings, before)
    except (ArchiveError, MasterKeyError) as error:
        sys.stderr.write(f"{error} Nothing was changed.\n")
        return 1
    try:
        await migrate_database(settings, Watch(keys_of(settings)))
    except Exception as error:  # whatever it is, the transaction was taken back
        sys.stderr.write(
            f"The upgrade failed and was taken back; the database is at {before} as before: {error}\n"
            f"The backup is {path}. Go on with the former version, and report this.\n"
        )
        return 1
    sys.stdout.write(f"From {before} to {migrate.head()}; checked. The backup from before is {path}.\n")
    return 0


async def _back_up(chosen: argparse.Namespace, settings: Settings, before: str) -> Path:
    """A backup that has been read again."""
    named = f"before-{before}-{now():%Y%m%d-%H%M%S}.samrad"
    path: Path = chosen.backup or (settings.backup_folder or settings.data_dir / "backups") / named
    masters = keys_of(settings)
    try:
        secret = secret_of(settings, chosen.key_file, ask=False)
    except ArchiveError:
        if chosen.key_file or settings.backup_key_file or masters.path is None:
            raise
        # Better with the key that lies beside it than none at all.
        secret = secret_of(settings, masters.path)
        sys.stdout.write(f"The backup is encrypted with the master key: restore it with --key-file {masters.path}\n")
    await write(settings, path, secret)
    await verify(path, secret)
    return path


async def _revision(settings: Settings) -> str:
    statement = text("select version_num from alembic_version")
    if settings.database_url is None:
        if not database_path(settings).exists():
            raise ArchiveError(f"There is no installation in {settings.data_dir}.")
        async with migrate.sqlite_connection(database_path(settings)) as connection:
            return str((await connection.execute(statement)).scalar_one())
    async with migrate.postgres_connection(settings.database_url) as connection:
        found = (await connection.execute(text("select to_regclass('public.alembic_version')"))).scalar_one()
        if found is None:
            raise ArchiveError("There is no installation in this database.")
        return str((await connection.execute(statement)).scalar_one())


class Watch:
    """Looks at the database before and after, inside the transaction of the upgrade."""

    def __init__(self, masters: MasterKeys) -> None:
        self._masters, self._counts = masters, dict[str, int]()

    async def before(self, connection: AsyncConnection) -> None:
        """Count what may not vanish."""
        self._counts = await self._count(connection)

    async def after(self, connection: AsyncConnection) -> None:
        """Raise `SchemaError` when rows are gone, or a data key can no longer be opened."""
        found = await self._count(connection)
        for table, number in self._counts.items():
            if found.get(table, 0) < number:
                raise SchemaError(f"{table} had {number} rows, and has {found.get(table, 0)}")
        await self._open_keys(connection)

    async def _count(self, connection: AsyncConnection) -> dict[str, int]:
        async with _seen(connection, WATCHED) as tables:
            return {
                table: (await connection.execute(text(f"select count(*) from {table}"))).scalar_one()  # noqa: S608
                for table in tables
            }

    async def _open_keys(self, connection: AsyncConnection) -> None:
        async with _seen(connection, ("tenant_keys",)):
            rows = await connection.execute(text("select tenant_id, wrapped, master_key_id from tenant_keys"))
            for tenant, wrapped, master_id in rows:
                owner = tenant if isinstance(tenant, UUID) else UUID(tenant)
                try:
                    self._masters.unwrap(TenantKey(tenant_id=owner, wrapped=bytes(wrapped), master_key_id=master_id))
                except MasterKeyError as error:
                    raise SchemaError(str(error)) from error


@asynccontextmanager
async def _seen(connection: AsyncConnection, wanted: Sequence[str]) -> AsyncIterator[list[str]]:
    """Those of the tables that exist; their owner sees all rows meanwhile."""
    names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    tables = [table for table in wanted if table in names]
    forced: list[str] = []
    if connection.dialect.name == "postgresql":
        rows = await connection.execute(text("select relname from pg_class where relforcerowsecurity"))
        forced = [name for (name,) in rows if name in tables]
    for table in forced:
        await connection.execute(text(f"alter table {table} no force row level security"))
    yield tables
    for table in forced:
        await connection.execute(text(f"alter table {table} force row level security"))
