"""What everybody who may ask an assistant may know of it: who answers for it, what it reads, and what is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.assistants.access import readable_assistant
from domain.assistants.entities import Assistant
from domain.files.entities import File
from domain.kernel.actor import Actor
from domain.knowledge.entities import Collection, CollectionKind
from domain.models.choice import CompletionChoice
from domain.models.service import completion_choice
from domain.models.stand_ins import stand_ins
from domain.spaces.entities import Space
from domain.transaction import UnitOfWork
from domain.users.entities import User, UserState
from domain.websites.entities import Website


@dataclass(frozen=True, slots=True)
class Transparency:
    """An assistant as it presents itself. `owner` made it, unless the account is gone."""

    assistant: Assistant
    space: Space
    owner: User | None
    model: CompletionChoice | None
    stand_ins: Sequence[CompletionChoice]
    """The models that may answer in its place."""
    collections: Sequence[Collection]
    websites: Sequence[Website]
    files: Sequence[File]

    @property
    def keep_days(self) -> int | None:
        """How many days after its last question a conversation is deleted."""
        own = self.assistant.data_retention_days
        return self.space.data_retention_days if own is None else own


class TransparencyService:
    """Tells what an assistant is."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def card(self, actor: Actor, assistant_id: UUID) -> Transparency:
        """Of an assistant that the actor may ask."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            collections = await tx.assistants.collections(assistant_id)
            websites = [c.id for c in collections if c.kind == CollectionKind.WEBSITE]
            model = await completion_choice(tx, assistant.completion_model_id)
            owner = await tx.get(User, assistant.user_id)
            return Transparency(
                assistant,
                access.space,
                owner if owner is not None and owner.state != UserState.DELETED else None,
                model,
                await stand_ins(tx, model, assistant, vision=False) if model else (),
                [c for c in collections if c.kind == CollectionKind.DOCUMENTS],
                await tx.websites.many(websites),
                await tx.assistants.files(assistant_id),
            )
