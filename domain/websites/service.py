"""Websites: use cases of people, and what the schedule does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from domain.assistants.access import readable_collections
from domain.classifications.approval import require_approved
from domain.jobs.entities import Job, Lane
from domain.jobs.service import Ended, request_cancel
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Failure, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.knowledge.access import knowledge_access
from domain.knowledge.entities import Collection, CollectionKind
from domain.knowledge.removal import remove_collection
from domain.knowledge.repository import CollectionSize
from domain.knowledge.sharing import relocate
from domain.models.choice import EmbeddingChoice
from domain.models.service import embedding_choices, embedding_for_new
from domain.ports import Directory, Vault
from domain.spaces.each import in_each
from domain.spaces.entities import Space
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction, UnitOfWork
from domain.websites import crawling, schedule
from domain.websites.addresses import checked, clean_patterns, host_of
from domain.websites.ending import announce
from domain.websites.entities import CrawlPage, CrawlRun, CrawlType, Interval, RunState, Website
from domain.websites.web import Web, check_scripts

MOST_AT_ONCE = 50
PAGES_LIMIT, DEPTH_LIMIT, DELAY_LIMIT, CONCURRENCY_LIMIT = 20_000, 50, 60.0, 8
ATTEMPTS = 8
"""A crawl loses no work when a worker dies, so that more lives do no harm."""
SECRET_LIMIT = 1_000
PLAIN = (
    "name", "url", "crawl_type", "download_files", "run_scripts", "update_interval", "update_time", "include", "exclude",
    "max_depth",
    "max_pages", "delay", "concurrency",
)  # fmt: skip
"""What of a website is entered as it is kept, and told in the audit log."""


class CrawlRunning(Failure):
    """The website is being read already."""

    status, code = 429, 9021
    default = N_("This website is being read already.")


@dataclass(frozen=True, slots=True)
class WebsiteView:
    """A website with its latest crawl, its size, its embedding model and what the actor may do to it.

    It is seen in `access.space`; `origin` is the space it belongs to, where that is another one.
    """

    website: Website
    latest: CrawlRun | None
    size: CollectionSize
    choice: EmbeddingChoice
    permissions: Sequence[Action]
    access: SpaceAccess
    origin: Space | None = None

    @property
    def space_id(self) -> UUID:
        """The space it belongs to."""
        return self.website.space_id


@dataclass(frozen=True, slots=True)
class Found:
    """A website of the organisation's space that others may use as well."""

    website: Website
    latest: CrawlRun | None
    space_name: str


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the wish to read several websites: the crawls, and a failure for each other id."""

    runs: Sequence[CrawlRun] = ()
    failures: Mapping[UUID, Failure] = field(default_factory=dict)


class WebsiteService:
    """Use cases of websites."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, vault: Vault, web: Web, zone: tzinfo, ended: Mapping[str, Ended]
    ) -> None:
        self._uow, self._directory, self._vault, self._web, self._ended = uow, directory, vault, web, ended
        self.zone = zone

    @property
    def runs_scripts(self) -> bool:
        """Whether the server has a browser for pages that are made by scripts."""
        return self._web.runs_scripts

    async def in_space(self, actor: Actor, space_id: UUID) -> list[WebsiteView]:
        """The websites of a space, for those who may read them."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.WEBSITE):
                return []
            return await self._views(tx, actor, access, await tx.websites.in_spaces([space_id]))

    async def in_each(self, actor: Actor, accesses: Sequence[SpaceAccess]) -> list[WebsiteView]:
        """The websites of several spaces, space by space, of those where they may be read; all fetched at once."""

        async def fetch(tx: Transaction, access: SpaceAccess, space_ids: Sequence[UUID]) -> list[WebsiteView]:
            return await self._views(tx, actor, access, await tx.websites.in_spaces(space_ids))

        def seen(view: WebsiteView, access: SpaceAccess) -> WebsiteView:
            return _seen(actor, view, access, None)

        return await in_each(self._uow, actor, accesses, Resource.WEBSITE, fetch, seen)

    async def borrowed(self, actor: Actor, space_id: UUID) -> list[WebsiteView]:
        """The websites of other spaces that may be used in this one: shared ones, then the organisation's."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.WEBSITE):
                return []
            usable = await readable_collections(tx, access.space)
            ids = [c.id for c in usable if c.space_id != space_id and c.kind == CollectionKind.WEBSITE]
            return await self._views(tx, actor, replace(access, shared=True), await tx.websites.many(ids))

    async def of(self, actor: Actor, access: SpaceAccess, ids: Sequence[UUID]) -> list[WebsiteView]:
        """Those of these websites that there are, as somebody with this access sees them."""
        if Action.READ not in access.permissions(actor, Resource.WEBSITE):
            return []
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.websites.many(ids)
            own = [website for website in found if website.space_id == access.space.id]
            borrowed = [website for website in found if website.space_id != access.space.id]
            views = await self._views(tx, actor, access, own)
            return views + await self._views(tx, actor, replace(access, shared=True), borrowed)

    async def of_each(
        self, actor: Actor, wanted: Sequence[tuple[SpaceAccess, Sequence[UUID]]]
    ) -> list[list[WebsiteView]]:
        """For each access, those of its websites that there are, as somebody with it sees them; all fetched at once."""
        ids = list({i for _, each in wanted for i in each})
        if not ids:
            return [[] for _ in wanted]
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.websites.many(ids)
            spaces = await tx.spaces.many({website.space_id for website in found})
            known = {v.website.id: v for v in await self._views(tx, actor, wanted[0][0], found)}
        return [
            [
                _seen(actor, known[i], access, spaces.get(known[i].website.space_id))
                for i in each
                if i in known and Action.READ in access.permissions(actor, Resource.WEBSITE)
            ]
            for access, each in wanted
        ]

    @staticmethod
    async def _views(tx: Transaction, actor: Actor, access: SpaceAccess, found: Sequence[Website]) -> list[WebsiteView]:
        if not found:
            return []
        ids = [website.id for website in found]
        choices = {c.model.id: c for c in await embedding_choices(tx)}
        models = {c.id: c.embedding_model_id for c in await tx.knowledge.collections_by_id(ids)}
        latest, sizes = await tx.websites.latest_runs(ids), await tx.knowledge.sizes(ids)
        allowed = access.permissions_of_one(actor, Resource.WEBSITE)
        origins = await tx.spaces.many({w.space_id for w in found} - {access.space.id})
        return [
            WebsiteView(
                w,
                latest.get(w.id),
                sizes.get(w.id, CollectionSize()),
                choices[models[w.id]],
                allowed,
                access,
                origins.get(w.space_id),
            )
            for w in found
        ]

    async def get(self, actor: Actor, website_id: UUID) -> WebsiteView:
        """One website."""
        async with self._uow.read(actor.tenant_id) as tx:
            website, access = await self._website(tx, actor, website_id, Action.READ)
            return (await self._views(tx, actor, access, [website]))[0]

    @staticmethod
    async def _website(tx: Transaction, actor: Actor, website_id: UUID, action: Action) -> tuple[Website, SpaceAccess]:
        website = await tx.get(Website, website_id)
        missing = NotFound(N_("The website was not found."))
        if website is None:
            raise missing
        collection = await tx.get(Collection, website_id)
        if collection is None:
            raise missing
        access = await knowledge_access(tx, actor, collection, missing, Resource.WEBSITE)
        access.require(actor, Resource.WEBSITE, action)
        return website, access

    async def with_url(self, actor: Actor, url: str) -> Found | None:
        """The website of the organisation's space with this address, which all assistants may use."""
        async with self._uow.read(actor.tenant_id) as tx:
            organization = await tx.spaces.organization()
            if organization is None:
                return None
            website = await tx.websites.with_url(organization.id, checked(url))
            if website is None:
                return None
            latest = await tx.websites.latest_runs([website.id])
            return Found(website, latest.get(website.id), organization.name)

    # Changes

    async def create(
        self, actor: Actor, space_id: UUID, values: Mapping[str, Any], embedding_model_id: UUID | None = None
    ) -> WebsiteView:
        """A new website; its first crawl begins at once. `values` as in `PLAIN`, and the user name and password."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.WEBSITE, Action.CREATE)
            choice = await embedding_for_new(tx, access.space, embedding_model_id)
            website = Website(
                tenant_id=actor.tenant_id, id=new_id(), space_id=space_id, user_id=actor.user_id, name=None, url=""
            )
            await self._apply(website, {"url": "", **values})
            collection = Collection(
                tenant_id=actor.tenant_id,
                id=website.id,
                space_id=space_id,
                user_id=actor.user_id,
                name=website.title[:255],
                embedding_model_id=choice.model.id,
                kind=CollectionKind.WEBSITE,
            )
            await tx.add(collection, website)
            change = Change("website_created", "website", website.id, website.title, new=_told(website))
            tx.record(actor, change)
            await self._begin(tx, website, actor.user_id)
            return (await self._views(tx, actor, access, [website]))[0]

    async def update(self, actor: Actor, website_id: UUID, values: Mapping[str, Any]) -> WebsiteView:
        """Change what `values` names; null for the user name removes the sign-in. Begins no crawl."""
        async with self._uow.begin(actor.tenant_id) as tx:
            website, access = await self._website(tx, actor, website_id, Action.EDIT)
            before = _told(website)
            await self._apply(website, values)
            collection = await tx.get(Collection, website.id)
            if collection is not None:
                collection.name = website.title[:255]
            if {"update_interval", "update_time"} & set(values):
                website.consecutive_failures = 0
                website.next_crawl_at = schedule.next_time(website, now(), self.zone)
            after = _told(website)
            old = {name: value for name, value in before.items() if after[name] != value}
            new = {name: after[name] for name in old}
            if new or "http_auth_username" in values:
                tx.record(actor, Change("website_updated", "website", website.id, website.title, old=old, new=new))
            self._changed(tx, website)
            await tx.flush()
            return (await self._views(tx, actor, access, [website]))[0]

    async def _apply(self, website: Website, values: Mapping[str, Any]) -> None:
        values = {name: value for name, value in values.items() if value is not None or name in NULLABLE}
        for name, value in _clean(values).items():
            setattr(website, name, value)
        if {"http_auth_username", "http_auth_password"} & set(values):
            await self._set_login(website, values.get("http_auth_username"), values.get("http_auth_password"))
        elif website.http_auth_host is not None and website.http_auth_host != host_of(website.url):
            # The password was given for the site that it was, and for no other.
            website.http_auth_username = website.http_auth_secret = website.http_auth_host = None
        if {"run_scripts", "http_auth_username"} & set(values):
            check_scripts(self._web, run_scripts=website.run_scripts, login=website.http_auth_username is not None)

    async def _set_login(self, website: Website, username: str | None, password: str | None) -> None:
        username = clean_text(username, "http_auth_username", 255).strip()
        password = clean_text(password, "http_auth_password", SECRET_LIMIT)
        if bool(username) != bool(password):
            absent = "http_auth_password" if username else "http_auth_username"
            raise Invalid(N_("Give user name and password together."), field=absent)
        if ":" in username:
            raise Invalid(N_("A user name has no colon."), field="http_auth_username")
        website.http_auth_username = username or None
        website.http_auth_secret = await self._vault.seal(website.tenant_id, password) if password else None
        website.http_auth_host = host_of(website.url) if username else None

    async def delete(self, actor: Actor, website_id: UUID) -> None:
        """Delete a website with everything read from it; a crawl that goes on stops."""
        async with self._uow.begin(actor.tenant_id) as tx:
            website, _ = await self._website(tx, actor, website_id, Action.DELETE)
            await self._stop(tx, website)
            self._changed(tx, website)
            tx.record(actor, Change("website_deleted", "website", website_id, website.title, old=_told(website)))
            collection = await tx.get(Collection, website_id)
            await tx.flush()
            if collection is not None:
                await remove_collection(tx, collection)

    async def move(self, actor: Actor, website_id: UUID, space_id: UUID) -> None:
        """Move a website to another space. Assistants that may not use it from there lose it."""
        async with self._uow.begin(actor.tenant_id) as tx:
            website, _ = await self._website(tx, actor, website_id, Action.DELETE)
            target = await space_access(tx, actor, space_id)
            target.require(actor, Resource.WEBSITE, Action.CREATE)
            if website.space_id == space_id:
                return
            self._changed(tx, website)
            old, website.space_id = website.space_id, space_id
            collection = await tx.get(Collection, website_id)
            if collection is not None:
                await relocate(tx, collection, space_id)
            change = Change(
                "website_transferred", "website", website_id, website.title, old={"space_id": str(old)},
                new={"space_id": str(space_id)},
            )  # fmt: skip
            tx.record(actor, change)
            self._changed(tx, website)

    @staticmethod
    def _changed(tx: Transaction, website: Website) -> None:
        tx.signal(Signal(f"space:{website.space_id}", "website", {"id": str(website.id), "state": "changed"}))

    # Crawls

    async def crawl(self, actor: Actor, website_id: UUID) -> CrawlRun:
        """Read a website now; raises `CrawlRunning` while a crawl waits or goes on."""
        async with self._uow.begin(actor.tenant_id) as tx:
            website, access = await self._website(tx, actor, website_id, Action.READ)
            access.require(actor, Resource.WEBSITE, Action.CREATE)
            collection = await tx.get(Collection, website.id)
            if collection is not None:
                await require_approved(tx, collection)
            return await self._begin(tx, website, actor.user_id)

    async def crawl_many(self, actor: Actor, ids: Sequence[UUID]) -> Started:
        """Read several websites now, each for itself."""
        if len(ids) > MOST_AT_ONCE:
            raise BadRequest(N_("Choose at most {limit} websites at once."), limit=MOST_AT_ONCE)
        runs: list[CrawlRun] = []
        failures: dict[UUID, Failure] = {}
        for website_id in dict.fromkeys(ids):
            try:
                runs.append(await self.crawl(actor, website_id))
            except Failure as failure:
                failures[website_id] = failure
        return Started(runs, failures)

    async def stop(self, actor: Actor, website_id: UUID) -> CrawlRun:
        """Stop the crawl that goes on; what it has read stays."""
        async with self._uow.begin(actor.tenant_id) as tx:
            website, access = await self._website(tx, actor, website_id, Action.READ)
            access.require(actor, Resource.WEBSITE, Action.CREATE)
            run = await self._stop(tx, website)
            if run is None:
                raise BadRequest(N_("There is nothing to stop."))
            tx.record(actor, Change("job_cancelled", "job", run.job_id, website.title))
            return run

    async def _stop(self, tx: Transaction, website: Website) -> CrawlRun | None:
        run = await tx.websites.open_run(website.id)
        job = await tx.get(Job, run.job_id) if run and run.job_id else None
        if job is not None:
            await request_cancel(tx, job, self._ended)
        return run

    async def _begin(self, tx: Transaction, website: Website, user_id: UUID, *, scheduled: bool = False) -> CrawlRun:
        if await tx.websites.open_run(website.id) is not None:
            raise CrawlRunning
        run = CrawlRun(tenant_id=website.tenant_id, website_id=website.id, user_id=user_id, scheduled=scheduled)
        # Behind everything that people wait for: a site may keep a worker busy for hours, slice by slice.
        job = Job(
            tenant_id=website.tenant_id,
            user_id=user_id,
            task=crawling.TASK,
            lane=Lane.MAINTENANCE,
            name=website.title[:255],
            args={"run_id": str(run.id)},
            max_attempts=ATTEMPTS,
        )
        run.job_id = job.id
        await tx.add(job, run)
        tx.enqueue(job)
        announce(tx, website, run)
        return run

    async def start_due(self) -> int:
        """Begin the crawls whose time has come; how many. Any number of processes may do this at once."""
        count = 0
        for located in await self._directory.due_websites():
            async with self._uow.begin(located.tenant_id) as tx:
                website = await tx.websites.claim_due(located.id, now())
                if website is not None and await tx.websites.open_run(website.id) is None:
                    await self._begin(tx, website, website.user_id, scheduled=True)
                    count += 1
        return count

    async def runs(
        self, actor: Actor, website_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[CrawlRun]:
        """The crawls of a website, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            await self._website(tx, actor, website_id, Action.READ)
            return await tx.websites.runs(website_id, limit=clamp(limit), cursor=cursor)

    async def run(self, actor: Actor, run_id: UUID) -> CrawlRun:
        """One crawl."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._run(tx, actor, run_id)

    async def log(
        self,
        actor: Actor,
        run_id: UUID,
        *,
        states: Sequence[str] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[CrawlPage]:
        """What a crawl did with each page, in order."""
        async with self._uow.read(actor.tenant_id) as tx:
            await self._run(tx, actor, run_id)
            return await tx.websites.log(run_id, states, limit=clamp(limit), cursor=cursor)

    async def _run(self, tx: Transaction, actor: Actor, run_id: UUID) -> CrawlRun:
        run = await tx.get(CrawlRun, run_id)
        missing = NotFound(N_("The crawl was not found."))
        if run is None:
            raise missing
        try:
            await self._website(tx, actor, run.website_id, Action.READ)
        except NotFound:
            raise missing from None
        return run


NULLABLE = ("name", "http_auth_username", "http_auth_password")


def _told(website: Website) -> dict[str, Any]:
    """A website as the audit log tells it: without the password."""
    return {
        **{name: getattr(website, name) for name in PLAIN},
        "http_auth_username": website.http_auth_username,
    }


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values as they are kept; raises `Invalid` with the field."""
    kept = {name: values[name] for name in PLAIN if name in values}
    if "name" in kept:
        kept["name"] = clean_name(kept["name"]) if (kept["name"] or "").strip() else None
    if "url" in kept:
        kept["url"] = checked(kept["url"])
    if "update_time" in kept:
        kept["update_time"] = schedule.clean_time(kept["update_time"])
    for name in ("include", "exclude"):
        if name in kept:
            kept[name] = clean_patterns(kept[name], name)
    for name, kind in (("crawl_type", CrawlType), ("update_interval", Interval)):
        if name in kept and kept[name] not in list(kind):
            raise Invalid(N_("Choose one of the listed values."), field=name)
    for name, low, high in (
        ("max_depth", 0, DEPTH_LIMIT), ("max_pages", 1, PAGES_LIMIT), ("delay", 0, DELAY_LIMIT),
        ("concurrency", 1, CONCURRENCY_LIMIT),
    ):  # fmt: skip
        if name in kept and not low <= kept[name] <= high:
            raise Invalid(N_("Give a number from {low} to {high}."), field=name, low=low, high=high)
    return kept


def next_crawl(website: Website, zone: tzinfo) -> datetime | None:
    """When a website is read next by itself, in the installation's time zone."""
    return website.next_crawl_at.astimezone(zone) if website.next_crawl_at else None


def is_open(run: CrawlRun | None) -> bool:
    """Whether a crawl waits or goes on."""
    return run is not None and RunState(run.state).open


def _seen(actor: Actor, view: WebsiteView, access: SpaceAccess, home: Space | None) -> WebsiteView:
    """A website as it is seen in a space that may have borrowed it."""
    if view.website.space_id == access.space.id:
        home = None
    else:
        access = replace(access, shared=True)
    allowed = access.permissions_of_one(actor, Resource.WEBSITE)
    return replace(view, permissions=allowed, access=access, origin=home)
