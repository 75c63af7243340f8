"""What is done again and again while the program runs. Whatever fails is said in the log, and tried the next time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app import maintenance, scheduled_backup
from app.bootstrap import Runtime
from app.observability.alerts import Alerts

log = logging.getLogger(__name__)
HOUR = 3_600.0


async def _again(seconds: float, complaint: str, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            log.warning("%s: %s", complaint, error)
        await asyncio.sleep(seconds)


async def forget_deleted(runtime: Runtime) -> None:
    """Take, for ever, the personal data from accounts that can no longer be restored."""
    await _again(6 * HOUR, "deleted accounts are not forgotten", runtime.services.users.forget_deleted)


async def erase_traces(runtime: Runtime) -> None:
    """Take, for ever, the words of deleted documents out of the database's files."""
    await _again(HOUR, "traces of deleted documents are not erased", runtime.services.deletion.erase_traces)


async def sweep_runs(runtime: Runtime) -> None:
    """Close, for ever, the answers whose process has died."""
    await _again(5, "interrupted answers are not closed", runtime.services.conversations.sweep)


async def drop_temporary(runtime: Runtime) -> None:
    """Delete, for ever, the temporary conversations that nobody has left, as after a crash."""
    await _again(HOUR, "temporary conversations are not deleted", runtime.services.temporary.drop_everywhere)


async def sweep_calls(runtime: Runtime) -> None:
    """Close, for ever, the calls of models whose process has died."""
    await _again(60, "unfinished calls of models are not closed", runtime.services.ledger.sweep)


async def crawl_websites(runtime: Runtime) -> None:
    """Begin, for ever, the crawls of websites whose time has come."""
    await _again(15, "websites are not read by themselves", runtime.services.websites.start_due)


async def delete_tenants(runtime: Runtime) -> None:
    """Go on, for ever, with deleting the organisations that the operator has marked."""
    await _again(1, "an organisation is not deleted", runtime.services.deletion.carry_on)


async def back_up(runtime: Runtime) -> None:
    """Make, for ever, the daily backups of a single node."""
    settings = runtime.settings
    await _again(60, "the scheduled backup failed", lambda: scheduled_backup.keep_up(settings))


async def retain_audit(runtime: Runtime) -> None:
    """Remove, for ever, the audit entries that are older than their organisation keeps them."""
    await _again(HOUR, "old audit entries are not removed", runtime.services.audit.retain_everywhere)


async def retain_conversations(runtime: Runtime) -> None:
    """Remove, for ever, the conversations that are older than their assistant or space keeps them."""
    await _again(HOUR, "old conversations are not removed", runtime.services.retention.retain_everywhere)


async def retain_questions(runtime: Runtime) -> None:
    """Remove, for ever, the questions without an answer that are older than they are kept."""
    await _again(HOUR, "old questions without an answer are not removed", runtime.services.unanswered.retain_everywhere)


async def watch(runtime: Runtime) -> None:
    """Tell, for ever, what is wrong."""
    alerts = Alerts(runtime.settings, runtime.services.operations, runtime.directory, runtime.guard, runtime.mailer)
    await _again(60, "nobody is told of what is wrong", alerts.look)


async def maintain(runtime: Runtime) -> None:
    """Tidy up, for ever, once a night; of several processes one does it."""
    await _again(600, "the nightly maintenance failed", lambda: maintenance.nightly(runtime))
