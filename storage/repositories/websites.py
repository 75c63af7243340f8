"""Websites of one tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.kernel.paging import Page
from domain.knowledge.entities import Document, DocumentState, DocumentVersion
from domain.websites.entities import (
    TAKEN,
    CrawlPage,
    CrawlRun,
    PageState,
    Reason,
    RunState,
    Website,
    WebsitePage,
)
from storage.repositories.paging import decode, encode, identifier
from storage.tables.knowledge import document_versions, documents
from storage.tables.websites import crawl_pages, crawl_runs, website_pages, websites

R = TypeVar("R", CrawlRun, CrawlPage)
_OPEN = (RunState.QUEUED, RunState.RUNNING)
_TITLE = func.lower(case((websites.c.name.is_not(None), websites.c.name), else_=websites.c.url))
_UNSYNCED = {"synchronize_session": False}


class WebsiteRepository:
    """See `domain.websites.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def in_spaces(self, space_ids: Sequence[UUID]) -> Sequence[Website]:
        """The websites of these spaces, in order of name."""
        statement = select(Website).where(websites.c.space_id.in_(set(space_ids))).order_by(_TITLE, websites.c.id)
        return (await self._session.scalars(statement)).all()

    async def many(self, ids: Sequence[UUID]) -> Sequence[Website]:
        """Websites by id."""
        if not ids:
            return []
        statement = select(Website).where(websites.c.id.in_(set(ids))).order_by(_TITLE, websites.c.id)
        return (await self._session.scalars(statement)).all()

    async def with_url(self, space_id: UUID, url: str) -> Website | None:
        """The website of a space with this start address."""
        statement = select(Website).where(websites.c.space_id == space_id, websites.c.url == url).limit(1)
        return (await self._session.scalars(statement)).first()

    async def claim_due(self, website_id: UUID, moment: datetime) -> Website | None:
        """Take a website whose time has come; the conditional update gives it to one caller."""
        statement = (
            update(Website)
            .where(websites.c.id == website_id, websites.c.next_crawl_at <= moment)
            .values(next_crawl_at=None)
            .returning(websites.c.id)
        )
        taken = (await self._session.execute(statement, execution_options=_UNSYNCED)).scalar()
        return await self._session.get(Website, website_id, populate_existing=True) if taken else None

    async def latest_runs(self, website_ids: Sequence[UUID]) -> Mapping[UUID, CrawlRun]:
        """The newest crawl of each website."""
        if not website_ids:
            return {}
        newer = crawl_runs.alias()
        newer_run = aliased(CrawlRun, newer)
        later = select(newer_run).where(newer.c.website_id == crawl_runs.c.website_id, newer.c.id > crawl_runs.c.id)
        statement = select(CrawlRun).where(crawl_runs.c.website_id.in_(set(website_ids)), ~later.exists())
        return {run.website_id: run for run in await self._session.scalars(statement)}

    async def open_run(self, website_id: UUID) -> CrawlRun | None:
        """The crawl that is waiting or going on."""
        statement = select(CrawlRun).where(crawl_runs.c.website_id == website_id, crawl_runs.c.state.in_(_OPEN))
        return (await self._session.scalars(statement)).first()

    async def run_of_job(self, job_id: UUID) -> CrawlRun | None:
        """The crawl that a job carries out."""
        return (await self._session.scalars(select(CrawlRun).where(crawl_runs.c.job_id == job_id))).first()

    async def runs(self, website_id: UUID, *, limit: int, cursor: str | None) -> Page[CrawlRun]:
        """The crawls of a website, newest first."""
        wanted: list[ColumnElement[bool]] = [crawl_runs.c.website_id == website_id]
        total = await self._session.scalar(select(func.count()).select_from(CrawlRun).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            wanted.append(crawl_runs.c.id < identifier(after[1]))
        statement = select(CrawlRun).where(*wanted).order_by(crawl_runs.c.id.desc()).limit(limit + 1)
        rows = (await self._session.scalars(statement)).all()
        return _page(rows, limit, total)

    async def log(self, run_id: UUID, states: Sequence[str], *, limit: int, cursor: str | None) -> Page[CrawlPage]:
        """The log of a crawl in order."""
        wanted: list[ColumnElement[bool]] = [crawl_pages.c.run_id == run_id]
        if states:
            wanted.append(crawl_pages.c.state.in_(list(states)))
        total = await self._session.scalar(select(func.count()).select_from(CrawlPage).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            wanted.append(crawl_pages.c.id > identifier(after[1]))
        statement = select(CrawlPage).where(*wanted).order_by(crawl_pages.c.id).limit(limit + 1)
        rows = (await self._session.scalars(statement)).all()
        return _page(rows, limit, total)

    async def line(self, run_id: UUID, url: str) -> CrawlPage | None:
        """The line of the log about an address."""
        statement = select(CrawlPage).where(crawl_pages.c.run_id == run_id, crawl_pages.c.url == url)
        return (await self._session.scalars(statement)).first()

    async def frontier(self, run_id: UUID) -> Sequence[tuple[UUID, str, int, str]]:
        """Everything the crawl has come across, in order."""
        columns = (crawl_pages.c.id, crawl_pages.c.url, crawl_pages.c.depth, crawl_pages.c.state)
        statement = select(*columns).select_from(CrawlPage).where(crawl_pages.c.run_id == run_id)
        rows = await self._session.execute(statement.order_by(crawl_pages.c.id))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def tally(self, run_id: UUID) -> Sequence[tuple[str, str | None, bool, int]]:
        """How many lines of the log have a state, a reason, and are files."""
        groups = (crawl_pages.c.state, crawl_pages.c.reason, crawl_pages.c.is_file)
        statement = (
            select(*groups, func.count()).select_from(CrawlPage).where(crawl_pages.c.run_id == run_id).group_by(*groups)
        )
        return [(row[0], row[1], row[2], row[3]) for row in await self._session.execute(statement)]

    async def blocked(self, run_id: UUID) -> bool:
        """Whether a page of the crawl keeps it from removing others."""
        statement = select(CrawlPage).where(crawl_pages.c.run_id == run_id, crawl_pages.c.blocks_removal.is_(True))
        return (await self._session.scalars(statement.limit(1))).first() is not None

    async def settle(self, run_id: UUID, state: str, reason: str) -> None:
        """Give the pages that are still waiting another state."""
        waiting = (crawl_pages.c.run_id == run_id, crawl_pages.c.state == PageState.WAITING)
        statement = update(CrawlPage).where(*waiting).values(state=state, reason=reason)
        await self._session.execute(statement, execution_options=_UNSYNCED)

    async def page(self, website_id: UUID, url: str) -> WebsitePage | None:
        """What is remembered of a page."""
        statement = select(WebsitePage).where(website_pages.c.website_id == website_id, website_pages.c.url == url)
        return (await self._session.scalars(statement)).first()

    async def page_with_text(self, website_id: UUID, text_hash: str) -> WebsitePage | None:
        """A page with a document and this text."""
        statement = select(WebsitePage).where(
            website_pages.c.website_id == website_id,
            website_pages.c.text_hash == text_hash,
            website_pages.c.document_id.is_not(None),
        )
        return (await self._session.scalars(statement.order_by(website_pages.c.id).limit(1))).first()

    async def vanished(self, website_id: UUID, run_id: UUID, limit: int) -> Sequence[WebsitePage]:
        """Remembered pages that the crawl has neither taken nor failed to reach."""
        stays = select(CrawlPage).where(
            crawl_pages.c.run_id == run_id,
            crawl_pages.c.url == website_pages.c.url,
            or_(
                crawl_pages.c.state.in_(list(TAKEN)),
                and_(crawl_pages.c.state == PageState.FAILED, crawl_pages.c.reason != Reason.NOT_FOUND),
            ),
        )
        statement = (
            select(WebsitePage)
            .where(website_pages.c.website_id == website_id, ~stays.exists())
            .order_by(website_pages.c.id)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def prune(self, website_id: UUID, *, logs: int, runs: int) -> None:
        """Keep the logs of the newest `logs` crawls, and the newest `runs` crawls."""
        statement = (
            select(crawl_runs.c.id)
            .select_from(CrawlRun)
            .where(crawl_runs.c.website_id == website_id)
            .order_by(crawl_runs.c.id.desc())
            .offset(logs)
        )
        old = list(await self._session.scalars(statement))
        if old:
            bare = delete(CrawlPage).where(crawl_pages.c.run_id.in_(old))
            await self._session.execute(bare, execution_options=_UNSYNCED)
        if len(old) > runs - logs:
            gone = delete(CrawlRun).where(crawl_runs.c.id.in_(old[runs - logs :]))
            await self._session.execute(gone, execution_options=_UNSYNCED)

    async def unfinished(self, website_id: UUID) -> Sequence[DocumentVersion]:
        """Versions of the website's documents that are still being read."""
        busy = [state for state in DocumentState if state.busy]
        statement = (
            select(DocumentVersion)
            .join(Document, documents.c.id == document_versions.c.document_id)
            .where(documents.c.collection_id == website_id, document_versions.c.state.in_(busy))
        )
        return (await self._session.scalars(statement)).all()


def _page(rows: Sequence[R], limit: int, total: int | None) -> Page[R]:
    shown = rows[:limit]
    return Page(shown, encode("", shown[-1].id) if len(rows) > limit else None, total)
