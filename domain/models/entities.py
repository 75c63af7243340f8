"""Model providers of an organisation and the models they offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned


class ModelKind(StrEnum):
    """What a model does."""

    COMPLETION = "completion"
    EMBEDDING = "embedding"
    TRANSCRIPTION = "transcription"
    RERANK = "rerank"


class ProviderType(StrEnum):
    """How a provider is spoken to."""

    BUILTIN = "builtin"
    COMPATIBLE = "openai_compatible"
    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"
    MISTRAL = "mistral"
    GEMINI = "gemini"
    COHERE = "cohere"


@dataclass(eq=False, kw_only=True)
class ModelProvider(Owned):
    """A service that runs models. `secret` is the encrypted key, `key_tail` the last four characters of the plain one."""

    name: str
    type: str
    base_url: str | None = None
    secret: str | None = None
    key_tail: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    active: bool = True


@dataclass(eq=False, kw_only=True)
class CompletionModel(Owned):
    """A model that answers. `token_limit` counts prompt and answer together; `max_output` is the longest answer.

    From the day `retires_on` it is not called any more, and `replacement_id` says what to use instead;
    `security_classification_id` says how far it is trusted; so with all kinds.
    `stand_ins` are the ids of models that answer, in this order, when it does not.
    """

    provider_id: UUID
    name: str
    nickname: str
    token_limit: int
    family: str = "openai"
    hosting: str = "swe"
    org: str | None = None
    stability: str = "stable"
    description: str | None = None
    open_source: bool | None = None
    vision: bool = False
    reasoning: bool = False
    supports_tool_calling: bool = False
    max_output: int | None = None
    deprecated: bool = False
    enabled: bool = True
    is_default: bool = False
    license: str | None = None
    link: str | None = None
    retires_on: date | None = None
    replacement_id: UUID | None = None
    stand_ins: list[str] = field(default_factory=list)
    security_classification_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class PlainModel(Owned):
    """A model of which nothing more is known than that it can be called."""

    provider_id: UUID
    name: str
    nickname: str
    family: str
    hosting: str = "swe"
    org: str | None = None
    stability: str = "stable"
    description: str | None = None
    open_source: bool | None = None
    deprecated: bool = False
    enabled: bool = True
    is_default: bool = False
    license: str | None = None
    link: str | None = None
    retires_on: date | None = None
    replacement_id: UUID | None = None
    security_classification_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class TranscriptionModel(PlainModel):
    """A model that writes down what is said in a recording."""

    family: str = "openai"


@dataclass(eq=False, kw_only=True)
class RerankModel(PlainModel):
    """A model that reads a question with passages, and says how well each of them fits."""

    family: str = "rerank"


@dataclass(eq=False, kw_only=True)
class EmbeddingModel(Owned):
    """A model that turns text into vectors of `dimensions`; `max_input` is in tokens."""

    provider_id: UUID
    name: str
    dimensions: int
    max_input: int
    family: str = "e5"
    hosting: str = "swe"
    org: str | None = None
    stability: str = "stable"
    description: str | None = None
    open_source: bool = True
    deprecated: bool = False
    enabled: bool = True
    is_default: bool = False
    license: str | None = None
    link: str | None = None
    retires_on: date | None = None
    replacement_id: UUID | None = None
    security_classification_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class ModelPrice(Owned):
    """What a model costs from a day on, until the next price of the same model begins.

    Amounts are in billionths of `currency`: for a million tokens read (`input`), read from the provider's cache (`cached`,
    None where that costs what reading costs) and written (`output`); and for a `minute` of a recording. Of the four ids
    exactly one is set.
    """

    valid_from: date
    currency: str
    completion_id: UUID | None = None
    embedding_id: UUID | None = None
    transcription_id: UUID | None = None
    rerank_id: UUID | None = None
    input: int = 0
    output: int = 0
    cached: int | None = None
    minute: int = 0

    @property
    def model_id(self) -> UUID | None:
        """The model it is for."""
        return self.completion_id or self.embedding_id or self.transcription_id or self.rerank_id


AnyModel = CompletionModel | EmbeddingModel | TranscriptionModel | RerankModel
KINDS: Mapping[ModelKind, type[AnyModel]] = {
    ModelKind.COMPLETION: CompletionModel,
    ModelKind.EMBEDDING: EmbeddingModel,
    ModelKind.TRANSCRIPTION: TranscriptionModel,
    ModelKind.RERANK: RerankModel,
}


def kind_of(model: AnyModel) -> ModelKind:
    """What a model does."""
    return next(kind for kind, entity in KINDS.items() if isinstance(model, entity))


def title_of(model: AnyModel) -> str:
    """What people call a model."""
    return model.name if isinstance(model, EmbeddingModel) else model.nickname
