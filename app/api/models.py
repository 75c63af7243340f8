"""Models and the organisation's settings as the API shows them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api import present, present_models, wire
from app.api.base import Caller, Running, Use, moments
from domain.files.service import IMAGES
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound
from domain.knowledge.parsing import SUPPORTED
from domain.models.choice import AnyChoice
from domain.models.entities import ModelProvider, kind_of, title_of
from domain.models.service import MAX_INPUT, ProviderDraft
from domain.ports import ConnectionReport
from domain.services import Services
from pages.i18n import translate

completion = APIRouter(prefix="/api/v1/completion-models", tags=["completion-models"])
embedding = APIRouter(prefix="/api/v1/embedding-models", tags=["embedding-models"])
overview = APIRouter(prefix="/api/v1", tags=["ai-models"])
administration = APIRouter(prefix="/api/v1/admin/tenant-models", tags=["admin"])
providers = APIRouter(prefix="/api/v1/admin/model-providers", tags=["model-providers"])


@completion.get("/", response_model=wire.PageOfCompletionModelPublic)
async def completion_models(actor: Caller, use: Use) -> Any:
    """All completion models of the organisation."""
    return present.page([present_models.completion_model(c) for c in await use.models.completion_models(actor)])


@completion.get("/health/", response_model=list[wire.ModelHealth])
async def completion_model_health(actor: Caller, use: Use) -> Any:
    """The completion models that failed so often that they are left alone for a while."""
    return _troubled(use, await use.models.completion_models(actor))


@completion.get("/ratings/", response_model=list[wire.ModelRating])
async def completion_model_ratings(actor: Caller, use: Use) -> Any:
    """What people have said of the answers of each completion model; those without a rating are left out."""
    found = await use.models.ratings(actor)
    return [{"id": model_id, "good": each.good, "rated": each.rated} for model_id, each in found.items()]


def _troubled(use: Services, choices: Iterable[AnyChoice]) -> list[dict[str, Any]]:
    health = use.conversations.health
    troubled = health.troubled()
    return [
        {
            "id": model.id,
            "kind": kind_of(model),
            "nickname": title_of(model),
            "trouble": troubled[model.id].trouble,
            "failures": troubled[model.id].failures,
            "resting_seconds": health.resting(model.id),
        }
        for model in (choice.model for choice in choices)
        if model.id in troubled
    ]


@completion.post("/{id}/", response_model=wire.CompletionModelPublic)
async def set_completion_flags(id: UUID, body: wire.CompletionModelUpdateFlags, actor: Caller, use: Use) -> Any:
    """Switch a model on or off, make it the default, or give it a security class."""
    await classify(use, actor, id, body)
    choice = await use.models.set_completion_flags(
        actor, id, enabled=body.is_org_enabled, is_default=body.is_org_default
    )
    return present_models.completion_model(choice)


async def classify(
    use: Services,
    actor: Actor,
    model_id: UUID,
    body: wire.CompletionModelUpdateFlags | wire.EmbeddingModelUpdate | wire.TranscriptionModelUpdate,
) -> None:
    """Give a model the security class that a body names; null takes it away."""
    if "security_classification" in body.model_fields_set:
        chosen = body.security_classification.id if body.security_classification else None
        await use.classifications.classify_model(actor, model_id, chosen, body.impact_token)


@embedding.get("/", response_model=wire.PageOfEmbeddingModelPublic)
async def embedding_models(actor: Caller, use: Use) -> Any:
    """All embedding models of the organisation."""
    return present.page([present_models.embedding_model(c) for c in await use.models.embedding_models(actor)])


@embedding.get("/{id}/", response_model=wire.EmbeddingModelPublic)
async def embedding_model(id: UUID, actor: Caller, use: Use) -> Any:
    """An embedding model."""
    for choice in await use.models.embedding_models(actor):
        if choice.model.id == id:
            return present_models.embedding_model(choice)
    raise NotFound(N_("The model was not found."))


@embedding.post("/{id}/", response_model=wire.EmbeddingModelPublic)
async def set_embedding_flags(id: UUID, body: wire.EmbeddingModelUpdate, actor: Caller, use: Use) -> Any:
    """Switch an embedding model on or off, or give it a security class."""
    await classify(use, actor, id, body)
    return present_models.embedding_model(await use.models.set_embedding_flags(actor, id, enabled=body.is_org_enabled))


@administration.post("/embedding/", response_model=wire.EmbeddingModelPublic)
async def add_embedding_model(body: wire.TenantEmbeddingModelCreate, actor: Caller, use: Use) -> Any:
    """Add an embedding model of a provider."""
    model = await use.models.add_embedding_model(
        actor, body.provider_id, body.name, dimensions=body.dimensions, max_input=body.max_input or MAX_INPUT,
        hosting=body.hosting, family=body.family,
    )  # fmt: skip
    if not body.is_active or body.is_default:
        default = True if body.is_default else None
        return present_models.embedding_model(
            await use.models.set_embedding_flags(actor, model.id, enabled=body.is_active, is_default=default)
        )
    return await embedding_model(model.id, actor, use)


@overview.get("/ai-models/", response_model=wire.ModelsPresentation)
async def all_models(actor: Caller, use: Use, space_id: UUID | None = None) -> Any:
    """All models; with `space_id`, whether each is classified high enough for the space."""
    approved = await use.classifications.approved(actor, space_id) if space_id is not None else None

    def shown(choice: Any, described: dict[str, Any]) -> dict[str, Any]:
        return {**described, "meets_security_classification": approved.status(choice) if approved else None}

    return {
        "completion_models": [
            shown(c, present_models.completion_model(c)) for c in await use.models.completion_models(actor)
        ],
        "embedding_models": [
            shown(c, present_models.embedding_model(c)) for c in await use.models.embedding_models(actor)
        ],
        "transcription_models": [
            shown(c, present_models.plain_model(c)) for c in await use.transcription_models.all(actor)
        ],
        "rerank_models": [shown(c, present_models.plain_model(c)) for c in await use.rerank_models.all(actor)],
    }


@overview.get("/ai-models/health/", response_model=list[wire.ModelHealth])
async def model_health(actor: Caller, use: Use) -> Any:
    """The models of all kinds that failed so often that they are left alone for a while."""
    return _troubled(
        use,
        [
            *await use.models.completion_models(actor),
            *await use.models.embedding_models(actor),
            *await use.transcription_models.all(actor),
            *await use.rerank_models.all(actor),
        ],
    )


@overview.get("/settings/", response_model=wire.SettingsPublic, tags=["settings"])
async def settings(actor: Caller, use: Use) -> Any:
    """One's own settings and what is switched on in the organisation."""
    return await _settings(actor, use)


@overview.post("/settings/", response_model=wire.SettingsPublic, tags=["settings"])
async def save_settings(body: wire.SettingsPublic, actor: Caller, use: Use) -> Any:
    """Save one's own settings."""
    view = await use.users.me(actor)
    preferences = {**view.user.preferences, "chatbot_widget": body.chatbot_widget}
    await use.users.update_me(actor, {"preferences": preferences})
    return await _settings(actor, use)


@overview.patch("/settings/audit-logging", response_model=wire.SettingsPublic, tags=["settings"])
async def switch_audit_logging(body: wire.TemplateSettingUpdate, actor: Caller, use: Use) -> Any:
    """Switch off everything that need not be recorded, or on again."""
    await use.audit.set_enabled(actor, body.enabled)
    return await _settings(actor, use)


async def _settings(actor: Actor, use: Services) -> dict[str, Any]:
    view, tenant = await use.users.me(actor), await use.users.tenant(actor)
    return {
        "chatbot_widget": view.user.preferences.get("chatbot_widget", {}),
        "using_templates": False,
        "tenant_credentials_enabled": use.credentials.enabled,
        "audit_logging_enabled": await use.audit.enabled(actor),
        "provisioning": tenant.provisioning,
    }


@overview.get("/settings/models/", response_model=wire.GetModelsResponse, tags=["settings"])
async def usable_models(actor: Caller, use: Use) -> Any:
    """The models that can be used now."""
    return {
        "completion_models": [
            present_models.completion_model(c) for c in await use.models.completion_models(actor) if c.usable
        ],
        "embedding_models": [
            {**present_models.embedding_model(c), "max_batch_size": None}
            for c in await use.models.embedding_models(actor)
            if c.usable
        ],
    }


@overview.get("/settings/formats/", response_model=wire.PageOfStr, tags=["settings"])
async def formats(actor: Caller) -> Any:
    """The media types of documents that can be read."""
    return present.page(present.TEXT_TYPES)


@overview.get("/limits/", response_model=wire.Limits, tags=["limits"])
async def limits(running: Running) -> Any:
    """What can be uploaded, and how much."""
    settings = running.settings

    def described(limits: Mapping[str, int]) -> list[dict[str, Any]]:
        formats: dict[tuple[str, int], list[str]] = {}
        for extension, size in limits.items():
            media = IMAGES.get(extension) or SUPPORTED[extension][0]
            formats.setdefault((media, size), []).append(f".{extension}")
        return [
            {"mimetype": media, "size": size, "extensions": extensions, "vision": media in IMAGES.values()}
            for (media, size), extensions in sorted(formats.items())
        ]

    return {
        "info_blobs": {"formats": described(dict.fromkeys(SUPPORTED, settings.upload_max_file_size))},
        "attachments": {
            "formats": described(running.services.files.limits),
            "max_in_question": settings.max_in_question,
        },
    }


class ProviderBody(BaseModel):
    """A model provider. `credentials.api_key` can be written, never read; `config.endpoint` is its address."""

    name: str = Field(examples=["Kommunens vLLM"])
    provider_type: str = Field(examples=["openai_compatible"])
    credentials: dict[str, Any] = Field({}, examples=[{"api_key": "secret"}])
    config: dict[str, Any] = Field({}, examples=[{"endpoint": "http://127.0.0.1:11434/v1"}])
    is_active: bool | None = None

    def draft(self) -> ProviderDraft:
        """As the domain takes it."""
        endpoint = self.config.get("endpoint")
        key = self.credentials.get("api_key")
        return ProviderDraft(
            self.name, self.provider_type, str(endpoint) if endpoint else None, str(key) if key else None, self.config
        )


class ProviderChange(BaseModel):
    """Changes to a provider; what is not named stays."""

    name: str | None = None
    provider_type: str | None = None
    credentials: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    is_active: bool | None = None


class ProviderShown(BaseModel):
    """A provider without its key."""

    id: UUID
    tenant_id: UUID
    name: str
    provider_type: str
    config: dict[str, Any]
    is_active: bool
    masked_api_key: str | None
    created_at: datetime
    updated_at: datetime


class ModelBody(BaseModel):
    """A completion model of a provider."""

    name: str = Field(examples=["llama-3.3-70b"])
    nickname: str = ""
    token_limit: int = 32_000
    vision: bool = False
    reasoning: bool = False
    make_default: bool = False


def _config(provider: ModelProvider) -> dict[str, Any]:
    return {**provider.config, **({"endpoint": provider.base_url} if provider.base_url else {})}


def _provider(provider: ModelProvider) -> dict[str, Any]:
    return {
        **moments(provider),
        "tenant_id": provider.tenant_id,
        "name": provider.name,
        "provider_type": provider.type,
        "config": _config(provider),
        "is_active": provider.active,
        "masked_api_key": f"…{provider.key_tail or ''}" if provider.secret else None,
    }


@providers.get("/", response_model=list[ProviderShown])
async def list_providers(actor: Caller, use: Use) -> Any:
    """All providers, for administrators."""
    return [_provider(p) for p in await use.models.providers(actor)]


@providers.post("/", response_model=ProviderShown)
async def add_provider(body: ProviderBody, actor: Caller, use: Use) -> Any:
    """Add a provider."""
    return _provider(await use.models.add_provider(actor, body.draft()))


@providers.post("/test/")
async def test_provider(body: ProviderBody, actor: Caller, use: Use) -> Any:
    """Try a provider without saving it, and say what happened at each step."""
    return _report(actor, await use.models.test(actor, body.draft()))


def _report(actor: Actor, report: ConnectionReport) -> dict[str, Any]:
    steps = [
        {"message": translate(message, actor.language, **params), "passed": passed}
        for message, params, passed in report.steps
    ]
    return {"success": report.ok, "steps": steps, "models": list(report.models)}


@providers.get("/{provider_id}/", response_model=ProviderShown)
async def provider(provider_id: UUID, actor: Caller, use: Use) -> Any:
    """A provider."""
    return _provider(await use.models.provider(actor, provider_id))


@providers.put("/{provider_id}/", response_model=ProviderShown)
async def update_provider(provider_id: UUID, body: ProviderChange, actor: Caller, use: Use) -> Any:
    """Change a provider. Without `credentials` the stored key stays; another address demands it again."""
    saved = await use.models.provider(actor, provider_id)
    changed = ProviderBody(
        name=body.name or saved.name,
        provider_type=body.provider_type or saved.type,
        credentials=body.credentials or {},
        config=_config(saved) if body.config is None else body.config,
    )
    return _provider(await use.models.update_provider(actor, provider_id, changed.draft(), active=body.is_active))


@providers.delete("/{provider_id}/")
async def delete_provider(provider_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a provider that nothing depends on."""
    await use.models.delete_provider(actor, provider_id)
    return {"success": True}


@providers.post("/{provider_id}/test/")
async def test_saved_provider(provider_id: UUID, actor: Caller, use: Use) -> Any:
    """Try a saved provider with its stored key."""
    saved = await use.models.provider(actor, provider_id)
    draft = ProviderDraft(saved.name, saved.type, saved.base_url, None, saved.config)
    return _report(actor, await use.models.test(actor, draft, provider_id))


@providers.get("/{provider_id}/models/")
async def models_of_provider(provider_id: UUID, actor: Caller, use: Use) -> Any:
    """The completion models that were added for the provider."""
    await use.models.provider(actor, provider_id)
    choices = await use.models.completion_models(actor)
    return present.page([present_models.completion_model(c) for c in choices if c.provider.id == provider_id])


@providers.post("/{provider_id}/models/", status_code=201)
async def add_model(provider_id: UUID, body: ModelBody, actor: Caller, use: Use) -> Any:
    """Add a completion model of the provider."""
    return present_models.completion_model(
        await use.models.add_completion_model(actor, provider_id, **body.model_dump())
    )
