"""Jobs of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.jobs.entities import Job, JobState
from domain.kernel.clock import SET_BACK
from storage.tables.jobs import jobs


class JobRepository:
    """See `domain.jobs.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def recent(self, user_id: UUID, *, since: datetime, limit: int) -> Sequence[Job]:
        """Open jobs of the user, and those finished after `since`."""
        statement = (
            select(Job)
            .where(
                jobs.c.user_id == user_id,
                or_(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)), jobs.c.finished_at > since),
            )
            .order_by(jobs.c.id.desc())
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def claim(self, job_id: UUID, token: str, lease_until: datetime, moment: datetime) -> Job | None:
        """Take a queued job; the conditional update makes it one worker's only."""
        statement = (
            update(Job)
            .where(
                jobs.c.id == job_id,
                jobs.c.state == JobState.QUEUED,
                or_(jobs.c.run_after.is_(None), jobs.c.run_after <= moment, jobs.c.run_after > moment + SET_BACK),
            )
            .values(state=JobState.RUNNING, attempt=jobs.c.attempt + 1, lease_token=token, lease_until=lease_until)
            .returning(jobs.c.id)
        )
        options = {"synchronize_session": False}
        taken = (await self._session.execute(statement, execution_options=options)).scalar()
        return await self._session.get(Job, job_id, populate_existing=True) if taken else None

    async def cancel_all(self) -> None:
        """Ask every open job to stop."""
        statement = (
            update(Job).where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING))).values(cancel_requested=True)
        )
        await self._session.execute(statement, execution_options={"synchronize_session": False})

    async def renew(self, job_id: UUID, token: str, lease_until: datetime) -> bool | None:
        """Extend the lease; whether cancelling was asked for, or None when the lease is lost."""
        statement = (
            update(Job)
            .where(jobs.c.id == job_id, jobs.c.lease_token == token, jobs.c.state == JobState.RUNNING)
            .values(lease_until=lease_until)
            .returning(jobs.c.cancel_requested)
        )
        found = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return cast("bool | None", found.scalar())
