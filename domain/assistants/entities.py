"""Assistants: a prompt, a model, and the knowledge an answer may rest on."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class Assistant(Owned):
    """A configured chat partner. `is_default` marks the one that each space has by itself.

    `contact` says whom people ask about it. `starter_questions` are offered before the first question. With
    `whole_documents` the model is given the documents in which something was found as a whole, as far as they fit.
    `fallback_model_id` is the model that answers when its own does not, before those that stand in for that one;
    `model_preference` says which of all these is asked first (`domain.models.stand_ins`).
    `answer_reuse` says which questions may get an earlier answer (`domain.conversations.reuse`), for how many hours.
    """

    space_id: UUID
    user_id: UUID
    name: str
    description: str | None = None
    contact: str | None = None
    is_default: bool = False
    completion_model_id: UUID | None = None
    fallback_model_id: UUID | None = None
    model_preference: str = "order"
    model_settings: dict[str, Any] = field(default_factory=dict)
    published: bool = False
    logging_enabled: bool = False
    insight_enabled: bool = False
    whole_documents: bool = False
    starter_questions: list[str] = field(default_factory=list)
    answer_reuse: str = "off"
    answer_reuse_hours: int = 24
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None
    icon_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class Prompt(Owned):
    """A version of an assistant's instruction; exactly one is selected."""

    assistant_id: UUID
    user_id: UUID
    text: str
    description: str | None = None
    selected: bool = True


@dataclass(eq=False, kw_only=True)
class AssistantCollection(Owned):
    """A collection that an assistant searches."""

    assistant_id: UUID
    collection_id: UUID


@dataclass(eq=False, kw_only=True)
class AssistantFile(Owned):
    """A file that is part of an assistant's instruction."""

    assistant_id: UUID
    file_id: UUID
