"""What a crawl leaves behind: its figures, the news of it, and its end when it did not go well."""

from collections import Counter
from datetime import tzinfo

from domain.jobs.entities import Job, JobState
from domain.jobs.service import Ended
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.events import Change, Signal
from domain.knowledge.entities import DocumentState
from domain.transaction import Transaction
from domain.websites import schedule
from domain.websites.entities import CrawlRun, PageState, Reason, RunState, Website


async def tally(tx: Transaction, run: CrawlRun) -> None:
    """Write into a crawl how many pages became what."""
    await tx.flush()
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for state, reason, is_file, number in await tx.websites.tally(run.id):
        counts[state] += number
        if is_file:
            counts["files_failed" if state == PageState.FAILED else "files"] += number
        if reason and state in (PageState.FAILED, PageState.SKIPPED):
            failures[reason] += number
    run.counts, run.failures = dict(counts), dict(failures)


def announce(tx: Transaction, website: Website, run: CrawlRun) -> None:
    """Tell the watching pages how a crawl is doing."""
    data = {"id": str(website.id), "state": run.state, "run": str(run.id)}
    for topic in (f"space:{website.space_id}", f"collection:{website.id}"):
        tx.signal(Signal(topic, "website", data))


def record_end(tx: Transaction, website: Website, run: CrawlRun) -> None:
    """Note the end of a crawl in the audit log."""
    system = Actor.system(run.tenant_id, run.user_id)
    good = run.state == RunState.DONE
    change = Change(
        "website_crawled", "website", website.id, website.title, new={**run.counts, "state": run.state},
        outcome="success" if good else "failure", error=run.error,
    )  # fmt: skip
    tx.record(system, change)


def run_ended(zone: tzinfo) -> Ended:
    """What is to be done when the job of a crawl has ended without success; see `domain.jobs.service.Ended`."""

    async def ended(tx: Transaction, job: Job) -> None:
        run = await tx.websites.run_of_job(job.id)
        website = await tx.get(Website, run.website_id) if run else None
        if run is None or website is None or job.state == JobState.DONE or not RunState(run.state).open:
            return
        stopped = job.state == JobState.CANCELLED
        await tx.websites.settle(run.id, PageState.SKIPPED, Reason.STOPPED)
        for version in await tx.websites.unfinished(website.id):
            version.state = DocumentState.CANCELLED
        await tally(tx, run)
        run.state, run.finished_at = RunState.CANCELLED if stopped else RunState.FAILED, now()
        run.error, run.error_params = (None, {}) if stopped else (job.error, dict(job.error_params))
        if stopped:
            website.next_crawl_at = schedule.next_time(website, run.finished_at, zone)
        else:
            schedule.failed(website, run.finished_at)
        record_end(tx, website, run)
        announce(tx, website, run)

    return ended
