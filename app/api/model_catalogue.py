"""What is known of models and what they cost, as the API shows it. For administrators."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from app.api import present, present_models, wire
from app.api.base import Caller, Use
from domain.kernel.actor import Actor
from domain.models.catalogue import PriceDraft
from domain.models.entities import ModelKind, ModelPrice
from domain.services import Services

administration = APIRouter(prefix="/api/v1/admin/tenant-models", tags=["admin"])
prices = APIRouter(prefix="/api/v1/admin", tags=["admin"])
NAMES = {"display_name": "nickname", "hf_link": "link", "is_deprecated": "deprecated"}
"""What the interface calls otherwise."""


def _kept(price: ModelPrice) -> dict[str, Any]:
    return {**present_models.model_price(price), "id": price.id}


async def _describe(use: Services, actor: Actor, kind: ModelKind, model_id: UUID, body: wire.TenantModelUpdate) -> Any:
    given = {NAMES.get(name, name): getattr(body, name) for name in body.model_fields_set}
    # Older clients send all fields, empty ones for what they leave as it is.
    given = {
        n: v for n, v in given.items() if v is not None or n in ("license", "link", "retires_on", "replacement_id")
    }
    return await use.model_catalogue.describe(actor, kind, model_id, given)


@administration.post("/completion/", response_model=wire.CompletionModelPublic)
async def add_completion_model(body: wire.TenantCompletionModelCreate, actor: Caller, use: Use) -> Any:
    """Add a completion model of a provider. The first one becomes the default."""
    choice = await use.models.add_completion_model(
        actor, body.provider_id, body.name, nickname=body.display_name, token_limit=body.token_limit,
        vision=body.vision, reasoning=body.reasoning, tools=body.supports_tool_calling, hosting=body.hosting,
        family=body.family, enabled=body.is_active, make_default=body.is_default,
    )  # fmt: skip
    return present_models.completion_model(choice)


@administration.put("/completion/{model_id}/", response_model=wire.CompletionModelPublic)
async def describe_completion_model(
    model_id: UUID, body: wire.TenantCompletionModelUpdate, actor: Caller, use: Use
) -> Any:
    """Change what is said about a completion model; what is not named stays."""
    return present_models.completion_model(await _describe(use, actor, ModelKind.COMPLETION, model_id, body))


@administration.delete("/completion/{model_id}/")
async def delete_completion_model(model_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a completion model that nothing uses."""
    await use.models.delete_completion_model(actor, model_id)
    return {"success": True}


@administration.put("/embedding/{model_id}/", response_model=wire.EmbeddingModelPublic)
async def describe_embedding_model(
    model_id: UUID, body: wire.TenantEmbeddingModelUpdate, actor: Caller, use: Use
) -> Any:
    """Change what is said about an embedding model; what is not named stays. Its name is the provider's."""
    return present_models.embedding_model(await _describe(use, actor, ModelKind.EMBEDDING, model_id, body))


@administration.delete("/embedding/{model_id}/")
async def delete_embedding_model(model_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete an embedding model that no collection uses."""
    await use.models.delete_embedding_model(actor, model_id)
    return {"success": True}


@administration.put("/transcription/{model_id}/", response_model=wire.TranscriptionModelPublic)
async def describe_transcription_model(
    model_id: UUID, body: wire.TenantTranscriptionModelUpdate, actor: Caller, use: Use
) -> Any:
    """Change what is said about a transcription model; what is not named stays."""
    return present_models.plain_model(await _describe(use, actor, ModelKind.TRANSCRIPTION, model_id, body))


@administration.put("/rerank/{model_id}/", response_model=wire.RerankModelPublic)
async def describe_rerank_model(model_id: UUID, body: wire.TenantRerankModelUpdate, actor: Caller, use: Use) -> Any:
    """Change what is said about a rerank model; what is not named stays."""
    return present_models.plain_model(await _describe(use, actor, ModelKind.RERANK, model_id, body))


@prices.get("/models/{model_id}/prices/", response_model=wire.PageOfModelPrice)
async def model_prices(model_id: UUID, actor: Caller, use: Use) -> Any:
    """The prices of a model of any kind, the newest first; each holds until the next one begins."""
    return present.page([_kept(p) for p in await use.model_catalogue.prices(actor, model_id)])


@prices.post("/models/{model_id}/prices/", response_model=wire.KeptModelPrice, status_code=201)
async def add_model_price(model_id: UUID, body: wire.ModelPriceCreate, actor: Caller, use: Use) -> Any:
    """Say what a model costs from a day on. Calls made before keep the cost they had."""
    draft = PriceDraft(body.valid_from, body.currency, body.input, body.output, body.cached, body.minute)
    return _kept(await use.model_catalogue.add_price(actor, model_id, draft))


@prices.delete("/model-prices/{price_id}/")
async def delete_model_price(price_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a price; the one before it then goes on."""
    await use.model_catalogue.delete_price(actor, price_id)
    return {"success": True}
