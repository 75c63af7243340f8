"""User groups of the organisation."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api import present, wire
from app.api.base import Caller, Use
from domain.kernel.paging import MAX_LIMIT

router = APIRouter(prefix="/api/v1/user-groups", tags=["user-groups"])


@router.get("/", response_model=wire.PageOfUserGroupPublic)
async def groups(
    actor: Caller,
    use: Use,
    search: str = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    cursor: str | None = None,
) -> Any:
    """The groups in order of name, with their members."""
    page = await use.user_groups.page(actor, search=search, limit=limit, cursor=cursor, members=True)
    return present.page([present.user_group(view) for view in page.items], next_cursor=page.next_cursor)


@router.post("/", response_model=wire.UserGroupPublic)
async def create(body: wire.UserGroupCreateRequest, actor: Caller, use: Use) -> Any:
    """A new group."""
    return present.user_group(await use.user_groups.create(actor, body.name))


@router.get("/{id}/", response_model=wire.UserGroupPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A group with its members."""
    return present.user_group(await use.user_groups.get(actor, id))


@router.post("/{id}/", response_model=wire.UserGroupPublic)
async def update(id: UUID, body: wire.UserGroupUpdateRequest, actor: Caller, use: Use) -> Any:
    """Change the name, or replace the members."""
    ids = None if body.users is None else [user.id for user in body.users]
    return present.user_group(await use.user_groups.update(actor, id, name=body.name, user_ids=ids))


@router.delete("/{id}/", response_model=wire.UserGroupPublic)
async def delete(id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a group. One that is a member of spaces is refused with 409."""
    return present.user_group(await use.user_groups.delete(actor, id))


@router.post("/{id}/users/{user_id}/", response_model=wire.UserGroupPublic)
async def add_member(id: UUID, user_id: UUID, actor: Caller, use: Use) -> Any:
    """Make a user a member."""
    return present.user_group(await use.user_groups.add_member(actor, id, user_id))


@router.delete("/{id}/users/{user_id}/", response_model=wire.UserGroupPublic)
async def remove_member(id: UUID, user_id: UUID, actor: Caller, use: Use) -> Any:
    """End a membership."""
    return present.user_group(await use.user_groups.remove_member(actor, id, user_id))
