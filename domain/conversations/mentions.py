"""Another assistant answers one question of a conversation: the one that was mentioned.

It answers with its own instruction, model and knowledge, and hears what was said before. So nobody may be asked from whose
space those words may not go to its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.classifications.approval import NO_RULES, Rules, may_read, may_serve, rules_for
from domain.conversations.entities import Conversation, Message
from domain.kernel.errors import N_, NotApproved
from domain.models.choice import CompletionChoice
from domain.models.entities import AnyModel
from domain.spaces.entities import Space
from domain.transaction import Transaction

MENTIONED = "mentioned"
"""In the trace of a message: the name of the assistant that answers in place of the conversation's own, and its space."""
HIGHER = N_(
    "This conversation holds answers from a space of a higher security class than that of “{name}”. Ask “{name}” in a "
    "new conversation."
)
MODEL = N_(
    "“{model}”, the model of “{name}”, is not approved for the space “{space}”, from which this conversation holds "
    "answers. Ask “{name}” in a new conversation."
)


def mention(message: Message, conversation: Conversation, assistant: Assistant) -> None:
    """Note who answers, when it is not the conversation's own assistant. The name stays what it was then."""
    if assistant.id != conversation.assistant_id:
        message.trace[MENTIONED] = {"name": assistant.name, "space_id": str(assistant.space_id)}


def mentioned(message: Message) -> dict[str, Any]:
    """Who answers in place of the conversation's own assistant; empty when nobody does."""
    found: dict[str, Any] = message.trace.get(MENTIONED) or {}
    return found


async def faces(tx: Transaction, messages: Sequence[Message]) -> Mapping[UUID, UUID]:
    """The pictures that those bear now who were mentioned, by message; whether one may see them is asked with each."""
    who = {message.id: message.assistant_id for message in messages if mentioned(message)}
    icons = await tx.icons.of_assistants(set(who.values())) if who else {}
    return {message_id: icons[assistant_id] for message_id, assistant_id in who.items() if assistant_id in icons}


@dataclass(frozen=True, slots=True)
class Hearing:
    """The other spaces whose words an assistant hears with a question."""

    rules: Rules = NO_RULES
    homes: Sequence[Space] = ()

    def may(self, model: AnyModel) -> bool:
        """Whether a model may be given those words."""
        return all(may_serve(self.rules, model, home) for home in self.homes)

    def require(self, assistant: Assistant, choice: CompletionChoice) -> None:
        """Raise `NotApproved` unless the assistant's model may be given those words."""
        for home in self.homes:
            if not may_serve(self.rules, choice.model, home):
                raise NotApproved(MODEL, model=choice.model.nickname, name=assistant.name, space=home.name)


def spoken(said: Sequence[Message]) -> tuple[set[UUID], bool]:
    """Whose words these messages hold, also in short: the spaces of those who were mentioned, and whether the own did."""
    spaces = {UUID(found["space_id"]) for each in said if (found := mentioned(each))}
    summaries = [each.summary for each in said if each.summary]
    spaces |= {UUID(space) for summary in summaries for space in summary["spaces"]}
    return spaces, any(not mentioned(each) for each in said) or any(summary["own"] for summary in summaries)


async def hearing(
    tx: Transaction, conversation: Conversation, assistant: Assistant, earlier: Sequence[Message]
) -> Hearing:
    """What an assistant hears; `NotApproved` when its space is of a lower class than one that spoke before."""
    spaces, own_spoke = spoken(earlier)
    if assistant.id != conversation.assistant_id and own_spoke:
        own = await tx.get(Assistant, conversation.assistant_id)
        spaces |= {own.space_id} if own else set()
    spaces.discard(assistant.space_id)
    if not spaces:
        return Hearing()
    here = await tx.get(Space, assistant.space_id)
    homes = list((await tx.spaces.many(spaces)).values())
    rules = await rules_for(tx, [*homes, *([here] if here else [])])
    if here is None or not all(may_read(rules, here, home) for home in homes):
        raise NotApproved(HIGHER, name=assistant.name)
    return Hearing(rules, homes)
