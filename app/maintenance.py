"""What is done every night: the database is tended, and what nobody needs any more is removed."""

import asyncio
import logging
import shutil
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from app import scheduled_backup
from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import check_database
from domain.kernel.clock import now
from storage import migrate
from storage.orphans import unnamed

log = logging.getLogger(__name__)
HOUR_OF_NIGHT, HOURS = 3, 3
"""When it begins at the earliest, and how long it is tried when a process was away or killed."""
DONE = "maintenance"
PAUSE = timedelta(hours=12)
LEASE = timedelta(minutes=15)
"""So long it belongs to a process that gives no sign of life; it gives one three times as often."""
DAY = 24 * 3600.0
"""Whatever is younger may belong to something that is going on."""
LEFT_OVER = ("files.backup-*", "files.loading", "samrad.loading*", "models/model-*")
"""In the data folder: what a command that was killed leaves behind."""


async def run(settings: Settings) -> int:
    """The command `maintain`."""
    await check_database(settings)
    runtime = await build(settings, listen=False)
    try:
        for line in await work(runtime):
            sys.stdout.write(f"{line}\n")
    finally:
        await runtime.close()
    return 0


async def nightly(runtime: Runtime) -> None:
    """At night, once for all processes; another one does it when the one that began is killed."""
    here = now().astimezone(ZoneInfo(runtime.settings.time_zone))
    at_night = HOUR_OF_NIGHT <= here.hour < HOUR_OF_NIGHT + HOURS
    if not at_night or not await runtime.directory.take_switch(DONE, {}, now() + LEASE):
        return
    keeping = asyncio.create_task(_keep(runtime), name="lease of the maintenance")
    try:
        for line in await work(runtime):
            log.info("%s", line)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    await runtime.directory.keep_switch(DONE, now() + PAUSE)


async def _keep(runtime: Runtime) -> None:
    while True:
        await asyncio.sleep(LEASE.total_seconds() / 3)
        try:
            await runtime.directory.keep_switch(DONE, now() + LEASE)
        except Exception as error:
            log.warning("the lease of the maintenance is not renewed: %s", error)


async def work(runtime: Runtime) -> list[str]:
    """Everything; what was done, a line each. One part that fails leaves the others alone."""
    done = []
    for name, part in (
        ("pictures", _icons), ("stored files", _orphans), ("unfinished files", _temporary), ("folders", _left_over),
        ("rows", _expired), ("retention", _retention), ("database", _tend), ("months", _months), ("backup", _backup),
    ):  # fmt: skip
        try:
            done.append(f"{name}: {await part(runtime)}")
        except Exception as error:
            log.exception("maintenance of %s failed", name)
            done.append(f"{name}: failed, {type(error).__name__}")
    return done


async def _icons(runtime: Runtime) -> str:
    return f"{await runtime.services.icons.drop_unused()} that nothing bears were removed"


async def _orphans(runtime: Runtime) -> str:
    removed = 0
    tenants = await runtime.directory.tenant_ids()
    for tenant_id in tenants:
        names = await runtime.contents.older(tenant_id, DAY)
        for name in await unnamed(runtime.database, tenant_id, names) if names else ():
            await runtime.contents.delete(tenant_id, name)
            removed += 1
    gone = [each for each in _folders(runtime.settings.data_dir / "files") if each not in set(tenants)]
    for tenant_id in gone:
        removed += await runtime.contents.erase(tenant_id)
    return f"{removed} that nothing names were removed"


def _folders(files: Path) -> Iterable[UUID]:
    """The organisations that have a folder, the new ones left out."""
    for path in files.glob("*") if files.exists() else ():
        try:
            tenant_id = UUID(path.name)
        except ValueError:
            continue
        if path.stat().st_mtime < time.time() - DAY:
            yield tenant_id


async def _temporary(runtime: Runtime) -> str:
    return f"{await runtime.contents.sweep_temporary(DAY)} removed"


async def _left_over(runtime: Runtime) -> str:
    number = 0
    for pattern in LEFT_OVER:
        for path in runtime.settings.data_dir.glob(pattern):
            if path.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                number += 1
    return f"{number} left by commands that were killed were removed"


async def _expired(runtime: Runtime) -> str:
    return f"{await runtime.directory.forget_expired()} that mean nothing any more were removed"


async def _retention(runtime: Runtime) -> str:
    services = runtime.services
    entries = await services.audit.retain_everywhere()
    conversations = await services.retention.retain_everywhere()
    questions = await services.unanswered.retain_everywhere()
    people, temporary = await services.users.forget_deleted(), await services.temporary.drop_everywhere()
    removed = f"{entries} audit entries, {conversations} conversations, {temporary} temporary ones"
    return f"{removed}, {questions} questions without an answer, {people} deleted accounts"


async def _tend(runtime: Runtime) -> str:
    return await runtime.database.tend()


async def _months(runtime: Runtime) -> str:
    """The audit log and the ledger of a large installation are kept by month."""
    if runtime.settings.database_url is None:
        return "SQLite keeps everything together"
    return f"{await migrate.spread_parts(runtime.settings.database_url)} parts were made for the months to come"


async def _backup(runtime: Runtime) -> str:
    settings, newest = runtime.settings, scheduled_backup.last(runtime.settings)
    if not settings.backup_schedule:
        return "not scheduled here"
    if newest is None:
        return "none has been made yet"
    late = now() - newest > scheduled_backup.LATE
    return f"the newest is from {newest:%Y-%m-%d %H:%M} UTC{', which is too old' if late else ''}"
