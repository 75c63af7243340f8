"""Jobs: use cases of people (see, cancel, retry) and of workers (claim, renew, finish, fail)."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from domain.jobs.entities import Job, JobState
from domain.kernel import tracing
from domain.kernel.actor import Actor
from domain.kernel.clock import now, over
from domain.kernel.errors import N_, BadRequest, Failure, NotFound, ProviderFailed, StorageTrouble, Trouble
from domain.kernel.events import Change, Signal
from domain.ports import Directory
from domain.tenants.entities import Tenant, TenantState
from domain.transaction import Transaction, UnitOfWork

LEASE = timedelta(seconds=30)
UNHURRIED = timedelta(seconds=1)
BACKOFF_SECONDS = (1, 4, 15, 60)
RECENT = timedelta(hours=24)
LOST = N_("The work was interrupted several times. Try again.")
UNEXPECTED = N_("Something went wrong. Try again; if it happens again, report the id {id}.")

Ended = Callable[[Transaction, Job], Awaitable[None]]
"""What a domain does, in the same transaction, when one of its jobs has ended for good."""


class JobService:
    """Use cases of jobs. Workers are identified by the lease token that `claim` returns in the job."""

    def __init__(self, uow: UnitOfWork, directory: Directory, ended: Mapping[str, Ended]) -> None:
        self._uow, self._directory, self._ended = uow, directory, ended

    async def recent(self, actor: Actor) -> Sequence[Job]:
        """The actor's open jobs and those that ended in the last 24 hours, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.jobs.recent(actor.user_id, since=now() - RECENT, limit=200)

    async def get(self, actor: Actor, job_id: UUID) -> Job:
        """One of the actor's jobs."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._own(tx, actor, job_id)

    async def cancel(self, actor: Actor, job_id: UUID) -> Job:
        """Stop a job: at once when it is waiting, within seconds when it is running."""
        async with self._uow.begin(actor.tenant_id) as tx:
            job = await self._own(tx, actor, job_id)
            await request_cancel(tx, job, self._ended)
            tx.record(actor, Change("job_cancelled", "job", job_id, job.name or job.task))
            return job

    async def retry(self, actor: Actor, job_id: UUID) -> Job:
        """Put a job that failed or was cancelled back in the queue."""
        async with self._uow.begin(actor.tenant_id) as tx:
            job = await self._own(tx, actor, job_id)
            if job.state not in (JobState.FAILED, JobState.DEAD, JobState.CANCELLED):
                raise BadRequest(N_("Only a job that has failed or was cancelled can be retried."))
            requeue(tx, job)
            tx.record(actor, Change("job_retried", "job", job_id, job.name or job.task))
            return job

    @staticmethod
    async def _own(tx: Transaction, actor: Actor, job_id: UUID) -> Job:
        job = await tx.get(Job, job_id)
        if job is None or job.user_id != actor.user_id:
            raise NotFound(N_("The job was not found."))
        return job

    # For workers

    async def claim(self, tenant_id: UUID, job_id: UUID) -> Job | None:
        """Take a queued job, with a fresh `lease_token`; None when it is taken, ended or gone, or has to wait."""
        moment = now()
        async with self._uow.begin(tenant_id) as tx:
            tenant = await tx.get(Tenant, tenant_id)
            if tenant is None or tenant.state != TenantState.ACTIVE:
                return None
            job = await tx.jobs.claim(job_id, secrets.token_hex(16), moment + LEASE, moment)
            if job is not None:
                _announce(tx, job)
        return job

    async def renew(self, job: Job) -> bool | None:
        """Extend the lease; True when cancelling was asked for, None when the lease is lost."""
        async with self._uow.begin(job.tenant_id) as tx:
            return await tx.jobs.renew(job.id, job.lease_token or "", now() + LEASE)

    async def progress(self, job: Job, fraction: float, step: str) -> None:
        """Note how far the job has come (0–1)."""
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._held(tx, job)
            if current is not None:
                current.progress, current.step = fraction, step
                _announce(tx, current)

    async def finish(self, job: Job, result_location: str | None = None) -> None:
        """The job is done."""
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._held(tx, job)
            if current is not None:
                current.result_location, current.progress = result_location, 1.0
                await end(tx, current, JobState.DONE, self._ended)

    async def put_back(self, job: Job) -> None:
        """A part of the job is done; the rest waits for its next turn. `UNHURRIED` later, so that others come first."""
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._held(tx, job)
            if current is None:
                return
            if current.cancel_requested:
                await end(tx, current, JobState.CANCELLED, self._ended)
                return
            current.state, current.attempt, current.lease_token, current.lease_until = JobState.QUEUED, 0, None, None
            current.run_after = now() + UNHURRIED
            _announce(tx, current)

    async def cancelled(self, job: Job) -> None:
        """The job has stopped because somebody asked it to."""
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._held(tx, job)
            if current is not None:
                await end(tx, current, JobState.CANCELLED, self._ended)

    async def fail(self, job: Job, error: Exception, incident: str) -> None:
        """The job failed: retried later when that can help, ended with the reason otherwise.

        `incident` is the id under which an unexpected error is in the log.
        """
        async with self._uow.begin(job.tenant_id) as tx:
            current = await self._held(tx, job)
            if current is None:
                return
            told = error.shown if isinstance(error, StorageTrouble) else error
            if isinstance(told, Failure):
                current.error, current.error_params = told.message, dict(told.params)
            else:
                current.error, current.error_params = UNEXPECTED, {"id": incident}
            provider = error if isinstance(error, ProviderFailed) else None
            if isinstance(error, Failure) and provider is None:
                await end(tx, current, JobState.FAILED, self._ended)
                return
            if provider is not None and provider.trouble is Trouble.RESTING:
                # It waited for its turn, or for a model that rests, and nobody was called: that was no attempt.
                current.attempt -= 1
            await self._again_or_dead(tx, current, provider.retry_after if provider is not None else None)

    async def _again_or_dead(self, tx: Transaction, job: Job, after: float | None = None) -> None:
        """Try again, in `after` seconds at the earliest, or give up."""
        if job.cancel_requested:
            await end(tx, job, JobState.CANCELLED, self._ended)
        elif job.attempt >= job.max_attempts:
            job.error = job.error or LOST
            await end(tx, job, JobState.DEAD, self._ended)
        else:
            wait = max(BACKOFF_SECONDS[min(max(job.attempt, 1), len(BACKOFF_SECONDS)) - 1], after or 0.0)
            job.state, job.lease_token, job.lease_until = JobState.QUEUED, None, None
            job.run_after = now() + timedelta(seconds=wait)
            _announce(tx, job)

    async def sweep(self) -> int:
        """Put back the jobs whose worker has died; how many."""
        count = 0
        for located in await self._directory.expired_jobs():
            async with self._uow.begin(located.tenant_id) as tx:
                job = await tx.get(Job, located.id)
                if job and job.state == JobState.RUNNING and job.lease_until and over(job.lease_until):
                    await self._again_or_dead(tx, job)
                    count += 1
        return count

    @staticmethod
    async def _held(tx: Transaction, job: Job) -> Job | None:
        current = await tx.get(Job, job.id)
        if current is None or current.state != JobState.RUNNING or current.lease_token != job.lease_token:
            return None
        return current


async def request_cancel(tx: Transaction, job: Job, ended: Mapping[str, Ended]) -> None:
    """Ask a job to stop; one that waits ends at once."""
    job.cancel_requested = True
    if job.state == JobState.QUEUED:
        await end(tx, job, JobState.CANCELLED, ended)


def requeue(tx: Transaction, job: Job) -> None:
    """A new life for an ended job, with all its attempts."""
    job.state, job.attempt, job.cancel_requested = JobState.QUEUED, 0, False
    job.error, job.error_params, job.run_after, job.finished_at, job.progress = None, {}, None, None, 0.0
    job.trace = tracing.carried()
    tx.enqueue(job)
    _announce(tx, job)


async def end(tx: Transaction, job: Job, state: JobState, ended: Mapping[str, Ended]) -> None:
    """End a job for good and let its domain take note."""
    job.state, job.finished_at = state, now()
    job.lease_token = job.lease_until = None
    if state is JobState.DONE:
        job.error, job.error_params = None, {}
    if job.task in ended:
        await ended[job.task](tx, job)
    _announce(tx, job)


def _announce(tx: Transaction, job: Job) -> None:
    data = {"id": str(job.id), "state": job.state, "progress": job.progress, "step": job.step, "task": job.task}
    tx.signal(Signal(f"user:{job.user_id}", "job", data))
