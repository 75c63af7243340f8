"""A crawl: what a worker does. Everything it knows is in the database, so that it goes on where another one stopped.

It works in slices, between which other jobs have their turn. The log of the crawl is also the list of what is still to be
read: a page is `waiting` until it was fetched, read and embedded.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.errors import N_, NotFound
from domain.knowledge.entities import Document
from domain.knowledge.ingestion import Report
from domain.knowledge.removal import remove_document
from domain.ports import Vault
from domain.transaction import Transaction, UnitOfWork
from domain.websites import schedule
from domain.websites.addresses import Scope, below, host_of, normalised
from domain.websites.ending import announce, record_end, tally
from domain.websites.entities import (
    TAKEN,
    CrawlPage,
    CrawlRun,
    CrawlType,
    PageState,
    Reason,
    RunState,
    Website,
    WebsitePage,
)
from domain.websites.taking import Intake
from domain.websites.web import CrawlFailed, Fetched, Login, Manners, PageFailed, ReadPage, Web, WebSession

TASK = "crawl"
SLICE_SECONDS = 20.0
"""So long a crawl works before others have their turn."""
MAX_HOPS = 5
LOG_FACTOR = 5
"""A log has at most so many lines for each page that the website may have, and a few hundred."""
REMEMBERED_LINKS = 2_000
REPORT_SECONDS = 1.0
REMOVED_AT_ONCE = 25
KEPT_LOGS, KEPT_RUNS = 10, 100
STEP = "crawling"


@dataclass(slots=True)
class Line:
    """A page on the list."""

    id: UUID
    url: str
    depth: int


@dataclass
class Slice:
    """One worker's stretch of a crawl."""

    website: Website
    run: CrawlRun
    scope: Scope
    session: WebSession
    ends: float
    known: set[str] = field(default_factory=set)
    waiting: deque[Line] = field(default_factory=deque)
    states: Counter[str] = field(default_factory=Counter)
    reading: int = 0
    begun: bool = False
    storing: asyncio.Lock = field(default_factory=asyncio.Lock)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    reported: float = 0.0

    @property
    def taken(self) -> int:
        """Pages that are searchable."""
        return sum(self.states[state] for state in TAKEN)

    @property
    def fraction(self) -> float:
        """How much of what is known so far is done."""
        left = len(self.waiting) + self.reading
        return sum(self.states.values()) / max(1, sum(self.states.values()) + left)

    @property
    def full(self) -> bool:
        """Whether no further page is read."""
        return self.taken >= self.website.max_pages


class Crawling:
    """Carries out crawls; see `run`."""

    def __init__(self, uow: UnitOfWork, web: Web, intake: Intake, vault: Vault, zone: tzinfo) -> None:
        self._uow, self._web, self._intake, self._vault, self._zone = uow, web, intake, vault, zone

    async def run(
        self, tenant_id: UUID, run_id: UUID, report: Report, *, slice_seconds: float = SLICE_SECONDS
    ) -> str | None:
        """Crawl for a while: the website's address in the API when all is done, None while pages are left."""
        website, run = await self._begin(tenant_id, run_id)
        manners = Manners(website.delay, website.concurrency, website.run_scripts)
        async with self._web.open(manners, await self._login(website)) as session:
            scope = await self._seed(session, website, run)
            part = Slice(website, run, scope, session, time.monotonic() + slice_seconds)
            await self._load(part)
            await self._read_all(part, report)
        if part.waiting and not part.full:
            return None
        await self._finish(part)
        return f"/api/v1/websites/{website.id}/"

    async def _begin(self, tenant_id: UUID, run_id: UUID) -> tuple[Website, CrawlRun]:
        async with self._uow.begin(tenant_id) as tx:
            run = await tx.get(CrawlRun, run_id)
            website = await tx.get(Website, run.website_id) if run else None
            if run is None or website is None:
                raise NotFound(N_("The website was deleted."))
            if not RunState(run.state).open:
                # Its list was settled when it ended: going on from there would take what was left out for vanished.
                raise CrawlFailed(N_("This crawl has ended. Begin a new one."))
            if run.state == RunState.QUEUED:
                run.state, run.started_at = RunState.RUNNING, run.started_at or now()
                announce(tx, website, run)
            return website, run

    async def _login(self, website: Website) -> Login | None:
        if not (website.http_auth_username and website.http_auth_secret and website.http_auth_host):
            return None
        password = await self._vault.unseal(website.tenant_id, website.http_auth_secret)
        return Login(website.http_auth_username, password, website.http_auth_host)

    # The beginning

    async def _seed(self, session: WebSession, website: Website, run: CrawlRun) -> Scope:
        """The scope; at the beginning of the crawl also the first pages of its list."""
        if run.start:
            return scope_of(website, run.start)
        start, seeds = await seeds_of(session, website)
        scope = scope_of(website, start)
        async with self._uow.begin(website.tenant_id) as tx:
            current = await tx.get(CrawlRun, run.id)
            if current is None:
                raise NotFound(N_("The website was deleted."))
            current.start = start
            await tx.add(*self._lines(website, run.id, scope, seeds, 0))
        return scope

    @staticmethod
    def _lines(website: Website, run_id: UUID, scope: Scope, urls: Iterable[str], depth: int) -> Sequence[CrawlPage]:
        lines = []
        for url in dict.fromkeys(urls):
            refusal = scope.refusal(url, depth)
            state = PageState.SKIPPED if refusal else PageState.WAITING
            lines.append(
                CrawlPage(tenant_id=website.tenant_id, run_id=run_id, url=url, depth=depth, state=state, reason=refusal)
            )
        return lines

    async def _load(self, part: Slice) -> None:
        async with self._uow.read(part.website.tenant_id) as tx:
            frontier = await tx.websites.frontier(part.run.id)
        for line_id, url, depth, state in frontier:
            part.known.add(url)
            if state == PageState.WAITING:
                part.waiting.append(Line(line_id, url, depth))
            else:
                part.states[state] += 1

    # The pages

    async def _read_all(self, part: Slice, report: Report) -> None:
        """Read until the list is empty, the limit is reached or the time is over."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(part.website.concurrency):
                    group.create_task(self._reader(part, report))
        except ExceptionGroup as failures:
            # Who looks at a job's failure wants to know its kind.
            raise failures.exceptions[0] from failures

    async def _reader(self, part: Slice, report: Report) -> None:
        while (line := await self._next(part)) is not None:
            try:
                await self._one(part, line)
            finally:
                async with part.news:
                    part.reading -= 1
                    part.news.notify_all()
            if time.monotonic() - part.reported > REPORT_SECONDS:
                part.reported = time.monotonic()
                await report(part.fraction, STEP)
                await self._count(part)

    @staticmethod
    async def _next(part: Slice) -> Line | None:
        async with part.news:
            while True:
                # Each slice reads something, however slow the site: else the crawl would have no end.
                if (part.begun and time.monotonic() > part.ends) or part.full:
                    return None
                # Pages being read count as taken, so that several readers do not go beyond the limit together.
                if part.waiting and part.taken + part.reading < part.website.max_pages:
                    part.reading += 1
                    part.begun = True
                    return part.waiting.popleft()
                if part.reading == 0:
                    return None
                await part.news.wait()

    async def _one(self, part: Slice, line: Line) -> None:
        """Fetch a page and do with it what is to be done; whatever comes of it is in the log."""
        website = part.website
        async with self._uow.read(website.tenant_id) as tx:
            page = await tx.websites.page(website.id, line.url)
            document = await tx.get(Document, page.document_id) if page and page.document_id else None
        stands = page if document is not None and document.version_id is not None else None
        try:
            if not (await part.session.robots(line.url)).allows(line.url):
                return await self._log(part, line, PageState.SKIPPED, Reason.ROBOTS)
            # What scripts fetch may change while the page itself does not.
            known = None if website.run_scripts else stands
            fetched = await part.session.fetch(
                line.url,
                etag=known.etag if known else None,
                last_modified=known.last_modified if known else None,
            )
            await self._answered(part, line, fetched, stands)
        except PageFailed as failure:
            await self._failed(part, line, failure)
        return None

    async def _answered(self, part: Slice, line: Line, fetched: Fetched, stands: WebsitePage | None) -> None:
        if fetched.redirect is not None:
            target = normalised(fetched.redirect, line.url)
            if target and part.scope.on_site(target):
                await self._offer(part, [target], line.depth)
            await self._log(part, line, PageState.SKIPPED, Reason.REDIRECT, target or fetched.redirect)
        elif fetched.status == 304 and stands is not None:
            await self._offer(part, stands.links, line.depth + 1)
            await self._log(part, line, PageState.UNCHANGED, document_id=stands.document_id)
        elif fetched.html:
            read = await part.session.read(fetched)
            await self._page(part, line, fetched, read)
        elif fetched.filename is None:
            await self._log(part, line, PageState.SKIPPED, Reason.UNSUPPORTED, fetched.media_type or "?")
        elif not part.website.download_files:
            await self._log(part, line, PageState.SKIPPED, Reason.FILE)
        else:
            async with part.storing:
                outcome = await self._intake.file(part.website, line.url, fetched)
            await self._log(
                part, line, outcome.state, document_id=outcome.document_id, title=fetched.filename,
                size=len(fetched.body), is_file=True,
            )  # fmt: skip

    async def _page(self, part: Slice, line: Line, fetched: Fetched, read: ReadPage) -> None:
        links = self._links(part, read, fetched)
        await self._offer(part, links, line.depth + 1)
        said: dict[str, Any] = {"title": read.title, "size": len(fetched.body)}
        if not read.index:
            return await self._log(part, line, PageState.SKIPPED, Reason.NOINDEX, **said)
        canonical = normalised(read.canonical, line.url) if read.canonical else None
        if canonical and canonical != line.url and part.scope.on_site(canonical):
            await self._offer(part, [canonical], line.depth)
            return await self._log(part, line, PageState.SKIPPED, Reason.CANONICAL, canonical, **said)
        if not part.scope.keeps(line.url):
            return await self._log(part, line, PageState.SKIPPED, Reason.OUTSIDE, **said)
        if not read.parsed.text.strip():
            return await self._log(part, line, PageState.SKIPPED, Reason.EMPTY, **said)
        async with part.storing:
            outcome = await self._intake.page(part.website, part.run.id, line.url, fetched, read, links)
        if outcome.twin is not None:
            return await self._log(part, line, PageState.SKIPPED, Reason.DUPLICATE, outcome.twin, **said)
        return await self._log(part, line, outcome.state, document_id=outcome.document_id, **said)

    @staticmethod
    def _links(part: Slice, read: ReadPage, fetched: Fetched) -> list[str]:
        """The links of a page that lie on the site, whatever the patterns say of them now."""
        if not read.follow or part.website.crawl_type == CrawlType.SITEMAP:
            return []
        found = (normalised(link, fetched.url) for link in read.links)
        return list(dict.fromkeys(url for url in found if url and part.scope.on_site(url)))[:REMEMBERED_LINKS]

    async def _offer(self, part: Slice, urls: Iterable[str], depth: int) -> None:
        """Put pages on the list that are not there yet."""
        website = part.website
        new = [url for url in dict.fromkeys(urls) if url not in part.known]
        room = website.max_pages * LOG_FACTOR + 500 - len(part.known)
        lines = self._lines(website, part.run.id, part.scope, new[: max(0, room)], depth)
        if not lines:
            return
        if len(new) > room:
            # Where the log is full it says so: what it does not name may be there all the same.
            lines[-1].state, lines[-1].reason = PageState.SKIPPED, Reason.LIMIT
        part.known.update(line.url for line in lines)
        async with self._uow.begin(website.tenant_id) as tx:
            await tx.add(*lines)
        async with part.news:
            for line in lines:
                if line.state == PageState.WAITING:
                    part.waiting.append(Line(line.id, line.url, depth))
                else:
                    part.states[line.state] += 1
            part.news.notify_all()

    async def _failed(self, part: Slice, line: Line, failure: PageFailed) -> None:
        """A page could not be had. What was known of it stays, and its links of last time are followed."""
        website, blocks, links = part.website, False, list[str]()
        if failure.reason != Reason.NOT_FOUND:
            async with self._uow.begin(website.tenant_id) as tx:
                page = await tx.websites.page(website.id, line.url)
                if page is None:
                    # What lies behind it is not known: nothing is removed this time. The next time it is known to be so.
                    blocks = True
                    await tx.add(WebsitePage(tenant_id=website.tenant_id, website_id=website.id, url=line.url))
                else:
                    links = page.links
            await self._offer(part, links, line.depth + 1)
        await self._log(
            part,
            line,
            PageState.FAILED,
            failure.reason,
            failure.detail,
            status=failure.answer,
            blocks_removal=blocks,
            is_file=failure.is_file,
        )

    async def _log(
        self,
        part: Slice,
        line: Line,
        state: PageState,
        reason: Reason | None = None,
        detail: str | None = None,
        **more: Any,
    ) -> None:
        async with self._uow.begin(part.website.tenant_id) as tx:
            entry = await tx.get(CrawlPage, line.id)
            if entry is None:
                raise NotFound(N_("The website was deleted."))
            entry.state, entry.reason, entry.detail = state, reason, detail[:2000] if detail else None
            for name, value in more.items():
                setattr(entry, name, value[:255] if name == "title" and isinstance(value, str) else value)
        part.states[state] += 1

    async def _count(self, part: Slice) -> None:
        async with self._uow.begin(part.website.tenant_id) as tx:
            run = await tx.get(CrawlRun, part.run.id)
            if run is not None:
                await tally(tx, run)
                announce(tx, part.website, run)

    # The end

    async def _finish(self, part: Slice) -> None:
        tenant_id, website_id, run_id = part.website.tenant_id, part.website.id, part.run.id
        async with self._uow.begin(tenant_id) as tx:
            await tx.websites.settle(run_id, PageState.SKIPPED, Reason.LIMIT)
            limited = any(reason == Reason.LIMIT for _, reason, _, _ in await tx.websites.tally(run_id))
            blocked = await tx.websites.blocked(run_id)
        if part.taken == 0:
            await self._raise_why(part)
        complete = not limited and not blocked
        if complete:
            await self._remove_vanished(part)
        async with self._uow.begin(tenant_id) as tx:
            run, website = await tx.get(CrawlRun, run_id), await tx.get(Website, website_id)
            if run is None or website is None:
                raise NotFound(N_("The website was deleted."))
            await tally(tx, run)
            run.state, run.complete, run.finished_at = RunState.DONE, complete, now()
            website.last_crawled_at = run.finished_at
            schedule.succeeded(website, run.finished_at, self._zone)
            record_end(tx, website, run)
            announce(tx, website, run)
            await tx.websites.prune(website_id, logs=KEPT_LOGS, runs=KEPT_RUNS)

    async def _raise_why(self, part: Slice) -> None:
        """Nothing could be read: the first failure says why."""
        async with self._uow.read(part.website.tenant_id) as tx:
            page = await tx.websites.log(part.run.id, (PageState.FAILED, PageState.SKIPPED), limit=1, cursor=None)
        if page.items and page.items[0].reason:
            first = page.items[0]
            raise PageFailed(Reason(first.reason or ""), first.detail or "")
        raise CrawlFailed

    async def _remove_vanished(self, part: Slice) -> None:
        tenant_id, run_id = part.website.tenant_id, part.run.id
        while True:
            async with self._uow.begin(tenant_id) as tx:
                gone = await tx.websites.vanished(part.website.id, run_id, REMOVED_AT_ONCE)
                for page in gone:
                    document = await tx.get(Document, page.document_id) if page.document_id else None
                    if document is not None:
                        title = document.title
                        await remove_document(tx, document)
                        await self._removed(tx, run_id, page, title)
                    await tx.remove(page)
            if len(gone) < REMOVED_AT_ONCE:
                return

    @staticmethod
    async def _removed(tx: Transaction, run_id: UUID, page: WebsitePage, title: str) -> None:
        line = await tx.websites.line(run_id, page.url)
        if line is None:
            line = CrawlPage(tenant_id=page.tenant_id, run_id=run_id, url=page.url, depth=0, reason=Reason.VANISHED)
            await tx.add(line)
        line.state, line.title = PageState.REMOVED, title


def scope_of(website: Website, start: str) -> Scope:
    """Which pages belong to a website that really begins at `start`.

    A list of pages stands where the site wants it to, and where an address leads on to narrows nothing.
    """
    folder = "/" if website.crawl_type == CrawlType.SITEMAP else below(website.url)
    if not urlsplit(start).path.startswith(folder):
        folder = below(start)
    hosts = frozenset({host_of(website.url), host_of(start)})
    return Scope(hosts, folder, website.include, website.exclude, website.max_depth)


async def seeds_of(session: WebSession, website: Website) -> tuple[str, list[str]]:
    """Where the website really begins, and the first pages to read; raises `PageFailed`."""
    if website.crawl_type == CrawlType.CRAWL:
        start = await _arrived(session, website.url)
        return start, [start]
    lists = [website.url]
    if not website.url.partition("?")[0].endswith((".xml", ".xml.gz", ".txt")):
        robots = await session.robots(website.url)
        lists = list(robots.sitemaps) or [normalised("/sitemap.xml", website.url) or website.url]
    scope = scope_of(website, website.url)
    found: list[str] = []
    for each in lists:
        urls = (normalised(url, website.url) for url in await session.sitemap(each))
        found += [url for url in urls if url and scope.on_site(url)]
    if not found:
        raise CrawlFailed(N_("The site's list of pages (sitemap) names no page of the site."))
    return website.url, list(dict.fromkeys(found))


async def _arrived(session: WebSession, url: str) -> str:
    """Where an address leads in the end: many a site sends people on to www or to https."""
    for _ in range(MAX_HOPS):
        if not (await session.robots(url)).allows(url):
            return url
        try:
            fetched = await session.fetch(url)
        except PageFailed as failure:
            if failure.answer is not None:
                return url
            raise
        target = normalised(fetched.redirect, url) if fetched.redirect else None
        if target is None:
            return url
        url = target
    raise PageFailed(Reason.UNREACHABLE, "too many redirects")
