"""Modules: behind an operator's key of their own."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from app.api import present, wire
from app.api.base import Running, moments
from app.auth.sysadmin import ModuleOperator
from domain.tenants.modules import Module

router = APIRouter(prefix="/api/v1/modules", tags=["modules"])


def module(found: Module) -> dict[str, Any]:
    """A module."""
    return {**moments(found), "name": found.name}


@router.get("/", response_model=wire.PageOfModuleInDB)
async def all_modules(running: Running, operator: ModuleOperator) -> Any:
    """The modules of the installation."""
    return present.page([module(each) for each in await running.services.modules.all(operator)])


@router.post("/", response_model=wire.ModuleInDB)
async def create(body: wire.ModuleBase, running: Running, operator: ModuleOperator) -> Any:
    """A new module."""
    return module(await running.services.modules.create(operator, body.name))


@router.post("/{tenant_id}/", response_model=wire.TenantInDB)
async def give(tenant_id: UUID, body: list[wire.ModelId], running: Running, operator: ModuleOperator) -> Any:
    """Let an organisation have these modules and no others."""
    found = await running.services.modules.give(operator, tenant_id, [each.id for each in body])
    return {**present.tenant(found.tenant), "modules": [module(each) for each in found.modules]}
