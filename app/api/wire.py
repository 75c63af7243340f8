"""The names and types of the public API, as existing clients know them.

Only this floor says group for a collection, info-blob for a document, session for a conversation.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A body of a request or an answer. Answers may carry more than the fields named here."""

    model_config = ConfigDict(extra="allow")


ResourcePermission = Literal[
    "read", "create", "edit", "delete", "add", "remove", "publish", "insight_view", "insight_toggle"
]


class ModelKwargs(Wire):
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    response_format: dict[str, Any] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None


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


class GroupChatSparse(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime
    updated_at: datetime
    name: str
    id: UUID
    user_id: UUID
    published: bool
    type: Literal["group-chat"]
    metadata_json: dict[str, Any] | None


class PermittedPageOfGroupChatSparse(Wire):
    permissions: list[ResourcePermission] = []
    items: list[GroupChatSparse]
    count: int


class ServiceSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    output_format: Literal["json", "list", "boolean"] | None = None
    json_schema: dict[str, Any] | None = None
    name: str
    prompt: str
    completion_model_kwargs: ModelKwargs | None = None
    permissions: list[ResourcePermission] = []
    user_id: UUID


class PermittedPageOfServiceSparse(Wire):
    permissions: list[ResourcePermission] = []
    items: list[ServiceSparse]
    count: int


class AppSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    permissions: list[ResourcePermission] = []
    name: str
    description: str | None = None
    published: bool
    user_id: UUID
    icon_id: UUID | None = None


class PermittedPageOfAppSparse(Wire):
    permissions: list[ResourcePermission] = []
    items: list[AppSparse]
    count: int


class Applications(Wire):
    assistants: PermittedPageOfAssistantSparse
    group_chats: PermittedPageOfGroupChatSparse
    services: PermittedPageOfServiceSparse
    apps: PermittedPageOfAppSparse


class UserSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    email: str
    username: str | None = None


class PromptPublic(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    description: str | None = None
    is_selected: bool | None = None
    user: UserSparse
    text: str


class FilePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    mimetype: str
    size: int
    transcription: str | None = None
    token_count: int | None = None


class AcceptedFileType(Wire):
    mimetype: str
    size_limit: int


class Limit(Wire):
    max_files: int
    max_size: int


class FileRestrictions(Wire):
    accepted_file_types: list[AcceptedFileType]
    limit: Limit


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


class EmbeddingModelPublic(Wire):
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


class CollectionMetadata(Wire):
    num_info_blobs: int
    size: int


class CollectionPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    permissions: list[ResourcePermission] = []
    name: str
    embedding_model: EmbeddingModelPublic
    metadata: CollectionMetadata
    space_id: UUID


CrawlType = Literal["crawl", "sitemap"]


UpdateInterval = Literal["never", "daily", "every_other_day", "weekly"]


Status = Literal["in progress", "queued", "complete", "failed", "not found"]


class CrawlRunPublic2(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    pages_crawled: int | None
    files_downloaded: int | None
    pages_failed: int | None
    files_failed: int | None
    failure_summary: dict[str, int] | None = None
    status: Status
    result_location: str | None
    finished_at: datetime | None


class WebsiteMetadata(Wire):
    size: int


class WebsitePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    permissions: list[ResourcePermission] = []
    name: str | None
    url: str
    space_id: UUID
    download_files: bool
    crawl_type: CrawlType
    update_interval: UpdateInterval
    latest_crawl: CrawlRunPublic2 | None
    embedding_model: EmbeddingModelPublic
    metadata: WebsiteMetadata
    requires_http_auth: bool
    consecutive_failures: int = 0
    next_retry_at: datetime | None = None
    is_auto_disabled: bool


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


class IntegrationKnowledgeMetaData(Wire):
    size: int
    last_sync_summary: dict[str, Any] | None = None
    last_synced_at: datetime | None = None
    sharepoint_subscription_expires_at: datetime | None = None


class IntegrationKnowledgePublic(Wire):
    id: UUID
    name: str
    original_name: str | None = None
    url: str
    tenant_id: UUID
    space_id: UUID
    user_integration_id: UUID
    embedding_model: EmbeddingModelPublicLegacy
    site_id: str | None = None
    drive_id: str | None = None
    resource_type: str | None = None
    sharepoint_subscription_id: UUID | None = None
    folder_id: str | None = None
    folder_path: str | None = None
    selected_item_type: str | None = None
    wrapper_id: UUID | None = None
    wrapper_name: str | None = None
    permissions: list[ResourcePermission] = []
    metadata: IntegrationKnowledgeMetaData
    integration_type: Literal["confluence", "sharepoint"]
    task: str


class MCPToolSetting(Wire):
    tool_id: UUID
    is_enabled: bool


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


class ToolAssistant(Wire):
    id: UUID
    handle: str


class UseTools(Wire):
    assistants: list[ToolAssistant]


class ModelInfo(Wire):
    name: str
    token_limit: int
    prompt_tokens: int | None = None


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
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None


class CompletionModelPublic(Wire):
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


class TranscriptionModelPublic(Wire):
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


class PermittedPageOfCollectionPublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[CollectionPublic]
    count: int


class PermittedPageOfWebsitePublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[WebsitePublic]
    count: int


class PermittedPageOfIntegrationKnowledgePublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[IntegrationKnowledgePublic]
    count: int


class Knowledge(Wire):
    groups: PermittedPageOfCollectionPublic
    websites: PermittedPageOfWebsitePublic
    integration_knowledge_list: PermittedPageOfIntegrationKnowledgePublic


SpaceRoleValue = Literal["admin", "editor", "viewer"]


class SpaceMember(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    email: str
    username: str | None = None
    role: SpaceRoleValue


class PermittedPageOfSpaceMember(Wire):
    permissions: list[ResourcePermission] = []
    items: list[SpaceMember]
    count: int


class SpaceGroupMember(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    role: SpaceRoleValue
    user_count: int = 0


class PermittedPageOfSpaceGroupMember(Wire):
    permissions: list[ResourcePermission] = []
    items: list[SpaceGroupMember]
    count: int


class SpaceRole(Wire):
    value: SpaceRoleValue
    label: str


class SpacePublic(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    description: str | None
    personal: bool
    organization: bool
    icon_id: UUID | None = None
    applications: Applications
    default_assistant: DefaultAssistant
    data_retention_days: int | None = None
    embedding_models: list[EmbeddingModelPublic]
    completion_models: list[CompletionModelPublic]
    transcription_models: list[TranscriptionModelPublic]
    mcp_servers: list[dict[str, Any]]
    knowledge: Knowledge
    members: PermittedPageOfSpaceMember
    group_members: PermittedPageOfSpaceGroupMember
    available_roles: list[SpaceRole]
    security_classification: SecurityClassificationPublic | None


class SpaceSparse(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    description: str | None
    personal: bool
    organization: bool
    icon_id: UUID | None = None
    applications: Applications | None = None
    default_assistant: DefaultAssistant | None = None
    data_retention_days: int | None = None


class PageOfSpaceSparse(Wire):
    items: list[SpaceSparse]
    count: int


class CreateSpaceRequest(Wire):
    name: str


class ModelId(Wire):
    id: UUID


class PartialUpdateSpaceRequest(Wire):
    name: str | None = None
    description: str | None = None
    embedding_models: list[ModelId] | None = None
    completion_models: list[ModelId] | None = None
    transcription_models: list[ModelId] | None = None
    mcp_servers: list[ModelId] | None = None
    mcp_tools: list[MCPToolSetting] | None = None
    security_classification: ModelId | None = None
    icon_id: UUID | None = None
    data_retention_days: int | None = None


class AddSpaceMemberRequest(Wire):
    id: UUID
    role: SpaceRoleValue


class UpdateSpaceMemberRequest(Wire):
    role: SpaceRoleValue


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


class CreateSpaceGroupsRequest(Wire):
    name: str
    embedding_model: ModelId | None = None


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
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None


class PageOfAssistantPublic(Wire):
    items: list[AssistantPublic]
    count: int


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
    data_retention_days: int | None = None
    metadata_json: dict[str, Any] | None = None
    icon_id: UUID | None = None


class SessionMetadataPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    id: UUID


class CursorPageOfSessionMetadataPublic(Wire):
    items: list[SessionMetadataPublic]
    limit: int | None = None
    next_cursor: datetime | str | None = None
    previous_cursor: datetime | str | None = None
    total_count: int
    count: int


class AskAssistant(Wire):
    question: str
    session_id: UUID | None = None
    files: list[ModelId] = []
    stream: bool = False
    tools: UseTools | None = None


class InfoBlobMetadata(Wire):
    url: str | None = None
    title: str | None = None
    embedding_model_id: UUID | None
    size: int


class InfoBlobAskAssistantPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    metadata: InfoBlobMetadata
    group_id: UUID | None = None
    website_id: UUID | None = None
    score: float


class WebSearchResultPublic(Wire):
    id: UUID
    title: str
    url: str


class AskResponse(Wire):
    session_id: UUID
    question: str
    answer: str
    files: list[FilePublic]
    generated_files: list[FilePublic]
    references: list[InfoBlobAskAssistantPublic]
    tools: UseTools
    web_search_references: list[WebSearchResultPublic]
    model: CompletionModelPublic | None = None


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


class InfoBlobPublicNoText(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    metadata: InfoBlobMetadata
    group_id: UUID | None = None
    website_id: UUID | None = None


class ToolCallInfo(Wire):
    server_name: str
    tool_name: str
    arguments: dict[str, Any] | None = None
    tool_call_id: str | None = None
    approved: bool | None = None


class Message(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID | None = None
    question: str
    answer: str
    completion_model: CompletionModel | None = None
    references: list[InfoBlobPublicNoText]
    files: list[FilePublic]
    tools: UseTools
    generated_files: list[FilePublic]
    web_search_references: list[WebSearchResultPublic]
    tool_calls: list[ToolCallInfo] = []


class SessionFeedback(Wire):
    value: Literal[-1, 1]
    text: str | None = None


class SessionPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    id: UUID
    messages: list[Message]
    feedback: SessionFeedback | None = None


class TokenEstimateRequest(Wire):
    text: str | None = None
    file_ids: list[UUID] = []


class TokenEstimateBreakdown(Wire):
    prompt: int
    text: int
    files: int
    file_details: dict[str, int] = {}


class TokenEstimateResponse(Wire):
    tokens: int
    percentage: float
    limit: int
    breakdown: TokenEstimateBreakdown


class ConversationRequest(Wire):
    question: str
    session_id: UUID | None = None
    assistant_id: UUID | None = None
    group_chat_id: UUID | None = None
    files: list[ModelId] = []
    stream: bool = False
    tools: UseTools | None = None
    use_web_search: bool = False
    require_tool_approval: bool = False


class PageOfFilePublic(Wire):
    items: list[FilePublic]
    count: int


ContentDisposition = Literal["attachment", "inline"]


class SignedURLRequest(Wire):
    expires_in: int = 0
    content_disposition: ContentDisposition | None = None


class SignedURLResponse(Wire):
    url: str
    expires_at: int


class GroupMetadata(Wire):
    num_info_blobs: int
    size: int


class GroupPublicWithMetadata(Wire):
    permissions: list[ResourcePermission] = []
    name: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    embedding_model: EmbeddingModelPublic
    space_id: UUID
    metadata: GroupMetadata


class PageOfGroupPublicWithMetadata(Wire):
    items: list[GroupPublicWithMetadata]
    count: int


class CreateGroupRequest(Wire):
    name: str
    embedding_model: ModelId


class CollectionUpdate(Wire):
    name: str


class PageOfInfoBlobPublicNoText(Wire):
    items: list[InfoBlobPublicNoText]
    count: int


class InfoBlobMetadataUpsertPublic(Wire):
    url: str | None = None
    title: str | None = None


class InfoBlobAddPublic(Wire):
    text: str
    metadata: InfoBlobMetadataUpsertPublic | None = None


class InfoBlobUpsertRequest(Wire):
    info_blobs: list[InfoBlobAddPublic]


class InfoBlobPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    metadata: InfoBlobMetadata
    group_id: UUID | None = None
    website_id: UUID | None = None
    text: str


class PageOfInfoBlobPublic(Wire):
    items: list[InfoBlobPublic]
    count: int


Task = Literal[
    "upload_info_blob",
    "transcription",
    "crawl",
    "embed_group",
    "crawl_all_websites",
    "run_app",
    "pull_confluence_content",
    "pull_sharepoint_content",
    "sync_sharepoint_delta",
    "update_model_usage_stats",
    "analyze_conversation_insights",
]


class JobPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str | None = None
    status: Status
    task: Task
    result_location: str | None = None
    finished_at: datetime | None = None


class SemanticSearchRequest(Wire):
    search_string: str
    num_chunks: int = 0
    autocut_cutoff: int | None = None


class SemanticSearchResponse(Wire):
    id: UUID
    info_blob_id: UUID
    text: str
    score: float
    created_at: datetime
    updated_at: datetime


class PageOfSemanticSearchResponse(Wire):
    items: list[SemanticSearchResponse]
    count: int


class InfoBlobUpdatePublic(Wire):
    metadata: InfoBlobMetadataUpsertPublic


class PageOfJobPublic(Wire):
    items: list[JobPublic]
    count: int


class FormatLimit(Wire):
    mimetype: str
    size: int
    extensions: list[str]
    vision: bool


class InfoBlobLimits(Wire):
    formats: list[FormatLimit]


class AttachmentLimits(Wire):
    formats: list[FormatLimit]
    max_in_question: int


class Limits(Wire):
    info_blobs: InfoBlobLimits
    attachments: AttachmentLimits


class PromptUpdateRequest(Wire):
    description: str | None = None


class SettingsPublic(Wire):
    chatbot_widget: dict[str, Any] = {}
    using_templates: bool = False
    tenant_credentials_enabled: bool = False
    audit_logging_enabled: bool = False
    provisioning: bool = False


class GetModelsResponse(Wire):
    completion_models: list[CompletionModelPublic]
    embedding_models: list[EmbeddingModelPublicLegacy]


class PageOfStr(Wire):
    items: list[str]
    count: int


class CursorPageOfUserSparse(Wire):
    items: list[UserSparse]
    limit: int | None = None
    next_cursor: datetime | str | None = None
    previous_cursor: datetime | str | None = None
    total_count: int
    count: int


class AccessToken(Wire):
    access_token: str
    token_type: str


Permission = Literal[
    "assistants",
    "group_chats",
    "apps",
    "services",
    "collections",
    "insights",
    "AI",
    "editor",
    "admin",
    "websites",
    "integrations",
]


class RolePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    permissions: list[Permission] = []


class PredefinedRolePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    permissions: list[Permission] = []
    id: UUID


class UserGroupRead(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str


class UserPublic(Wire):
    email: str
    username: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    quota_used: int = 0
    truncated_api_key: str | None = None
    quota_limit: int | None = None
    roles: list[RolePublic]
    predefined_roles: list[PredefinedRolePublic]
    user_groups: list[UserGroupRead]


TenantState = Literal["active", "suspended"]


class TenantPublic(Wire):
    name: str
    display_name: str | None = None
    quota_limit: int = 0
    domain: str | None = None
    zitadel_org_id: str | None = None
    provisioning: bool = False
    state: TenantState | None = None
    security_enabled: bool = False
    privacy_policy: str | None = None


class PageOfCompletionModelPublic(Wire):
    items: list[CompletionModelPublic]
    count: int


class CompletionModelUpdateFlags(Wire):
    is_org_enabled: bool | None = None
    is_org_default: bool | None = None
    security_classification: ModelId | None = None


class PageOfEmbeddingModelPublic(Wire):
    items: list[EmbeddingModelPublic]
    count: int


class EmbeddingModelUpdate(Wire):
    is_org_enabled: bool = False
    security_classification: ModelId | None = None


class CompletionModelSecurityStatus(Wire):
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


class EmbeddingModelSecurityStatus(Wire):
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


class TranscriptionModelSecurityStatus(Wire):
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


class SpaceDashboard(Wire):
    permissions: list[ResourcePermission] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    description: str | None
    personal: bool
    organization: bool
    icon_id: UUID | None = None
    applications: Applications
    default_assistant: DefaultAssistant | None = None
    data_retention_days: int | None = None


class PageOfSpaceDashboard(Wire):
    items: list[SpaceDashboard]
    count: int


class Dashboard(Wire):
    spaces: PageOfSpaceDashboard


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


class TemplateSettingUpdate(Wire):
    enabled: bool
