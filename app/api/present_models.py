"""AI models, as the API shows them."""

from typing import Any

from app.api.base import moments
from domain.classifications.entities import SecurityClassification
from domain.models.choice import AnyChoice, CompletionChoice, EmbeddingChoice, RerankChoice, TranscriptionChoice
from domain.models.entities import ModelPrice
from domain.models.money import to_decimal


def security_classification(found: SecurityClassification | None) -> dict[str, Any] | None:
    """A security class; None for none."""
    if found is None:
        return None
    return {**moments(found), "name": found.name, "description": found.description, "security_level": found.level}


def completion_model(choice: CompletionChoice) -> dict[str, Any]:
    """A completion model."""
    model = choice.model
    return {
        **_described(choice),
        "nickname": model.nickname,
        "token_limit": model.token_limit,
        "vision": model.vision,
        "reasoning": model.reasoning,
        "supports_tool_calling": model.supports_tool_calling,
        "max_output": model.max_output,
        "is_org_default": model.is_default,
        "nr_billion_parameters": None,
        "deployment_name": None,
        "base_url": choice.provider.base_url,
        "stand_ins": model.stand_ins,
    }


def embedding_model(choice: EmbeddingChoice) -> dict[str, Any]:
    """An embedding model."""
    model = choice.model
    return {**_described(choice), "dimensions": model.dimensions, "max_input": model.max_input}


def plain_model(choice: TranscriptionChoice | RerankChoice) -> dict[str, Any]:
    """A transcription model or a rerank model."""
    model = choice.model
    return {**_described(choice), "nickname": model.nickname, "is_org_default": model.is_default}


def model_price(price: ModelPrice) -> dict[str, Any]:
    """A price of a model, in whole units of its currency."""
    amounts = {name: to_decimal(getattr(price, name)) for name in ("input", "output", "minute")}
    cached = None if price.cached is None else to_decimal(price.cached)
    return {"valid_from": price.valid_from, "currency": price.currency, **amounts, "cached": cached}


def _described(choice: AnyChoice) -> dict[str, Any]:
    model, provider = choice.model, choice.provider
    return {
        **moments(model),
        "name": model.name,
        "family": model.family,
        "is_deprecated": model.deprecated,
        "open_source": model.open_source,
        "hf_link": model.link,
        "license": model.license,
        "retires_on": model.retires_on,
        "replacement_id": model.replacement_id,
        "price": model_price(choice.price) if choice.price else None,
        "stability": model.stability,
        "hosting": model.hosting,
        "description": model.description,
        "org": model.org,
        "litellm_model_name": None,
        "can_access": choice.usable,
        "is_locked": not provider.active,
        "lock_reason": None if provider.active else "provider_inactive",
        "is_org_enabled": model.enabled,
        "credential_provider": provider.type,
        "security_classification": security_classification(choice.classification),
        "tenant_id": model.tenant_id,
        "provider_id": provider.id,
        "provider_name": provider.name,
        "provider_type": provider.type,
    }
