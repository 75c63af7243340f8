"""Models that write down what is said in recordings: use cases."""

from collections.abc import Sequence
from uuid import UUID

from domain.classifications.approval import first_approved
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound
from domain.models.choice import TranscriptionChoice
from domain.models.entities import ModelProvider, ProviderType, TranscriptionModel
from domain.models.plain import PlainModels
from domain.models.service import with_providers
from domain.spaces.entities import Space
from domain.transaction import Transaction

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


class TranscriptionModelService(PlainModels[TranscriptionModel]):
    """Use cases of transcription models. What a deleted one has written down stays in the documents."""

    entity, speaking = TranscriptionModel, SPEAKING
    refusal = N_("Recordings cannot be sent to this type of provider.")

    async def _known(self, tx: Transaction) -> Sequence[TranscriptionModel]:
        return await tx.models.transcription_models()

    def _made(self, actor: Actor, provider: ModelProvider, name: str, nickname: str) -> TranscriptionModel:
        return TranscriptionModel(tenant_id=actor.tenant_id, provider_id=provider.id, name=name, nickname=nickname)
