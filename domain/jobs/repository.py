"""What jobs ask of storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.jobs.entities import Job


class JobRepository(Protocol):
    """Jobs of the transaction's tenant."""

    async def recent(self, user_id: UUID, *, since: datetime, limit: int) -> Sequence[Job]:
        """Open jobs of the user, and those finished after `since`, newest first."""

    async def claim(self, job_id: UUID, token: str, lease_until: datetime, moment: datetime) -> Job | None:
        """Take a queued job; None when it is not there to take."""

    async def cancel_all(self) -> None:
        """Ask every open job to stop."""

    async def renew(self, job_id: UUID, token: str, lease_until: datetime) -> bool | None:
        """Extend the lease; whether cancelling was asked for, or None when the lease is lost."""
