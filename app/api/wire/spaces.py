"""Public shapes of spaces."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.api.wire.assistants import DefaultAssistant, MCPToolSetting, PermittedPageOfAssistantSparse
from app.api.wire.base import ModelId, ResourcePermission, Wire
from app.api.wire.knowledge import Knowledge
from app.api.wire.models import (
    CompletionModelPublic,
    EmbeddingModelPublic,
    ModelKwargs,
    RerankModelPublic,
    SecurityClassificationPublic,
    TranscriptionModelPublic,
)


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
    rerank_models: list[RerankModelPublic]
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


class PartialUpdateSpaceRequest(Wire):
    name: str | None = None
    description: str | None = None
    embedding_models: list[ModelId] | None = None
    completion_models: list[ModelId] | None = None
    transcription_models: list[ModelId] | None = None
    rerank_models: list[ModelId] | None = None
    mcp_servers: list[ModelId] | None = None
    mcp_tools: list[MCPToolSetting] | None = None
    security_classification: ModelId | None = None
    icon_id: UUID | None = None
    data_retention_days: int | None = None
    impact_token: str | None = None


class AddSpaceMemberRequest(Wire):
    id: UUID
    role: SpaceRoleValue


class UpdateSpaceMemberRequest(Wire):
    role: SpaceRoleValue


class AddSpaceGroupMemberRequest(Wire):
    id: UUID
    role: SpaceRoleValue


class UpdateSpaceGroupMemberRequest(Wire):
    role: SpaceRoleValue


class PageOfSpaceGroupMember(Wire):
    items: list[SpaceGroupMember]
    count: int


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
