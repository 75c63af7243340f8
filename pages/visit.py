"""One open tab: who is in it, in which language, and what it listens to."""

import asyncio
import functools
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, ParamSpec, Protocol
from urllib.parse import quote
from uuid import UUID
from weakref import WeakKeyDictionary

from nicegui import Client, background_tasks, ui
from nicegui.context import context
from starlette.requests import Request

from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure, NotFound, StorageTrouble, TenantSuspended, Unauthenticated, UserInactive
from domain.kernel.ids import new_id
from domain.services import Services
from pages.i18n import _, translate

log = logging.getLogger(__name__)
P = ParamSpec("P")
ENDED = (Unauthenticated, UserInactive, TenantSuspended)
"""After these nothing of the page is usable any more."""
COPIED_SECONDS = 10.0
"""So long a browser may take to copy."""
UNEXPECTED = N_("Something went wrong. Try again; if it happens again, report the id {id}.")


class News(Protocol):
    """Something that happened; see `domain.kernel.events.Signal`."""

    @property
    def kind(self) -> str:
        """What kind of news."""

    @property
    def data(self) -> dict[str, Any]:
        """Ids and states."""


class Live(Protocol):
    """Where news come from."""

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        """The news of one topic, from now on."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages were given by the program."""

    services: Services
    resolve_actor: Callable[[Request], Awaitable[Actor | None]]
    live: Live
    csrf_token: Callable[[Request], str]
    prefix: str = ""
    """The path under which a proxy shows the product; empty at the root of its host."""
    zone: tzinfo = UTC
    """The time zone in which times of day are shown and meant."""


class Frame(Protocol):
    """What a page may ask of the frame around it; see `pages.shell.Shell`."""

    def page_changed(self) -> None:
        """Another page is shown."""

    def show_sources(self, items: list[dict[str, Any]], selected: int, citation: int = -1) -> None:
        """Fill the sources panel."""

    async def search(self) -> None:
        """Open the search for everything."""

    def use_theme(self, theme: str) -> None:
        """Show a theme."""

    async def set_language(self, code: str) -> None:
        """Switch all words."""


class Changes(Protocol):
    """What may not be lost without asking; see `pages.unsaved`."""

    path: str

    @property
    def there(self) -> bool:
        """Whether something has changed."""

    async def leave_for(self, path: str) -> None:
        """Ask, and go there when nothing is to be kept."""


@dataclass(eq=False)
class Visit:
    """An open tab. `page_tasks` end when another page is shown, `tab_tasks` when the tab is closed."""

    site: Site
    client: Client
    request: Request
    _actor: Actor
    language: str
    tenant_name: str = ""
    page_tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    tab_tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    on_leave: list[Callable[[], None]] = field(default_factory=list)
    ended: Failure | None = None
    frame: "Frame | None" = None
    space_id: UUID | None = None
    assistant_id: UUID | None = None
    unsaved: "Changes | None" = None
    """What the page holds that was not saved."""
    door: str = "/sign-in"
    """Where to go when the visit is over."""

    @property
    def shell(self) -> Frame:
        """The frame around the page."""
        assert self.frame is not None
        return self.frame

    @property
    def services(self) -> Services:
        """The use cases."""
        return self.site.services

    @property
    def csrf_token(self) -> str:
        """The token that uploads send with them."""
        return self.site.csrf_token(self.request)

    @property
    def origin(self) -> str:
        """The address of this site, as the browser has it."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}{self.site.prefix}"

    @property
    def actor(self) -> Actor:
        """Who is here, as of the last time that was asked; raises what ended the visit."""
        if self.ended is not None:
            raise self.ended
        return self._actor

    async def authenticate(self) -> Actor:
        """The actor as of now; raises when the session has ended, the user was stopped or the organisation suspended."""
        try:
            actor = await self.site.resolve_actor(self.request)
            if actor is None:
                raise Unauthenticated
        except ENDED as failure:
            # A browser that does not leave the page gets nothing more out of it.
            self.ended = failure
            raise
        self._actor = actor
        return actor

    def listen(self, topic: str, handler: Callable[[News], Awaitable[None]], *, tab: bool = False) -> None:
        """Call `handler` for the news of a topic while the page (or the whole tab) is open."""

        async def follow() -> None:
            async with self.site.live.subscribe(topic) as news:
                async for item in news:
                    await guarded(handler)(item)

        task = background_tasks.create(follow(), name=f"listening to {topic}", context=self.client.content)
        (self.tab_tasks if tab else self.page_tasks).append(task)

    def spawn(self, work: Awaitable[None], name: str) -> None:
        """Run something beside the page until another page is shown."""

        async def run() -> None:
            await work

        self.page_tasks.append(background_tasks.create(run(), name=name, context=self.client.content))

    def leave_page(self) -> None:
        """Another page is shown: end what belonged to this one."""
        self.unsaved = None
        for task in self.page_tasks:
            task.cancel()
        self.page_tasks.clear()
        for hook in self.on_leave:
            hook()
        self.on_leave.clear()

    def close(self) -> None:
        """The tab is gone."""
        self.leave_page()
        for task in self.tab_tasks:
            task.cancel()
        self.tab_tasks.clear()


_visits: WeakKeyDictionary[Client, Visit] = WeakKeyDictionary()


def open_visit(site: Site, request: Request, actor: Actor) -> Visit:
    """The visit of the client that is being built."""
    made = Visit(site, context.client, request, actor, actor.language)
    enter(made)
    return made


def enter(made: Visit) -> None:
    """Make a visit known as that of its client."""
    _visits[made.client] = made
    made.client.on_delete(made.close)


def visit() -> Visit:
    """The visit of the present client."""
    return _visits[context.client]


def sentence(failure: Failure) -> str:
    """What the failure says, in the language of the page."""
    return _(failure.message, **failure.params)


def toast(text: str, kind: str = "positive") -> None:
    """A short message that goes away by itself."""
    ui.notify(text, type=kind, position="bottom-left", timeout=6000 if kind == "negative" else 3500)  # type: ignore[arg-type]


async def copy(text: str) -> None:
    """Put a text on the clipboard, and say whether it is there; see `static/clipboard.js`."""
    script = f"return window.samradCopy({json.dumps(text)}).then(() => true, () => false)"
    copied = False
    with suppress(TimeoutError):
        copied = await ui.run_javascript(script, timeout=COPIED_SECONDS)
    if copied:
        toast(_("Copied."))
    else:
        toast(_("Your browser does not let pages copy."), "negative")


def leave(failure: Failure) -> None:
    """The visit is over: leave for the sign-in page, which says why and leads back, and follow nothing any more."""
    here = visit()
    path = "/" if here.frame is None else here.client.sub_pages_router.current_path.split("?")[0]
    # The start page is where signing in leads anyway.
    back = "" if path == "/" else f"&next={quote(path)}"
    context.client.open(f"{here.door}?reason={reason_of(failure)}{back}")
    here.close()


def reason_of(failure: Failure) -> str:
    """How the sign-in page explains the failure."""
    reasons: dict[type[Failure], str] = {UserInactive: "inactive", TenantSuspended: "suspended"}
    return reasons.get(type(failure), "ended")


def guarded(handler: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """The handler, with every failure shown as a sentence.

    It runs in the slot of the whole page, because it may redraw the very element that called it.
    """

    @functools.wraps(handler)
    async def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with context.client.content:
            try:
                await handler(*args, **kwargs)
            except ENDED as failure:
                leave(failure)
            except Failure as failure:
                await noted(failure)
                toast(sentence(failure), "negative")
            except Exception:
                toast(unexpected(), "negative")

    return run


async def noted(failure: Failure) -> None:
    """Put a refusal into the audit log."""
    here = visit()
    if failure.status == 403:
        where = here.client.sub_pages_router.current_path if here.frame is not None else here.request.url.path
        await here.services.audit.denied(here.actor, where.split("?")[0], failure)


def unexpected() -> str:
    """Log the exception that is being handled, and the sentence that says what it is, or names it by an id."""
    trouble = sys.exc_info()[1]
    if isinstance(trouble, StorageTrouble):
        log.warning("page failed: %s", trouble)
        return translate(trouble.shown.message, visit().language, **trouble.shown.params)
    incident = new_id().hex[-8:]
    log.exception("page failed, id %s", incident)
    return translate(UNEXPECTED, visit().language, id=incident)


def act(handler: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """A handler that changes something: the actor is asked for anew before it, failures are shown."""

    @functools.wraps(handler)
    async def run(*args: P.args, **kwargs: P.kwargs) -> None:
        await visit().authenticate()
        await handler(*args, **kwargs)

    return guarded(run)


def identifier(value: str) -> UUID:
    """An id from an address; `NotFound` when it is none."""
    try:
        return UUID(value)
    except ValueError:
        raise NotFound from None
