"""Model providers of an organisation and the models they offer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned


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
    """A model that answers. `token_limit` counts prompt and answer together."""

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
    deprecated: bool = False
    enabled: bool = True
    is_default: bool = False


@dataclass(eq=False, kw_only=True)
class TranscriptionModel(Owned):
    """A model that writes down what is said in a recording."""

    provider_id: UUID
    name: str
    nickname: str
    family: str = "openai"
    hosting: str = "swe"
    org: str | None = None
    stability: str = "stable"
    description: str | None = None
    open_source: bool | None = None
    deprecated: bool = False
    enabled: bool = True
    is_default: bool = False


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
