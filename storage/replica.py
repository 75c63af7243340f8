"""A copy of the Postgres database that only answers reports, as long as it is there and not behind."""

import logging
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
LAG = text(
    "select case when not pg_is_in_recovery() then 0"
    " when exists (select from pg_stat_wal_receiver) and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0"
    " else coalesce(extract(epoch from now() - pg_last_xact_replay_timestamp()), 1e9) end"
)
"""By how many seconds it is behind. Without a connection to the main one, it is behind since the last that it got."""


class Replica:
    """The engine, and whether it may be used; looked at every five seconds at the most, and only when it is wanted."""

    def __init__(self, engine: AsyncEngine, most_lag: float) -> None:
        self.engine, self._most_lag = engine, most_lag
        self._looked, self._usable = -LOOK_SECONDS, False

    async def usable(self) -> bool:
        """Whether reports may be read here; otherwise they are read where everything is."""
        if monotonic() - self._looked >= LOOK_SECONDS:
            self._looked, former = monotonic(), self._usable
            self._usable = await self._look()
            if former != self._usable:
                log.warning("reports are read from the %s database", "reader" if self._usable else "main")
        return self._usable

    async def _look(self) -> bool:
        try:
            async with self.engine.connect() as connection:
                return float(await connection.scalar(LAG) or 0) <= self._most_lag
        except Exception as error:
            log.warning("the reader database does not answer: %s", error)
            return False
