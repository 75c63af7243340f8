"""Security classifications as the API shows them."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.api import present, present_models, wire
from app.api.base import Caller, Use
from domain.classifications.impact import SHOWN, Impact
from domain.classifications.service import Supposition
from domain.models.entities import CompletionModel, EmbeddingModel, RerankModel, TranscriptionModel

router = APIRouter(prefix="/api/v1/security-classifications", tags=["security-classifications"])
of_space = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])


@router.get("/", response_model=wire.SecurityClassificationResponse)
async def classifications(actor: Caller, use: Use) -> Any:
    """The classes of the organisation, the lowest first, and whether they count."""
    found = await use.classifications.all(actor)
    items = [present_models.security_classification(each) for each in found.items]
    return {"security_enabled": found.enabled, "security_classifications": items}


@router.post("/", response_model=wire.SecurityClassificationPublic, status_code=201)
async def create(body: wire.SecurityClassificationCreatePublic, actor: Caller, use: Use) -> Any:
    """A new class, at the lowest level or at the highest."""
    made = await use.classifications.create(actor, body.name, body.description, lowest=body.set_lowest_security)
    return present_models.security_classification(made)


@router.patch("/", response_model=wire.SecurityClassificationsListPublic)
async def reorder(body: wire.SecurityClassificationLevelsUpdateRequest, actor: Caller, use: Use) -> Any:
    """Put all classes into another order, the lowest first."""
    order = [each.id for each in body.security_classifications]
    found = await use.classifications.reorder(actor, order, body.impact_token)
    return {"security_classifications": [present_models.security_classification(each) for each in found]}


@router.post("/enable/", response_model=wire.SecurityEnableResponse)
async def switch(body: wire.SecurityEnableRequest, actor: Caller, use: Use) -> Any:
    """Let the classes count, or not. Switched off, nothing is forgotten."""
    return {"security_enabled": await use.classifications.switch(actor, body.enabled, body.impact_token)}


@router.post("/impact-analysis/", response_model=wire.ImpactPublic)
async def suppose(body: wire.ImpactRequest, actor: Caller, use: Use) -> Any:
    """What a change would take away; nothing is changed."""
    order = body.security_classifications
    ids = None if order is None else [each.id for each in order]
    chosen = body.security_classification.id if body.security_classification else None
    change = Supposition(body.enabled, ids, body.model_id, chosen)
    return _told(await use.classifications.suppose(actor, change))


def _told(impact: Impact) -> dict[str, Any]:
    affected = [each.told() for each in impact.affected[:SHOWN]]
    return {"impact_token": impact.token, "affected": affected, "affected_count": len(impact.affected)}


@router.get("/{id}/", response_model=wire.SecurityClassificationPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """One class."""
    return present_models.security_classification(await use.classifications.get(actor, id))


@router.patch("/{id}/", response_model=wire.SecurityClassificationPublic)
async def update(id: UUID, body: wire.SecurityClassificationSingleUpdate, actor: Caller, use: Use) -> Any:
    """Change name or description."""
    return present_models.security_classification(await use.classifications.update(actor, id, body.named()))


@router.delete("/{id}/", status_code=204, response_class=Response)
async def delete(id: UUID, actor: Caller, use: Use) -> None:
    """Delete a class that no space and no model has."""
    await use.classifications.delete(actor, id)


@of_space.get(
    "/{id}/security_classification/{security_classification_id}/impact-analysis/",
    response_model=wire.UpdateSpaceDryRunResponse,
)
async def space_impact(id: UUID, security_classification_id: UUID, actor: Caller, use: Use) -> Any:
    """What a space would lose with another class; `impact_token` is what a change of the space then needs."""
    impact = await use.classifications.space_impact(
        actor, id, {"security_classification_id": security_classification_id}
    )
    lost = {each.id for each in impact.of_kind("assistant")}
    own = [*await use.assistants.in_space(actor, id), await use.assistants.default(actor, id)]
    return {
        **_told(impact),
        "assistants": [present.assistant_head(view) for view in own if view.assistant.id in lost],
        "group_chats": [],
        "services": [],
        "apps": [],
        "completion_models": [
            present_models.completion_model(c) for c in impact.models if isinstance(c.model, CompletionModel)
        ],
        "embedding_models": [
            present_models.embedding_model(c) for c in impact.models if isinstance(c.model, EmbeddingModel)
        ],
        "transcription_models": [
            present_models.plain_model(c) for c in impact.models if isinstance(c.model, TranscriptionModel)
        ],
        "rerank_models": [present_models.plain_model(c) for c in impact.models if isinstance(c.model, RerankModel)],
    }
