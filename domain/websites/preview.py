"""A look at a website before it is added: its first pages as they would be read, and what would be followed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure
from domain.ports import Deed, Limiter
from domain.spaces.service import space_access
from domain.transaction import UnitOfWork
from domain.websites.addresses import Scope, checked, clean_patterns, host_of, normalised
from domain.websites.crawling import scope_of, seeds_of
from domain.websites.entities import CrawlType, Reason, Website
from domain.websites.web import Fetched, Login, Manners, PageFailed, Web, WebSession, check_scripts

PAGES = 3
TEXT_SHOWN = 600
LINKS_SHOWN = 100
SECONDS = 45.0
DELAY = 0.2


class PreviewTimeout(Failure):
    """The site is too slow to be looked at while somebody waits."""

    status, code = 400, 9007
    default = N_("The site answers too slowly for a preview. It can be added all the same.")


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """A page as it would be read; `reason` with `detail` when it would not."""

    url: str
    title: str = ""
    text: str = ""
    characters: int = 0
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first pages, the addresses that would be read next, and those on the site that would not, with the reason."""

    pages: Sequence[PreviewPage]
    follows: Sequence[str]
    leaves: Sequence[tuple[str, Reason]]
    sitemaps: Sequence[str] = ()


class PreviewService:
    """Looks at websites; stores nothing."""

    def __init__(self, uow: UnitOfWork, web: Web, limiter: Limiter) -> None:
        self._uow, self._web, self._limiter = uow, web, limiter

    async def look(self, actor: Actor, space_id: UUID, values: Mapping[str, Any]) -> Preview:
        """The first pages of a website that is not added yet, for those who may add it."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.WEBSITE, Action.CREATE)
        await self._limiter.take(Deed.UPLOAD, actor)
        url = checked(values.get("url") or "")
        website = Website(
            tenant_id=actor.tenant_id,
            space_id=space_id,
            user_id=actor.user_id,
            name=None,
            url=url,
            crawl_type=values.get("crawl_type") or CrawlType.CRAWL,
            download_files=bool(values.get("download_files")),
            run_scripts=bool(values.get("run_scripts")),
            include=clean_patterns(values.get("include") or (), "include"),
            exclude=clean_patterns(values.get("exclude") or (), "exclude"),
        )
        username, password = values.get("http_auth_username"), values.get("http_auth_password")
        login = Login(username, password, host_of(url)) if username and password else None
        check_scripts(self._web, run_scripts=website.run_scripts, login=login is not None)
        manners = Manners(DELAY, 1, website.run_scripts)
        try:
            async with asyncio.timeout(SECONDS), self._web.open(manners, login) as session:
                return await _look(session, website)
        except TimeoutError:
            raise PreviewTimeout from None


async def _look(session: WebSession, website: Website) -> Preview:
    start, seeds = await seeds_of(session, website)
    scope = scope_of(website, start)
    queue, pages, leaves = list(seeds), list[PreviewPage](), dict[str, Reason]()
    known = set(queue)
    while queue and len(pages) < PAGES:
        url = queue.pop(0)
        page, links = await _page(session, website, scope, url)
        pages.append(page)
        for link in links:
            if link in known:
                continue
            known.add(link)
            refusal = scope.refusal(link, 1)
            if refusal is None and not (await session.robots(link)).allows(link):
                refusal = Reason.ROBOTS
            if refusal is None:
                queue.append(link)
            else:
                leaves[link] = refusal
    sitemaps = (await session.robots(start)).sitemaps
    return Preview(pages, queue[:LINKS_SHOWN], list(leaves.items())[:LINKS_SHOWN], sitemaps)


async def _page(session: WebSession, website: Website, scope: Scope, url: str) -> tuple[PreviewPage, Sequence[str]]:
    try:
        if not (await session.robots(url)).allows(url):
            return PreviewPage(url, reason=Reason.ROBOTS), ()
        fetched = await session.fetch(url)
        if not fetched.html:
            return _no_page(website, scope, fetched)
        read = await session.read(fetched)
    except PageFailed as failure:
        return PreviewPage(url, reason=failure.reason, detail=failure.detail), ()
    follows = read.follow and website.crawl_type == CrawlType.CRAWL
    links = [link for each in read.links if (link := normalised(each, url)) and scope.on_site(link)] if follows else []
    text = read.parsed.text.strip()
    reason = Reason.NOINDEX if not read.index else Reason.EMPTY if not text else None
    if reason is None and not scope.keeps(url):
        reason = Reason.OUTSIDE
    return PreviewPage(url, read.title, text[:TEXT_SHOWN], len(text), reason), list(dict.fromkeys(links))


def _no_page(website: Website, scope: Scope, fetched: Fetched) -> tuple[PreviewPage, Sequence[str]]:
    if fetched.redirect is not None:
        target = normalised(fetched.redirect, fetched.url)
        further = [target] if target and scope.on_site(target) else []
        return PreviewPage(fetched.url, reason=Reason.REDIRECT, detail=target or fetched.redirect), further
    if fetched.filename is None:
        return PreviewPage(fetched.url, reason=Reason.UNSUPPORTED, detail=fetched.media_type), ()
    reason = None if website.download_files else Reason.FILE
    return PreviewPage(fetched.url, fetched.filename, reason=reason), ()
