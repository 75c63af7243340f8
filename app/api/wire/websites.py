"""Public shapes of websites and their crawls."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.api.wire.base import ModelId, ResourcePermission, Wire
from app.api.wire.jobs import Status
from app.api.wire.models import EmbeddingModelPublic

CrawlType = Literal["crawl", "sitemap"]


UpdateInterval = Literal["never", "daily", "every_other_day", "weekly"]


Words = Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100)]


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


class PageOfCrawlRunPublic(Wire):
    items: list[CrawlRunPublic2]
    count: int


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
    shared_from: str | None = None
    download_files: bool
    run_scripts: bool = False
    crawl_type: CrawlType
    update_interval: UpdateInterval
    latest_crawl: CrawlRunPublic2 | None
    embedding_model: EmbeddingModelPublic
    metadata: WebsiteMetadata
    requires_http_auth: bool
    consecutive_failures: int = 0
    next_retry_at: datetime | None = None
    is_auto_disabled: bool


class PageOfWebsitePublic(Wire):
    items: list[WebsitePublic]
    count: int


class PermittedPageOfWebsitePublic(Wire):
    permissions: list[ResourcePermission] = []
    items: list[WebsitePublic]
    count: int


class WebsiteSettings(Wire):
    """How a website is read: fields beside those that existing clients know."""

    update_time: str | None = Field(None, examples=["03:00"])
    include: Words | None = None
    exclude: Words | None = None
    max_depth: int | None = None
    max_pages: int | None = None
    delay: float | None = None
    concurrency: int | None = None


class WebsiteCreate(WebsiteSettings):
    name: str | None = None
    url: str
    download_files: bool = False
    run_scripts: bool = False
    crawl_type: CrawlType = "crawl"
    update_interval: UpdateInterval = "never"
    embedding_model: ModelId | None = None
    http_auth_username: str | None = None
    http_auth_password: str | None = None


class WebsiteCreateRequestDeprecated(WebsiteSettings):
    name: str | None = None
    url: str
    space_id: UUID | None = None
    download_files: bool = False
    run_scripts: bool = False
    crawl_type: CrawlType = "crawl"
    update_interval: UpdateInterval = "never"
    embedding_model: ModelId


class WebsiteUpdate(WebsiteSettings):
    url: str | None = None
    name: str | None = None
    download_files: bool | None = None
    run_scripts: bool | None = None
    crawl_type: CrawlType | None = None
    update_interval: UpdateInterval | None = None
    http_auth_username: str | None = None
    http_auth_password: str | None = None


class WebsitePreviewRequest(Wire):
    url: str
    download_files: bool = False
    run_scripts: bool = False
    crawl_type: CrawlType = "crawl"
    include: Words | None = None
    exclude: Words | None = None
    http_auth_username: str | None = None
    http_auth_password: str | None = None


class WebsitePreviewPage(Wire):
    url: str
    title: str
    text: str
    characters: int
    reason: str | None
    detail: str


class WebsitePreviewLeft(Wire):
    url: str
    reason: str


class WebsitePreview(Wire):
    pages: list[WebsitePreviewPage]
    follows: list[str]
    leaves: list[WebsitePreviewLeft]
    sitemaps: list[str]


class BulkCrawlRequest(Wire):
    website_ids: list[UUID]


class BulkCrawlResponse(Wire):
    total: int
    queued: int
    failed: int
    crawl_runs: list[CrawlRunPublic2]
    errors: list[dict[str, str]]


class WebsiteExistsResponse(Wire):
    website_id: UUID
    space_id: UUID
    space_name: str
    url: str
    name: str | None
    update_interval: UpdateInterval
    last_crawled_at: datetime | None
    pages_crawled: int | None = None
    pages_failed: int | None = None
    files_downloaded: int | None = None
    files_failed: int | None = None
    crawl_status: str | None = None


class TransferRequest(Wire):
    target_space_id: UUID


class CrawlPagePublic(Wire):
    id: UUID
    url: str
    title: str | None
    depth: int
    state: str
    reason: str | None
    detail: str | None
    status: int | None
    size: int
    is_file: bool
    document_id: UUID | None


class PageOfCrawlPagePublic(Wire):
    items: list[CrawlPagePublic]
    count: int
