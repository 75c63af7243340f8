"""Websites, their crawls, and what is known of each page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned
from domain.kernel.errors import N_


class CrawlType(StrEnum):
    """How pages are found: by following links, or from the site's list of them."""

    CRAWL = "crawl"
    SITEMAP = "sitemap"


class Interval(StrEnum):
    """How often a website is read anew by itself."""

    NEVER = "never"
    DAILY = "daily"
    EVERY_OTHER_DAY = "every_other_day"
    WEEKLY = "weekly"

    @property
    def days(self) -> int | None:
        """Days from one crawl to the next; None for never."""
        return {Interval.DAILY: 1, Interval.EVERY_OTHER_DAY: 2, Interval.WEEKLY: 7}.get(self)


class RunState(StrEnum):
    """Where a crawl is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether work is still to be done."""
        return self in (RunState.QUEUED, RunState.RUNNING)


class PageState(StrEnum):
    """What a crawl did with a page; `waiting` is still to be read."""

    WAITING = "waiting"
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    REMOVED = "removed"


TAKEN = (PageState.ADDED, PageState.CHANGED, PageState.UNCHANGED)
"""What became of pages that are searchable after the crawl."""


class Reason(StrEnum):
    """Why a page was not taken, or why it was removed."""

    ROBOTS = "robots"
    EXCLUDED = "excluded"
    OUTSIDE = "outside"
    TOO_DEEP = "too_deep"
    LIMIT = "limit"
    STOPPED = "stopped"
    REDIRECT = "redirect"
    CANONICAL = "canonical"
    DUPLICATE = "duplicate"
    NOINDEX = "noindex"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"
    FILE = "file"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    STATUS = "status"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no_answer"
    NO_CONNECTION = "no_connection"
    NOT_TRUSTED = "not_trusted"
    BROKEN_OFF = "broken_off"
    UNKNOWN_HOST = "unknown_host"
    PRIVATE = "private"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"


REASONS: Mapping[str, str] = {
    Reason.ROBOTS: N_("The site's robots.txt asks not to read this page."),
    Reason.EXCLUDED: N_("Left out by your patterns."),
    Reason.OUTSIDE: N_("Read for its links only: it is outside of what your patterns include."),
    Reason.TOO_DEEP: N_("Further from the start page than the limit."),
    Reason.LIMIT: N_("The limit of pages was reached."),
    Reason.STOPPED: N_("The crawl was stopped before this page."),
    Reason.REDIRECT: N_("Leads on to {detail}"),
    Reason.CANONICAL: N_("Names another address as its own: {detail}"),
    Reason.DUPLICATE: N_("Has the same content as {detail}"),
    Reason.NOINDEX: N_("The page asks not to be searched."),
    Reason.EMPTY: N_("The page has no text of its own."),
    Reason.UNSUPPORTED: N_("Content of this type cannot be read: {detail}"),
    Reason.FILE: N_("A file; reading files is switched off for this website."),
    Reason.TOO_LARGE: N_("Larger than the limit of {detail}."),
    Reason.NOT_FOUND: N_("The page does not exist (any more)."),
    Reason.FORBIDDEN: N_("The site refuses access. Check user name and password."),
    Reason.STATUS: N_("The site answered with error {detail}."),
    Reason.UNREACHABLE: N_("The site could not be reached: {detail}"),
    Reason.NO_ANSWER: N_("The site did not answer in time."),
    Reason.NO_CONNECTION: N_("No connection to the site could be made."),
    Reason.NOT_TRUSTED: N_("The certificate of the site is not trusted."),
    Reason.BROKEN_OFF: N_("The connection to the site broke off."),
    Reason.UNKNOWN_HOST: N_("The address {detail} is not known. Check the spelling."),
    Reason.PRIVATE: N_(
        "The address {detail} is in a private network and may not be read. An operator can allow it with CRAWL_ALLOW."
    ),
    Reason.UNREADABLE: N_("The content could not be read: {detail}"),
    Reason.VANISHED: N_("No longer part of the website."),
}
"""Each reason as a sentence."""


@dataclass(eq=False, kw_only=True)
class Website(Owned):
    """A site kept as knowledge. Its collection has the same id.

    `update_time` is HH:MM in the installation's time zone; `delay` the seconds between two requests; `http_auth_secret`
    the encrypted password, sent to `http_auth_host` alone. `next_crawl_at` is when it is read by itself.
    """

    space_id: UUID
    user_id: UUID
    name: str | None
    url: str
    crawl_type: str = CrawlType.CRAWL
    download_files: bool = False
    run_scripts: bool = False
    update_interval: str = Interval.NEVER
    update_time: str = "03:00"
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    max_depth: int = 10
    max_pages: int = 1_000
    delay: float = 0.2
    concurrency: int = 2
    http_auth_username: str | None = None
    http_auth_secret: str | None = None
    http_auth_host: str | None = None
    last_crawled_at: datetime | None = None
    next_crawl_at: datetime | None = None
    consecutive_failures: int = 0

    @property
    def title(self) -> str:
        """Its name, or its address without the protocol."""
        return self.name or self.url.partition("://")[2].rstrip("/")

    @property
    def retries_at(self) -> datetime | None:
        """When the next attempt follows after failures; None while all is well."""
        return self.next_crawl_at if self.consecutive_failures else None


@dataclass(eq=False, kw_only=True)
class CrawlRun(Owned):
    """One reading of a website, from `start`, where the site really begins.

    `counts` is pages by `PageState`, plus `files` taken and `files_failed`; `failures` failed and skipped pages by `Reason`.
    `complete`: every page was seen, so that what was not there could be removed.
    """

    website_id: UUID
    user_id: UUID
    job_id: UUID | None = None
    scheduled: bool = False
    state: str = RunState.QUEUED
    start: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    error: str | None = None
    error_params: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(eq=False, kw_only=True)
class CrawlPage(Owned):
    """A line of a crawl's log, and while `waiting` a page still to be read; `depth` is the number of links from the start.

    `size` is in bytes, `status` the site's answer, `detail` fills the sentence of `reason`.
    """

    run_id: UUID
    url: str
    depth: int
    state: str = PageState.WAITING
    reason: str | None = None
    detail: str | None = None
    status: int | None = None
    is_file: bool = False
    size: int = 0
    title: str | None = None
    document_id: UUID | None = None
    blocks_removal: bool = False
    """The page failed and what lies behind it is not known: this crawl may remove nothing."""


@dataclass(eq=False, kw_only=True)
class WebsitePage(Owned):
    """What is remembered of a page from one crawl to the next, so that an unchanged one is not read again."""

    website_id: UUID
    url: str
    document_id: UUID | None = None
    etag: str | None = None
    last_modified: str | None = None
    text_hash: str | None = None
    links: list[str] = field(default_factory=list)
