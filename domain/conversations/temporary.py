"""Temporary conversations: gone for good when they are left, with everything that was said and sent along."""

from datetime import timedelta
from uuid import UUID

from domain.conversations.entities import Conversation
from domain.conversations.run import Runs
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, NotFound
from domain.kernel.events import Change
from domain.knowledge.removal import release_blobs
from domain.ports import Directory
from domain.transaction import Transaction, UnitOfWork

LONGEST = timedelta(hours=22)
"""What nobody has left by then, as after a crash, the hourly upkeep takes: no later than a day after the last question."""
AT_ONCE = 100


async def remove_conversation(tx: Transaction, actor: Actor, conversation: Conversation, runs: Runs) -> None:
    """Delete a conversation, and with a temporary one the files that belong to nothing else; a running answer stops.

    The rows of the ledger stay: they hold no text.
    """
    for link in await tx.conversations.links(conversation.id):
        run = runs.get(link.id)
        if run is not None:
            run.stop.set()
    files = await tx.conversations.files_of(conversation.id) if conversation.temporary else ()
    await tx.remove(conversation)
    await tx.flush()
    for file in files:
        await tx.remove(file)
    await tx.flush()
    await release_blobs(tx, [file.blob_id for file in files])
    new = {"temporary": True} if conversation.temporary else {}
    tx.record(actor, Change("conversation_deleted", "conversation", conversation.id, new=new))


class TemporaryService:
    """Ends temporary conversations."""

    def __init__(self, uow: UnitOfWork, directory: Directory, runs: Runs) -> None:
        self._uow, self._directory, self._runs = uow, directory, runs

    async def leave(self, actor: Actor, conversation_id: UUID) -> None:
        """Delete a temporary conversation of the actor's own; one that is gone already is left alone."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await tx.get(Conversation, conversation_id)
            if conversation is None:
                return
            if not conversation.is_of(actor) or not conversation.temporary:
                raise NotFound(N_("The conversation was not found."))
            await remove_conversation(tx, actor, conversation, self._runs)

    async def drop_everywhere(self) -> int:
        """Delete those that nobody has left, in all organisations; how many."""
        return sum([await self._drop(tenant_id) for tenant_id in await self._directory.tenant_ids()])

    async def _drop(self, tenant_id: UUID) -> int:
        count = 0
        while True:
            async with self._uow.begin(tenant_id) as tx:
                left = await tx.conversations.temporary_before(now() - LONGEST, AT_ONCE)
                for conversation in left:
                    await remove_conversation(tx, Actor.system(tenant_id), conversation, self._runs)
            count += len(left)
            if len(left) < AT_ONCE:
                return count
