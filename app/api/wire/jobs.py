"""Public shapes of jobs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import Wire

Status = Literal["in progress", "queued", "complete", "failed", "not found"]


Task = Literal[
    "upload_info_blob",
    "transcription",
    "crawl",
    "embed_group",
    "change_embedding_model",
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


class PageOfJobPublic(Wire):
    items: list[JobPublic]
    count: int
