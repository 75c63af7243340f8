"""Public shapes of models."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.api.wire.base import ModelId, Wire


class ModelKwargs(Wire):
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    response_format: dict[str, Any] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None


ModelFamily = str


ModelStability = str


ModelHostingLocation = str


ModelOrg = str


class SecurityClassificationPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    description: str | None
    security_level: int


class ModelPricePublic(Wire):
    """Amounts of `currency` for a million tokens, and for a minute of a recording."""

    valid_from: date
    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None
    minute: Decimal


class KeptModelPrice(ModelPricePublic):
    """The same for administrators, who may take it away."""

    id: UUID


class ModelFactsPublic(Wire):
    """Said beside what existing clients know. From the day `retires_on` the model is not called any more."""

    license: str | None = None
    retires_on: date | None = None
    replacement_id: UUID | None = None
    max_output: int | None = None
    price: ModelPricePublic | None = None


class EmbeddingModelPublic(ModelFactsPublic):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    family: ModelFamily
    is_deprecated: bool
    open_source: bool
    dimensions: int | None = None
    max_input: int | None = None
    hf_link: str | None = None
    stability: ModelStability
    hosting: ModelHostingLocation
    description: str | None = None
    org: ModelOrg | None = None
    litellm_model_name: str | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    is_org_enabled: bool = False
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    provider_name: str | None = None
    provider_type: str | None = None


EmbeddingModelFamily = str


class EmbeddingModelPublicLegacy(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    family: EmbeddingModelFamily
    is_deprecated: bool
    open_source: bool
    dimensions: int | None = None
    max_input: int | None = None
    max_batch_size: int | None = None
    hf_link: str | None = None
    stability: ModelStability
    hosting: ModelHostingLocation
    description: str | None = None
    org: ModelOrg | None = None
    litellm_model_name: str | None = None
    is_org_enabled: bool = False
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None


class CompletionModelSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    nickname: str
    family: str
    token_limit: int
    is_deprecated: bool
    nr_billion_parameters: int | None = None
    hf_link: str | None = None
    stability: str
    hosting: str
    open_source: bool | None = None
    description: str | None = None
    deployment_name: str | None = None
    org: str | None = None
    vision: bool
    reasoning: bool
    supports_tool_calling: bool = False
    base_url: str | None = None
    litellm_model_name: str | None = None


class ModelInfo(Wire):
    name: str
    token_limit: int
    prompt_tokens: int | None = None


class CompletionModelPublic(ModelFactsPublic):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    nickname: str
    family: str
    token_limit: int
    is_deprecated: bool
    nr_billion_parameters: int | None = None
    hf_link: str | None = None
    stability: str
    hosting: str
    open_source: bool | None = None
    description: str | None = None
    deployment_name: str | None = None
    org: str | None = None
    vision: bool
    reasoning: bool
    supports_tool_calling: bool = False
    base_url: str | None = None
    litellm_model_name: str | None = None
    is_org_enabled: bool = False
    is_org_default: bool = False
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    provider_name: str | None = None
    provider_type: str | None = None
    stand_ins: list[UUID] = []
    """Models that answer, in this order, when this one does not."""


class PlainModelPublic(ModelFactsPublic):
    """What recordings are written down by and search results ordered by have in common."""

    id: UUID
    name: str
    nickname: str
    is_deprecated: bool
    open_source: bool | None = None
    description: str | None = None
    hf_link: str | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    is_org_enabled: bool = False
    is_org_default: bool = False
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    provider_name: str | None = None
    provider_type: str | None = None


class TranscriptionModelPublic(PlainModelPublic):
    family: ModelFamily
    stability: ModelStability
    hosting: ModelHostingLocation
    org: ModelOrg | None = None


class RerankModelPublic(PlainModelPublic):
    family: str
    stability: str
    hosting: str
    org: str | None = None


class RerankModelSecurityStatus(RerankModelPublic):
    meets_security_classification: bool | None = None


class PageOfRerankModelPublic(Wire):
    items: list[RerankModelPublic]
    count: int


class PageOfTranscriptionModelPublic(Wire):
    items: list[TranscriptionModelPublic]
    count: int


class TranscriptionModelUpdate(Wire):
    is_org_enabled: bool | None = None
    is_org_default: bool | None = None
    security_classification: ModelId | None = None
    impact_token: str | None = None


class RerankModelUpdate(TranscriptionModelUpdate):
    pass


class TenantTranscriptionModelCreate(Wire):
    provider_id: UUID
    name: str
    display_name: str
    hosting: str = "swe"
    family: str = ""
    is_active: bool = True
    is_default: bool = False


class TenantRerankModelCreate(TenantTranscriptionModelCreate):
    pass


class ModelHealth(Wire):
    """A model that is left alone until `resting_seconds` have passed; then one call may show whether it answers again."""

    id: UUID
    kind: str
    nickname: str
    trouble: str
    failures: int
    resting_seconds: float


class ModelRating(Wire):
    """How many of a model's answers people have called good within ninety days, of so many that were rated."""

    id: UUID
    good: int
    rated: int


class TenantModelUpdate(Wire):
    """What can be said of every model; what is not named stays."""

    display_name: str | None = None
    description: str | None = None
    hosting: str | None = None
    open_source: bool | None = None
    stability: str | None = None
    family: str | None = None
    org: str | None = None
    license: str | None = None
    hf_link: str | None = None
    is_deprecated: bool | None = None
    retires_on: date | None = None
    replacement_id: UUID | None = None


class TenantTranscriptionModelUpdate(TenantModelUpdate):
    pass


class TenantRerankModelUpdate(TenantModelUpdate):
    pass


class TenantEmbeddingModelUpdate(TenantModelUpdate):
    max_input: int | None = None


class TenantCompletionModelUpdate(TenantModelUpdate):
    token_limit: int | None = None
    max_output: int | None = None
    vision: bool | None = None
    reasoning: bool | None = None
    supports_tool_calling: bool | None = None
    stand_ins: list[UUID] | None = None


class TenantCompletionModelCreate(Wire):
    provider_id: UUID
    name: str
    display_name: str
    token_limit: int = 128_000
    vision: bool = False
    reasoning: bool = False
    supports_tool_calling: bool = False
    hosting: str = "swe"
    family: str = ""
    is_active: bool = True
    is_default: bool = False


class TenantEmbeddingModelCreate(Wire):
    provider_id: UUID
    name: str
    display_name: str = ""
    family: str = ""
    dimensions: int | None = None
    max_input: int | None = None
    hosting: str = "swe"
    is_active: bool = True
    is_default: bool = False


class ModelPriceCreate(Wire):
    valid_from: date
    currency: str = "SEK"
    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cached: Decimal | None = None
    minute: Decimal = Decimal(0)


class PageOfModelPrice(Wire):
    items: list[KeptModelPrice]
    count: int


class CompletionModel(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    nickname: str
    family: str
    token_limit: int
    is_deprecated: bool
    nr_billion_parameters: int | None = None
    hf_link: str | None = None
    stability: str
    hosting: str
    open_source: bool | None = None
    description: str | None = None
    deployment_name: str | None = None
    org: str | None = None
    vision: bool
    reasoning: bool
    supports_tool_calling: bool = False
    base_url: str | None = None
    litellm_model_name: str | None = None
    is_org_enabled: bool = False
    is_org_default: bool = False
    tenant_id: UUID | None = None
    provider_id: UUID | None = None


class GetModelsResponse(Wire):
    completion_models: list[CompletionModelPublic]
    embedding_models: list[EmbeddingModelPublicLegacy]


class PageOfCompletionModelPublic(Wire):
    items: list[CompletionModelPublic]
    count: int


class CompletionModelUpdateFlags(Wire):
    is_org_enabled: bool | None = None
    is_org_default: bool | None = None
    security_classification: ModelId | None = None
    impact_token: str | None = None


class PageOfEmbeddingModelPublic(Wire):
    items: list[EmbeddingModelPublic]
    count: int


class EmbeddingModelUpdate(Wire):
    is_org_enabled: bool | None = None
    security_classification: ModelId | None = None
    impact_token: str | None = None


class CompletionModelSecurityStatus(ModelFactsPublic):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    nickname: str
    family: str
    token_limit: int
    is_deprecated: bool
    nr_billion_parameters: int | None = None
    hf_link: str | None = None
    stability: str
    hosting: str
    open_source: bool | None = None
    description: str | None = None
    deployment_name: str | None = None
    org: str | None = None
    vision: bool
    reasoning: bool
    supports_tool_calling: bool = False
    base_url: str | None = None
    litellm_model_name: str | None = None
    is_org_enabled: bool = False
    is_org_default: bool = False
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    provider_name: str | None = None
    provider_type: str | None = None
    meets_security_classification: bool | None = None


class EmbeddingModelSecurityStatus(ModelFactsPublic):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    family: ModelFamily
    is_deprecated: bool
    open_source: bool
    dimensions: int | None = None
    max_input: int | None = None
    hf_link: str | None = None
    stability: ModelStability
    hosting: ModelHostingLocation
    description: str | None = None
    org: ModelOrg | None = None
    litellm_model_name: str | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    is_org_enabled: bool = False
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    provider_name: str | None = None
    provider_type: str | None = None
    meets_security_classification: bool | None = None


class TranscriptionModelSecurityStatus(ModelFactsPublic):
    id: UUID
    name: str
    nickname: str
    family: ModelFamily
    is_deprecated: bool
    stability: ModelStability
    hosting: ModelHostingLocation
    open_source: bool | None = None
    description: str | None = None
    hf_link: str | None = None
    org: ModelOrg | None = None
    can_access: bool = False
    is_locked: bool = False
    lock_reason: str | None = None
    is_org_enabled: bool = False
    is_org_default: bool = False
    credential_provider: str | None = None
    security_classification: SecurityClassificationPublic | None = None
    tenant_id: UUID | None = None
    provider_id: UUID | None = None
    provider_name: str | None = None
    provider_type: str | None = None
    meets_security_classification: bool | None = None


class ModelsPresentation(Wire):
    completion_models: list[CompletionModelSecurityStatus]
    embedding_models: list[EmbeddingModelSecurityStatus]
    transcription_models: list[TranscriptionModelSecurityStatus]
    rerank_models: list[RerankModelSecurityStatus]
