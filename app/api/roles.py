"""Roles of the organisation."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from app.api import present, wire
from app.api.base import Caller, Use, moments
from domain.roles.service import DESCRIPTIONS, OFFERED, RoleView
from pages.i18n import translate

router = APIRouter(prefix="/api/v1/roles", tags=["roles"])
predefined = APIRouter(prefix="/api/v1/admin", tags=["admin"])


def role(view: RoleView) -> dict[str, Any]:
    """A role with how many people hold it."""
    stored = moments(view.role) if view.role else {}
    return {**present.role(view.held), **stored, "holders": view.holders}


@router.get("/permissions/", response_model=list[wire.PermissionPublic])
async def permissions(actor: Caller) -> Any:
    """What roles can allow."""
    return [{"name": p, "description": translate(DESCRIPTIONS[p], actor.language)} for p in OFFERED]


@router.get("/", response_model=wire.RolesPaginated)
async def all_roles(actor: Caller, use: Use) -> Any:
    """The organisation's own roles and the predefined ones."""
    views = await use.roles.all(actor)
    own = [role(view) for view in views if not view.held.predefined]
    given = [role(view) for view in views if view.held.predefined]
    return {"roles": present.page(own), "predefined_roles": present.page(given)}


@router.post("/", response_model=wire.RolePublic)
async def create(body: wire.RoleCreateRequest, actor: Caller, use: Use) -> Any:
    """A new role."""
    return role(await use.roles.create(actor, body.name, body.permissions))


@router.get("/{role_id}/", response_model=wire.RolePublic)
async def get(role_id: UUID, actor: Caller, use: Use) -> Any:
    """A role."""
    return role(await use.roles.get(actor, role_id))


@router.post("/{role_id}/", response_model=wire.RolePublic)
async def update(role_id: UUID, body: wire.RoleUpdateRequest, actor: Caller, use: Use) -> Any:
    """Change a role."""
    return role(await use.roles.update(actor, role_id, name=body.name, permissions=body.permissions))


@router.delete("/{role_id}/", response_model=wire.RolePublic)
async def delete(role_id: UUID, actor: Caller, use: Use, force: bool = False) -> Any:
    """Delete a role. One that people hold is refused with 409, unless `force` takes it from them."""
    return role(await use.roles.delete(actor, role_id, force=force))


@predefined.get("/predefined-roles/", response_model=list[wire.PredefinedRoleInDB])
async def predefined_roles(actor: Caller, use: Use) -> Any:
    """The roles that every organisation has."""
    return [role(view) for view in await use.roles.all(actor) if view.held.predefined]
