"""Questions without an answer: what people asked that nothing in the knowledge fits. Who asked is not kept."""

from datetime import timedelta
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, NotFound
from domain.kernel.events import Change
from domain.kernel.paging import Page, clamp
from domain.knowledge.entities import UnansweredQuestion
from domain.ports import Directory
from domain.spaces.service import space_access
from domain.transaction import Transaction, UnitOfWork

QUESTION_LENGTH = 1_000
LOOKED_THROUGH = 300
"""A question is counted with an equal one among so many newest: the texts are encrypted."""
RETENTION_DAYS = 365
"""How long questions are kept where neither assistant nor space says otherwise."""


async def note_unanswered(tx: Transaction, assistant: Assistant, question: str) -> None:
    """Remember a question that nothing fits, if the assistant's questions may be looked into at all."""
    text = " ".join(question.split())[:QUESTION_LENGTH]
    if not assistant.insight_enabled or not text:
        return
    for known in await tx.knowledge.unanswered_of(assistant.id, LOOKED_THROUGH):
        if known.space_id == assistant.space_id and _plain(known.question) == _plain(text):
            known.count, known.last_asked_at = known.count + 1, now()
            return
    await tx.add(
        UnansweredQuestion(
            tenant_id=assistant.tenant_id, space_id=assistant.space_id, assistant_id=assistant.id, question=text
        )
    )


def _plain(question: str) -> str:
    return question.casefold().strip(" ?!.")


class UnansweredService:
    """Use cases of those who care for the knowledge of a space."""

    def __init__(self, uow: UnitOfWork, directory: Directory) -> None:
        self._uow, self._directory = uow, directory

    async def page(
        self, actor: Actor, space_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[UnansweredQuestion]:
        """The questions of a space, the newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            await self._may(tx, actor, space_id)
            return await tx.knowledge.unanswered(space_id, limit=clamp(limit), cursor=cursor)

    async def delete(self, actor: Actor, space_id: UUID, question_id: UUID) -> None:
        """Take a question off the list."""
        async with self._uow.begin(actor.tenant_id) as tx:
            await self._may(tx, actor, space_id)
            found = await tx.get(UnansweredQuestion, question_id)
            if found is None or found.space_id != space_id:
                raise NotFound(N_("The question was not found."))
            await tx.remove(found)
            # Without the text: the audit log is not encrypted.
            tx.record(actor, Change("unanswered_question_deleted", "space", space_id))

    @staticmethod
    async def _may(tx: Transaction, actor: Actor, space_id: UUID) -> None:
        access = await space_access(tx, actor, space_id)
        if Action.READ not in access.permissions(actor, Resource.COLLECTION):
            raise NotFound(N_("The space was not found."))
        access.require(actor, Resource.COLLECTION, Action.EDIT)

    async def retain_everywhere(self) -> int:
        """Delete what is older than assistant or space keep it, in all organisations; how many."""
        count = 0
        for tenant_id in await self._directory.tenant_ids():
            async with self._uow.begin(tenant_id) as tx:
                for assistant_id, days in await tx.knowledge.unanswered_days():
                    before = now() - timedelta(days=RETENTION_DAYS if days is None else days)
                    count += await tx.knowledge.drop_unanswered(assistant_id, before)
        return count
