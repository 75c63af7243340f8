"""The domain's `Web`: gentle requests through the outbound guard, robots.txt, and pages read in a sandboxed child."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import Message
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from app.ingestion.crawl.browser import Browser
from app.ingestion.crawl.reader import PageReader
from app.security.outbound import UNRESOLVED, OutboundGuard
from domain.files.naming import clean_filename
from domain.kernel.errors import ProviderFailed
from domain.knowledge.intake import human_size
from domain.knowledge.parsing import READABLE, ParsedDocument
from domain.websites.addresses import host_of
from domain.websites.entities import Reason
from domain.websites.web import (
    NO_BROWSER,
    CrawlFailed,
    Fetched,
    Login,
    Manners,
    PageFailed,
    ReadPage,
    Robots,
    WebSession,
)

if TYPE_CHECKING:
    from protego import Protego

AGENT = "Samrad"
"""Our name in robots.txt."""
PAGE_TYPES = ("text/html", "application/xhtml+xml")
LIST_TYPES = ("application/xml", "text/xml", "text/plain", "application/gzip", "application/x-gzip")
REQUEST_SECONDS = 60.0
RETRY_WAITS = (0.5, 2.0)
LONGEST_WAIT = 30.0
"""A site that wants us to wait longer between two requests, or before the next try, does not get its way."""
ROBOTS_LIMIT = 512 * 1024
MOST_LISTS = 50
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_EXTENSIONS = {media: extension for extension, (media, _) in reversed(READABLE.items())}


class HttpWeb:
    """See `domain.websites.web.Web`.

    `origin` tells the sites who we are; `limit` is the size of an answer in bytes; `browser` the program that runs scripts.
    """

    def __init__(self, guard: OutboundGuard, *, limit: int, origin: str | None, browser: str | None = None) -> None:
        self._guard, self._limit, self._browser = guard, limit, browser
        self.runs_scripts = browser is not None
        self._agent = f"{AGENT}/1.0 (+{origin})" if origin else f"{AGENT}/1.0"

    @asynccontextmanager
    async def open(self, manners: Manners, login: Login | None = None) -> AsyncIterator[WebSession]:
        """A session with connections, cookies and a reading child of its own."""
        client, reader = self._guard.fresh(), PageReader()
        client.headers.update({"User-Agent": self._agent, "Accept-Encoding": "gzip, deflate"})
        try:
            yield HttpSession(client, reader, manners, login, self._limit, self._scripts(manners))
        finally:
            await client.aclose()
            await reader.close()

    def _scripts(self, manners: Manners) -> Browser | None:
        if not manners.scripts:
            return None
        if self._browser is None:
            raise CrawlFailed(NO_BROWSER)
        return Browser(self._guard, self._browser, self._agent, self._limit)


class SiteRules:
    """See `domain.websites.web.Robots`."""

    def __init__(self, rules: "Protego") -> None:
        self._rules = rules
        self.delay = min(float(rules.crawl_delay(AGENT) or 0), LONGEST_WAIT)
        self.sitemaps: Sequence[str] = list(rules.sitemaps)[:MOST_LISTS]

    def allows(self, url: str) -> bool:
        """Whether the page may be read."""
        return bool(self._rules.can_fetch(url, AGENT))


class HttpSession:
    """See `domain.websites.web.WebSession`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        reader: PageReader,
        manners: Manners,
        login: Login | None,
        limit: int,
        browser: Browser | None = None,
    ) -> None:
        self._client, self._reader, self._login, self._limit = client, reader, login, limit
        self._browser = browser
        self._delay = manners.delay
        self._places = asyncio.Semaphore(manners.concurrency)
        self._pace, self._next = asyncio.Lock(), 0.0
        self._rules: dict[str, Robots] = {}
        self._reading_rules = asyncio.Lock()

    async def robots(self, url: str) -> Robots:
        """The rules of a host. A site that fails to give them is not read: they may forbid it."""
        place = f"{urlsplit(url).scheme}://{host_of(url)}"
        async with self._reading_rules:
            if place not in self._rules:
                self._rules[place] = await self._read_rules(place)
        return self._rules[place]

    async def _read_rules(self, place: str) -> Robots:
        from protego import Protego

        address = f"{place}/robots.txt"
        for _ in range(5):
            try:
                answer = await self._answer(address, {}, ROBOTS_LIMIT, any_type=True)
            except PageFailed as failure:
                if failure.answer is None or failure.answer >= 500 or failure.answer == 429:
                    raise
                break
            if answer.redirect is None:
                rules = SiteRules(Protego.parse(answer.body.decode("utf-8", "replace")))
                self._delay = max(self._delay, rules.delay)
                return rules
            address = urljoin(address, answer.redirect)
            if urlsplit(address).scheme not in ("http", "https"):
                break
        return SiteRules(Protego.parse(""))

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """One request; 304 when nothing has changed."""
        headers = {"If-None-Match": etag} if etag else {"If-Modified-Since": last_modified} if last_modified else {}
        fetched = await self._answer(url, headers, self._limit)
        if self._browser is None or not fetched.html:
            return fetched
        return replace(fetched, body=await self._browser.shown(url), charset="utf-8", etag=None, last_modified=None)

    async def _answer(self, url: str, headers: dict[str, str], limit: int, *, any_type: bool = False) -> Fetched:
        failure: PageFailed | None = None
        for wait in (0.0, *RETRY_WAITS):
            await asyncio.sleep(wait)
            try:
                return await self._once(url, headers, limit, any_type)
            except _AgainLater as later:
                failure = later.failure
                await asyncio.sleep(later.seconds)
        raise failure or PageFailed(Reason.UNREACHABLE)

    async def _once(self, url: str, headers: dict[str, str], limit: int, any_type: bool) -> Fetched:
        login = self._login
        auth = httpx.BasicAuth(login.username, login.password) if login and login.host == host_of(url) else None
        async with self._places:
            await self._turn()
            try:
                async with (
                    asyncio.timeout(REQUEST_SECONDS),
                    self._client.stream("GET", url, headers=headers, auth=auth) as response,
                ):
                    return await self._taken(url, response, limit, any_type)
            except ProviderFailed as refused:
                reason = Reason.UNKNOWN_HOST if refused.message == UNRESOLVED else Reason.PRIVATE
                raise PageFailed(reason, host_of(url)) from refused
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                raise _AgainLater(_failed(error)) from error

    async def _turn(self) -> None:
        """Wait until the site has had its pause since the last request."""
        async with self._pace:
            moment = time.monotonic()
            if self._next > moment:
                await asyncio.sleep(self._next - moment)
            self._next = time.monotonic() + self._delay

    async def _taken(self, url: str, response: httpx.Response, limit: int, any_type: bool) -> Fetched:
        status = response.status_code
        if response.has_redirect_location:
            return Fetched(url, status, redirect=response.headers["location"][:2000])
        if status == 304:
            return Fetched(url, status)
        if status != 200:
            raise _refusal(status, response.headers)
        media_type, charset = _type_of(response)
        html, filename = media_type in PAGE_TYPES, _filename(url, media_type, response)
        wanted = any_type or html or filename is not None or media_type in LIST_TYPES
        return Fetched(
            url,
            status,
            media_type=media_type,
            charset=charset,
            etag=_kept(response, "etag", 500),
            last_modified=_kept(response, "last-modified", 100),
            robots=response.headers.get("x-robots-tag", "").lower(),
            body=await _body(response, limit) if wanted else b"",
            html=html,
            filename=None if html else filename,
        )

    async def read(self, fetched: Fetched) -> ReadPage:
        """A page's content."""
        found = await self._reader.ask("page", fetched.body, fetched.charset)
        base = urljoin(fetched.url, found["base"]) if found["base"] else fetched.url
        return ReadPage(
            title=found["title"],
            html=found["html"],
            parsed=ParsedDocument.from_fields(found["parsed"]),
            links=_joined(base, found["links"]),
            canonical=next(iter(_joined(base, [found["canonical"]])), None) if found["canonical"] else None,
            index=found["index"] and "noindex" not in fetched.robots and "none" not in fetched.robots,
            follow=found["follow"] and "nofollow" not in fetched.robots and "none" not in fetched.robots,
        )

    async def sitemap(self, url: str) -> Sequence[str]:
        """The addresses in a list of pages, and in those that it names, as far as they are on the same host."""
        waiting, seen, pages = [url], {url}, list[str]()
        while waiting and len(seen) <= MOST_LISTS:
            fetched = await self._answer(waiting.pop(0), {}, self._limit, any_type=True)
            if fetched.redirect is not None:
                further = [urljoin(fetched.url, fetched.redirect)]
            else:
                found = await self._reader.ask("sitemap", fetched.body)
                pages += found["pages"]
                further = found["lists"]
            for each in further:
                if each not in seen and host_of(each) == host_of(url) and each.startswith(("http://", "https://")):
                    seen.add(each)
                    waiting.append(each)
        return pages


class _AgainLater(Exception):
    """Worth another try, after so many seconds more."""

    def __init__(self, failure: PageFailed, seconds: float = 0.0) -> None:
        self.failure, self.seconds = failure, seconds


def _refusal(status: int, headers: httpx.Headers) -> Exception:
    if status in (404, 410):
        return PageFailed(Reason.NOT_FOUND, answer=status)
    if status in (401, 403):
        return PageFailed(Reason.FORBIDDEN, answer=status)
    failure = PageFailed(Reason.STATUS, str(status), answer=status)
    if status not in TRY_AGAIN:
        return failure
    asked = headers.get("retry-after", "")
    return _AgainLater(failure, min(float(asked), LONGEST_WAIT) if asked.isdigit() else 0.0)


def _type_of(response: httpx.Response) -> tuple[str, str | None]:
    """Media type and charset as the site names them."""
    said = Message()
    said["content-type"] = response.headers.get("content-type", "application/octet-stream")[:200]
    return said.get_content_type(), said.get_content_charset()


def _kept(response: httpx.Response, header: str, limit: int) -> str | None:
    value = response.headers.get(header)
    return value if value and len(value) <= limit and value.isprintable() else None


def _filename(url: str, media_type: str, response: httpx.Response) -> str | None:
    """The name of a file that the product can read, ending as its type wants it; None for all others."""
    disposition = Message()
    disposition["content-disposition"] = response.headers.get("content-disposition", "")[:500]
    name = disposition.get_filename() or unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
    extension = name.rpartition(".")[2].lower()
    known = READABLE.get(extension)
    if media_type == "application/octet-stream" and known is not None:
        return str(clean_filename(name))
    if known is not None and known[0] == media_type:
        return str(clean_filename(name))
    ending = _EXTENSIONS.get(media_type)
    return str(clean_filename(f"{name}.{ending}")) if ending else None


async def _body(response: httpx.Response, limit: int) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip", "deflate", "x-gzip"):
        raise PageFailed(Reason.UNSUPPORTED, response.headers["content-encoding"][:50], answer=200)
    too_large = PageFailed(Reason.TOO_LARGE, human_size(limit), answer=200)
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _joined(base: str, links: Sequence[str]) -> list[str]:
    found = []
    for link in links:
        try:
            found.append(urljoin(base, link.strip()))
        except ValueError:
            continue
    return found


def _failed(error: Exception) -> PageFailed:
    """Why there is no page; what nobody foresaw in the words of the library."""
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return PageFailed(Reason.NO_ANSWER)
        case httpx.ConnectError() if "CERTIFICATE" in str(error):
            return PageFailed(Reason.NOT_TRUSTED)
        case httpx.ConnectError():
            return PageFailed(Reason.NO_CONNECTION)
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return PageFailed(Reason.BROKEN_OFF)
    return PageFailed(Reason.UNREACHABLE, str(error)[:300] or type(error).__name__)
