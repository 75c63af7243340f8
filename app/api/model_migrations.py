"""What uses a completion model, and moving it to another, as the API shows it. For administrators."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api import wire
from app.api.base import Caller, Use
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid
from domain.models.migration import ASSISTANTS, KINDS, WARNINGS, ModelMigration, ModelUse, ModelUser, MovePlan
from pages.i18n import translate

router = APIRouter(prefix="/api/v1/completion-models", tags=["completion-models"])
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]


@router.get("/usage-summary", response_model=list[wire.ModelUsageSummary])
async def summary(actor: Caller, use: Use) -> Any:
    """How much depends on each model."""
    return [
        {
            "model_id": each.model.id,
            "model_name": each.model.name,
            "model_nickname": each.model.nickname,
            "is_enabled": each.model.enabled,
            "total_usage": each.assistants,
            "last_updated": now(),
        }
        for each in await use.model_migrations.all_uses(actor)
    ]


@router.get("/migration-history", response_model=list[wire.ModelMigrationHistory])
async def history(actor: Caller, use: Use, limit: Limit = 50, offset: Offset = 0) -> Any:
    """The moves that were made, the newest first."""
    return [_made(*each) for each in await use.model_migrations.history(actor, limit=limit, offset=offset)]


@router.get("/migration-history/{migration_id}", response_model=wire.ModelMigrationHistory)
async def one(migration_id: UUID, actor: Caller, use: Use) -> Any:
    """One move."""
    return _made(*await use.model_migrations.migration(actor, migration_id))


@router.get("/{model_id}/usage", response_model=wire.ModelUsageStatistics)
async def usage(model_id: UUID, actor: Caller, use: Use) -> Any:
    """How much depends on a model."""
    return _use(await use.model_migrations.use(actor, model_id))


def _use(found: ModelUse) -> dict[str, Any]:
    return {
        "model_id": found.model.id,
        "total_usage": found.assistants,
        "assistants_count": found.assistants,
        "questions_count": found.answers,
        "spaces_count": found.spaces,
        "last_updated": now(),
    }


@router.get("/{model_id}/usage/details", response_model=wire.PageOfModelUsageDetail)
async def details(
    model_id: UUID,
    actor: Caller,
    use: Use,
    entity_type: str | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Any:
    """The assistants that use a model. Those in personal spaces have no name here."""
    page = await use.model_migrations.users(actor, model_id, limit=limit, cursor=cursor)
    shown = [_user(each) for each in page.items] if entity_type in (None, "assistant", ASSISTANTS) else []
    more = page.next_cursor if shown else None
    total = page.total or 0 if entity_type in (None, "assistant", ASSISTANTS) else 0
    return {"items": shown, "total": total, "has_more": more is not None, "next_cursor": more}


def _user(found: ModelUser) -> dict[str, Any]:
    return {
        "entity_id": found.assistant_id,
        "entity_name": found.name,
        "entity_type": "assistant",
        "space_id": found.space_id,
        "space_name": found.space_name,
        "created_at": found.created_at,
    }


@router.post("/{model_id}/migrate", response_model=wire.MigrationResult)
async def migrate(model_id: UUID, body: wire.ModelMigrationRequest, actor: Caller, use: Use) -> Any:
    """Let everything that uses a model use another one; with `dry_run` only say what that would change.

    Where something becomes different, `confirm_migration` says that this is wanted. What was answered stays as it was.
    """
    unknown = set(body.entity_types or ()) - set(KINDS)
    if unknown:
        raise Invalid(N_("Choose one of the listed values."), field="entity_types")
    if body.entity_types is not None and ASSISTANTS not in body.entity_types:
        raise Invalid(N_("Nothing of this kind uses models here; assistants do."), field="entity_types")
    if body.dry_run:
        return _result(actor, await use.model_migrations.plan(actor, model_id, body.to_model_id))
    moved = await use.model_migrations.move(actor, model_id, body.to_model_id, confirmed=body.confirm_migration)
    return _result(actor, moved)


def _result(actor: Actor, plan: MovePlan) -> dict[str, Any]:
    migration = plan.migration
    return {
        "success": True,
        "migrated_count": plan.assistants,
        "failed_count": 0,
        "details": {ASSISTANTS: plan.assistants},
        "duration": migration.duration_ms / 1000 if migration else 0.0,
        "migration_id": migration.id if migration else None,
        "warnings": [translate(WARNINGS[word], actor.language, **params) for word, params in plan.warnings],
    }


@router.get("/{model_id}/migration-history", response_model=list[wire.ModelMigrationHistory])
async def history_of(model_id: UUID, actor: Caller, use: Use, limit: Limit = 50, offset: Offset = 0) -> Any:
    """The moves from or to a model, the newest first."""
    return [_made(*each) for each in await use.model_migrations.history(actor, model_id, limit=limit, offset=offset)]


def _made(found: ModelMigration, who: str) -> dict[str, Any]:
    return {
        "id": found.id,
        "from_model_id": found.from_model_id,
        "from_model_name": found.from_model_name,
        "to_model_id": found.to_model_id,
        "to_model_name": found.to_model_name,
        "migrated_count": found.migrated_count,
        "status": "completed",
        "initiated_by_id": found.user_id,
        "initiated_by_name": who,
        "started_at": found.created_at,
        "completed_at": found.finished_at,
        "duration": found.duration_ms / 1000,
    }
