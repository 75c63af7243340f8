"""Models that write down what is said in recordings: use cases."""

from collections.abc import Sequence
from uuid import UUID

from domain.classifications.approval import first_approved
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, BadRequest, Invalid, NameTaken, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.models.choice import ModelChoice, TranscriptionChoice
from domain.models.entities import ModelProvider, ProviderType, TranscriptionModel
from domain.models.service import with_classification, with_providers
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork

SPEAKING = (ProviderType.COMPATIBLE, ProviderType.OPENAI, ProviderType.MISTRAL)
"""Providers whose interface for recordings is known."""
NONE_THERE = N_(
    "Recordings need a model that writes down speech, and the organisation has none. "
    "An administrator can add one under Administration, AI models."
)


async def transcription_choices(tx: Transaction) -> list[TranscriptionChoice]:
    """All transcription models of the tenant with their providers, the default first."""
    return await with_providers(tx, await tx.models.transcription_models())


async def transcription_in(tx: Transaction, space_id: UUID) -> TranscriptionChoice:
    """The model that recordings of a space are given to; `NoModel` or `NotApproved` when there is none."""
    space = await tx.get(Space, space_id)
    if space is None:
        raise NotFound(N_("The space was not found."))
    return await first_approved(tx, space, await transcription_choices(tx), NONE_THERE)


class TranscriptionModelService:
    """Use cases of transcription models."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def all(self, actor: Actor) -> Sequence[TranscriptionChoice]:
        """Every transcription model of the organisation, usable or not."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await transcription_choices(tx)

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
    ) -> TranscriptionChoice:
        """Add a model of a provider; the first one becomes the default."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            provider = await tx.get(ModelProvider, provider_id)
            if provider is None:
                raise NotFound(N_("The provider was not found."), field="provider_id")
            if provider.type not in SPEAKING:
                raise Invalid(N_("Recordings cannot be sent to this type of provider."), field="provider_id")
            model = TranscriptionModel(
                tenant_id=actor.tenant_id,
                provider_id=provider.id,
                name=clean_name(name),
                nickname=clean_name(nickname or name),
                family=clean_name(family or provider.type, "family", 80),
                hosting=clean_name(hosting, "hosting", 40),
                enabled=enabled,
            )
            known = await tx.models.transcription_models()
            if any(m.provider_id == provider.id and m.name == model.name for m in known):
                raise NameTaken(N_("The model exists already."), field="name")
            if make_default or not known:
                await tx.models.clear_default(TranscriptionModel)
                model.is_default = True
            await tx.add(model)
            self._changed(tx, actor, "model_created", model)
            return ModelChoice(model, provider)

    async def set_flags(
        self, actor: Actor, model_id: UUID, *, enabled: bool | None = None, is_default: bool | None = None
    ) -> TranscriptionChoice:
        """Switch a model on or off, or make it the default."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            choice = await self._choice(tx, model_id)
            if is_default is not None:
                await tx.models.clear_default(TranscriptionModel)
                choice.model.is_default = is_default
            if enabled is not None:
                choice.model.enabled = enabled
            if choice.model.is_default and not choice.model.enabled:
                raise BadRequest(N_("The default model cannot be switched off. Make another one the default first."))
            if (enabled, is_default) != (None, None):
                self._changed(tx, actor, "transcription_model_updated", choice.model)
            return choice

    async def delete(self, actor: Actor, model_id: UUID) -> None:
        """Delete a model. What it has written down stays in the documents."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            model = (await self._choice(tx, model_id)).model
            others = [m for m in await tx.models.transcription_models() if m.id != model_id]
            if model.is_default and others:
                raise BadRequest(N_("The default model cannot be deleted. Make another one the default first."))
            await tx.remove(model)
            self._changed(tx, actor, "model_deleted", model)

    @staticmethod
    async def _choice(tx: Transaction, model_id: UUID) -> TranscriptionChoice:
        model = await tx.get(TranscriptionModel, model_id)
        provider = await tx.get(ModelProvider, model.provider_id) if model else None
        if model is None or provider is None:
            raise NotFound(N_("The model was not found."))
        return await with_classification(tx, model, provider)

    @staticmethod
    def _changed(tx: Transaction, actor: Actor, action: str, model: TranscriptionModel) -> None:
        new = {"enabled": model.enabled, "is_default": model.is_default}
        tx.record(actor, Change(action, "transcription_model", model.id, model.name, new=new))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
