"""What crawling asks of the web; `app.ingestion.crawl` provides it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from domain.kernel.errors import N_, Failure, Invalid
from domain.knowledge.parsing import ParsedDocument
from domain.websites.entities import REASONS, Reason

NO_BROWSER = N_(
    "There is no browser on the server that could run the scripts of the site. Ask an operator for Chromium."
)


class PageFailed(Failure):
    """A page could not be had; `reason` with its `detail` says why."""

    status, code = 400, 9007

    def __init__(self, reason: Reason, detail: str = "", *, answer: int | None = None, is_file: bool = False) -> None:
        super().__init__(REASONS[reason], detail=detail)
        self.reason, self.detail, self.answer, self.is_file = reason, detail, answer, is_file


class CrawlFailed(Failure):
    """Nothing of the website could be read."""

    default = N_("Nothing of the website could be read.")


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password for HTTP basic authentication, for one host (with port) only."""

    username: str
    password: str
    host: str


@dataclass(frozen=True, slots=True)
class Manners:
    """How gently a site is asked: seconds between two requests, how many at the same time; whether its scripts are run."""

    delay: float
    concurrency: int
    scripts: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of a site. `redirect` is where it leads instead; `body` is empty unless `status` is 200.

    `filename` is set for a file that the product can read; `html` tells that it is a page.
    """

    url: str
    status: int
    redirect: str | None = None
    media_type: str = ""
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    robots: str = ""
    body: bytes = b""
    html: bool = False
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What a page says: `html` is its content without what surrounds it, `links` all addresses on it, as written there."""

    title: str
    html: str
    parsed: ParsedDocument
    links: Sequence[str]
    canonical: str | None = None
    index: bool = True
    follow: bool = True


class Robots(Protocol):
    """What a site's robots.txt says to us."""

    def allows(self, url: str) -> bool:
        """Whether the page may be read."""

    @property
    def delay(self) -> float:
        """The least number of seconds between two requests that it asks for."""

    @property
    def sitemaps(self) -> Sequence[str]:
        """The lists of pages that it names."""


class WebSession(Protocol):
    """Requests to the sites of one website. All of them raise `PageFailed`."""

    async def robots(self, url: str) -> Robots:
        """The rules of the host of `url`, read once; a site without any allows everything."""

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """One request, gently; it follows no redirect. 304 when the page is still as `etag` or `last_modified` say."""

    async def read(self, fetched: Fetched) -> ReadPage:
        """A page's content, read in a sandboxed process."""

    async def sitemap(self, url: str) -> Sequence[str]:
        """The addresses in a list of pages; further lists that it names are read as well."""


def check_scripts(web: "Web", *, run_scripts: bool, login: bool) -> None:
    """Refuse what cannot be done; raises `Invalid`."""
    if run_scripts and not web.runs_scripts:
        raise Invalid(NO_BROWSER, field="run_scripts")
    if run_scripts and login:
        raise Invalid(N_("The scripts of a site that asks for a password cannot be run."), field="run_scripts")


class Web(Protocol):
    """The way to the web, through the outbound guard; `runs_scripts` tells whether there is a browser for that."""

    runs_scripts: bool

    def open(self, manners: Manners, login: Login | None = None) -> AbstractAsyncContextManager[WebSession]:
        """A session with no memory of any other."""
