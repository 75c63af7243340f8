"""Models of which nothing more is known than that they can be called: use cases that they have in common."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, BadRequest, Invalid, NameTaken, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.models.choice import ModelChoice
from domain.models.entities import ModelProvider, ProviderType, RerankModel, TranscriptionModel, kind_of
from domain.models.service import with_classification, with_providers
from domain.transaction import Transaction, UnitOfWork

Plain = TypeVar("Plain", TranscriptionModel, RerankModel)


class PlainModels(ABC, Generic[Plain]):
    """Use cases of the models of one `entity`; its first one becomes the default.

    `speaking` are the types of providers that can be asked, `refusal` is said of others. Where the product can do without
    (`optional`), the default may be switched off.
    """

    entity: ClassVar[type[TranscriptionModel] | type[RerankModel]]
    speaking: ClassVar[Collection[ProviderType]]
    refusal: ClassVar[str]
    optional: ClassVar[bool] = False

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    @abstractmethod
    async def _known(self, tx: Transaction) -> Sequence[Plain]:
        """All that there are, the default first."""

    @abstractmethod
    def _made(self, actor: Actor, provider: ModelProvider, name: str, nickname: str) -> Plain:
        """A new one, not yet stored."""

    async def all(self, actor: Actor) -> Sequence[ModelChoice[Plain]]:
        """Every such model of the organisation, usable or not."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await with_providers(tx, await self._known(tx))

    async def add(
        self,
        actor: Actor,
        provider_id: UUID,
        name: str,
        *,
        nickname: str = "",
        hosting: str = "swe",
        family: str = "",
        enabled: bool = True,
        make_default: bool = False,
    ) -> ModelChoice[Plain]:
        """Add a model of a provider."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await tx.get(ModelProvider, provider_id)
            if provider is None:
                raise NotFound(N_("The provider was not found."), field="provider_id")
            if provider.type not in self.speaking:
                raise Invalid(self.refusal, field="provider_id")
            model = self._made(actor, provider, clean_name(name), clean_name(nickname or name))
            model.family = clean_name(family or provider.type, "family", 80)
            model.hosting, model.enabled = clean_name(hosting, "hosting", 40), enabled
            known = await self._known(tx)
            if any(m.provider_id == provider.id and m.name == model.name for m in known):
                raise NameTaken(N_("The model exists already."), field="name")
            if make_default or not known:
                await tx.models.clear_default(self.entity)
                model.is_default = True
            await tx.add(model)
            self._changed(tx, actor, "model_created", model)
            return ModelChoice(model, provider)

    async def set_flags(
        self, actor: Actor, model_id: UUID, *, enabled: bool | None = None, is_default: bool | None = None
    ) -> ModelChoice[Plain]:
        """Switch a model on or off, or make it the default."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            choice = await self._choice(tx, model_id)
            if is_default is not None:
                await tx.models.clear_default(self.entity)
                choice.model.is_default = is_default
            if enabled is not None:
                choice.model.enabled = enabled
            if choice.model.is_default and not choice.model.enabled and not self.optional:
                raise BadRequest(N_("The default model cannot be switched off. Make another one the default first."))
            if (enabled, is_default) != (None, None):
                self._changed(tx, actor, f"{kind_of(choice.model)}_model_updated", choice.model)
            return choice

    async def delete(self, actor: Actor, model_id: UUID) -> None:
        """Delete a model. What has come of it stays."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            model = (await self._choice(tx, model_id)).model
            others = [m for m in await self._known(tx) if m.id != model_id]
            if model.is_default and others:
                raise BadRequest(N_("The default model cannot be deleted. Make another one the default first."))
            await tx.remove(model)
            self._changed(tx, actor, "model_deleted", model)

    async def _choice(self, tx: Transaction, model_id: UUID) -> ModelChoice[Plain]:
        model = next((each for each in await self._known(tx) if each.id == model_id), None)
        provider = await tx.get(ModelProvider, model.provider_id) if model else None
        if model is None or provider is None:
            raise NotFound(N_("The model was not found."))
        return await with_classification(tx, model, provider)

    @staticmethod
    def _changed(tx: Transaction, actor: Actor, action: str, model: TranscriptionModel | RerankModel) -> None:
        new = {"enabled": model.enabled, "is_default": model.is_default}
        tx.record(actor, Change(action, f"{kind_of(model)}_model", model.id, model.name, new=new))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
