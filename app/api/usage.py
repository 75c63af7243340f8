"""The usage ledger as the API shows it: added up, call by call, as CSV; and the older routes about tokens."""

from dataclasses import asdict
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from app.api import present, wire
from app.api.base import Caller, Use
from domain.kernel.actor import Actor, Permission
from domain.kernel.paging import MAX_LIMIT
from domain.models.money import to_decimal
from domain.services import Services
from domain.usage.entities import Grouping, ModelCall, UsageQuery, Used, UsedBy

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])
tokens = APIRouter(prefix="/api/v1/token-usage", tags=["token-usage"])
of_space = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
FURTHEST = 100_000
"""The last page that can be asked for by its number."""


class UserSortBy(StrEnum):
    """What users are sorted by."""

    TOTAL_TOKENS = "total_tokens"
    INPUT_TOKENS = "total_input_tokens"
    OUTPUT_TOKENS = "total_output_tokens"
    REQUESTS = "total_requests"
    USERNAME = "username"


ORDERS = {
    UserSortBy.TOTAL_TOKENS: "tokens", UserSortBy.INPUT_TOKENS: "tokens_in", UserSortBy.OUTPUT_TOKENS: "tokens_out",
    UserSortBy.REQUESTS: "calls", UserSortBy.USERNAME: "name",
}  # fmt: skip


async def _query(
    use: Use,
    since: date | None = None,
    until: date | None = None,
    space_id: UUID | None = None,
    assistant_id: UUID | None = None,
    user_id: UUID | None = None,
    model_id: UUID | None = None,
) -> UsageQuery:
    return use.usage.query(
        since, until, space_id=space_id, assistant_id=assistant_id, user_id=user_id, model_id=model_id
    )


Wanted = Annotated[UsageQuery, Depends(_query)]


def used(found: Used) -> dict[str, Any]:
    """What calls add up to, in whole units of the currency."""
    return {**asdict(found), "cost": None if found.cost is None else to_decimal(found.cost)}


def _used_by(found: UsedBy) -> dict[str, Any]:
    return {"key": found.key, "name": found.name, **used(found.used)}


async def _report(use: Services, actor: Actor, query: UsageQuery, group: Grouping) -> dict[str, Any]:
    return {
        "since": query.since,
        "until": query.until,
        "group": group,
        "total": used(await use.usage.total(actor, query)),
        "items": [_used_by(each) for each in await use.usage.by(actor, group, query)],
    }


@router.get("/", response_model=wire.UsagePublic)
async def usage(actor: Caller, use: Use, query: Wanted, group: Grouping = Grouping.MODEL) -> Any:
    """What calls of models add up to, for each day, model, space, assistant or user; the 200 largest.

    For administrators; whoever runs a space may name it, and everybody themselves.
    """
    return await _report(use, actor, query, group)


@router.get("/mine/", response_model=wire.UsagePublic)
async def mine(
    actor: Caller, use: Use, since: date | None = None, until: date | None = None, group: Grouping = Grouping.MODEL
) -> Any:
    """What the caller's own calls add up to."""
    return await _report(use, actor, use.usage.query(since, until, user_id=actor.user_id), group)


@router.get("/calls/", response_model=wire.PageOfModelCall)
async def calls(actor: Caller, use: Use, query: Wanted, limit: Limit = 50, cursor: str | None = None) -> Any:
    """The calls themselves, the newest first. For administrators; everybody may name themselves."""
    page = await use.usage.calls(actor, query, limit=limit, cursor=cursor)
    return present.page([_call(call) for call in page.items], next_cursor=page.next_cursor)


def _call(call: ModelCall) -> dict[str, Any]:
    shown = {name: getattr(call, name) for name in wire.ModelCallPublic.model_fields}
    return {**shown, "cost": None if call.cost is None else to_decimal(call.cost)}


@router.get("/export/", response_class=StreamingResponse)
async def export(actor: Caller, use: Use, query: Wanted) -> StreamingResponse:
    """The calls as CSV, for administrators. Recorded in the audit log."""
    lines = await use.usage.export(actor, query)
    name = f"usage-{query.since}-{query.until}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@of_space.get("/{id}/usage/", response_model=wire.UsagePublic)
async def space_usage(
    id: UUID,
    actor: Caller,
    use: Use,
    since: date | None = None,
    until: date | None = None,
    group: Grouping = Grouping.MODEL,
) -> Any:
    """What a space has used, for those who run it."""
    await use.usage.space(actor, id)
    return await _report(use, actor, use.usage.query(since, until, space_id=id), group)


# The routes that existing clients know


def _days(use: Services, start: datetime | None, end: datetime | None, **ids: UUID) -> UsageQuery:
    return use.usage.query(start.date() if start else None, end.date() if end else None, **ids)


def _period(query: UsageQuery) -> dict[str, datetime]:
    return {
        "start_date": datetime.combine(query.since, time.min, UTC),
        "end_date": datetime.combine(query.until, time.max, UTC),
    }


async def _models(use: Services, actor: Actor, query: UsageQuery) -> list[dict[str, Any]]:
    return [
        {
            "model_id": each.key,
            "model_name": each.name,
            "model_nickname": each.name,
            "model_provider": each.about,
            "input_token_usage": each.used.tokens_in,
            "output_token_usage": each.used.tokens_out,
            "total_token_usage": each.used.tokens,
            "request_count": each.used.calls,
        }
        for each in await use.usage.by(actor, Grouping.MODEL, query)
    ]


async def _summary(use: Services, actor: Actor, query: UsageQuery) -> dict[str, Any]:
    total = await use.usage.total(actor, query)
    return {
        **_period(query),
        "models": await _models(use, actor, query),
        "total_input_token_usage": total.tokens_in,
        "total_output_token_usage": total.tokens_out,
        "total_token_usage": total.tokens,
    }


def _totals(found: Used) -> dict[str, int]:
    return {
        "total_input_tokens": found.tokens_in,
        "total_output_tokens": found.tokens_out,
        "total_tokens": found.tokens,
        "total_requests": found.calls,
    }


@tokens.get("/", response_model=wire.TokenUsageSummary)
async def token_usage(
    actor: Caller, use: Use, start_date: datetime | None = None, end_date: datetime | None = None
) -> Any:
    """Tokens of each model; without dates of the last thirty days. For administrators."""
    actor.require(Permission.ADMIN)
    return await _summary(use, actor, _days(use, start_date, end_date))


@tokens.get("/users", response_model=wire.UserTokenUsageSummary)
async def users_token_usage(
    actor: Caller,
    use: Use,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    page: Annotated[int, Query(ge=1, le=FURTHEST)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 15,
    sort_by: UserSortBy = UserSortBy.TOTAL_TOKENS,
    sort_order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
) -> Any:
    """Tokens of each user, for administrators."""
    actor.require(Permission.ADMIN)
    query, up = _days(use, start_date, end_date), sort_order == "asc"
    found = await use.usage.by(
        actor, Grouping.USER, query, limit=per_page, offset=(page - 1) * per_page, order=ORDERS[sort_by], up=up
    )
    return {
        **_period(query),
        "users": [
            {"user_id": each.key, "username": each.about, "email": each.name, **_totals(each.used)} for each in found
        ],
        "total_users": await use.usage.count_by(actor, Grouping.USER, query),
        **_totals(await use.usage.total(actor, query)),
    }


@tokens.get("/users/{user_id}/summary", response_model=wire.UserTokenUsageSummaryDetail)
async def user_summary(
    user_id: UUID, actor: Caller, use: Use, start_date: datetime | None = None, end_date: datetime | None = None
) -> Any:
    """Tokens of one user, for administrators."""
    user = await use.usage.user(actor, user_id)
    query = _days(use, start_date, end_date, user_id=user_id)
    about = {"user_id": user.id, "username": user.username or "", "email": user.email}
    totals = _totals(await use.usage.total(actor, query))
    return {"user": {**about, **totals, "models_used": await _models(use, actor, query)}}


@tokens.get("/users/{user_id}", response_model=wire.TokenUsageSummary)
async def user_token_usage(
    user_id: UUID, actor: Caller, use: Use, start_date: datetime | None = None, end_date: datetime | None = None
) -> Any:
    """Tokens of one user by model, for administrators."""
    await use.usage.user(actor, user_id)
    return await _summary(use, actor, _days(use, start_date, end_date, user_id=user_id))
