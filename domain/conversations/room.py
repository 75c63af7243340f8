"""How much of a model's window a conversation takes, estimated without asking a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.assistants.access import readable_assistant
from domain.conversations.branches import Branches
from domain.conversations.context import cost_of
from domain.conversations.entities import Conversation
from domain.conversations.summaries import HISTORY_MESSAGES, recalled
from domain.conversations.tokens import estimate
from domain.files.entities import File
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NoModel, NotFound
from domain.models.service import completion_choice
from domain.transaction import UnitOfWork

NEARLY_FULL = 80
"""From so many percent on one is warned."""


@dataclass(frozen=True, slots=True)
class Room:
    """What stands already in a window of `limit` tokens: the instruction with its files, and what was said before."""

    limit: int
    prompt: int = 0
    history: int = 0

    def percent(self, text: int = 0, files: int = 0) -> float:
        """The share of the window that is taken, with a question and its files."""
        return round(100 * (self.prompt + self.history + text + files) / self.limit, 2)


class RoomService:
    """Says how much room is left."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def of(self, actor: Actor, assistant_id: UUID, conversation_id: UUID | None = None) -> Room:
        """The window of an assistant's model with what the shown branch of one of the actor's conversations takes."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, _ = await readable_assistant(tx, actor, assistant_id)
            choice = await completion_choice(tx, assistant.completion_model_id)
            if choice is None:
                raise NoModel
            prompt, files = await tx.assistants.instruction(assistant_id)
            instruction = (estimate(prompt.text) if prompt else 0) + tokens_of(files)
            history = 0
            if conversation_id is not None:
                conversation = await tx.get(Conversation, conversation_id)
                if conversation is None or not conversation.is_of(actor):
                    raise NotFound(N_("The conversation was not found."))
                path = Branches(await tx.conversations.links(conversation_id)).shown(conversation.shown_id)
                said = await tx.conversations.messages(path[-HISTORY_MESSAGES:])
                history = sum(map(cost_of, recalled([m for m in said if m.answer])))
        return Room(choice.model.token_limit, instruction, history)


def tokens_of(files: Sequence[File]) -> int:
    """What the texts of files take."""
    return sum(file.token_count or estimate(file.text or "") for file in files)
