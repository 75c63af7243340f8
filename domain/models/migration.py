"""What uses a completion model, and moving all of it to another one: looked at first, recorded afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.classifications.approval import may_serve, rules_for
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.models.choice import CompletionChoice
from domain.models.entities import CompletionModel
from domain.models.service import completion_choices
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

ASSISTANTS = "assistants"
KINDS = (ASSISTANTS, "apps", "services", "questions", "assistant_templates", "app_templates")
"""The words of existing clients for what uses models. Of these there are assistants; what was answered stays as it was."""
BATCH = 200
NAMED = 5
UNAPPROVED = N_("“{model}” is not approved for {names}, where assistants use the model that is replaced.")
UNCONFIRMED = N_("The models differ. Look at what changes, and confirm that you want it.")
WARNINGS = {
    "smaller": N_("It reads less at once: {now} instead of {before} tokens."),
    "blind": N_("It cannot see pictures."),
    "unreasoning": N_("It does not reason before it answers."),
    "toolless": N_("It cannot call tools."),
    "elsewhere": N_("It runs elsewhere: {now} instead of {before}."),
    "retiring": N_("It is itself used only until {day}."),
    "dearer": N_("It costs more."),
}


@dataclass(eq=False, kw_only=True)
class ModelMigration(Owned):
    """A move that was made. The names of the models are those of the time; `warnings` are those that were accepted."""

    from_model_id: UUID
    from_model_name: str
    to_model_id: UUID
    to_model_name: str
    migrated_count: int
    user_id: UUID | None = None
    duration_ms: int = 0
    finished_at: datetime | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ModelUser:
    """An assistant that uses a model. Of personal ones the name is their owner's own affair: it is empty."""

    assistant_id: UUID
    name: str
    space_id: UUID
    space_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ModelUse:
    """How much depends on a model: assistants, spaces they are in, and answers it has given."""

    model: CompletionModel
    assistants: int
    spaces: int
    answers: int


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a move would change: how many assistants, the default, and what becomes different, as (word, parameters)."""

    source: CompletionChoice
    target: CompletionChoice
    assistants: int
    warnings: Sequence[tuple[str, dict[str, Any]]]
    migration: ModelMigration | None = None


class MigrationService:
    """Use cases of administrators who replace a model."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def use(self, actor: Actor, model_id: UUID) -> ModelUse:
        """How much depends on a model."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            model = await tx.get(CompletionModel, model_id)
            if model is None:
                raise NotFound(N_("The model was not found."))
            return (await tx.models.uses([model]))[0]

    async def all_uses(self, actor: Actor) -> Sequence[ModelUse]:
        """How much depends on each completion model."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.models.uses(await tx.models.completion_models())

    async def users(
        self, actor: Actor, model_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ModelUser]:
        """The assistants that use a model."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            if await tx.get(CompletionModel, model_id) is None:
                raise NotFound(N_("The model was not found."))
            return await tx.models.users(model_id, limit=clamp(limit), cursor=cursor)

    async def plan(self, actor: Actor, from_id: UUID, to_id: UUID) -> MovePlan:
        """What a move would change; nothing is changed."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._plan(tx, from_id, to_id)

    async def move(self, actor: Actor, from_id: UUID, to_id: UUID, *, confirmed: bool) -> MovePlan:
        """Let everything that uses a model use another one, and the default with it. Settings of assistants stay.

        Raises `Invalid` when something becomes different and that is not `confirmed`.
        """
        actor.require(Permission.ADMIN)
        begun = monotonic()
        async with self._uow.begin(actor.tenant_id) as tx:
            plan = await self._plan(tx, from_id, to_id)
            if plan.warnings and not confirmed:
                raise Invalid(UNCONFIRMED, field="confirm_migration")
            for what in ("fallback_model_id", "completion_model_id"):
                count = 0
                while found := await tx.models.assistants_with(what, from_id, BATCH):
                    for assistant in found:
                        self._switch(tx, actor, assistant, what, to_id)
                    await tx.flush()
                    count += len(found)
            await self._hand_over_default(tx, plan)
            migration = ModelMigration(
                tenant_id=actor.tenant_id,
                from_model_id=from_id,
                from_model_name=plan.source.model.nickname,
                to_model_id=to_id,
                to_model_name=plan.target.model.nickname,
                migrated_count=count,
                user_id=actor.user_id,
                duration_ms=round((monotonic() - begun) * 1000),
                finished_at=now(),
                warnings=[{"word": word, **params} for word, params in plan.warnings],
            )
            await tx.add(migration)
            new = {"to": str(to_id), "assistants": count}
            tx.record(actor, Change("model_migrated", "completion_model", from_id, plan.source.model.name, new=new))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
        return MovePlan(plan.source, plan.target, count, plan.warnings, migration)

    @staticmethod
    def _switch(tx: Transaction, actor: Actor, assistant: Assistant, what: str, model_id: UUID) -> None:
        old, new = {what: str(getattr(assistant, what))}, {what: str(model_id)}
        setattr(assistant, what, model_id)
        # In each assistant's own history, so that it can be told and taken back there.
        tx.record(actor, Change("assistant_updated", "assistant", assistant.id, assistant.name, old=old, new=new))

    @staticmethod
    async def _hand_over_default(tx: Transaction, plan: MovePlan) -> None:
        if plan.source.model.is_default:
            await tx.models.clear_default(CompletionModel)
            plan.source.model.is_default, plan.target.model.is_default = False, True

    @staticmethod
    async def _plan(tx: Transaction, from_id: UUID, to_id: UUID) -> MovePlan:
        choices = {choice.model.id: choice for choice in await completion_choices(tx)}
        if from_id not in choices:
            raise NotFound(N_("The model was not found."))
        if to_id not in choices:
            raise NotFound(N_("The model was not found."), field="to_model_id")
        if from_id == to_id:
            raise Invalid(N_("Choose another model than the one that is replaced."), field="to_model_id")
        source, target = choices[from_id], choices[to_id]
        if not target.usable:
            raise Invalid(N_("The other model cannot be used now."), field="to_model_id")
        await _require_approved(tx, source, target)
        count = (await tx.models.uses([source.model]))[0].assistants
        return MovePlan(source, target, count, differences(source, target))

    async def history(
        self, actor: Actor, model_id: UUID | None = None, *, limit: int, offset: int = 0
    ) -> Sequence[tuple[ModelMigration, str]]:
        """The moves that were made, the newest first, with who made them; those from or to one model."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            if model_id is not None and await tx.get(CompletionModel, model_id) is None:
                raise NotFound(N_("The model was not found."))
            return await tx.models.migrations(model_id, limit=clamp(limit), offset=max(0, offset))

    async def migration(self, actor: Actor, migration_id: UUID) -> tuple[ModelMigration, str]:
        """One move, with who made it."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.get(ModelMigration, migration_id)
            if found is None:
                raise NotFound(N_("The move was not found."))
            user = await tx.get(User, found.user_id) if found.user_id else None
        return found, user.email if user else ""


async def _require_approved(tx: Transaction, source: CompletionChoice, target: CompletionChoice) -> None:
    """Raise `Invalid` unless the target may serve every space in which an assistant uses the source."""
    demanding = await tx.classifications.assistants(None)
    spaces = (await tx.spaces.many({h.space_id for h in demanding if h.model_id == source.model.id})).values()
    rules = await rules_for(tx, spaces)
    refused = sorted(space.name for space in spaces if not may_serve(rules, target.model, space))
    if refused:
        names = ", ".join(f"“{name}”" for name in refused[:NAMED]) + ("…" if len(refused) > NAMED else "")
        raise Invalid(UNAPPROVED, field="to_model_id", model=target.model.nickname, names=names)


def differences(source: CompletionChoice, target: CompletionChoice) -> list[tuple[str, dict[str, Any]]]:
    """What becomes worse, or at least different."""
    old, new = source.model, target.model
    found: list[tuple[str, dict[str, Any]]] = []
    if new.token_limit < old.token_limit:
        found.append(("smaller", {"now": new.token_limit, "before": old.token_limit}))
    for word, name in (("blind", "vision"), ("unreasoning", "reasoning"), ("toolless", "supports_tool_calling")):
        if getattr(old, name) and not getattr(new, name):
            found.append((word, {}))
    if new.hosting != old.hosting:
        found.append(("elsewhere", {"now": new.hosting, "before": old.hosting}))
    if new.retires_on is not None:
        found.append(("retiring", {"day": new.retires_on.isoformat()}))
    before, after = source.price, target.price
    if before is not None and after is not None and (after.input > before.input or after.output > before.output):
        found.append(("dearer", {}))
    return found
