"""Models that put what a search has found in order: use cases, and which one serves a space."""

from collections.abc import Sequence

from domain.classifications.approval import may_serve, rules_for
from domain.kernel.actor import Actor
from domain.kernel.errors import N_
from domain.models.choice import ModelChoice, RerankChoice
from domain.models.entities import ModelProvider, ProviderType, RerankModel
from domain.models.plain import PlainModels
from domain.models.service import with_providers
from domain.spaces.entities import Space
from domain.transaction import Transaction

SPEAKING = (ProviderType.COMPATIBLE, ProviderType.COHERE)
"""Providers whose interface for reranking is known."""


async def rerank_choices(tx: Transaction) -> list[RerankChoice]:
    """All rerank models of the tenant with their providers, the default first."""
    return await with_providers(tx, await tx.models.rerank_models())


async def rerank_in(tx: Transaction, space: Space) -> RerankChoice | None:
    """The model that orders what is found for somebody in a space: the first that may serve it. None where none does.

    An organisation that has none, or has switched it off, searches without; so does a space that has chosen none.
    """
    offered = [ModelChoice(model, provider) for model, provider in await tx.models.rerankers()]
    choices = [choice for choice in offered if choice.usable]
    if not choices:
        return None
    rules = await rules_for(tx, [space])
    return next((choice for choice in choices if may_serve(rules, choice.model, space)), None)


class RerankModelService(PlainModels[RerankModel]):
    """Use cases of rerank models."""

    entity, speaking, optional = RerankModel, SPEAKING, True
    refusal = N_("This type of provider puts no search results in order.")

    async def _known(self, tx: Transaction) -> Sequence[RerankModel]:
        return await tx.models.rerank_models()

    def _made(self, actor: Actor, provider: ModelProvider, name: str, nickname: str) -> RerankModel:
        return RerankModel(tenant_id=actor.tenant_id, provider_id=provider.id, name=name, nickname=nickname)
