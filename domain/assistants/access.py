"""Reaching assistants: the object, if it is the actor's to know, what may be done to it, and what it may read."""

from uuid import UUID

from domain.assistants.entities import Assistant
from domain.classifications.approval import (
    readable_in,
)
from domain.kernel.access import Action, Resource, Role
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound, Unauthenticated
from domain.knowledge.entities import Collection
from domain.spaces.entities import Space, SpaceKind
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction


def resource_of(assistant: Assistant) -> Resource:
    """What the assistant is to the policy."""
    return Resource.DEFAULT_ASSISTANT if assistant.is_default else Resource.ASSISTANT


def visible(access: SpaceAccess, assistant: Assistant) -> bool:
    """Viewers see what is published, and the space's own assistant."""
    return assistant.is_default or assistant.published or access.role != "viewer"


def permissions_of(actor: Actor, access: SpaceAccess, assistant: Assistant) -> list[Action]:
    """What the actor may do to this very assistant."""
    allowed = access.permissions_of_one(actor, resource_of(assistant))
    if access.space.kind == SpaceKind.PERSONAL:
        allowed = [a for a in allowed if a != Action.PUBLISH]
    if not assistant.insight_enabled:
        allowed = [a for a in allowed if a != Action.INSIGHT_VIEW]
    return allowed


async def readable_assistant(tx: Transaction, actor: Actor, assistant_id: UUID) -> tuple[Assistant, SpaceAccess]:
    """The assistant, when the actor may read and use it; `NotFound` otherwise."""
    if actor.key is not None and actor.key.assistant_id not in (None, assistant_id):
        raise Unauthenticated(N_("This API key is for another assistant."))
    missing = NotFound(N_("The assistant was not found."))
    # Both at once: the space is known to the transaction when it is asked for.
    found = await tx.assistants.with_space(assistant_id)
    if found is None:
        raise missing
    assistant, space = found
    access = await space_access(tx, actor, space.id, missing=missing)
    if not visible(access, assistant):
        raise missing
    return assistant, access


async def readable_collections(tx: Transaction, space: Space) -> list[Collection]:
    """The collections an assistant of this space may use: its own, those shared with it, then the organisation's."""
    shared = await readable_in(tx, space, await tx.knowledge.shared_with(space.id))
    own = [*await tx.knowledge.collections([space.id]), *shared]
    organization = await tx.spaces.organization()
    if organization is None or organization.id == space.id:
        return own
    return own + list(await tx.knowledge.collections([organization.id]))


async def own_spaces(tx: Transaction, actor: Actor) -> dict[UUID, SpaceAccess]:
    """The actor's personal space, where there is one, and those in which the actor is a member."""
    personal = await tx.spaces.personal(actor.user_id)
    found = [SpaceAccess(space, Role(role)) for space, role in await tx.spaces.of_member(actor.user_id)]
    return {access.space.id: access for access in found + ([SpaceAccess(personal, Role.OWNER)] if personal else [])}
