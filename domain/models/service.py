"""Model providers and models: use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from domain.classifications.approval import CHOICE_REFUSED, first_approved, require_model
from domain.classifications.entities import SecurityClassification
from domain.credentials.resolver import NEEDS_KEY
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import (
    N_,
    BadRequest,
    Invalid,
    KeyMissing,
    NameTaken,
    NotFound,
    ProviderKeyMissing,
)
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.models.capacity import PARALLEL, RATE
from domain.models.choice import CompletionChoice, EmbeddingChoice, Model, ModelChoice, first_usable
from domain.models.entities import CompletionModel, EmbeddingModel, ModelProvider, ProviderType
from domain.models.rating import RATED, Rating
from domain.ports import ChatProvider, ConnectionReport, Credentials, Vault
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork

M = TypeVar("M", CompletionModel, EmbeddingModel)
BUILTIN_NAME = "Samråd"
EXTRACTIVE = "extractive"
BUILTIN_EMBEDDING = "multilingual-e5-small"
NEEDS_ADDRESS = (ProviderType.COMPATIBLE, ProviderType.AZURE)
MAX_INPUT = 8_000
"""Tokens that an embedding model is taken to read where nothing else is said."""
MIN_TOKEN_LIMIT, MAX_TOKEN_LIMIT = 2_000, 10_000_000
MOST_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ProviderDraft:
    """What an administrator enters about a provider. `secret` None keeps the stored key."""

    name: str
    type: str
    base_url: str | None = None
    secret: str | None = None
    config: dict[str, Any] = field(default_factory=dict)


async def completion_choices(tx: Transaction) -> list[CompletionChoice]:
    """All completion models of the tenant with their providers, the default first."""
    return await with_providers(tx, await tx.models.completion_models())


async def with_providers(tx: Transaction, models: Sequence[Model]) -> list[ModelChoice[Model]]:
    """Models with their providers, present prices and classifications."""
    providers, prices = {p.id: p for p in await tx.models.providers()}, await tx.models.prices_on(now().date())
    classes: dict[UUID | None, SecurityClassification] = {}
    if any(model.security_classification_id for model in models):
        classes = {each.id: each for each in await tx.classifications.all()}
    return [
        ModelChoice(m, providers[m.provider_id], prices.get(m.id), classes.get(m.security_classification_id))
        for m in models
    ]


async def ratings_of(tx: Transaction, choices: Sequence[CompletionChoice]) -> Mapping[UUID, Rating]:
    """What people have said of late of the answers of these models; those of which nothing was said are left out."""
    return await tx.conversations.ratings([each.model.id for each in choices], now() - RATED)


async def completion_choice(tx: Transaction, model_id: UUID | None) -> CompletionChoice | None:
    """One completion model of the tenant with its provider."""
    found = await tx.models.completion_model(model_id, now().date()) if model_id else None
    if found is None:
        return None
    model, provider, price, budgets = found
    return ModelChoice(model, provider, price, budgets=budgets)


async def with_classification(tx: Transaction, model: Model, provider: ModelProvider) -> ModelChoice[Model]:
    """One model with its provider and its classification."""
    chosen = model.security_classification_id
    return ModelChoice(model, provider, None, await tx.get(SecurityClassification, chosen) if chosen else None)


async def embedding_choices(tx: Transaction) -> list[EmbeddingChoice]:
    """All embedding models of the tenant with their providers, the default first."""
    return await with_providers(tx, await tx.models.embedding_models())


async def embedding_for_new(tx: Transaction, space: Space, model_id: UUID | None) -> EmbeddingChoice:
    """The model that a new collection gets: the one that was chosen, else the first that may serve the space.

    `NoModel` when it cannot be used, `NotApproved` when it may not be.
    """
    if model_id is None:
        return await first_approved(tx, space, await embedding_choices(tx))
    choice = await chosen_embedding(tx, model_id)
    await require_model(tx, space, choice.model, CHOICE_REFUSED)
    return choice


async def chosen_embedding(tx: Transaction, model_id: UUID) -> EmbeddingChoice:
    """An embedding model that somebody has chosen; `NoModel` when it cannot be used."""
    choices = [choice for choice in await embedding_choices(tx) if choice.model.id == model_id]
    if not choices:
        raise NotFound(N_("The model was not found."), field="embedding_model")
    return first_usable(choices)


async def add_builtin(tx: Transaction, tenant_id: UUID) -> None:
    """The provider that every organisation has from the start: works offline, without a key."""
    provider = ModelProvider(tenant_id=tenant_id, name=BUILTIN_NAME, type=ProviderType.BUILTIN)
    await tx.add(provider)
    await tx.add(
        CompletionModel(
            tenant_id=tenant_id,
            provider_id=provider.id,
            name=EXTRACTIVE,
            nickname=N_("Quotes from the documents"),
            token_limit=32_000,
            family="builtin",
            org=BUILTIN_NAME,
            open_source=True,
            is_default=True,
        ),
        EmbeddingModel(
            tenant_id=tenant_id,
            provider_id=provider.id,
            name=BUILTIN_EMBEDDING,
            dimensions=384,
            max_input=512,
            org="Microsoft",
            is_default=True,
        ),
    )


class ModelService:
    """Use cases of providers and models."""

    def __init__(self, uow: UnitOfWork, vault: Vault, chat: ChatProvider, credentials: Credentials) -> None:
        self._uow, self._vault, self._chat, self._credentials = uow, vault, chat, credentials

    async def completion_models(self, actor: Actor) -> list[CompletionChoice]:
        """Every completion model of the organisation, usable or not."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await completion_choices(tx)

    async def ratings(self, actor: Actor) -> Mapping[UUID, Rating]:
        """What people have said of late of the answers of each completion model, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await ratings_of(tx, await completion_choices(tx))

    async def embedding_models(self, actor: Actor) -> list[EmbeddingChoice]:
        """Every embedding model of the organisation, usable or not."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await embedding_choices(tx)

    async def providers(self, actor: Actor) -> Sequence[ModelProvider]:
        """All providers, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.models.providers()

    async def provider(self, actor: Actor, provider_id: UUID) -> ModelProvider:
        """One provider, for administrators; raises `NotFound`."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._provider(tx, provider_id)

    async def test(self, actor: Actor, draft: ProviderDraft, provider_id: UUID | None = None) -> ConnectionReport:
        """Try a provider before or after it is saved, and say what happened at each step."""
        actor.require(Permission.ADMIN)
        provider = self._checked(actor.tenant_id, draft)
        if draft.secret:
            return await self._chat.test(provider, draft.secret)
        if provider_id is not None:
            async with self._uow.read(actor.tenant_id) as tx:
                stored = await self._provider(tx, provider_id)
            self._same_address(stored, draft)
            provider.secret = stored.secret
        try:
            access = await self._credentials.access(provider)
        except (ProviderKeyMissing, KeyMissing) as failure:
            return ConnectionReport(False, [(failure.message, failure.params, False)])
        return await self._chat.test(access.provider, access.secret)

    async def add_provider(self, actor: Actor, draft: ProviderDraft) -> ModelProvider:
        """Save a provider. The key is encrypted, and can never be read again."""
        actor.require(Permission.ADMIN)
        provider = self._checked(actor.tenant_id, draft)
        if provider.type == ProviderType.BUILTIN:
            raise BadRequest(N_("The built-in provider exists already."))
        if provider.type in NEEDS_KEY and not draft.secret:
            await self._has_key_elsewhere(provider)
        await self._set_secret(provider, draft.secret)
        async with self._uow.begin(actor.tenant_id) as tx:
            await self._name_is_free(tx, provider)
            await tx.add(provider)
            tx.record(actor, Change("model_provider_created", "model_provider", provider.id, provider.name))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
        return provider

    async def _has_key_elsewhere(self, provider: ModelProvider) -> None:
        try:
            await self._credentials.access(provider)
        except ProviderKeyMissing:
            raise Invalid(N_("This provider needs a key."), field="secret") from None

    async def update_provider(
        self, actor: Actor, provider_id: UUID, draft: ProviderDraft, *, active: bool | None = None
    ) -> ModelProvider:
        """Change a provider. Another address demands the key again, so that a stored key cannot be sent elsewhere."""
        actor.require(Permission.ADMIN)
        checked = self._checked(actor.tenant_id, draft)
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await self._provider(tx, provider_id)
            if not draft.secret:
                self._same_address(provider, draft)
            checked.id = provider.id
            await self._name_is_free(tx, checked)
            old = {"name": provider.name, "base_url": provider.base_url, "active": provider.active}
            provider.name, provider.base_url, provider.config = checked.name, checked.base_url, checked.config
            provider.active = provider.active if active is None else active
            await self._set_secret(provider, draft.secret)
            new = {"name": provider.name, "base_url": provider.base_url, "active": provider.active}
            tx.record(
                actor, Change("model_provider_updated", "model_provider", provider.id, provider.name, old=old, new=new)
            )
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
        return provider

    async def delete_provider(self, actor: Actor, provider_id: UUID) -> None:
        """Delete a provider and its models, unless something depends on them."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await self._provider(tx, provider_id)
            if provider.type == ProviderType.BUILTIN:
                raise BadRequest(N_("The built-in provider cannot be deleted. Switch it off instead."))
            used = await tx.models.in_use(provider_id)
            if used:
                raise BadRequest(
                    N_("{count} assistants or collections use models of this provider. Change them first."), count=used
                )
            await tx.remove(provider)
            tx.record(actor, Change("model_provider_deleted", "model_provider", provider_id, provider.name))

    async def add_completion_model(
        self,
        actor: Actor,
        provider_id: UUID,
        name: str,
        *,
        nickname: str = "",
        token_limit: int = 32_000,
        vision: bool = False,
        reasoning: bool = False,
        tools: bool = False,
        hosting: str = "swe",
        family: str = "",
        enabled: bool = True,
        make_default: bool = False,
    ) -> CompletionChoice:
        """Add a model of a provider; `token_limit` is the size of its context window."""
        actor.require(Permission.ADMIN)
        if not MIN_TOKEN_LIMIT <= token_limit <= MAX_TOKEN_LIMIT:
            raise Invalid(
                N_("Give a number from {low} to {high}."),
                field="token_limit",
                low=MIN_TOKEN_LIMIT,
                high=MAX_TOKEN_LIMIT,
            )
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await self._provider(tx, provider_id)
            model = CompletionModel(
                tenant_id=actor.tenant_id,
                provider_id=provider.id,
                name=clean_name(name),
                nickname=clean_name(nickname or name),
                token_limit=token_limit,
                family=clean_name(family or provider.type, "family", 80),
                hosting=clean_name(hosting, "hosting", 40),
                vision=vision,
                reasoning=reasoning,
                supports_tool_calling=tools,
                enabled=enabled,
            )
            known = await tx.models.completion_models()
            if any(m.provider_id == provider.id and m.name == model.name for m in known):
                raise NameTaken(N_("The model exists already."), field="name")
            if make_default or not known:
                await tx.models.clear_default(CompletionModel)
                model.is_default = model.enabled = True
            await tx.add(model)
            self._model_changed(tx, actor, "model_created", model)
        return ModelChoice(model, provider)

    async def add_embedding_model(
        self,
        actor: Actor,
        provider_id: UUID,
        name: str,
        *,
        dimensions: int | None,
        max_input: int = MAX_INPUT,
        hosting: str = "swe",
        family: str = "",
    ) -> EmbeddingModel:
        """Add an embedding model of a provider; `max_input` is in tokens."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await self._provider(tx, provider_id)
            if dimensions is None or not 8 <= dimensions <= 4000:
                raise Invalid(N_("Give a number from {low} to {high}."), field="dimensions", low=8, high=4000)
            model = EmbeddingModel(
                tenant_id=actor.tenant_id,
                provider_id=provider.id,
                name=clean_name(name),
                dimensions=dimensions,
                max_input=max_input,
                family=clean_name(family or provider.type, "family", 80),
                hosting=clean_name(hosting, "hosting", 40),
                open_source=False,
            )
            if any(m.provider_id == provider.id and m.name == model.name for m in await tx.models.embedding_models()):
                raise NameTaken(N_("The model exists already."), field="name")
            await tx.add(model)
            self._model_changed(tx, actor, "model_created", model)
        return model

    async def set_completion_flags(
        self, actor: Actor, model_id: UUID, *, enabled: bool | None = None, is_default: bool | None = None
    ) -> CompletionChoice:
        """Switch a completion model on or off, or make it the default."""
        return await self._set_flags(actor, CompletionModel, model_id, enabled, is_default)

    async def set_embedding_flags(
        self, actor: Actor, model_id: UUID, *, enabled: bool | None = None, is_default: bool | None = None
    ) -> EmbeddingChoice:
        """Switch an embedding model on or off, or make it the default."""
        return await self._set_flags(actor, EmbeddingModel, model_id, enabled, is_default)

    async def _set_flags(
        self, actor: Actor, kind: type[M], model_id: UUID, enabled: bool | None, is_default: bool | None
    ) -> ModelChoice[M]:
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            model = await tx.get(kind, model_id)
            if model is None:
                raise NotFound(N_("The model was not found."))
            old = {"enabled": model.enabled, "is_default": model.is_default}
            if enabled is not None:
                model.enabled = enabled
            if is_default is not None:
                await tx.models.clear_default(kind)
                model.is_default = is_default
            if model.is_default and not model.enabled:
                raise BadRequest(N_("The default model cannot be switched off. Make another one the default first."))
            provider = await self._provider(tx, model.provider_id)
            if (enabled, is_default) != (None, None):
                self._model_changed(tx, actor, f"{_entity(model)}_updated", model, old)
            return await with_classification(tx, model, provider)

    async def delete_completion_model(self, actor: Actor, model_id: UUID) -> None:
        """Delete a model of one's own that no assistant uses."""
        await self._delete(actor, CompletionModel, model_id)

    async def delete_embedding_model(self, actor: Actor, model_id: UUID) -> None:
        """Delete a model of one's own that no collection uses."""
        await self._delete(actor, EmbeddingModel, model_id)

    async def _delete(self, actor: Actor, kind: type[M], model_id: UUID) -> None:
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            model = await tx.get(kind, model_id)
            if model is None:
                raise NotFound(N_("The model was not found."))
            if model.is_default:
                raise BadRequest(N_("The default model cannot be deleted. Make another one the default first."))
            if await tx.models.in_use(model.provider_id, model.id):
                raise BadRequest(
                    N_("Assistants or collections use this model. Change them first, or switch the model off.")
                )
            await tx.remove(model)
            self._model_changed(tx, actor, "model_deleted", model)

    @staticmethod
    def _model_changed(
        tx: Transaction,
        actor: Actor,
        action: str,
        model: CompletionModel | EmbeddingModel,
        old: Mapping[str, bool] | None = None,
    ) -> None:
        new = {"enabled": model.enabled, "is_default": model.is_default}
        tx.record(actor, Change(action, _entity(model), model.id, model.name, old=dict(old or {}), new=new))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))

    async def _set_secret(self, provider: ModelProvider, secret: str | None) -> None:
        if secret:
            provider.secret = await self._vault.seal(provider.tenant_id, secret)
            provider.key_tail = secret[-4:] if len(secret) >= 12 else None

    @staticmethod
    async def _provider(tx: Transaction, provider_id: UUID) -> ModelProvider:
        provider = await tx.get(ModelProvider, provider_id)
        if provider is None:
            raise NotFound(N_("The provider was not found."))
        return provider

    @staticmethod
    async def _name_is_free(tx: Transaction, provider: ModelProvider) -> None:
        for other in await tx.models.providers():
            if other.name.casefold() == provider.name.casefold() and other.id != provider.id:
                raise NameTaken(field="name")

    @staticmethod
    def _same_address(stored: ModelProvider, draft: ProviderDraft) -> None:
        if stored.secret and (stored.base_url or "") != (draft.base_url or "").strip().rstrip("/"):
            raise Invalid(N_("Enter the key again, since the address has changed."), field="secret")

    @staticmethod
    def _checked(tenant_id: UUID, draft: ProviderDraft) -> ModelProvider:
        if draft.type not in set(ProviderType):
            raise Invalid(N_("Choose one of the listed providers."), field="type")
        address = (draft.base_url or "").strip().rstrip("/")
        if draft.type in NEEDS_ADDRESS or address:
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise Invalid(N_("Give the full address, beginning with http:// or https://."), field="base_url")
        config: dict[str, Any] = {k: v for k, v in draft.config.items() if k in ("api_version",) and v}
        for name in (PARALLEL, RATE):
            if draft.config.get(name) is not None:
                config[name] = _limit(name, draft.config[name])
        return ModelProvider(
            tenant_id=tenant_id,
            name=clean_name(draft.name),
            type=draft.type,
            base_url=address or None,
            config=config,
        )


def _limit(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_LIMIT:
        raise Invalid(N_("Give a number from {low} to {high}."), field=name, low=1, high=MOST_LIMIT)
    return value


def _entity(model: CompletionModel | EmbeddingModel) -> str:
    return "completion_model" if isinstance(model, CompletionModel) else "embedding_model"
