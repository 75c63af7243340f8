"""Conversations: questions, answers, and the passages each answer rests on."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.entity import Owned


class AnswerState(StrEnum):
    """The state of an answer run. Every state but `running` is final."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(eq=False, kw_only=True)
class Conversation(Owned):
    """A conversation of one user with one assistant, private to that user. Others may answer single questions of it.

    With `api_key_id` it belongs to a key of the assistant, and the user behind the key does not see it. One that is
    `temporary` stands in no list and is not searched; it is deleted when it is left (see `domain.conversations.temporary`).
    `shown_id` is a message of the branch that is shown; None for the newest (see `domain.conversations.branches`).
    """

    user_id: UUID
    assistant_id: UUID
    name: str
    api_key_id: UUID | None = None
    feedback_value: int | None = None
    feedback_text: str | None = None
    last_message_at: datetime | None = None
    pinned_at: datetime | None = None
    temporary: bool = False
    shown_id: UUID | None = None

    def is_of(self, actor: Actor) -> bool:
        """Whether the conversation is the actor's own."""
        return self.user_id == actor.user_id and self.api_key_id == actor.apart


@dataclass(eq=False, kw_only=True)
class Message(Owned):
    """A question and the run that answers it; it follows the message `parent_id`.

    While `state` is running, `owner` names the process that runs it and `heartbeat_at` shows that it lives. Tokens are
    the provider's count where it gives one (`tokens_estimated` False). `trace` explains how the answer came about;
    `citations` are those of `domain.conversations.citations` as they are stored, None until the answer was checked.
    `assistant_id` is the one who answers.
    """

    conversation_id: UUID
    assistant_id: UUID
    question: str
    parent_id: UUID | None = None
    answer: str = ""
    thought: str = ""
    state: str = AnswerState.RUNNING
    error: str | None = None
    error_params: dict[str, Any] = field(default_factory=dict)
    completion_model_id: UUID | None = None
    model_name: str = ""
    provider_name: str = ""
    tokens_question: int = 0
    tokens_answer: int = 0
    tokens_estimated: bool = True
    owner: str | None = None
    heartbeat_at: datetime | None = None
    stop_requested: bool = False
    finished_at: datetime | None = None
    feedback_value: int | None = None
    feedback_text: str | None = None
    trace: dict[str, Any] = field(default_factory=dict)
    citations: list[dict[str, Any]] | None = None
    summary: dict[str, Any] | None = None
    """What was said up to and with this message, in short, where the conversation became too long for its model.

    `text`, and who spoke (see `domain.conversations.mentions.spoken`): the `spaces` of those who were mentioned, and
    whether the conversation's `own` assistant did.
    """


@dataclass(eq=False, kw_only=True)
class MessageSource(Owned):
    """A passage given to the model for an answer, as it was then: it outlives its document.

    `number` is the `[n]` of the citation, `cited` whether the answer refers to it; `start` and `end` are character
    positions in the text of `version_id`; `url` is where the document can be read, `website` whether it is a website's page.
    """

    message_id: UUID
    number: int
    document_id: UUID
    version_id: UUID
    collection_id: UUID
    chunk_id: UUID
    title: str
    text: str
    start: int
    end: int
    page_from: int | None = None
    page_to: int | None = None
    heading_path: list[str] = field(default_factory=list)
    score: float = 0.0
    vector_score: float | None = None
    text_score: float | None = None
    cited: bool = False
    url: str | None = None
    website: bool = False


@dataclass(eq=False, kw_only=True)
class MessageFile(Owned):
    """A file attached to a question."""

    message_id: UUID
    file_id: UUID


@dataclass(eq=False, kw_only=True)
class Explanation(Owned):
    """How an answer came about: the very `messages` that the model was sent, and what was `found` for them.

    `found` holds what was sought, the ranked lists and what had to stay out (see `domain.conversations.explaining`).
    """

    message_id: UUID
    messages: list[dict[str, Any]]
    found: dict[str, Any]


@dataclass(eq=False, kw_only=True)
class ReusableAnswer(Owned):
    """An answer that may be given again.

    `same` is the digest of all that the model was sent, `around` of that without question and passages, None where the
    conversation had begun before; `vector` is the question as the embedding model saw it.
    """

    assistant_id: UUID
    message_id: UUID
    same: str
    around: str | None = None
    vector: bytes | None = None
