"""Signing in by API, one's own account, colleagues, the organisation."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request

from app.api import present, wire
from app.api.base import Caller, Running, Use
from app.auth import tokens
from app.auth.caller import origin_of

router = APIRouter(prefix="/api/v1/users", tags=["users"])


@router.post("/login/token/", response_model=wire.AccessToken)
async def login(
    request: Request,
    running: Running,
    username: Annotated[str, Form()],
    password: Annotated[str, Form()],
    grant_type: Annotated[str | None, Form()] = None,
    scope: Annotated[str, Form()] = "",
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form()] = None,
) -> Any:
    """Exchange e-mail address and password for a token. It works as long as its session: sign out ends it."""
    signed_in = await running.services.identity.sign_in(username, password, origin_of(request), kind="api")
    return {"access_token": tokens.issue(request.app.state.token_rules, signed_in.sign_in), "token_type": "bearer"}


@router.get("/me/", response_model=wire.UserPublic)
async def me(actor: Caller, use: Use) -> Any:
    """One's own account."""
    return present.user_public(await use.users.me(actor))


@router.get("/tenant/", response_model=wire.TenantPublic)
async def tenant(actor: Caller, use: Use) -> Any:
    """One's organisation."""
    found = await use.users.tenant(actor)
    fields = (
        "name", "display_name", "quota_limit", "domain", "provisioning", "state", "security_enabled", "privacy_policy"
    )  # fmt: skip
    return {**{name: getattr(found, name) for name in fields}, "zitadel_org_id": None}


@router.get("/", response_model=wire.CursorPageOfUserSparse)
async def colleagues(
    actor: Caller,
    use: Use,
    email: str = "",
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
    previous: bool = False,
) -> Any:
    """Colleagues whose address contains `email`."""
    page = await use.users.search(actor, email, limit=limit, cursor=cursor)
    items = [present.user_sparse(user) for user in page.items]
    return cursor_page(items, page.next_cursor, page.total, limit, cursor)


def cursor_page(
    items: list[dict[str, Any]], next_cursor: str | None, total: int | None, limit: int | None, cursor: str | None
) -> dict[str, Any]:
    """A page of a list that goes on."""
    return present.page(
        items, limit=limit, next_cursor=next_cursor, previous_cursor=cursor, total_count=total or len(items)
    )
