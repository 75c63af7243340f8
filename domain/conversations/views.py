"""What is asked of conversations, and what they answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.conversations.context import Exchange
from domain.conversations.entities import Conversation, Message, MessageSource
from domain.files.entities import File
from domain.knowledge.filters import Filter


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks: in a conversation, or of an assistant in a new one."""

    text: str
    conversation_id: UUID | None = None
    assistant_id: UUID | None = None
    file_ids: Sequence[UUID] = ()
    fresh: bool = False
    """Whether an earlier answer may not do."""
    easy: bool = False
    """Whether the answer is to be in easy language."""
    replaces: UUID | None = None
    """The question of the conversation beside which it stands: a branch begins there."""
    mentioned: UUID | None = None
    """The assistant that answers in place of the conversation's own; one that is replaced is answered as before."""
    temporary: bool = False
    """Whether the conversation that begins with it is to be gone when it is left."""
    collection_ids: Sequence[UUID] = ()
    """Those of the assistant's collections in which the answer is sought; none means all."""
    documents: Filter | None = None
    """Among which documents it is sought."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a program asks that keeps the conversation itself, and sends all of it along.

    `instruction` is added to the assistant's own, `settings` count before the assistant's.
    """

    assistant_id: UUID
    text: str
    history: Sequence[Exchange] = ()
    instruction: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    keep: bool = False
    """Whether the conversation stays when it is answered. If not, whoever asks deletes it, or the sweeper does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was taken in; its answer is under way."""

    conversation: Conversation
    message: Message
    files: Sequence[File] = ()
    face: UUID | None = None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with its passages and files.

    `versions` are the ids of all that stand in its place, the oldest first; `face` is the picture of a mentioned assistant.
    """

    message: Message
    sources: Sequence[MessageSource]
    files: Sequence[File]
    versions: Sequence[UUID] = ()
    face: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation with its newest messages, oldest first."""

    conversation: Conversation
    assistant: Assistant
    messages: Sequence[MessageView]
