"""Websites and their crawls."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api import present, present_models, wire
from app.api.base import Caller, Use, moments
from domain.kernel.errors import Failure
from domain.kernel.paging import Page
from domain.websites.entities import TAKEN, CrawlPage, CrawlRun, PageState, RunState
from domain.websites.schedule import given_up
from domain.websites.service import WebsiteView
from pages.i18n import reason

router = APIRouter(prefix="/api/v1/websites", tags=["websites"])
crawl_runs = APIRouter(prefix="/api/v1/crawl-runs", tags=["crawl-runs"])
of_space = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])
STATES = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "in progress",
    RunState.DONE: "complete",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "failed",
}
SETTINGS = (
    "name", "url", "crawl_type", "download_files", "run_scripts", "update_interval", "update_time", "include", "exclude",
    "max_depth",
    "max_pages", "delay", "concurrency", "last_crawled_at", "next_crawl_at", "consecutive_failures",
)  # fmt: skip


def figures(counts: Mapping[str, int]) -> dict[str, int]:
    """Pages and files of a crawl, as older clients count them."""
    files, files_failed = counts.get("files", 0), counts.get("files_failed", 0)
    return {
        "pages_crawled": sum(counts.get(state, 0) for state in TAKEN) - files,
        "files_downloaded": files,
        "pages_failed": counts.get(PageState.FAILED, 0) - files_failed,
        "files_failed": files_failed,
    }


def run_public(run: CrawlRun, language: str) -> dict[str, Any]:
    """A crawl."""
    error = reason(run, language)
    return {
        **moments(run),
        **figures(run.counts),
        "failure_summary": run.failures or None,
        "status": STATES[RunState(run.state)],
        "result_location": error or f"/api/v1/websites/{run.website_id}/info-blobs/",
        "finished_at": run.finished_at,
        "website_id": run.website_id,
        "job_id": run.job_id,
        "state": run.state,
        "scheduled": run.scheduled,
        "counts": run.counts,
        "complete": run.complete,
        "error": error,
    }


def website_public(view: WebsiteView, language: str) -> dict[str, Any]:
    """A website without its password."""
    website = view.website
    return {
        **moments(website),
        **{name: getattr(website, name) for name in SETTINGS},
        "permissions": present.names(view.permissions),
        "shared_from": view.origin.name if view.origin else None,
        "space_id": website.space_id,
        "latest_crawl": run_public(view.latest, language) if view.latest else None,
        "embedding_model": present_models.embedding_model(view.choice),
        "metadata": {"size": view.size.size, "num_info_blobs": view.size.documents},
        "requires_http_auth": website.http_auth_secret is not None,
        "next_retry_at": website.retries_at,
        "is_auto_disabled": given_up(website),
    }


def line_public(line: CrawlPage) -> dict[str, Any]:
    """A line of a crawl's log."""
    fields = ("url", "title", "depth", "state", "reason", "detail", "status", "size", "is_file", "document_id")
    return {"id": line.id, **{name: getattr(line, name) for name in fields}}


@of_space.post("/{id}/knowledge/websites/", response_model=wire.WebsitePublic, status_code=201)
async def create_in_space(id: UUID, body: wire.WebsiteCreate, actor: Caller, use: Use) -> Any:
    """Add a website to a space; it is read at once."""
    model_id = body.embedding_model.id if body.embedding_model else None
    return website_public(await use.websites.create(actor, id, body.named(), model_id), actor.language)


@of_space.post("/{id}/knowledge/websites/preview/", response_model=wire.WebsitePreview)
async def preview(id: UUID, body: wire.WebsitePreviewRequest, actor: Caller, use: Use) -> Any:
    """Look at a website before it is added: its first pages, and what would be followed. Nothing is stored."""
    found = await use.website_preview.look(actor, id, body.named())
    names = ("url", "title", "text", "characters", "reason", "detail")
    return {
        "pages": [{name: getattr(page, name) for name in names} for page in found.pages],
        "follows": found.follows,
        "leaves": [{"url": url, "reason": reason} for url, reason in found.leaves],
        "sitemaps": found.sitemaps,
    }


@router.get("/", response_model=wire.PageOfWebsitePublic, deprecated=True)
async def mine(actor: Caller, use: Use, for_tenant: bool = False) -> Any:
    """The websites of all the caller's spaces."""
    accesses = [view.access for view in await use.spaces.mine(actor)]
    return present.page(
        [website_public(found, actor.language) for found in await use.websites.in_each(actor, accesses)]
    )


@router.post("/", response_model=wire.WebsitePublic, deprecated=True)
async def create(body: wire.WebsiteCreateRequestDeprecated, actor: Caller, use: Use) -> Any:
    """A website, in one's personal space unless another is named. Prefer POST /spaces/{id}/knowledge/websites/."""
    space_id = body.space_id or (await use.spaces.personal(actor)).space.id
    return website_public(
        await use.websites.create(actor, space_id, body.named(), body.embedding_model.id), actor.language
    )


@router.post("/bulk/run/", response_model=wire.BulkCrawlResponse)
async def crawl_many(body: wire.BulkCrawlRequest, actor: Caller, use: Use) -> Any:
    """Read up to 50 websites now, each for itself."""
    started = await use.websites.crawl_many(actor, body.website_ids)
    errors = [{"website_id": str(each), "error": failure.text()} for each, failure in started.failures.items()]
    return {
        "total": len(started.runs) + len(errors),
        "queued": len(started.runs),
        "failed": len(errors),
        "crawl_runs": [run_public(run, actor.language) for run in started.runs],
        "errors": errors,
    }


@router.get("/check-url/", response_model=wire.WebsiteExistsResponse | None)
async def check_url(url: str, actor: Caller, use: Use) -> Any:
    """The website of the organisation's space with this address, if there is one; else null."""
    try:
        found = await use.websites.with_url(actor, url)
    except Failure:
        return None
    if found is None:
        return None
    website, latest = found.website, found.latest
    return {
        "website_id": website.id,
        "space_id": website.space_id,
        "space_name": found.space_name,
        "url": website.url,
        "name": website.name,
        "update_interval": website.update_interval,
        "last_crawled_at": website.last_crawled_at,
        **(figures(latest.counts) if latest else {}),
        "crawl_status": STATES[RunState(latest.state)] if latest else None,
    }


@router.get("/{id}/", response_model=wire.WebsitePublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A website."""
    return website_public(await use.websites.get(actor, id), actor.language)


@router.post("/{id}/", response_model=wire.WebsitePublic)
async def update(id: UUID, body: wire.WebsiteUpdate, actor: Caller, use: Use) -> Any:
    """Change a website; what is not named stays. The next crawl reads it so."""
    return website_public(await use.websites.update(actor, id, body.named()), actor.language)


@router.delete("/{id}/")
async def delete(id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a website with everything read from it."""
    await use.websites.delete(actor, id)
    return {"id": id, "deletion_info": {"success": True}}


@router.post("/{id}/run/", response_model=wire.CrawlRunPublic2)
async def crawl(id: UUID, actor: Caller, use: Use) -> Any:
    """Read a website now."""
    return run_public(await use.websites.crawl(actor, id), actor.language)


@router.post("/{id}/stop/", response_model=wire.CrawlRunPublic2)
async def stop(id: UUID, actor: Caller, use: Use) -> Any:
    """Stop the crawl that goes on; what it has read stays."""
    return run_public(await use.websites.stop(actor, id), actor.language)


@router.post("/{id}/transfer/", status_code=204, response_class=Response)
async def transfer(id: UUID, body: wire.TransferRequest, actor: Caller, use: Use) -> None:
    """Move a website to another space."""
    await use.websites.move(actor, id, body.target_space_id)


@router.get("/{id}/runs/", response_model=wire.PageOfCrawlRunPublic)
async def runs(
    id: UUID, actor: Caller, use: Use, limit: Annotated[int | None, Query(ge=1)] = None, cursor: str | None = None
) -> Any:
    """The crawls of a website, newest first."""
    return _paged(
        await use.websites.runs(actor, id, limit=limit, cursor=cursor), partial(run_public, language=actor.language)
    )


@router.get("/{id}/info-blobs/", response_model=wire.PageOfInfoBlobPublicNoText)
async def documents(
    id: UUID,
    actor: Caller,
    use: Use,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
    search: str = "",
) -> Any:
    """The pages and files read from a website."""
    await use.websites.get(actor, id)
    page = await use.knowledge.documents(actor, id, search=search, limit=limit or 200, cursor=cursor)
    return _paged(page, partial(present.document, language=actor.language))


@crawl_runs.get("/{id}/", response_model=wire.CrawlRunPublic2)
async def run(id: UUID, actor: Caller, use: Use) -> Any:
    """A crawl."""
    return run_public(await use.websites.run(actor, id), actor.language)


@crawl_runs.get("/{id}/pages/", response_model=wire.PageOfCrawlPagePublic)
async def log(
    id: UUID,
    actor: Caller,
    use: Use,
    state: Annotated[list[PageState] | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Any:
    """What a crawl did with each page, and why."""
    return _paged(await use.websites.log(actor, id, states=state or (), limit=limit, cursor=cursor), line_public)


def _paged(page: Page[Any], shown: Any) -> dict[str, Any]:
    return present.page([shown(each) for each in page.items], next_cursor=page.next_cursor, total_count=page.total)
