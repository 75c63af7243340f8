"""Models that put search results in order, as the API shows them."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from app.api import present, present_models, wire
from app.api.base import Caller, Use
from app.api.models import classify

models = APIRouter(prefix="/api/v1/rerank-models", tags=["rerank-models"])
administration = APIRouter(prefix="/api/v1/admin/tenant-models/rerank", tags=["admin"])


@models.get("/", response_model=wire.PageOfRerankModelPublic)
async def rerank_models(actor: Caller, use: Use) -> Any:
    """All rerank models of the organisation."""
    return present.page([present_models.plain_model(c) for c in await use.rerank_models.all(actor)])


@models.post("/{id}/", response_model=wire.RerankModelPublic)
async def set_rerank_flags(id: UUID, body: wire.RerankModelUpdate, actor: Caller, use: Use) -> Any:
    """Switch a model on or off, make it the default, or give it a security class."""
    await classify(use, actor, id, body)
    choice = await use.rerank_models.set_flags(actor, id, enabled=body.is_org_enabled, is_default=body.is_org_default)
    return present_models.plain_model(choice)


@administration.post("/", response_model=wire.RerankModelPublic)
async def add_rerank_model(body: wire.TenantRerankModelCreate, actor: Caller, use: Use) -> Any:
    """Add a rerank model of a provider. The first one becomes the default, and orders what searches find from then on."""
    choice = await use.rerank_models.add(
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
async def delete_rerank_model(model_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a rerank model. Searches do without it from then on."""
    await use.rerank_models.delete(actor, model_id)
    return {"success": True}
