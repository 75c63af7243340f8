"""What the organisation stores, and its privacy policy."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api import present, wire
from app.api.base import Caller, Use, moments
from domain.kernel.paging import MAX_LIMIT
from domain.knowledge.limits import KnowledgeLimit
from domain.knowledge.repository import Amount

router = APIRouter(prefix="/api/v1/storage", tags=["storage"])
admin = APIRouter(prefix="/api/v1/admin", tags=["admin"])


@router.get("/", response_model=wire.StorageModel)
async def storage(actor: Caller, use: Use) -> Any:
    """Bytes of documents of the organisation, for administrators."""
    found, counts = await use.organisation.storage(actor), await use.limits.organisation(actor)
    return {
        "documents": counts.amount.documents, "passages": counts.amount.passages, "limits": _limits(counts.limit),
        "total_used": found.used, "personal_used": found.personal, "shared_used": found.shared, "limit": found.limit
    }  # fmt: skip


@router.get("/spaces/", response_model=wire.StorageInfoModel)
async def spaces(
    actor: Caller,
    use: Use,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    cursor: str | None = None,
    sort: Literal["name", "size"] = "name",
) -> Any:
    """The shared spaces with what each stores, in order of name or the largest first, for administrators."""
    page = await use.organisation.spaces(actor, limit=limit, cursor=cursor, largest=sort == "size")
    limits = await use.limits.of(actor, [each.space.id for each in page.items])
    items = [
        {
            **moments(each.space),
            "limits": _limits(limits.get(each.space.id)),
            "update_at": each.space.updated_at,
            "name": each.space.name,
            **_amount(each.amount),
            "limit": each.space.quota_limit,
            "members": [{**present.user_sparse(user), "role": member.role} for member, user in each.members],
        }
        for each in page.items
    ]
    return present.page(items, next_cursor=page.next_cursor)


def _amount(held: Amount) -> dict[str, int]:
    return {"size": held.bytes, "documents": held.documents, "passages": held.passages}


@router.get("/people/", response_model=wire.StoragePeople)
async def people(
    actor: Caller, use: Use, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT, cursor: str | None = None
) -> Any:
    """Those who have stored documents, in whatever space, most bytes first, for administrators."""
    page = await use.organisation.owners(actor, limit=limit, cursor=cursor)
    limits = await use.limits.of(actor, [user.id for user, _held in page.items])
    items = [
        {
            **present.user_sparse(user),
            **_amount(held),
            "limit": user.quota_limit,
            "limits": _limits(limits.get(user.id)),
        }
        for user, held in page.items
    ]
    return present.page(items, next_cursor=page.next_cursor)


def _limits(limit: KnowledgeLimit | None) -> dict[str, int | None]:
    return {"documents": limit.documents if limit else None, "passages": limit.passages if limit else None}


@router.put("/limits/", response_model=wire.KnowledgeLimits)
async def set_limits(body: wire.KnowledgeLimitsUpdate, actor: Caller, use: Use) -> Any:
    """Say how many documents and passages a space or a person may hold, or the organisation. For administrators."""
    await use.limits.set(
        actor, space_id=body.space_id, user_id=body.user_id, documents=body.documents, passages=body.passages
    )
    return {"documents": body.documents, "passages": body.passages}


class SpaceLimit(BaseModel):
    """How many bytes of documents a space may hold; null for no limit of its own."""

    limit: int | None


@router.put("/spaces/{id}/", response_model=SpaceLimit)
async def set_space_limit(id: UUID, body: SpaceLimit, actor: Caller, use: Use) -> Any:
    """Say how many bytes of documents a space may hold, for administrators."""
    return SpaceLimit(limit=(await use.organisation.set_space_limit(actor, id, body.limit)).quota_limit)


@admin.post("/privacy-policy/", response_model=wire.TenantPublic)
async def privacy_policy(body: wire.PrivacyPolicy, actor: Caller, use: Use) -> Any:
    """Say where the organisation's privacy policy is."""
    return present.tenant_public(await use.organisation.set_privacy_policy(actor, body.url))
