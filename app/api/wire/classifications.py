"""Public shapes of security classifications."""

from typing import Literal
from uuid import UUID

from app.api.wire.assistants import AssistantSparse
from app.api.wire.base import ModelId, Wire
from app.api.wire.models import (
    CompletionModelPublic,
    EmbeddingModelPublic,
    RerankModelPublic,
    SecurityClassificationPublic,
    TranscriptionModelPublic,
)
from app.api.wire.spaces import AppSparse, GroupChatSparse, ServiceSparse


class SecurityClassificationCreatePublic(Wire):
    name: str
    description: str | None = None
    set_lowest_security: bool = True


class SecurityClassificationSingleUpdate(Wire):
    name: str | None = None
    description: str | None = None


class SecurityClassificationResponse(Wire):
    security_enabled: bool
    security_classifications: list[SecurityClassificationPublic]


class SecurityClassificationsListPublic(Wire):
    security_classifications: list[SecurityClassificationPublic]


class SecurityClassificationLevelsUpdateRequest(Wire):
    """All of them, the lowest first; with the token of the impact where that takes something away."""

    security_classifications: list[ModelId]
    impact_token: str | None = None


class SecurityEnableRequest(Wire):
    enabled: bool
    impact_token: str | None = None


class SecurityEnableResponse(Wire):
    security_enabled: bool


class AffectedPublic(Wire):
    """Something that could not be used any more as it is, in a space. In personal spaces it has no name here."""

    kind: Literal["assistant", "documents", "website"]
    id: UUID
    name: str
    space_id: UUID
    space: str
    reason: Literal["model", "embedding", "knowledge", "share"]
    model: str
    home: str


class ImpactPublic(Wire):
    """What a change would take away, `affected` up to a hundred of it; `impact_token` confirms exactly this."""

    impact_token: str
    affected: list[AffectedPublic]
    affected_count: int


class ImpactRequest(Wire):
    """The change to look at: one of switching, another order (the lowest first), and another class of a model."""

    enabled: bool | None = None
    security_classifications: list[ModelId] | None = None
    model_id: UUID | None = None
    security_classification: ModelId | None = None


class UpdateSpaceDryRunResponse(ImpactPublic):
    """What a space would lose: models that it could use, and what uses them."""

    assistants: list[AssistantSparse]
    group_chats: list[GroupChatSparse]
    services: list[ServiceSparse]
    apps: list[AppSparse]
    completion_models: list[CompletionModelPublic]
    embedding_models: list[EmbeddingModelPublic]
    transcription_models: list[TranscriptionModelPublic]
    rerank_models: list[RerankModelPublic]
