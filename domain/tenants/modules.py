"""Modules: parts of the product that an organisation has besides what all have. Their own operator's key gives them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, NotFound, NotUnique
from domain.kernel.events import Change
from domain.kernel.ids import new_id
from domain.kernel.text import clean_name
from domain.tenants.administration import changeable
from domain.tenants.entities import Tenant
from domain.tenants.operator import Operator
from domain.transaction import UnitOfWork

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class Module:
    """A module of the installation."""

    id: UUID = field(default_factory=new_id)
    name: str
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)


@dataclass(eq=False, kw_only=True)
class TenantModule(Owned):
    """A module that the organisation has."""

    module_id: UUID


class ModuleCatalogue(Protocol):
    """The modules of the installation: few, and no organisation's own."""

    async def all(self) -> Sequence[Module]:
        """In order of name."""

    async def add(self, module: Module) -> None:
        """A new one; raises `NotUnique`."""


@dataclass(frozen=True, slots=True)
class Equipped:
    """An organisation with its modules."""

    tenant: Tenant
    modules: Sequence[Module]


class ModuleService:
    """Use cases of the operator who holds the second key."""

    def __init__(self, uow: UnitOfWork, catalogue: ModuleCatalogue) -> None:
        self._uow, self._catalogue = uow, catalogue

    async def all(self, _: Operator) -> Sequence[Module]:
        """The modules of the installation."""
        return await self._catalogue.all()

    async def create(self, operator: Operator, name: str) -> Module:
        """A new module, which no organisation has yet."""
        module = Module(name=clean_name(name))
        if any(each.name.lower() == module.name.lower() for each in await self._catalogue.all()):
            raise NotUnique(N_("Another module has this name."), field="name")
        await self._catalogue.add(module)
        # It is no organisation's yet: there is no audit log to stand in.
        log.info("module %s was added by the operator, request %s", module.name, operator.origin.request_id)
        return module

    async def held(self, _: Operator, tenant_id: UUID) -> Sequence[UUID]:
        """The ids of the modules that an organisation has."""
        async with self._uow.read(tenant_id) as tx:
            return [each.module_id for each in await tx.tenants.modules()]

    async def give(self, operator: Operator, tenant_id: UUID, module_ids: Sequence[UUID]) -> Equipped:
        """Let an organisation have these modules and no others."""
        known = {module.id: module for module in await self._catalogue.all()}
        if set(module_ids) - set(known):
            raise NotFound(N_("The module was not found."))
        async with self._uow.begin(tenant_id) as tx:
            tenant = await changeable(tx, tenant_id)
            held = {each.module_id: each for each in await tx.tenants.modules()}
            for module_id in set(held) - set(module_ids):
                await tx.remove(held[module_id])
            added = [i for i in dict.fromkeys(module_ids) if i not in held]
            await tx.add(*(TenantModule(tenant_id=tenant_id, module_id=i) for i in added))
            chosen = [module for module in known.values() if module.id in set(module_ids)]
            if set(held) != set(module_ids):
                old = {"modules": sorted(known[i].name for i in held if i in known)}
                new = {"modules": [module.name for module in chosen]}
                change = Change("module_added_to_tenant", "module", None, tenant.name, old=old, new=new)
                tx.record(operator.within(tenant_id), change)
        return Equipped(tenant, chosen)
