"""Service accounts of the organisation."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api import present, wire
from app.api.api_keys import draft_of
from app.api.base import Caller, Use
from domain.kernel.paging import MAX_LIMIT

router = APIRouter(prefix="/api/v1/admin/service-accounts", tags=["service-accounts"])


@router.get("/", response_model=wire.PageOfServiceAccountPublic)
async def accounts(
    actor: Caller,
    use: Use,
    search: str = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Any:
    """The service accounts in order of name."""
    page = await use.service_accounts.page(actor, search=search, limit=limit, cursor=cursor)
    items = [present.service_account(view) for view in page.items]
    return present.page(items, next_cursor=page.next_cursor, total_count=page.total)


@router.post("/", response_model=wire.ServiceAccountPublic, status_code=201)
async def create(body: wire.ServiceAccountCreateRequest, actor: Caller, use: Use) -> Any:
    """A new service account. It cannot sign in; make keys for it."""
    made = await use.service_accounts.create(actor, body.name, description=body.description, roles=body.roles)
    return present.service_account(made)


@router.get("/{id}/", response_model=wire.ServiceAccountPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A service account."""
    return present.service_account(await use.service_accounts.get(actor, id))


@router.patch("/{id}/", response_model=wire.ServiceAccountPublic)
async def update(id: UUID, body: wire.ServiceAccountUpdateRequest, actor: Caller, use: Use) -> Any:
    """Change a service account. What is not named stays."""
    return present.service_account(await use.service_accounts.update(actor, id, body.named()))


@router.delete("/{id}/", response_model=wire.ServiceAccountPublic)
async def delete(id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a service account; its keys end at once."""
    return present.service_account(await use.service_accounts.delete(actor, id))


@router.post("/{id}/api-keys/", response_model=wire.ApiKeyIssued, status_code=201)
async def create_key(id: UUID, body: wire.ApiKeyCreateRequest, actor: Caller, use: Use) -> Any:
    """A new key for a service account. GET /api-keys/?owner_id=… lists them."""
    return present.issued_key(await use.api_keys.create_for_service_account(actor, id, draft_of(body)))
