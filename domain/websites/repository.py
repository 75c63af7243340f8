"""What websites ask of storage."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.knowledge.entities import DocumentVersion
from domain.websites.entities import CrawlPage, CrawlRun, Website, WebsitePage


class WebsiteRepository(Protocol):
    """Websites of the transaction's tenant."""

    async def in_spaces(self, space_ids: Sequence[UUID]) -> Sequence[Website]:
        """The websites of these spaces, in order of name."""

    async def many(self, ids: Sequence[UUID]) -> Sequence[Website]:
        """Websites by id, in order of name; unknown ones are left out."""

    async def with_url(self, space_id: UUID, url: str) -> Website | None:
        """The website of a space with this start address."""

    async def claim_due(self, website_id: UUID, moment: datetime) -> Website | None:
        """Take a website whose time has come; only one caller gets it."""

    async def latest_runs(self, website_ids: Sequence[UUID]) -> Mapping[UUID, CrawlRun]:
        """The newest crawl of each website."""

    async def open_run(self, website_id: UUID) -> CrawlRun | None:
        """The crawl that is waiting or going on."""

    async def run_of_job(self, job_id: UUID) -> CrawlRun | None:
        """The crawl that a job carries out."""

    async def runs(self, website_id: UUID, *, limit: int, cursor: str | None) -> Page[CrawlRun]:
        """The crawls of a website, newest first."""

    async def log(self, run_id: UUID, states: Sequence[str], *, limit: int, cursor: str | None) -> Page[CrawlPage]:
        """The log of a crawl in order, all of it or only what is in `states`."""

    async def line(self, run_id: UUID, url: str) -> CrawlPage | None:
        """The line of the log about an address."""

    async def frontier(self, run_id: UUID) -> Sequence[tuple[UUID, str, int, str]]:
        """Everything the crawl has come across, in order: id, address, depth, state."""

    async def tally(self, run_id: UUID) -> Sequence[tuple[str, str | None, bool, int]]:
        """How many lines of the log have a state, a reason, and are files."""

    async def blocked(self, run_id: UUID) -> bool:
        """Whether a page of the crawl keeps it from removing others."""

    async def settle(self, run_id: UUID, state: str, reason: str) -> None:
        """Give the pages that are still waiting another state."""

    async def page(self, website_id: UUID, url: str) -> WebsitePage | None:
        """What is remembered of a page."""

    async def page_with_text(self, website_id: UUID, text_hash: str) -> WebsitePage | None:
        """A page with a document and this text."""

    async def vanished(self, website_id: UUID, run_id: UUID, limit: int) -> Sequence[WebsitePage]:
        """Remembered pages that the crawl has neither taken nor failed to reach."""

    async def prune(self, website_id: UUID, *, logs: int, runs: int) -> None:
        """Keep the logs of the newest `logs` crawls, and the newest `runs` crawls."""

    async def unfinished(self, website_id: UUID) -> Sequence[DocumentVersion]:
        """Versions of the website's documents that are still being read."""
