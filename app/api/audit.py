"""The audit log: leave to read it, entries, exports, switches, retention."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api import present, wire
from app.api.base import Caller, Use, moments
from app.api.errors import language_of
from app.auth.caller import is_secure
from domain.audit.catalogue import CATALOGUE, CATEGORY_NAMES, Category, recorded
from domain.audit.entities import AuditEntry, AuditTrail
from domain.audit.export import FORMATS, metadata
from domain.audit.repository import AuditFilter
from domain.audit.service import ACCESS_LIFE, MAX_PAGE, MAX_RECORDS, ExportView
from domain.jobs.entities import JobState
from domain.kernel.actor import Permission
from domain.kernel.errors import NotFound
from domain.kernel.paging import Page
from pages.i18n import reason, translate

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
COOKIE = "audit_session_id"
STATES = {
    JobState.QUEUED: "pending",
    JobState.RUNNING: "processing",
    JobState.DONE: "completed",
    JobState.FAILED: "failed",
    JobState.DEAD: "failed",
    JobState.CANCELLED: "cancelled",
}


def leave_of(request: Request) -> str | None:
    """The token that a client got for its reason, empty when it has none.

    None on our own pages, where the reason was given in the browser's session.
    """
    token = request.cookies.get(COOKIE)
    return token if "authorization" not in request.headers else token or ""


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _actions(action: str | None, actions: Sequence[str] | None) -> tuple[str, ...]:
    named = [part.strip() for text in actions or () for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in (action or "", *named) if part))


@router.post("/access-session", response_model=wire.AccessJustificationResponse)
async def open_access(
    body: wire.AccessJustificationRequest, request: Request, response: Response, actor: Caller, use: Use
) -> Any:
    """Say why the log is read; opens it for an hour."""
    token = await use.audit.open_access(actor, body.category, body.description)
    response.set_cookie(
        COOKIE, token, max_age=int(ACCESS_LIFE.total_seconds()), path="/api/v1", secure=is_secure(request), httponly=True,
        samesite="lax",
    )  # fmt: skip
    return {"status": "success", "message": None}


@router.delete("/access-session/rate-limit", status_code=204, response_class=Response)
async def reset_rate_limit(actor: Caller) -> None:
    """Only test installations of the reference have this."""
    actor.require(Permission.ADMIN)
    raise NotFound


@router.get("/logs", response_model=wire.AuditLogListResponse)
async def logs(
    request: Request,
    actor: Caller,
    use: Use,
    actor_id: UUID | None = None,
    action: str | None = None,
    actions: Annotated[list[str] | None, Query()] = None,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
    search: str | None = None,
    entity_type: str | None = None,
    entity_id: UUID | None = None,
    outcome: str | None = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: str | None = None,
) -> Any:
    """Entries, newest first: by page number, or further from `next_cursor`."""
    wanted = AuditFilter(
        actor_id=actor_id, actions=_actions(action, actions), since=_aware(from_date), until=_aware(to_date),
        search=(search or "").strip(), entity_type=entity_type, entity_id=entity_id, outcome=outcome,
    )  # fmt: skip
    offset = 0 if cursor else (page - 1) * page_size
    found = await use.audit.page(actor, wanted, token=leave_of(request), limit=page_size, cursor=cursor, offset=offset)
    return _listed(found, page, page_size)


@router.get("/logs/user/{user_id}", response_model=wire.AuditLogListResponse)
async def logs_of_user(
    user_id: UUID,
    request: Request,
    actor: Caller,
    use: Use,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: str | None = None,
) -> Any:
    """What somebody did, and what was done to them."""
    wanted = AuditFilter(about=user_id, since=_aware(from_date), until=_aware(to_date))
    offset = 0 if cursor else (page - 1) * page_size
    found = await use.audit.page(actor, wanted, token=leave_of(request), limit=page_size, cursor=cursor, offset=offset)
    return _listed(found, page, page_size)


def _listed(found: Page[AuditEntry], page: int, page_size: int) -> dict[str, Any]:
    total = found.total or 0
    return {
        "logs": [present_entry(entry) for entry in found.items],
        "total_count": total,
        "page": page,
        "page_size": page_size,
        "total_pages": -(-total // page_size),
        "next_cursor": found.next_cursor,
    }


def present_entry(entry: AuditEntry) -> dict[str, Any]:
    """An entry as clients read it."""
    return {
        **moments(entry),
        "tenant_id": entry.tenant_id,
        "actor_id": entry.actor_id,
        "actor_type": entry.actor_kind,
        "action": entry.action,
        "entity_type": entry.entity_type,
        "entity_id": entry.entity_id or entry.tenant_id,
        "timestamp": entry.created_at,
        "description": entry.description,
        "metadata": metadata(entry),
        "outcome": entry.outcome,
        "error_message": entry.error,
        "ip_address": entry.ip,
        "user_agent": entry.user_agent,
        "request_id": entry.request_id,
        "deleted_at": None,
    }


@router.get("/logs/export", response_class=Response)
async def export(
    request: Request,
    actor: Caller,
    use: Use,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    action: str | None = None,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
    format: str = "csv",
    max_records: int | None = None,
) -> Response:
    """The entries as a file: csv, json or jsonl."""
    kind = format if format in FORMATS else "csv"
    wanted = AuditFilter(
        about=user_id, actor_id=actor_id, actions=_actions(action, None), since=_aware(from_date), until=_aware(to_date)
    )
    made = await use.audit.export(actor, wanted, kind, max_records, token=leave_of(request))
    headers = {
        "X-Total-Records": str(made.total),
        "X-Records-Truncated": str(made.truncated).lower(),
        "X-Max-Records-Limit": str(MAX_RECORDS),
    }
    return _file(made.stream, kind, headers)


def _file(stream: AsyncIterator[bytes], kind: str, headers: dict[str, str]) -> StreamingResponse:
    named = {"Content-Disposition": f'attachment; filename="audit-log.{kind}"', "Cache-Control": "no-store"}
    return StreamingResponse(stream, media_type=FORMATS[kind], headers=headers | named)


@router.post("/logs/export/async", response_model=wire.ExportJobResponse)
async def start_export(body: wire.ExportJobRequest, request: Request, actor: Caller, use: Use) -> Any:
    """Let a job make the file."""
    wanted = AuditFilter(
        about=body.user_id, actor_id=body.actor_id, actions=_actions(body.action, None), since=_aware(body.from_date),
        until=_aware(body.to_date),
    )  # fmt: skip
    view = await use.audit.start_export(actor, wanted, body.format, body.max_records, token=leave_of(request))
    return {"job_id": view.job.id, "status": STATES[JobState(view.job.state)], "message": None}


@router.get("/logs/export/{job_id}/status", response_model=wire.ExportJobStatusResponse)
async def export_status(job_id: UUID, request: Request, actor: Caller, use: Use) -> Any:
    """How far an export has come."""
    view = await use.audit.export_status(actor, job_id)
    return _status(view, language_of(request))


@router.post("/logs/export/{job_id}/cancel", response_model=wire.ExportJobStatusResponse)
async def cancel_export(job_id: UUID, request: Request, actor: Caller, use: Use) -> Any:
    """Stop an export."""
    view = await use.audit.cancel_export(actor, job_id)
    return _status(view, language_of(request))


def _status(view: ExportView, language: str) -> dict[str, Any]:
    export, job = view.export, view.job
    done = job.state == JobState.DONE
    progress = 100 if done else min(99, export.processed * 100 // max(1, export.total))
    return {
        "job_id": job.id,
        "status": STATES[JobState(job.state)],
        "progress": progress,
        "total_records": export.total,
        "processed_records": export.processed,
        "format": export.format,
        "file_size_bytes": export.size,
        "error_message": reason(job, language),
        "download_url": job.result_location if done else None,
        "created_at": export.created_at,
        "started_at": export.started_at,
        "completed_at": job.finished_at,
        "expires_at": export.expires_at,
    }


@router.get("/logs/export/{job_id}/download", response_class=Response)
async def download_export(job_id: UUID, request: Request, actor: Caller, use: Use) -> Response:
    """The file of an export that is ready."""
    made, stream = await use.audit.download(actor, job_id, token=leave_of(request))
    return _file(stream, made.format, {"Content-Length": str(made.size)})


@router.get("/retention-policy", response_model=wire.RetentionPolicyResponse)
async def retention_policy(actor: Caller, use: Use) -> Any:
    """For how many days entries are kept."""
    return _policy(await use.audit.settings(actor))


@router.put("/retention-policy", response_model=wire.RetentionPolicyResponse)
async def set_retention_policy(body: wire.RetentionPolicyUpdateRequest, actor: Caller, use: Use) -> Any:
    """Keep entries for another number of days."""
    return _policy(await use.audit.set_retention(actor, body.retention_days))


def _policy(trail: AuditTrail) -> dict[str, Any]:
    return {
        "tenant_id": trail.tenant_id,
        "retention_days": trail.retention_days,
        "last_purge_at": trail.last_purge_at,
        "purge_count": trail.purge_count,
        "created_at": trail.created_at,
        "updated_at": trail.updated_at,
    }


@router.get("/config", response_model=wire.AuditConfigResponse)
async def config(request: Request, actor: Caller, use: Use) -> Any:
    """The categories and whether they are recorded."""
    return _categories(await use.audit.settings(actor), language_of(request))


@router.patch("/config", response_model=wire.AuditConfigResponse)
async def set_config(body: wire.AuditConfigUpdateRequest, request: Request, actor: Caller, use: Use) -> Any:
    """Switch categories. What is always recorded stays so."""
    changes = {update.category: update.enabled for update in body.updates}
    return _categories(await use.audit.set_categories(actor, changes), language_of(request))


def _categories(trail: AuditTrail, language: str) -> dict[str, Any]:
    def one(category: Category) -> dict[str, Any]:
        actions = [kind.action for kind in CATALOGUE.values() if kind.category is category]
        return {
            "category": category,
            "enabled": trail.categories.get(category, True),
            "description": translate(CATEGORY_NAMES[category], language),
            "action_count": len(actions),
            "example_actions": actions[:3],
        }

    return {"categories": [one(category) for category in Category]}


@router.get("/config/actions", response_model=wire.ActionConfigResponse)
async def action_config(actor: Caller, use: Use) -> Any:
    """Every action and whether it is recorded."""
    return _action_list(await use.audit.settings(actor))


@router.patch("/config/actions", response_model=wire.ActionConfigResponse)
async def set_action_config(body: wire.ActionConfigUpdateRequest, actor: Caller, use: Use) -> Any:
    """Switch single actions, except those that are always recorded."""
    changes = {update.action: update.enabled for update in body.updates}
    return _action_list(await use.audit.set_actions(actor, changes))


def _action_list(trail: AuditTrail) -> dict[str, Any]:
    return {
        "actions": [
            {
                "action": kind.action,
                "enabled": recorded(kind.action, trail.enabled, trail.categories, trail.actions),
                "category": kind.category,
                "name_sv": translate(kind.name, "sv"),
                "description_sv": translate(CATEGORY_NAMES[kind.category], "sv"),
                "name_en": kind.name,
                "description_en": CATEGORY_NAMES[kind.category],
                "always": kind.core,
            }
            for kind in CATALOGUE.values()
        ]
    }


@router.post("/verify", response_model=wire.AuditCheck)
async def verify(request: Request, actor: Caller, use: Use) -> Any:
    """Whether the log is whole and unaltered."""
    findings = await use.audit.check(actor)
    language = language_of(request)
    faults = [{"message": translate(fault.message, language, **fault.params)} for fault in findings.faults]
    return {"intact": not faults, "checked": findings.checked, "faults": faults}


def history_page(page: Page[AuditEntry]) -> dict[str, Any]:
    """The history of one thing."""
    items = [
        {
            "id": entry.id,
            "timestamp": entry.created_at,
            "actor_id": entry.actor_id,
            "actor": entry.actor_name,
            "action": entry.action,
            "changes": metadata(entry)["changes"],
        }
        for entry in page.items
    ]
    return present.page(items, next_cursor=page.next_cursor)
