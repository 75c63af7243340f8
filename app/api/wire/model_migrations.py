"""Public shapes of what uses a model, and of moving it to another."""

from datetime import datetime
from uuid import UUID

from app.api.wire.base import Wire


class ModelUsageStatistics(Wire):
    model_id: UUID
    total_usage: int
    assistants_count: int
    apps_count: int = 0
    services_count: int = 0
    questions_count: int = 0
    assistant_templates_count: int = 0
    app_templates_count: int = 0
    spaces_count: int = 0
    last_updated: datetime


class ModelUsageSummary(Wire):
    model_id: UUID
    model_name: str
    model_nickname: str
    is_enabled: bool
    total_usage: int
    last_updated: datetime


class ModelUsageDetail(Wire):
    entity_id: UUID
    entity_name: str
    entity_type: str
    space_id: UUID | None = None
    space_name: str | None = None
    owner_id: UUID | None = None
    owner_name: str | None = None
    created_at: datetime
    last_used: datetime | None = None
    usage_count: int | None = None


class PageOfModelUsageDetail(Wire):
    items: list[ModelUsageDetail]
    total: int
    has_more: bool
    next_cursor: str | None = None
    prev_cursor: str | None = None


class ModelMigrationRequest(Wire):
    to_model_id: UUID
    entity_types: list[str] | None = None
    confirm_migration: bool = False
    dry_run: bool = False


class MigrationResult(Wire):
    success: bool
    migrated_count: int
    failed_count: int
    details: dict[str, int]
    duration: float
    migration_id: UUID | None
    warnings: list[str] = []
    auto_recalculated: bool = True
    requires_manual_recalculation: bool = False


class ModelMigrationHistory(Wire):
    id: UUID
    from_model_id: UUID
    from_model_name: str
    to_model_id: UUID
    to_model_name: str
    migrated_count: int
    status: str
    initiated_by_id: UUID | None
    initiated_by_name: str
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration: float | None = None
    error_message: str | None = None
