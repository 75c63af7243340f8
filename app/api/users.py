"""Signing in by API, one's own account, colleagues, the organisation; administering people."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from app.api import present, wire
from app.api.base import Caller, Running, Use
from app.auth import tokens
from app.auth.caller import origin_of
from app.bootstrap import Runtime
from domain.identity.links import IssuedLink
from domain.kernel.errors import N_, Invalid
from domain.roles.entities import HeldRole
from domain.users.bulk import BulkDeed
from domain.users.entities import PredefinedRole, UserState
from domain.users.repository import SortKey, UserQuery
from domain.users.service import NewUser, UserView
from pages.i18n import translate

router = APIRouter(prefix="/api/v1/users", tags=["users"])
admin = APIRouter(prefix="/api/v1/admin", tags=["admin"])
STATES: dict[str | None, tuple[UserState, ...]] = {
    None: (UserState.ACTIVE, UserState.INVITED, UserState.INACTIVE),
    "active": (UserState.ACTIVE, UserState.INVITED),
    "inactive": (UserState.INACTIVE,),
    "invited": (UserState.INVITED,),
}
LIST_LIMIT = 200
PLAIN = ("email", "username", "password", "quota_limit", "state")
"""What is changed in a user as it is sent."""


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
    return present.tenant_public(await use.users.tenant(actor))


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


def public_url(request: Request, running: Runtime, path: str) -> str:
    """An address of this site, as people reach it."""
    return (running.settings.public_origin or str(request.base_url)).rstrip("/") + path


def invitation(request: Request, running: Runtime, link: IssuedLink | None) -> dict[str, Any]:
    """The one-time link that was just made, if any, as part of an answer."""
    if link is None:
        return {}
    url = public_url(request, running, link.path)
    return {
        "invitation": {"url": url, "expires_at": link.expires_at, "purpose": link.purpose, "mailed": link.mailed}
    }  # fmt: skip


def with_link(request: Request, running: Runtime, view: UserView, link: IssuedLink | None) -> dict[str, Any]:
    """A user with the one-time link that was just made."""
    return {**present.user_admin(view), **invitation(request, running, link)}


@router.post("/admin/invite/", response_model=wire.UserAdminView, status_code=201)
async def invite(body: wire.PropUserInvite, request: Request, actor: Caller, running: Running) -> Any:
    """Invite a colleague: the answer holds a one-time link, which is mailed too where that is set up."""
    if body.state not in (None, UserState.INVITED):
        raise Invalid(N_("A person becomes active by accepting the invitation."), field="state")
    role = body.predefined_role.id if body.predefined_role else PredefinedRole.USER
    made = await running.services.users.create(actor, NewUser(body.email, roles=[role]))
    return with_link(request, running, made.view, made.link)


@router.patch("/admin/{id}/", response_model=wire.UserAdminView)
async def change(id: UUID, body: wire.PartialPropUserUpdate, actor: Caller, use: Use) -> Any:
    """Change a colleague's predefined role or state."""
    changes: dict[str, Any] = {"state": body.state}
    if body.predefined_role is not None:
        kept = [r.id for r in (await use.users.get(actor, id)).roles if not r.predefined]
        changes["roles"] = [body.predefined_role.id, *kept]
    return present.user_admin(await use.users.update(actor, id, changes))


@router.delete("/admin/{id}/", status_code=204, response_class=Response)
async def remove(id: UUID, actor: Caller, use: Use) -> None:
    """Delete a colleague's account."""
    await use.users.delete(actor, id)


@admin.get("/users/", response_model=wire.PaginatedUsers)
async def listing(
    actor: Caller,
    use: Use,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 100,
    search_email: str | None = None,
    search_name: str | None = None,
    search: str | None = None,
    sort_by: SortKey = "email",
    sort_order: Literal["asc", "desc"] = "asc",
    state_filter: Literal["active", "inactive", "invited"] | None = None,
    role: UUID | None = None,
    cursor: str | None = None,
) -> Any:
    """The people of the organisation. `cursor` (from `metadata.next_cursor`) goes on without counting pages."""
    key = (await use.roles.get(actor, role)).held.key if role else None
    query = UserQuery(
        search or "", search_email or "", search_name or "", STATES[state_filter], key, sort_by, sort_order == "desc"
    )
    offset = 0 if cursor else (page - 1) * page_size
    found = await use.users.page(actor, query, limit=page_size, cursor=cursor, offset=offset)
    counts = await use.users.counts(actor, query)
    total = found.total or 0
    metadata = {
        "page": page, "page_size": page_size, "total_count": total, "total_pages": -(-total // page_size),
        "has_next": found.next_cursor is not None, "has_previous": page > 1 or cursor is not None,
        "counts": {
            "active": counts.get(UserState.ACTIVE, 0) + counts.get(UserState.INVITED, 0),
            "inactive": counts.get(UserState.INACTIVE, 0),
        },
        "next_cursor": found.next_cursor,
    }  # fmt: skip
    return {"items": [present.user_admin(view) for view in found.items], "metadata": metadata}


@admin.post("/users/", response_model=wire.UserCreatedAdminView, status_code=201)
async def create(
    body: wire.UserAddAdmin, request: Request, actor: Caller, running: Running, with_api_key: bool = False
) -> Any:
    """Add a colleague; without a password the answer holds an invitation.

    A key in a colleague's name is made only for `with_api_key`: whoever reads the answer could act as them.
    """
    new = NewUser(
        body.email,
        body.username,
        body.password,
        [r.id for r in (*body.roles, *body.predefined_roles)],
        body.language,
        body.quota_limit,
        [g.id for g in body.user_groups],
    )
    made = await running.services.users.create(actor, new)
    shown = with_link(request, running, made.view, made.link)
    if with_api_key:
        issued = await running.services.api_keys.create_for_new_user(actor, made.view.user.id)
        shown["api_key"] = present.legacy_key(issued)
    return shown


@admin.get("/users/inactive", response_model=list[wire.UserStateListItem])
async def inactive(actor: Caller, use: Use) -> Any:
    """Deactivated people, by address; at most 200."""
    found = await use.users.page(actor, UserQuery(states=(UserState.INACTIVE,)), limit=LIST_LIMIT)
    return [
        {**state_item(view), "state_changed_at": view.user.state_changed_at or view.user.updated_at}
        for view in found.items
    ]


@admin.get("/users/deleted", response_model=list[wire.UserDeletedListItem])
async def deleted(actor: Caller, use: Use) -> Any:
    """Deleted accounts, by address; at most 200."""
    found = await use.users.page(actor, UserQuery(states=(UserState.DELETED,)), limit=LIST_LIMIT)
    return [{**state_item(view), "deleted_at": view.user.deleted_at} for view in found.items]


def state_item(view: UserView) -> dict[str, Any]:
    """A person in a list of states."""
    user = view.user
    return {"id": user.id, "username": user.username or "", "email": user.email, "state": user.state}


@admin.post("/users/import", response_model=wire.ImportReport)
async def import_people(request: Request, actor: Caller, running: Running, dry_run: bool = True) -> Any:
    """Invite the people of a list (CSV as the body, first line `email;name;role;groups;language`).

    `dry_run` (the default) only says what would become of each line.
    """
    text = (await request.body()).decode("utf-8-sig", "replace")
    report = await running.services.user_import.run(actor, text, dry_run=dry_run)
    lines = [
        {
            "number": line.number, "email": line.email, "username": line.username, "outcome": line.outcome,
            "message": translate(line.message, actor.language, **line.params),
            "url": public_url(request, running, line.path) if line.path else None,
        }
        for line in report.lines
    ]  # fmt: skip
    return {"dry_run": report.dry_run, "good": report.good, "mailed": report.mailed, "lines": lines}


@admin.post("/users/bulk", response_model=wire.BulkReport)
async def bulk(body: wire.BulkRequest, actor: Caller, use: Use) -> Any:
    """Do the same to many colleagues: each for itself, with a sentence for those who stay as they are."""
    report = await use.user_bulk.run(actor, body.ids, BulkDeed(body.action), body.role)
    refused = [
        {
            "id": each.user_id,
            "email": each.email,
            "message": translate(each.failure.message, actor.language, **each.failure.params),
        }
        for each in report.refused
    ]
    return {"done": report.done, "refused": refused}


@admin.get("/users/{username}/", response_model=wire.UserAdminView)
async def get(username: str, actor: Caller, use: Use) -> Any:
    """A colleague, by name, address or id."""
    return present.user_admin(await use.users.get(actor, await use.users.find(actor, username)))


@admin.post("/users/{username}/", response_model=wire.UserAdminView)
async def update(username: str, body: wire.UserUpdatePublic, actor: Caller, use: Use) -> Any:
    """Change a colleague. What is not named stays."""
    user_id = await use.users.find(actor, username)
    changes = {name: getattr(body, name) for name in PLAIN if name in body.model_fields_set}
    roles = role_keys(body, (await use.users.get(actor, user_id)).roles)
    if roles is not None:
        changes["roles"] = roles
    return present.user_admin(await use.users.update(actor, user_id, changes))


def role_keys(body: wire.UserUpdatePublic, held: Sequence[HeldRole]) -> list[str | UUID] | None:
    """The roles a user is to have, where the request names own or predefined ones; the other kind stays."""
    if body.roles is None and body.predefined_roles is None:
        return None
    own = [r.id for r in held if not r.predefined] if body.roles is None else [r.id for r in body.roles]
    predefined = body.predefined_roles
    given = [r.id for r in held if r.predefined] if predefined is None else [r.id for r in predefined]
    return [*given, *own]


@admin.delete("/users/{username}", response_model=wire.DeleteResponse)
async def delete(username: str, actor: Caller, use: Use) -> Any:
    """Delete a colleague's account; it can be restored for 30 days."""
    await use.users.delete(actor, await use.users.find(actor, username))
    return {"success": True}


@admin.post("/users/{username}/deactivate", response_model=wire.UserAdminView)
async def deactivate(username: str, actor: Caller, use: Use) -> Any:
    """Stop a colleague from working: all sessions end at once."""
    return present.user_admin(await use.users.deactivate(actor, await use.users.find(actor, username)))


@admin.post("/users/{username}/reactivate", response_model=wire.UserAdminView)
async def reactivate(username: str, actor: Caller, use: Use) -> Any:
    """Let a deactivated colleague work again."""
    return present.user_admin(await use.users.reactivate(actor, await use.users.find(actor, username)))


@admin.post("/users/{username}/link", response_model=wire.UserAdminView)
async def new_link(username: str, request: Request, actor: Caller, running: Running) -> Any:
    """A new one-time link for a colleague: an invitation, or for a new password."""
    made = await running.services.users.new_link(actor, await running.services.users.find(actor, username))
    return with_link(request, running, made.view, made.link)


@admin.post("/users/{id}/restore", response_model=wire.UserAdminView)
async def restore(id: UUID, actor: Caller, use: Use) -> Any:
    """Bring a deleted account back."""
    return present.user_admin(await use.users.restore(actor, id))
