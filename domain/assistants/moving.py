"""Assistants go to other spaces: as a copy, or for good. What does not go along is told before and written down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.assistants.access import readable_assistant, readable_collections, resource_of
from domain.assistants.entities import Assistant, Prompt
from domain.assistants.service import copy_of, created, default_model, state_of
from domain.audit.replay import difference
from domain.classifications.approval import LOWER_REFUSED, may_read, may_receive, may_serve, rules_for
from domain.kernel.access import Action, Resource, Role, permissions
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Forbidden, NotApproved
from domain.kernel.events import Change, Signal
from domain.kernel.text import NAME_LIMIT, clean_name
from domain.knowledge.entities import Collection
from domain.knowledge.sharing import may_share, share_with
from domain.models.service import completion_choice
from domain.spaces.entities import Space
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class Account:
    """What becomes of an assistant in another space.

    `kept` goes along; `shareable` would if it were shared with that space, which the actor may do; `left` does not.
    `model_id` is the model that answers there: another one where the present one may not be used, None where none may.
    """

    space: Space
    kept: Sequence[Collection]
    shareable: Sequence[Collection]
    left: Sequence[Collection]
    model_id: UUID | None
    model_changes: bool
    becomes_draft: bool
    insight_ends: bool


class MovingService:
    """Copies assistants and moves them."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def targets(self, actor: Actor) -> list[Space]:
        """The spaces in which the actor may make assistants, the personal one first, then in order of name."""
        async with self._uow.read(actor.tenant_id) as tx:
            personal = await tx.spaces.personal(actor.user_id)
            own = [(personal, "owner")] if personal else []
            found = [*own, *await tx.spaces.of_member(actor.user_id)]
        return [space for space, role in found if Action.CREATE in permissions(actor, Role(role), Resource.ASSISTANT)]

    async def account(self, actor: Actor, assistant_id: UUID, space_id: UUID) -> Account:
        """What would become of the assistant in a space."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            return await _account(tx, actor, assistant, access, await _target(tx, actor, assistant, access, space_id))

    async def duplicate(
        self, actor: Actor, assistant_id: UUID, *, name: str | None = None, space_id: UUID | None = None
    ) -> UUID:
        """A copy, the actor's own and a draft, in the same space or another; its id."""
        async with self._uow.begin(actor.tenant_id) as tx:
            source, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(source), Action.EDIT)
            target = await _target(tx, actor, source, access, space_id or source.space_id)
            account = await _account(tx, actor, source, access, target)
            copy = copy_of(source, actor, target.space.id)
            copy.name = clean_name(name) if name is not None else f"{source.name[: NAME_LIMIT - 4]} (2)"
            copy.completion_model_id = account.model_id
            await tx.add(copy)
            await _copy_parts(tx, actor, source, copy, account.kept)
            state = await state_of(tx, copy)
            tx.record(actor, replace(created(copy, state), description=f"{copy.name} ← {source.name}"))
            tx.signal(Signal(f"space:{copy.space_id}", "assistants_changed"))
            return copy.id

    async def transfer(self, actor: Actor, assistant_id: UUID, space_id: UUID, *, share_sources: bool = False) -> None:
        """Move an assistant to another space; with `share_sources` what the actor may share with it goes along."""
        async with self._uow.begin(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            if assistant.is_default:
                raise Forbidden(N_("The space's own assistant cannot be moved. Duplicate it instead."))
            access.require(actor, Resource.ASSISTANT, Action.DELETE)
            target = await _target(tx, actor, assistant, access, space_id)
            if target.space.id == assistant.space_id:
                return
            account = await _account(tx, actor, assistant, access, target)
            before = await state_of(tx, assistant)
            kept = list(account.kept)
            for collection in account.shareable if share_sources else ():
                await share_with(tx, actor, collection, target)
                kept.append(collection)
            assistant.space_id, assistant.completion_model_id = space_id, account.model_id
            assistant.published = False
            assistant.insight_enabled = assistant.insight_enabled and not account.insight_ends
            await tx.assistants.set_collections(assistant.id, [collection.id for collection in kept])
            old, new = difference(before, await state_of(tx, assistant))
            change = Change("assistant_transferred", "assistant", assistant.id, assistant.name, old=old, new=new)
            tx.record(actor, change)
            for place in (access.space.id, space_id):
                tx.signal(Signal(f"space:{place}", "assistants_changed"))


async def _target(
    tx: Transaction, actor: Actor, assistant: Assistant, access: SpaceAccess, space_id: UUID
) -> SpaceAccess:
    """The space to which the assistant may go: the actor may make assistants there, and its class is no lower."""
    target = access if space_id == access.space.id else await space_access(tx, actor, space_id)
    target.require(actor, Resource.ASSISTANT, Action.CREATE)
    rules = await rules_for(tx, [access.space, target.space])
    if not may_read(rules, target.space, access.space):
        raise NotApproved(LOWER_REFUSED, name=assistant.name, space=target.space.name)
    return target


async def _account(
    tx: Transaction, actor: Actor, assistant: Assistant, access: SpaceAccess, target: SpaceAccess
) -> Account:
    collections = await tx.assistants.collections(assistant.id)
    offered = {collection.id for collection in await readable_collections(tx, target.space)}
    usable = [c for c in collections if await may_receive(tx, target.space, c)]
    kept = [c for c in usable if c.id in offered]
    beside = [c for c in collections if c not in kept]
    shareable = [c for c in usable if c not in kept and await may_share(tx, actor, c, target)]
    model = await _model(tx, assistant, target.space)
    toggles = Action.INSIGHT_TOGGLE in target.permissions(actor, Resource.ASSISTANT)
    return Account(
        target.space,
        kept,
        shareable,
        [c for c in beside if c not in shareable],
        model,
        model_changes=model != assistant.completion_model_id,
        becomes_draft=assistant.published,
        insight_ends=assistant.insight_enabled and not toggles,
    )


async def _model(tx: Transaction, assistant: Assistant, space: Space) -> UUID | None:
    """The assistant's own model where it may serve the space, else the first one that may."""
    choice = await completion_choice(tx, assistant.completion_model_id)
    if choice is not None and may_serve(await rules_for(tx, [space]), choice.model, space):
        return choice.model.id
    return await default_model(tx, space)


async def _copy_parts(
    tx: Transaction, actor: Actor, source: Assistant, copy: Assistant, collections: Sequence[Collection]
) -> None:
    """Give the copy the instruction, the files and these collections."""
    prompt, files = await tx.assistants.instruction(source.id)
    if prompt is not None:
        await tx.add(Prompt(tenant_id=copy.tenant_id, assistant_id=copy.id, user_id=actor.user_id, text=prompt.text))
    await tx.assistants.set_collections(copy.id, [collection.id for collection in collections])
    await tx.assistants.set_files(copy.id, [file.id for file in files])
