"""Telling the operator that something is wrong, and that it is over: by mail and to a webhook, once for all processes."""

import logging
from datetime import timedelta

from app.config import Settings
from app.security.outbound import OutboundGuard
from domain.kernel.clock import now
from domain.kernel.errors import N_
from domain.operations.entities import Fault, Status, Thresholds, faults
from domain.operations.service import OperationsService
from domain.ports import Letter, Mailer
from storage.directory import SqlDirectory

log = logging.getLogger(__name__)
AGAIN = timedelta(hours=24)
"""What lasts is told once a day."""
LEASE = timedelta(minutes=3)
"""So long the others wait whether it is told by the process that has begun to."""
SUBJECT = N_("Samråd: something needs attention")
SUBJECT_OVER = N_("Samråd: it is over")
TEXT = N_("{what}\n\nSee how the installation is doing: {link}\n")
TEXT_OVER = N_("This is over: {what}\n\nSee how the installation is doing: {link}\n")
PATH = "/sysadmin"


def thresholds(settings: Settings) -> Thresholds:
    """From where on something is said."""
    return Thresholds(
        queue_seconds=settings.alert_queue_minutes * 60,
        disk_free=int(settings.alert_disk_gb * 1024**3),
        error_percent=settings.alert_error_percent,
    )


class Alerts:
    """Looks again and again; a fault is told when it is seen twice in a row."""

    def __init__(
        self, settings: Settings, operations: OperationsService, directory: SqlDirectory, guard: OutboundGuard,
        mailer: Mailer,
    ) -> None:  # fmt: skip
        self._settings, self._operations, self._directory = settings, operations, directory
        self._guard, self._mailer = guard, mailer
        self._before: Status | None = None
        self._seen: dict[str, Fault] = {}
        self._told: dict[str, Fault] = {}

    async def look(self) -> None:
        """Gather, compare with the last time, and tell."""
        status = await self._operations.gather()
        found = {fault.key: fault for fault in faults(status, self._operations.limits, self._before)}
        for key, fault in found.items():
            if key in self._seen:
                await self._lasts(fault, status.database)
        for key in [key for key in self._told if key not in found and key not in self._seen]:
            await self._over(self._told.pop(key))
        self._before, self._seen = status, found

    async def _lasts(self, fault: Fault, database: bool) -> None:
        new = fault.key not in self._told
        self._told[fault.key] = fault
        if new:
            log.warning("%s", fault.message.format(**fault.params))
        if not database:
            # Nobody can be asked whether it was told already.
            if new:
                await self._tell(fault, over=False)
        elif await self._directory.take_switch(f"alert:{fault.key}", {}, now() + LEASE):
            await self._tell(fault, over=False)
            await self._directory.keep_switch(f"alert:{fault.key}", now() + AGAIN)

    async def _over(self, fault: Fault) -> None:
        log.warning("over: %s", fault.message.format(**fault.params))
        # Of several processes that see the end at the same moment, one tells it.
        if not await self._directory.end_switch(f"alert:{fault.key}") and fault.key != "database":
            return
        await self._tell(fault, over=True)

    async def _tell(self, fault: Fault, *, over: bool) -> None:
        what = fault.message.format(**fault.params)
        people = [part.strip() for part in self._settings.alert_email.split(",") if part.strip()]
        subject, text = (SUBJECT_OVER, TEXT_OVER) if over else (SUBJECT, TEXT)
        if self._mailer.ready:
            await self._mailer.send(*(Letter(to, "en", subject, text, PATH, {"what": what}) for to in people))
        if self._settings.alert_webhook:
            body = {"key": fault.key, "state": "over" if over else "begun", "text": what, "at": now().isoformat()}
            try:
                answer = await self._guard.client("alerts").post(self._settings.alert_webhook, json=body, timeout=10)
                answer.raise_for_status()
            except Exception as error:
                log.warning("the alert webhook did not take an alert: %s", error)
