"""Publishing assistants: use cases."""

from uuid import UUID

from domain.assistants.access import permissions_of, readable_assistant, resource_of
from domain.assistants.readiness import Finding, findings, require_ready
from domain.kernel.access import Action
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Forbidden
from domain.kernel.events import Change, Signal
from domain.transaction import UnitOfWork


class PublishingService:
    """Whether an assistant is ready, and showing it to the viewers of its space."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def findings(self, actor: Actor, assistant_id: UUID) -> list[Finding]:
        """What is to be mended before the assistant is published, the grave things first; for those who may edit it."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            return await findings(tx, assistant)

    async def publish(self, actor: Actor, assistant_id: UUID, published: bool) -> None:
        """Show the assistant to viewers, or hide it again; `NotReady` when something stands in the way."""
        async with self._uow.begin(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            if Action.PUBLISH not in permissions_of(actor, access, assistant):
                raise Forbidden(N_("This assistant cannot be published by you here."))
            if published and not assistant.published:
                await require_ready(tx, assistant)
            old, new = {"published": assistant.published}, {"published": published}
            assistant.published = published
            change = Change("assistant_published", "assistant", assistant.id, assistant.name, old=old, new=new)
            tx.record(actor, change)
            tx.signal(Signal(f"space:{assistant.space_id}", "assistants_changed"))
