"""Models that write down recordings, as the API shows them."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from app.api import present, present_models, wire
from app.api.base import Caller, Use
from app.api.models import classify

models = APIRouter(prefix="/api/v1/transcription-models", tags=["transcription-models"])
administration = APIRouter(prefix="/api/v1/admin/tenant-models/transcription", tags=["admin"])


@models.get("/", response_model=wire.PageOfTranscriptionModelPublic)
async def transcription_models(actor: Caller, use: Use) -> Any:
    """All transcription models of the organisation."""
    return present.page([present_models.plain_model(c) for c in await use.transcription_models.all(actor)])


@models.post("/{id}/", response_model=wire.TranscriptionModelPublic)
async def set_transcription_flags(id: UUID, body: wire.TranscriptionModelUpdate, actor: Caller, use: Use) -> Any:
    """Switch a model on or off, make it the default, or give it a security class."""
    await classify(use, actor, id, body)
    choice = await use.transcription_models.set_flags(
        actor, id, enabled=body.is_org_enabled, is_default=body.is_org_default
    )
    return present_models.plain_model(choice)


@administration.post("/", response_model=wire.TranscriptionModelPublic)
async def add_transcription_model(body: wire.TenantTranscriptionModelCreate, actor: Caller, use: Use) -> Any:
    """Add a transcription model of a provider. The first one becomes the default."""
    choice = await use.transcription_models.add(
        actor,
        body.provider_id,
        body.name,
        nickname=body.display_name,
        hosting=body.hosting,
        family=body.family,
        enabled=body.is_active,
        make_default=body.is_default,
    )
    return present_models.plain_model(choice)


@administration.delete("/{model_id}/")
async def delete_transcription_model(model_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a transcription model. What it has written down stays in the documents."""
    await use.transcription_models.delete(actor, model_id)
    return {"success": True}
