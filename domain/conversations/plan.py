"""What an answer needs, gathered before a model is called."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import monotonic
from typing import Any

from domain.assistants.entities import Assistant
from domain.conversations.context import Exchange, room_for_documents
from domain.conversations.entities import AnswerState, Message
from domain.conversations.mentions import Hearing
from domain.conversations.reuse import Earlier, Marks
from domain.files.entities import File
from domain.kernel import tracing
from domain.kernel.actor import Actor
from domain.knowledge.entities import Collection
from domain.knowledge.filters import Filter
from domain.knowledge.retrieval import Retrieval
from domain.knowledge.searching import Embedding, Meaning
from domain.models.choice import CompletionChoice, RerankChoice
from domain.ports import Access
from domain.usage.attribution import Attribution
from domain.usage.entities import ModelCall, Purpose

FORGOTTEN = "forgotten"
"""In the trace of a message: its conversation goes when it is answered."""


@dataclass
class Plan:
    """All that a run needs, gathered before the model is called."""

    actor: Actor
    assistant: Assistant
    message: Message
    choice: CompletionChoice
    settings: dict[str, Any]
    history: list[Exchange]
    collections: list[Collection]
    files: Sequence[File]
    asked: CompletionChoice
    """The model that the assistant has: its settings were made for it."""
    prompt: str = ""
    instruction_files: Sequence[File] = ()
    begun: float = field(default_factory=monotonic)
    call: ModelCall | None = None
    """The row of the ledger, once the model is called."""
    max_tokens: int | None = None
    """The longest answer that whoever asks wants."""
    kept: int = 0
    """So many characters of the answer were there before: it is continued."""
    thought: str = ""
    """What was thought for them."""
    fresh: bool = False
    """Whether an earlier answer may not do."""
    earlier: Earlier | None = None
    """The answer that is given again, once one was found."""
    marks: Marks | None = None
    """By what the answer could be found again."""
    stand_ins: list[CompletionChoice] = field(default_factory=list)
    """What may answer when the chosen model does not; `choice` is always the one that is asked now."""
    passed: Sequence[dict[str, Any]] = ()
    """Which models would have come first, and why they do not."""
    heard: Hearing = field(default_factory=Hearing)
    """Whose words the assistant hears with the question."""
    embedders: Sequence[Embedding] = ()
    """The embedding models of what the assistant searches."""
    meaning: "asyncio.Task[Meaning] | None" = None
    """What they make of the question, when they have been asked already."""
    retrieving: "asyncio.Task[Retrieval | None] | None" = None
    """The search, when it has begun already."""
    access: Access | None = field(default=None, repr=False)
    """The key for the first call, once it was found."""
    explained: bool = False
    """Whether there may be an explanation already."""
    reranker: RerankChoice | None = None
    """The model that puts in order what is found, where the space has one."""
    documents: Filter | None = None
    """Among which documents whoever asks wants the answer to be sought; None for all."""
    temporary: bool = False
    """Nothing of what is asked may stay anywhere."""
    span: tracing.Span = field(default_factory=lambda: tracing.begin("answer"))
    """The answer as a piece of its trace."""

    @cached_property
    def who(self) -> Attribution:
        """For whom and what is called."""
        return attribution(self.actor, self.assistant, self.message)

    @property
    def milliseconds(self) -> int:
        """How long ago it was begun."""
        return round((monotonic() - self.begun) * 1000)

    @property
    def whole_tokens(self) -> int:
        """How many tokens of whole documents the answer may rest on; 0 where passages are wanted."""
        return room_for_documents(self.choice.model.token_limit) if self.assistant.whole_documents else 0

    def tell(self, state: str) -> None:
        """End the piece of the trace, with how it went."""
        message = self.message
        self.span.note({
            "samrad.answer.state": state,
            "samrad.answer.first_token_ms": message.trace.get("first_token_ms", -1),
            "gen_ai.request.model": self.choice.model.name,
            "gen_ai.usage.input_tokens": message.tokens_question,
            "gen_ai.usage.output_tokens": message.tokens_answer,
        })  # fmt: skip
        if state == AnswerState.FAILED:
            self.span.fail(str(message.trace.get("error_code", "unexpected")))
        self.span.end()


def answers_with(message: Message, choice: CompletionChoice) -> None:
    """Say in the message which model answers it."""
    message.completion_model_id = choice.model.id
    message.model_name, message.provider_name = choice.model.nickname, choice.provider.name


def attribution(actor: Actor, assistant: Assistant, message: Message) -> Attribution:
    """For whom and what a message is answered."""
    return replace(
        Attribution.of(actor, Purpose.ANSWER),
        space_id=assistant.space_id,
        assistant_id=assistant.id,
        conversation_id=message.conversation_id,
        message_id=message.id,
        collected=[],
    )
