"""Public shapes of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.api.wire.base import Wire


class AccessJustificationRequest(Wire):
    category: str
    description: str


class AccessJustificationResponse(Wire):
    status: str = "success"
    message: str | None = None


class AuditLogResponse(Wire):
    id: UUID
    tenant_id: UUID
    actor_id: UUID | None = None
    actor_type: str
    action: str
    entity_type: str
    entity_id: UUID
    timestamp: datetime
    description: str
    metadata: dict[str, Any]
    outcome: str
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    error_message: str | None = None
    deleted_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class AuditLogListResponse(Wire):
    logs: list[AuditLogResponse]
    total_count: int
    page: int
    page_size: int
    total_pages: int
    next_cursor: str | None = None


class ExportJobRequest(Wire):
    user_id: UUID | None = None
    actor_id: UUID | None = None
    action: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    format: str = "csv"
    max_records: int | None = None


class ExportJobResponse(Wire):
    job_id: UUID
    status: str
    message: str | None = None


class ExportJobStatusResponse(Wire):
    job_id: UUID
    status: str
    progress: int
    total_records: int
    processed_records: int
    format: str
    file_size_bytes: int | None = None
    error_message: str | None = None
    download_url: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    expires_at: datetime


class RetentionPolicyResponse(Wire):
    tenant_id: UUID
    retention_days: int
    last_purge_at: datetime | None = None
    purge_count: int
    created_at: datetime
    updated_at: datetime


class RetentionPolicyUpdateRequest(Wire):
    retention_days: int


class CategoryConfig(Wire):
    category: str
    enabled: bool
    description: str
    action_count: int
    example_actions: list[str]


class AuditConfigResponse(Wire):
    categories: list[CategoryConfig]


class CategoryUpdate(Wire):
    category: str
    enabled: bool


class AuditConfigUpdateRequest(Wire):
    updates: list[CategoryUpdate] = Field(max_length=50)


class ActionConfig(Wire):
    action: str
    enabled: bool
    category: str
    name_sv: str
    description_sv: str
    name_en: str
    description_en: str
    always: bool


class ActionConfigResponse(Wire):
    actions: list[ActionConfig]


class ActionUpdate(Wire):
    action: str
    enabled: bool


class ActionConfigUpdateRequest(Wire):
    updates: list[ActionUpdate] = Field(max_length=500)


class AuditFault(Wire):
    message: str


class AuditCheck(Wire):
    intact: bool
    checked: int
    faults: list[AuditFault]


class HistoryEntry(Wire):
    id: UUID
    timestamp: datetime
    actor_id: UUID | None = None
    actor: str
    action: str
    changes: dict[str, Any]


class CursorPageOfHistoryEntry(Wire):
    items: list[HistoryEntry]
    count: int
    next_cursor: str | None = None
