"""What a worker does with one job. Runs in a process of its own, which ends with the job."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID, uuid4

from app.bootstrap import Runtime, build
from app.config import load
from app.observability.logs import CORRELATION
from domain.audit import service as audit
from domain.jobs.entities import Job
from domain.jobs.service import LEASE
from domain.kernel import tracing
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure, StorageTrouble
from domain.kernel.persistence import persistently
from domain.knowledge import chunks, intake, reembedding
from domain.usage.attribution import Attribution, attributed
from domain.usage.entities import Purpose
from domain.websites import crawling

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 2.0
AGAIN_SECONDS = 0.5
P = ParamSpec("P")
T = TypeVar("T")


class Unfinished(Exception):
    """A job has done a part of its work, and waits for its next turn."""


def run(tenant_id: str, job_id: str) -> None:
    """RQ's entry point."""
    asyncio.run(_run(UUID(tenant_id), UUID(job_id)))


async def _run(tenant_id: UUID, job_id: UUID) -> None:
    CORRELATION.set(job_id.hex)
    runtime = await build(load(), listen=False, worker=True)
    following = asyncio.create_task(runtime.shared.health.follow(), name="models that rest")
    try:
        job = await _kept(runtime.services.jobs.claim, tenant_id, job_id)
        if job is not None:
            with _span(job):
                await _carry_out(runtime, job)
    finally:
        following.cancel()
        await runtime.close()


def _span(job: Job) -> AbstractContextManager[tracing.Span]:
    """The attempt as a piece of the trace in which the job was queued."""
    facts: dict[str, str | int] = {
        "samrad.job.task": job.task, "samrad.job.lane": job.lane, "samrad.job.attempt": job.attempt,
        "samrad.correlation_id": job.id.hex,
    }  # fmt: skip
    return tracing.span(f"job {job.task}", facts, kind="consumer", parent=job.trace)


async def _carry_out(runtime: Runtime, job: Job) -> None:
    jobs = runtime.services.jobs
    who = Attribution.of(Actor.system(job.tenant_id, job.user_id), Purpose.DOCUMENT)
    with attributed(replace(who, background=True)):
        work = asyncio.create_task(_task(runtime, job))
    reason: list[str] = []
    heart = asyncio.create_task(_beat(runtime, job, work, reason))
    try:
        location = await work
        await _kept(jobs.finish, job, location)
    except Unfinished:
        await _kept(jobs.put_back, job)
    except asyncio.CancelledError:
        if "cancelled" in reason:
            await _kept(jobs.cancelled, job)
    except Failure as failure:
        tracing.present().fail(type(failure).__name__)
        log.info("job %s ended with a reason: %s", job.id, failure.text())
        await _kept(jobs.fail, job, failure, "")
    except StorageTrouble as trouble:
        tracing.present().fail(type(trouble).__name__)
        log.warning("job %s could not be carried out: %s", job.id, trouble)
        await _kept(jobs.fail, job, trouble, "")
    except Exception as error:
        incident = uuid4().hex[:8]
        tracing.present().fail(type(error).__name__)
        log.exception("job %s failed, id %s", job.id, incident)
        await _kept(jobs.fail, job, error, incident)
    finally:
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart


async def _kept(write: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `write` gives; tried again while the database is away, for as long as the lease of a job may still hold."""
    again = partial(write, *args, **kwargs)
    return await persistently(again, "the state of a job", seconds=LEASE.total_seconds(), pause=AGAIN_SECONDS)


async def _beat(runtime: Runtime, job: Job, work: "asyncio.Task[str | None]", reason: list[str]) -> None:
    """Renew the lease while the work goes on; stop it when it is cancelled or the lease is lost."""
    while not work.done():
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            cancelled = await runtime.services.jobs.renew(job)
        except Exception:
            log.exception("could not renew the lease of job %s", job.id)
            continue
        if cancelled is not False:
            reason.append("cancelled" if cancelled else "lost")
            work.cancel()
            return


async def _task(runtime: Runtime, job: Job) -> str | None:
    """Do what the job says; where its result is."""

    async def report(fraction: float, step: str) -> None:
        await runtime.services.jobs.progress(job, fraction, step)

    match job.task:
        case intake.TASK:
            version_id, preview = UUID(job.args["version_id"]), bool(job.args.get("preview"))
            document_id = await runtime.services.ingestion.run(job.tenant_id, version_id, report, preview=preview)
            return f"/api/v1/info-blobs/{document_id}/"
        case chunks.TASK:
            collection_id = UUID(job.args["collection_id"])
            await runtime.services.chunks.run(job.tenant_id, collection_id, report)
            return f"/api/v1/groups/{collection_id}/"
        case reembedding.TASK:
            await runtime.services.reembedding.run(job, report)
            return None
        case crawling.TASK:
            location = await runtime.services.crawling.run(job.tenant_id, UUID(job.args["run_id"]), report)
            if location is None:
                raise Unfinished
            return location
        case audit.TASK:
            return await runtime.services.audit.run_export(job, report)
    raise RuntimeError(f"unknown task {job.task}")
