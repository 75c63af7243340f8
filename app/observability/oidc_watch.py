"""Watching sign-ins through identity providers for a while: a switch of the operator for all processes."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from domain.kernel.clock import now
from storage.directory import SqlDirectory

log = logging.getLogger(__name__)
KEY = "oidc_debug"
LOOK_AGAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class WatchState:
    """Whether sign-ins are watched, since when, until when (ISO 8601) and why."""

    enabled: bool = False
    enabled_at: str | None = None
    enabled_by: str | None = None
    expires_at: str | None = None
    reason: str | None = None


class OidcWatch:
    """The switch; see `domain.ports.Watch`. Each process looks at the database at most every five seconds."""

    def __init__(self, directory: SqlDirectory) -> None:
        self._directory = directory
        self._seen, self._at = False, -float(LOOK_AGAIN_SECONDS)

    async def on(self) -> bool:
        """Whether every step is logged."""
        if time.monotonic() - self._at >= LOOK_AGAIN_SECONDS:
            self._seen, self._at = (await self.state()).enabled, time.monotonic()
        return self._seen

    async def state(self) -> WatchState:
        """The switch as it stands."""
        value: dict[str, Any] | None = await self._directory.switch(KEY)
        return WatchState(enabled=True, **value) if value is not None else WatchState()

    async def start(self, minutes: int, reason: str | None) -> WatchState:
        """Watch for so long."""
        moment = now()
        until = moment + timedelta(minutes=minutes)
        state = WatchState(True, moment.isoformat(), "super_api_key", until.isoformat(), reason)
        value = {"enabled_at": state.enabled_at, "enabled_by": state.enabled_by, "reason": reason}
        await self._directory.set_switch(KEY, {**value, "expires_at": state.expires_at}, until)
        self._seen, self._at = True, time.monotonic()
        log.warning(
            "sign-ins through identity providers are watched for %d minutes: %s", minutes, reason or "no reason"
        )
        return state

    async def stop(self) -> WatchState:
        """Watch no longer."""
        await self._directory.set_switch(KEY, None)
        self._seen, self._at = False, time.monotonic()
        log.warning("sign-ins through identity providers are no longer watched")
        return WatchState()
