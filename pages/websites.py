"""Websites: the list of a space, one website with its crawls, and the log of a crawl."""

import functools
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.kernel.access import Action, Resource, Role, permissions
from domain.kernel.errors import N_
from domain.kernel.paging import Page
from domain.knowledge.embedding_changes import ChangeScope
from domain.knowledge.service import DocumentView
from domain.spaces.entities import Space
from domain.websites.entities import REASONS, TAKEN, CrawlPage, CrawlRun, PageState, RunState, Website
from domain.websites.schedule import given_up
from domain.websites.service import WebsiteView, is_open
from pages import embedding_changes, sharing
from pages.components.base import (
    Tone,
    box,
    button,
    chip,
    empty_state,
    heading,
    icon,
    icon_button,
    link_box,
    note,
    open_button,
    page_head,
    quiet_button,
    text_element,
)
from pages.components.pager import PagedList
from pages.components.region import Region
from pages.dialogs import confirm
from pages.i18n import _, current_language, moment, ngettext, reason, size
from pages.visit import News, act, identifier, toast, visit
from pages.website_form import INTERVALS, WebsiteForm

RUN_STATES: dict[str, tuple[str, Tone]] = {
    RunState.QUEUED: (N_("Waiting"), ""),
    RunState.RUNNING: (N_("Reading"), "warn"),
    RunState.DONE: (N_("Read"), "ok"),
    RunState.FAILED: (N_("Failed"), "bad"),
    RunState.CANCELLED: (N_("Stopped"), ""),
}
PAGE_STATES: dict[str, tuple[str, Tone]] = {
    PageState.WAITING: (N_("Waiting"), ""),
    PageState.ADDED: (N_("New"), "ok"),
    PageState.CHANGED: (N_("Changed"), "ok"),
    PageState.UNCHANGED: (N_("Unchanged"), ""),
    PageState.SKIPPED: (N_("Left out"), ""),
    PageState.FAILED: (N_("Failed"), "bad"),
    PageState.REMOVED: (N_("Removed"), "warn"),
}
NEWS = ("website", "resync")


async def section(space: Space, role: Role) -> None:
    """The websites of a space, as a part of its knowledge."""
    here = visit()
    allowed = permissions(here.actor, role, Resource.WEBSITE)
    if Action.READ not in allowed:
        return

    async def draw() -> Callable[[], None]:
        found = await here.services.websites.in_space(here.actor, space.id)
        found += await here.services.websites.borrowed(here.actor, space.id)
        return lambda: _list(found, add if Action.CREATE in allowed else None)

    async def add() -> None:
        await WebsiteForm(space.id).open()

    with box("line wrap"):
        heading(_("Websites"), classes="grow")
        if Action.CREATE in allowed:
            quiet_button(_("Add website"), add, icon="add_link")
    region = Region(draw)
    await region.refresh()

    async def changed(news: News) -> None:
        if news.kind in NEWS:
            await region.soon()

    here.listen(f"space:{space.id}", changed)


def _list(found: list[WebsiteView], add: Callable[[], Any] | None) -> None:
    with box("card"):
        for view in found:
            _row(view)
        if not found:
            text = _("The pages of a website become knowledge, and are kept in step with it.")
            with empty_state("language", _("No websites yet"), text):
                if add:
                    button(_("Add website"), add, icon="add_link")


def _row(view: WebsiteView) -> None:
    website = view.website
    with box("rowline"):
        icon("language")
        with link_box(f"/websites/{website.id}", "grow") as link:
            link.style("text-decoration:none;color:inherit")
            ui.label(website.title).classes("name")
            ui.label(" · ".join(_facts(view))).classes("sub")
        sharing.origin_chip(view.origin)
        _run_chip(view)


def _facts(view: WebsiteView) -> list[str]:
    website = view.website
    parts = [ngettext("{n} page", "{n} pages", view.size.documents), size(view.size.size)]
    if website.last_crawled_at:
        parts.append(_("read {moment}", moment=moment(website.last_crawled_at)))
    parts.append(_(INTERVALS[website.update_interval]))
    if website.next_crawl_at:
        parts.append(_("next {moment}", moment=moment(website.next_crawl_at)))
    return parts


def _run_chip(view: WebsiteView) -> None:
    if view.latest is None:
        return
    text, tone = RUN_STATES[view.latest.state]
    if view.latest.state == RunState.DONE and view.latest.counts.get(PageState.FAILED):
        text, tone = N_("Read, with failures"), "warn"
    chip(_(text), tone)


async def website(website_id: str) -> None:
    """One website: its state, its crawls and its pages, live."""
    here, key = visit(), identifier(website_id)
    view = await here.services.websites.get(here.actor, key)
    here.space_id = view.access.space.id
    may_crawl = Action.CREATE in view.access.permissions(here.actor, Resource.WEBSITE)

    async def draw() -> Callable[[], None]:
        latest = await here.services.websites.get(here.actor, key)
        return lambda: _state(latest, may_crawl)

    with box("page"):
        with page_head(view.website.title, back=sharing.back_to_knowledge(view.access)):
            sharing.origin_chip(view.origin)
            _actions(view)
        await embedding_changes.changes(ChangeScope(collection_id=key), f"collection:{key}")
        state = Region(draw)
        await state.refresh()
        heading(_("Crawls"))
        runs = PagedList(functools.partial(_runs, key), _run_row, empty=_no_runs)
        await runs.refresh()
        heading(_("Pages"))
        pages = PagedList(functools.partial(_pages, key), _page_row, empty=_no_pages, search=_("Search pages by title"))
        await pages.refresh()

    async def changed(news: News) -> None:
        if news.kind in NEWS and news.data.get("id") in (None, str(key)):
            await state.soon()
            await runs.soon()
            await pages.soon()

    here.listen(f"space:{view.website.space_id}", changed)


def _actions(view: WebsiteView) -> None:
    site = view.website
    open_button(_("Open the website"), site.url)
    if Action.EDIT in view.permissions:
        quiet_button(_("Settings"), WebsiteForm(site.space_id, site).open, icon="tune")
        scope = ChangeScope(collection_id=site.id)
        ask = functools.partial(embedding_changes.ask, scope, _("Change the embedding model"))
        quiet_button(_("Embedding model"), act(ask), icon="published_with_changes")
        share = functools.partial(sharing.ask_share, site.id, site.title)
        quiet_button(_("Share"), act(share), icon="share")
    if Action.DELETE in view.permissions:
        move = functools.partial(sharing.ask_move, site.id, site.title)
        quiet_button(_("Move"), act(move), icon="drive_file_move")
        icon_button("delete_outline", _("Delete {name}", name=site.title), act(functools.partial(_delete, site)))


async def _delete(site: Website) -> None:
    here = visit()
    text = _(
        "“{name}” and all its pages will be gone for good. Assistants no longer answer from them.", name=site.title
    )
    if await confirm(_("Delete the website?"), text, _("Delete")):
        await here.services.websites.delete(here.actor, site.id)
        toast(_("The website was deleted."))
        ui.navigate.to(f"/spaces/{site.space_id}/knowledge")


def _state(view: WebsiteView, may_crawl: bool) -> None:
    here, site, run = visit(), view.website, view.latest

    async def crawl() -> None:
        await here.services.websites.crawl(here.actor, site.id)

    async def stop() -> None:
        await here.services.websites.stop(here.actor, site.id)

    with box("card pad stack"):
        with box("line wrap").props("role=status"):
            _run_chip(view)
            ui.label(" · ".join(_facts(view))).classes("muted small grow")
            if may_crawl and is_open(run):
                quiet_button(_("Stop"), act(stop), icon="stop")
            elif may_crawl:
                button(_("Read now"), act(crawl), icon="sync")
        if run is not None and run.counts:
            ui.label(" · ".join(told(run.counts))).classes("small")
        if run is not None and run.error:
            note(failure(run), "bad", icon_name="error_outline")
        if given_up(site):
            text = N_("{n} crawls failed in a row, so it is no longer read by itself. Choose anew how often.")
            note(_(text, n=site.consecutive_failures), "warn")
        elif site.retries_at:
            text = ngettext("{n} crawl failed in a row.", "{n} crawls failed in a row.", site.consecutive_failures)
            note(f"{text} {_('The next attempt follows {moment}.', moment=moment(site.retries_at))}", "warn")
        elif run is not None and run.state == RunState.DONE and not run.complete:
            text = _("Not every page was reached. What is missing on the website was kept this time.")
            note(text, "warn")


def failure(run: CrawlRun) -> str:
    """Why a crawl failed."""
    return reason(run, current_language()) or ""


def told(counts: Mapping[str, int]) -> list[str]:
    """What became of the pages of a crawl, in words."""
    return [f"{counts[state]} {_(text).lower()}" for state, (text, _tone) in PAGE_STATES.items() if counts.get(state)]


async def _runs(website_id: UUID, words: str, cursor: str | None) -> Page[CrawlRun]:
    here = visit()
    return await here.services.websites.runs(here.actor, website_id, limit=10, cursor=cursor)


def _run_row(run: CrawlRun) -> None:
    text, tone = RUN_STATES[run.state]
    with box("rowline").props("role=listitem"):
        icon("event_repeat" if run.scheduled else "sync")
        with link_box(f"/crawls/{run.id}", "grow") as link:
            link.style("text-decoration:none;color:inherit")
            ui.label(moment(run.started_at or run.created_at)).classes("name")
            parts = told(run.counts)
            if run.started_at and run.finished_at:
                seconds = max(1, round((run.finished_at - run.started_at).total_seconds()))
                parts.append(ngettext("{n} second", "{n} seconds", seconds))
            ui.label(" · ".join(parts)).classes("sub")
            if run.error:
                text_element("div", failure(run), "sub").style("color:var(--err)")
        chip(_(text), tone)


def _no_runs(words: str) -> None:
    empty_state("sync", _("Not read yet"), _("The first crawl waits for its turn."))


async def _pages(website_id: UUID, words: str, cursor: str | None) -> Page[DocumentView]:
    here = visit()
    return await here.services.knowledge.documents(here.actor, website_id, search=words, limit=25, cursor=cursor)


def _page_row(view: DocumentView) -> None:
    document = view.document
    with box("rowline").props("role=listitem"):
        icon("description")
        with link_box(f"/documents/{document.id}", "grow") as link:
            link.style("text-decoration:none;color:inherit")
            ui.label(document.title).classes("name")
            ui.label(document.url or "").classes("sub").style("overflow-wrap:anywhere")
        ui.label(size(view.version.size)).classes("muted small")


def _no_pages(words: str) -> None:
    if words:
        empty_state("search_off", _("Nothing was found."), _("Try other words."))
    else:
        empty_state("description", _("No pages yet"), _("They appear while the website is read."))


async def crawl_log(run_id: str) -> None:
    """What a crawl did with each page, and why."""
    here, key = visit(), identifier(run_id)
    run = await here.services.websites.run(here.actor, key)
    view = await here.services.websites.get(here.actor, run.website_id)
    here.space_id = view.access.space.id

    async def fetch(words: str, cursor: str | None) -> Page[CrawlPage]:
        states = {"": (), "taken": TAKEN}.get(chosen.value, (chosen.value,))
        return await here.services.websites.log(here.actor, key, states=states, cursor=cursor)

    with box("page"):
        back = (view.website.title, f"/websites/{view.website.id}")
        title = _("Crawl of {moment}", moment=moment(run.started_at or run.created_at))
        with page_head(title, " · ".join(told(run.counts)), back=back):
            names = {
                "": _("All pages"),
                "taken": _("Taken"),
                **{s: _(text) for s, (text, _tone) in PAGE_STATES.items()},
            }
            chosen = ui.select(names, value="").props("outlined dense options-dense").style("min-width:180px")
            chosen.props["aria-label"] = _("What became of the pages")
        if run.error:
            note(failure(run), "bad", icon_name="error_outline")
        lines = PagedList(fetch, _line, empty=lambda _words: _no_lines())
        chosen.on_value_change(act(lambda: lines.restart()))
        await lines.refresh()

    async def changed(news: News) -> None:
        if news.kind == "resync" or news.data.get("run") == str(key):
            await lines.soon()

    here.listen(f"space:{view.website.space_id}", changed)


def _line(line: CrawlPage) -> None:
    text, tone = PAGE_STATES[line.state]
    with box("rowline").props("role=listitem"):
        with box("grow"):
            if line.document_id and line.state in TAKEN:
                with link_box(f"/documents/{line.document_id}", "name"):
                    ui.label(line.title or line.url)
            else:
                ui.label(line.title or line.url).classes("name").style("overflow-wrap:anywhere")
            ui.label(line.url).classes("sub").style("overflow-wrap:anywhere")
            if line.reason:
                said = _(REASONS[line.reason], detail=_(line.detail or ""))
                text_element("div", said, "sub").style("overflow-wrap:anywhere")
        chip(_(text), tone)


def _no_lines() -> None:
    empty_state("list_alt", _("Nothing here"), _("The log of older crawls is not kept; or no page fits."))
