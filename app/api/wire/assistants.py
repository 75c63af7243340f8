"""Public shapes of assistants."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.api.wire.base import ModelId, ResourcePermission, Wire
from app.api.wire.files import FilePublic, FileRestrictions
from app.api.wire.knowledge import CollectionPublic, IntegrationKnowledgePublic
from app.api.wire.models import CompletionModelSparse, ModelInfo, ModelKwargs
from app.api.wire.users import UserSparse
from app.api.wire.websites import WebsitePublic

AssistantType = Literal["assistant", "default-assistant"]


class AssistantSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    completion_model_kwargs: ModelKwargs | None = None
    logging_enabled: bool = False
    permissions: list[ResourcePermission] = []
    user_id: UUID
    published: bool = False
    description: str | None = None
    metadata_json: dict[str, Any] | None = None
    type: AssistantType
    icon_id: UUID | None = None
    completion_model_id: UUID | None = None


class PermittedPageOfAssistantSparse(Wire):
    permissions: list[ResourcePermission] = []
    items: list[AssistantSparse]
    count: int


class PromptPublic(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    description: str | None = None
    is_selected: bool | None = None
    user: UserSparse
    text: str


class MCPToolSetting(Wire):
    tool_id: UUID
    is_enabled: bool


class ToolAssistant(Wire):
    id: UUID
    handle: str


class UseTools(Wire):
    assistants: list[ToolAssistant]


class DefaultAssistant(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    prompt: PromptPublic | None = None
    space_id: UUID
    completion_model_kwargs: ModelKwargs
    logging_enabled: bool
    attachments: list[FilePublic]
    allowed_attachments: FileRestrictions
    groups: list[CollectionPublic]
    websites: list[WebsitePublic]
    integration_knowledge_list: list[IntegrationKnowledgePublic]
    mcp_servers: list[dict[str, Any]]
    mcp_tools: list[MCPToolSetting] = []
    completion_model: CompletionModelSparse | None = None
    published: bool = False
    user: UserSparse
    tools: UseTools
    type: AssistantType
    model_info: ModelInfo | None = None
    description: str | None = None
    icon_id: UUID | None = None
    insight_enabled: bool = False
    whole_documents: bool = False
    starter_questions: list[str] = []
    contact: str | None = None
    fallback_model_id: UUID | None = None
    model_preference: str = "order"
    answer_reuse: str = "off"
    answer_reuse_hours: int = 24
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None


WizardType = Literal["attachments", "groups"]


class AdditionalField(Wire):
    type: WizardType
    value: list[dict[str, UUID]]


class TemplateCreate(Wire):
    id: UUID
    additional_fields: list[AdditionalField] | None


class CreateSpaceAssistantRequest(Wire):
    name: str
    from_template: TemplateCreate | None = None


class AssistantPublic(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    prompt: PromptPublic | None = None
    space_id: UUID
    completion_model_kwargs: ModelKwargs
    logging_enabled: bool
    attachments: list[FilePublic]
    allowed_attachments: FileRestrictions
    groups: list[CollectionPublic]
    websites: list[WebsitePublic]
    integration_knowledge_list: list[IntegrationKnowledgePublic]
    mcp_servers: list[dict[str, Any]]
    mcp_tools: list[MCPToolSetting] = []
    completion_model: CompletionModelSparse | None = None
    published: bool = False
    user: UserSparse
    tools: UseTools
    type: AssistantType
    model_info: ModelInfo | None = None
    description: str | None = None
    icon_id: UUID | None = None
    insight_enabled: bool
    whole_documents: bool = False
    starter_questions: list[str] = []
    contact: str | None = None
    fallback_model_id: UUID | None = None
    model_preference: str = "order"
    answer_reuse: str = "off"
    answer_reuse_hours: int = 24
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None


class PageOfAssistantPublic(Wire):
    items: list[AssistantPublic]
    count: int
    limit: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None
    total_count: int | None = None


class PromptCreate(Wire):
    text: str
    description: str | None = None


class AssistantGuard(Wire):
    guardrail_active: bool = False
    guardrail_string: str | None = None
    on_fail_message: str | None = None


class AssistantCreatePublic(Wire):
    name: str
    completion_model_kwargs: ModelKwargs | None = None
    logging_enabled: bool | None = None
    space_id: UUID
    prompt: PromptCreate | None = None
    groups: list[ModelId] = []
    websites: list[ModelId] = []
    integration_knowledge_list: list[ModelId] = []
    mcp_servers: list[ModelId] = []
    guardrail: AssistantGuard | None = None
    completion_model: ModelId | None = None


class PartialAssistantUpdatePublic(Wire):
    name: str | None = None
    completion_model_kwargs: ModelKwargs | None = None
    logging_enabled: bool | None = None
    space_id: UUID | None = None
    prompt: PromptCreate | None = None
    groups: list[ModelId] | None = None
    websites: list[ModelId] | None = None
    integration_knowledge_list: list[ModelId] | None = None
    mcp_servers: list[ModelId] | None = None
    guardrail: AssistantGuard | None = None
    completion_model: ModelId | None = None
    attachments: list[ModelId] | None = None
    mcp_tools: list[MCPToolSetting] | None = None
    description: str | None = None
    insight_enabled: bool | None = None
    whole_documents: bool | None = None
    starter_questions: list[str] | None = None
    contact: str | None = None
    fallback_model_id: UUID | None = None
    model_preference: str | None = None
    answer_reuse: str | None = None
    answer_reuse_hours: int | None = None
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None
    icon_id: UUID | None = None


class TokenEstimateRequest(Wire):
    text: str | None = None
    file_ids: list[UUID] = []
    session_id: UUID | None = None


class TokenEstimateBreakdown(Wire):
    prompt: int
    history: int = 0
    text: int
    files: int
    file_details: dict[str, int] = {}


class TokenEstimateResponse(Wire):
    tokens: int
    percentage: float
    limit: int
    breakdown: TokenEstimateBreakdown


class PromptUpdateRequest(Wire):
    description: str | None = None


class PromptSparse(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    description: str | None = None
    is_selected: bool
    user: UserSparse


class PageOfPromptSparse(Wire):
    items: list[PromptSparse]
    count: int


class ReadinessFinding(Wire):
    code: str
    field: str
    blocking: bool
    message: str
    group_id: UUID | None = None
    website_id: UUID | None = None


class AssistantReadiness(Wire):
    ready: bool
    items: list[ReadinessFinding]
    count: int


class PromptVariable(Wire):
    name: str
    value: str


class PromptVariables(Wire):
    items: list[PromptVariable]
    count: int
    unknown: list[str]


class AssistantDuplicate(Wire):
    name: str | None = None
    space_id: UUID | None = None


class TransferApplicationRequest(Wire):
    target_space_id: UUID
    move_resources: bool | None = False


class TransferSource(Wire):
    name: str
    group_id: UUID | None = None
    website_id: UUID | None = None


class TransferAccount(Wire):
    kept: list[TransferSource]
    shareable: list[TransferSource]
    left: list[TransferSource]
    model_changes: bool
    completion_model_id: UUID | None
    becomes_draft: bool
    insight_ends: bool
