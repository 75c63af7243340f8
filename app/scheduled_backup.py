"""Backups that a single node makes by itself, once a day."""

import asyncio
import logging
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from app.config import Settings
from domain.kernel.clock import now

log = logging.getLogger(__name__)
NAMED = re.compile(r"samrad-(\d{8}-\d{6})\.samrad")
FORM = "%Y%m%d-%H%M%S"
LATE = timedelta(hours=26)
"""A daily backup that is older than this was missed."""


def kept(folder: Path) -> list[tuple[datetime, Path]]:
    """The scheduled backups of a folder with their moments, the oldest first."""
    found = []
    for path in folder.glob("samrad-*.samrad"):
        match = NAMED.fullmatch(path.name)
        if match:
            found.append((datetime.strptime(match[1], FORM).replace(tzinfo=UTC), path))
    return sorted(found)


def last(settings: Settings) -> datetime | None:
    """When the newest scheduled backup was made."""
    made = kept(settings.backup_folder) if settings.backup_folder and settings.backup_folder.is_dir() else []
    return made[-1][0] if made else None


def due(settings: Settings, moment: datetime) -> bool:
    """Whether the time of day has come since the newest one."""
    if not settings.backup_schedule or not settings.single_node:
        return False
    hour, minute = map(int, settings.backup_schedule.split(":"))
    here = moment.astimezone(ZoneInfo(settings.time_zone))
    wanted = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if wanted > here:
        wanted -= timedelta(days=1)
    newest = last(settings)
    return newest is None or newest < wanted


async def keep_up(settings: Settings) -> None:
    """Make a backup when one is due, read it again, and remove those that are too many."""
    folder = settings.backup_folder
    if folder is None or not due(settings, now()):
        return
    path = folder / f"samrad-{now():{FORM}}.samrad"
    await _command("backup", str(path))
    try:
        await _command("verify", str(path))
    except RuntimeError:
        # Under its name it would count as the newest good one.
        path.rename(path.with_suffix(".damaged"))
        raise
    for _, old in kept(folder)[: -settings.backup_keep]:
        old.unlink(missing_ok=True)
    log.info("a backup was made: %s, %.1f MB", path, path.stat().st_size / 1024**2)


async def _command(*words: str) -> None:
    """In a process of its own: encrypting and packing must not hold up the web process."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, str(_main())]
    process = await asyncio.create_subprocess_exec(
        *program, *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
    if process.returncode:
        raise RuntimeError(told.decode(errors="replace").strip()[-500:] or f"{words[0]} ended with an error")


def _main() -> Path:
    return Path(__file__).resolve().parents[1] / "main.py"
