"""API keys: one's own, those of assistants and service accounts, and the organisation's rules about them."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api import present, wire
from app.api.base import Caller, CallerOnOwnPage, Use
from domain.api_keys.service import KeyDraft, KeyView
from domain.kernel.paging import MAX_LIMIT, Page

router = APIRouter(prefix="/api/v1/api-keys", tags=["api-keys"])
own = APIRouter(prefix="/api/v1/users", tags=["users"])
of_assistants = APIRouter(prefix="/api/v1/assistants", tags=["assistants"])
rules = APIRouter(prefix="/api/v1/admin/api-key-rules", tags=["api-keys"])
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def draft_of(body: wire.ApiKeyCreateRequest) -> KeyDraft:
    """What is asked for; only an explicit null asks for a key without end."""
    endless = body.expires_at is None and "expires_at" in body.model_fields_set
    return KeyDraft(body.name, body.scopes, body.expires_at, endless, body.networks, body.requests_per_minute)


def key_page(page: Page[KeyView]) -> dict[str, Any]:
    """A page of keys."""
    items = [present.api_key(view) for view in page.items]
    return present.page(items, next_cursor=page.next_cursor, total_count=page.total)


@router.get("/", response_model=wire.PageOfApiKeyPublic)
async def keys(
    actor: Caller,
    use: Use,
    all: bool = False,
    search: str = "",
    owner_id: UUID | None = None,
    assistant_id: UUID | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Any:
    """One's own keys, newest first; with `assistant_id` those of an assistant.

    Administrators see all with `all`, and with `owner_id` those of a user or service account.
    """
    if assistant_id is not None:
        return key_page(await use.api_keys.of_assistant(actor, assistant_id, limit=limit, cursor=cursor))
    if all or owner_id is not None:
        found = await use.api_keys.all(actor, search=search, user_id=owner_id, limit=limit, cursor=cursor)
        return key_page(found)
    return key_page(await use.api_keys.mine(actor, limit=limit, cursor=cursor))


@router.post("/", response_model=wire.ApiKeyIssued, status_code=201)
async def create(body: wire.ApiKeyCreateRequest, actor: Caller, use: Use) -> Any:
    """A new key for oneself. The secret is in this answer and nowhere else."""
    return present.issued_key(await use.api_keys.create(actor, draft_of(body)))


@router.get("/{id}/", response_model=wire.ApiKeyPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A key."""
    return present.api_key(await use.api_keys.get(actor, id))


@router.patch("/{id}/", response_model=wire.ApiKeyPublic)
async def update(id: UUID, body: wire.ApiKeyUpdateRequest, actor: Caller, use: Use) -> Any:
    """Change a key. What is not named stays; null takes end or limit away."""
    return present.api_key(await use.api_keys.update(actor, id, body.named()))


@router.delete("/{id}/", response_model=wire.ApiKeyPublic)
async def revoke(id: UUID, actor: Caller, use: Use) -> Any:
    """Revoke a key: it ends at once."""
    return present.api_key(await use.api_keys.revoke(actor, id))


@router.post("/{id}/rotate/", response_model=wire.ApiKeyIssued)
async def rotate(id: UUID, body: wire.ApiKeyRotateRequest, actor: Caller, use: Use) -> Any:
    """A new secret for a key. The one before works for `grace_hours` more."""
    return present.issued_key(await use.api_keys.rotate(actor, id, timedelta(hours=body.grace_hours)))


@own.get("/api-keys/", response_model=wire.ApiKey)
async def replace_default(actor: CallerOnOwnPage, use: Use) -> Any:
    """A new key named `default`, in place of the one before. Prefer POST /api-keys/."""
    return present.legacy_key(await use.api_keys.replace_default(actor))


@of_assistants.get("/{id}/api-keys/", response_model=wire.ApiKey)
async def replace_default_of_assistant(id: UUID, actor: CallerOnOwnPage, use: Use) -> Any:
    """A new key named `default` for an assistant, in place of the one before. Prefer POST."""
    return present.legacy_key(await use.api_keys.replace_default(actor, id))


@of_assistants.post("/{id}/api-keys/", response_model=wire.ApiKeyIssued, status_code=201)
async def create_for_assistant(id: UUID, body: wire.ApiKeyCreateRequest, actor: Caller, use: Use) -> Any:
    """A key that only talks to this assistant. GET /api-keys/?assistant_id=… lists them."""
    return present.issued_key(await use.api_keys.create_for_assistant(actor, id, draft_of(body)))


@rules.get("/", response_model=wire.ApiKeyRules)
async def get_rules(actor: Caller, use: Use) -> Any:
    """What the organisation says about keys."""
    return await use.api_keys.rules(actor)


@rules.patch("/", response_model=wire.ApiKeyRules)
async def set_rules(body: wire.ApiKeyRulesRequest, actor: Caller, use: Use) -> Any:
    """Change what the organisation says about keys."""
    return await use.api_keys.set_rules(actor, makers=body.makers, longest_days=body.longest_days)
