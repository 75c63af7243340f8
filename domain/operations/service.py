"""Operations: how the installation is doing, and notices to everybody. Use cases of the operator and of administrators."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid
from domain.kernel.events import Signal
from domain.kernel.text import clean_text
from domain.operations.entities import Fault, Notice, NoticeLevel, Status, Thresholds, faults
from domain.tenants.operator import Operator

KEY = "notice"
TOPIC = "installation"
"""Topic of the news that concern everybody."""
LOOK_AGAIN_SECONDS = 5.0
LONGEST = timedelta(days=90)
MAX_TEXT = 500


class Switches(Protocol):
    """The operator's switches, kept for all processes."""

    async def switch(self, key: str) -> dict[str, Any] | None:
        """What a switch says; None when it is off or its time is over."""

    async def set_switch(self, key: str, value: dict[str, Any] | None, expires_at: datetime | None = None) -> None:
        """Turn a switch on until `expires_at`, or off."""


class OperationsService:
    """See above. Each process looks for a new notice at most every five seconds."""

    def __init__(
        self, gather: Callable[[], Awaitable[Status]], switches: Switches, limits: Thresholds,
        publish: Callable[[Signal], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.gather, self.limits = gather, limits
        self._switches, self._publish = switches, publish
        self._notice: Notice | None = None
        self._looked = -LOOK_AGAIN_SECONDS

    async def status(self, operator: Operator) -> tuple[Status, list[Fault]]:
        """How the installation is doing, for its operator."""
        found = await self.gather()
        return found, faults(found, self.limits)

    async def own_status(self, actor: Actor) -> tuple[Status, list[Fault]]:
        """The same for administrators of an organisation; there is nothing of any organisation in it."""
        actor.require(Permission.ADMIN)
        found = await self.gather()
        return found, faults(found, self.limits)

    async def notice(self) -> Notice | None:
        """What is said to everybody now."""
        if time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._looked = time.monotonic()
            self._notice = _read(await self._switches.switch(KEY))
        if self._notice is not None and self._notice.until <= now():
            self._notice = None
        return self._notice

    async def announce(self, operator: Operator, level: str, text_sv: str, text_en: str, until: datetime) -> Notice:
        """Say something to everybody, in place of what was said before."""
        text_sv = clean_text(text_sv, "text_sv", MAX_TEXT).strip()
        text_en = clean_text(text_en, "text_en", MAX_TEXT).strip()
        if level not in set(NoticeLevel):
            raise Invalid(N_("Choose info, warning or maintenance."), field="level")
        if not text_sv and not text_en:
            raise Invalid(N_("Write what people are to read."), field="text_sv")
        if until.tzinfo is None or not now() < until <= now() + LONGEST:
            raise Invalid(
                N_("Choose an end in the future, at most {days} days away."), field="until", days=LONGEST.days
            )
        found = Notice(level, text_sv, text_en, until)
        value = {"level": level, "text_sv": text_sv, "text_en": text_en, "until": until.isoformat()}
        await self._switches.set_switch(KEY, value, until)
        await self._tell(found)
        return found

    async def withdraw(self, operator: Operator) -> None:
        """Say it no longer."""
        await self._switches.set_switch(KEY, None)
        await self._tell(None)

    async def _tell(self, found: Notice | None) -> None:
        self._notice, self._looked = found, time.monotonic()
        await self._publish(Signal(TOPIC, "notice"))

    def forget(self) -> None:
        """Look again at once: another process has news."""
        self._looked = -LOOK_AGAIN_SECONDS


def _read(value: dict[str, Any] | None) -> Notice | None:
    if value is None:
        return None
    until = datetime.fromisoformat(value["until"])
    return Notice(value["level"], value["text_sv"], value["text_en"], until)
