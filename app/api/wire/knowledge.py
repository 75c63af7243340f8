"""Public shapes of knowledge."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.wire.base import ModelId, ResourcePermission, Wire
from app.api.wire.models import EmbeddingModelPublic, EmbeddingModelPublicLegacy
from app.api.wire.websites import PermittedPageOfWebsitePublic
from domain.knowledge.filters import MOST_TAGS, Filter
from domain.knowledge.parsing import SUPPORTED


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
    shared_from: str | None = None


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


class PermittedPageOfCollectionPublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[CollectionPublic]
    count: int


class PermittedPageOfIntegrationKnowledgePublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[IntegrationKnowledgePublic]
    count: int


class Knowledge(Wire):
    groups: PermittedPageOfCollectionPublic
    websites: PermittedPageOfWebsitePublic
    integration_knowledge_list: PermittedPageOfIntegrationKnowledgePublic


class CreateSpaceGroupsRequest(Wire):
    name: str
    embedding_model: ModelId | None = None


class InfoBlobMetadata(Wire):
    url: str | None = None
    title: str | None = None
    tags: list[str] = []
    embedding_model_id: UUID | None
    size: int


class InfoBlobPublicNoText(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    metadata: InfoBlobMetadata
    group_id: UUID | None = None
    website_id: UUID | None = None


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
    tags: list[str] | None = None


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


class TagsChange(Wire):
    info_blob_ids: list[UUID]
    add: list[str] = []
    remove: list[str] = []


class TagsChanged(Wire):
    """How many documents have other tags than before."""

    changed: int


class Narrowed(BaseModel):
    """What a search is narrowed to.

    Documents added on these days (UTC), of one of the types (file extensions), from documents or websites, with all of the
    tags, in one of the languages.
    """

    since: date | None = None
    until: date | None = None
    types: list[Literal[tuple(SUPPORTED)]] = Field([], examples=[["pdf", "docx"]])  # type: ignore[valid-type]
    source: Literal["documents", "website"] | None = None
    tags: list[str] = Field([], max_length=MOST_TAGS)
    languages: list[Literal["sv", "en"]] = []

    def read(self) -> Filter | None:
        """As the search knows it."""
        return Filter.of(**self.model_dump())
