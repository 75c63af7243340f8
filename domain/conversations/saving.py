"""Saving answers while they come: those of all runs of this process together, once a second."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from domain.conversations.run import Run, within
from domain.kernel.clock import now
from domain.transaction import UnitOfWork

log = logging.getLogger(__name__)
SAVE_SECONDS = 0.8
TENANT = attrgetter("tenant_id")


class Saving:
    """Keeps what has come of runs that are being answered, and learns which of them another process was asked to stop."""

    def __init__(self, uow: UnitOfWork, owner: str) -> None:
        self._uow, self._owner = uow, owner
        self._runs: dict[UUID, Run] = {}
        self._work: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def saved(self, run: Run) -> AsyncIterator[None]:
        """As long as this lasts, the run is saved."""
        self._runs[run.message_id] = run
        if self._work is None:
            self._ended = asyncio.Event()
            # It works for all runs, not for the one that came first.
            self._work = asyncio.create_task(self._save_until(self._ended), name="saving answers", context=Context())
        try:
            yield
        finally:
            self._runs.pop(run.message_id, None)
            if not self._runs and self._work is not None:
                work, self._work = self._work, None
                # Told instead of cancelled: on Python 3.11 a task that waits for a connection can miss being cancelled.
                self._ended.set()
                await asyncio.wait([work])

    async def _save_until(self, ended: asyncio.Event) -> None:
        while not await within(SAVE_SECONDS, ended):
            runs = sorted(self._runs.values(), key=TENANT)
            for tenant_id, its in groupby(runs, key=TENANT):
                await self._save(tenant_id, list(its))

    async def _save(self, tenant_id: UUID, runs: Sequence[Run]) -> None:
        try:
            async with self._uow.begin(tenant_id) as tx:
                answers = {run.message_id: run.text for run in runs}
                stops = await tx.conversations.save_running(answers, self._owner, now())
        except Exception:
            log.exception("could not save answers in progress; trying again")
            return
        for run in runs:
            # What is not this process's any more is not gone on with either.
            if stops.get(run.message_id, True):
                run.stop.set()
