"""Security classifications: use cases of administrators, and what everybody may know of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.classifications.approval import Rules, all_rules, may_serve, rules_for, trusted
from domain.classifications.entities import SecurityClassification
from domain.classifications.impact import Impact, impact, supposing
from domain.classifications.restrictions import Restrictions, space_impact
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, BadRequest, Conflict, NotFound, NotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name, clean_text
from domain.models.catalogue import any_model
from domain.models.choice import ModelChoice
from domain.spaces.entities import Space
from domain.spaces.service import space_access
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork

DESCRIPTION_LIMIT = 2_000
MOST = 50
NAMED = 5
"""So many of what uses a classification are named when it cannot be deleted."""


@dataclass(frozen=True, slots=True)
class Classifications:
    """Whether the organisation uses them, and which there are, the lowest level first."""

    enabled: bool
    items: Sequence[SecurityClassification]

    def of(self, thing: Any) -> SecurityClassification | None:
        """That of a space or a model."""
        return next((each for each in self.items if each.id == thing.security_classification_id), None)


@dataclass(frozen=True, slots=True)
class Supposition:
    """A change to look at before it is made; what is None stays. A model of any kind would get `classification_id`."""

    enabled: bool | None = None
    order: Sequence[UUID] | None = None
    model_id: UUID | None = None
    classification_id: UUID | None = None


class ClassificationService:
    """Use cases of security classifications."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def all(self, actor: Actor) -> Classifications:
        """All of the organisation, for everybody in it."""
        async with self._uow.read(actor.tenant_id) as tx:
            tenant = await self._tenant(tx, actor)
            return Classifications(tenant.security_enabled, await tx.classifications.all())

    async def get(self, actor: Actor, classification_id: UUID) -> SecurityClassification:
        """One of them."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._existing(tx, classification_id)

    async def approved(self, actor: Actor, space_id: UUID) -> "Approved":
        """What decides about the models of a space that the actor may see."""
        async with self._uow.read(actor.tenant_id) as tx:
            space = (await space_access(tx, actor, space_id)).space
            rules, chosen = await rules_for(tx, [space]), space.security_classification_id
            found = await tx.get(SecurityClassification, chosen) if chosen and rules.enabled else None
            return Approved(space, rules, found)

    async def create(
        self, actor: Actor, name: str, description: str | None = None, *, lowest: bool = True
    ) -> SecurityClassification:
        """A new one, at the lowest or the highest level. Nothing has it yet, so nothing is affected."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            known = list(await tx.classifications.all())
            if len(known) >= MOST:
                raise BadRequest(N_("There are {limit} classes already. Delete some first."), limit=MOST)
            made = SecurityClassification(
                tenant_id=actor.tenant_id,
                name=clean_name(name),
                description=clean_text(description, "description", DESCRIPTION_LIMIT) or None,
                level=len(known),
            )
            self._name_is_free(known, made.name)
            await tx.add(made)
            self._number([made, *known] if lowest else [*known, made])
            new = {"name": made.name, "level": made.level}
            self._changed(tx, actor, "security_classification_created", made, new=new)
            return made

    async def update(
        self, actor: Actor, classification_id: UUID, changes: Mapping[str, str | None]
    ) -> SecurityClassification:
        """Change `name` or `description`."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._existing(tx, classification_id)
            if not changes:
                raise BadRequest(N_("Say what is to change: the name or the description."))
            old = {"name": found.name, "description": found.description}
            if "name" in changes:
                name = clean_name(changes["name"])
                self._name_is_free([c for c in await tx.classifications.all() if c.id != found.id], name)
                found.name = name
            if "description" in changes:
                found.description = clean_text(changes["description"], "description", DESCRIPTION_LIMIT) or None
            new = {"name": found.name, "description": found.description}
            self._changed(tx, actor, "security_classification_updated", found, old=old, new=new)
            return found

    async def delete(self, actor: Actor, classification_id: UUID) -> None:
        """Delete one that no space and no model has; else raise `Conflict` with their names."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._existing(tx, classification_id)
            used = [space.name for space in await tx.classifications.spaces_of(found.id)]
            used += await tx.classifications.models_of(found.id)
            if used:
                names = ", ".join(f"“{each}”" for each in used[:NAMED]) + ("…" if len(used) > NAMED else "")
                raise Conflict(
                    N_("{count} spaces and models have the class “{name}”: {names}. Give them another class first."),
                    count=len(used),
                    name=found.name,
                    names=names,
                )
            await tx.remove(found)
            self._number(list(await tx.classifications.all()))
            self._changed(tx, actor, "security_classification_deleted", found, old={"name": found.name})

    # Changes that may take something away

    async def suppose(self, actor: Actor, change: Supposition) -> Impact:
        """What a change would take away; nothing is changed."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            rules = await all_rules(tx, actor.tenant_id)
            after = rules
            if change.enabled is not None:
                after = replace(after, enabled=change.enabled)
            if change.order is not None:
                ordered = await self._ordered(tx, change.order)
                after = replace(after, levels={each.id: level for level, each in enumerate(ordered)})
            await self._chosen(tx, change.classification_id)
            if change.model_id is not None:
                _, model = await any_model(tx, change.model_id)
                after = supposing(after, model, change.classification_id)
            return await impact(tx, rules, after)

    async def reorder(
        self, actor: Actor, order: Sequence[UUID], confirmed: str | None = None
    ) -> Sequence[SecurityClassification]:
        """Give all of them new levels, the lowest first; `confirmed` is the token of the impact that was looked at."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            rules, ordered = await all_rules(tx, actor.tenant_id), await self._ordered(tx, order)
            levels = {each.id: level for level, each in enumerate(ordered)}
            await self._confirmed(tx, rules, replace(rules, levels=levels), confirmed)
            old = {str(key): level for key, level in rules.levels.items()}
            self._number(ordered)
            new = {str(key): level for key, level in levels.items()}
            tx.record(
                actor,
                Change("security_classification_levels_updated", "security_classification", None, old=old, new=new),
            )
            self._tell(tx, actor)
            return ordered

    async def switch(self, actor: Actor, enabled: bool, confirmed: str | None = None) -> bool:
        """Let the classifications count, or not. Switched off, everything is allowed again; nothing is forgotten."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            tenant, rules = await self._tenant(tx, actor), await all_rules(tx, actor.tenant_id)
            if tenant.security_enabled != enabled:
                await self._confirmed(tx, rules, replace(rules, enabled=enabled), confirmed)
                tenant.security_enabled = enabled
                action = f"security_classification_{'enabled' if enabled else 'disabled'}"
                values = {"security_enabled": not enabled}, {"security_enabled": enabled}
                tx.record(actor, Change(action, "tenant", tenant.id, tenant.name, *values))
                self._tell(tx, actor)
            return enabled

    async def classify_model(
        self,
        actor: Actor,
        model_id: UUID,
        classification_id: UUID | None,
        confirmed: str | None = None,
    ) -> None:
        """Say how far a model is trusted, or that nobody has said so."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            (kind, model), rules = await any_model(tx, model_id), await all_rules(tx, actor.tenant_id)
            await self._chosen(tx, classification_id)
            if model.security_classification_id == classification_id:
                return
            await self._confirmed(tx, rules, supposing(rules, model, classification_id), confirmed)
            old = {"security_classification": _plain(model.security_classification_id)}
            model.security_classification_id = classification_id
            new = {"security_classification": _plain(classification_id)}
            tx.record(actor, Change(f"{kind}_model_updated", f"{kind}_model", model.id, model.name, old=old, new=new))
            self._tell(tx, actor)

    async def space_impact(self, actor: Actor, space_id: UUID, changes: Mapping[str, Any]) -> Impact:
        """What a change of a space (see `Restrictions.changed`) would take away, for those who may make it."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.SPACE, Action.EDIT)
            return await space_impact(tx, access.space, Restrictions.of(access.space).changed(changes))

    @staticmethod
    async def _confirmed(tx: Transaction, before: Rules, after: Rules, token: str | None) -> None:
        (await impact(tx, before, after)).require_confirmed(token)

    @staticmethod
    async def _tenant(tx: Transaction, actor: Actor) -> Tenant:
        tenant = await tx.get(Tenant, actor.tenant_id)
        if tenant is None:
            raise NotFound
        return tenant

    @staticmethod
    async def _existing(tx: Transaction, classification_id: UUID) -> SecurityClassification:
        found = await tx.get(SecurityClassification, classification_id)
        if found is None:
            raise NotFound(N_("The security class was not found."))
        return found

    async def _chosen(self, tx: Transaction, classification_id: UUID | None) -> None:
        if classification_id is not None:
            await self._existing(tx, classification_id)

    @staticmethod
    async def _ordered(tx: Transaction, order: Sequence[UUID]) -> list[SecurityClassification]:
        known = {each.id: each for each in await tx.classifications.all()}
        if any(wanted not in known for wanted in order):
            raise NotFound(N_("The security class was not found."), field="security_classifications")
        if len(set(order)) != len(order) or len(order) != len(known):
            raise BadRequest(N_("Name every class once, the lowest first."), field="security_classifications")
        return [known[wanted] for wanted in order]

    @staticmethod
    def _name_is_free(others: Sequence[SecurityClassification], name: str) -> None:
        if any(each.name.casefold() == name.casefold() for each in others):
            raise NotUnique(N_("There is a class with this name already."), field="name")

    @staticmethod
    def _number(ordered: Sequence[SecurityClassification]) -> None:
        for level, each in enumerate(ordered):
            each.level = level

    def _changed(
        self,
        tx: Transaction,
        actor: Actor,
        action: str,
        found: SecurityClassification,
        *,
        old: dict[str, Any] | None = None,
        new: dict[str, Any] | None = None,
    ) -> None:
        change = Change(action, "security_classification", found.id, found.name, old=old or {}, new=new or {})
        tx.record(actor, change)
        self._tell(tx, actor)

    @staticmethod
    def _tell(tx: Transaction, actor: Actor) -> None:
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))


@dataclass(frozen=True, slots=True)
class Approved:
    """Decides about the models of one space, for lists."""

    space: Space
    rules: Rules
    classification: SecurityClassification | None = None
    """That of the space, where it counts."""

    def serves(self, choice: ModelChoice[Any]) -> bool:
        """Whether a model that is switched on may be used there."""
        return bool(choice.model.enabled) and may_serve(self.rules, choice.model, self.space)

    def status(self, choice: ModelChoice[Any]) -> bool | None:
        """Whether a model is classified high enough; None where nothing is demanded."""
        return trusted(self.rules, choice.model, self.space) if self.rules.enabled else None


def _plain(value: UUID | None) -> str | None:
    return None if value is None else str(value)
