"""Calls of models that are part of other work: embedding, reranking, transcription.

As answers do, they keep to what a provider can take, and leave alone a model that fails again and again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.kernel.errors import N_, ProviderFailed, Trouble
from domain.models.capacity import Capacity
from domain.models.entities import AnyModel, ModelProvider, title_of
from domain.models.health import Health
from domain.usage.attribution import present

RESTING = N_(
    "The AI model “{name}” has failed several times, so it is left alone for {seconds} seconds. Try again then."
)


class Turns:
    """Gives each call its turn, for whoever the present task works for."""

    def __init__(self, health: Health, capacity: Capacity) -> None:
        self._health, self._capacity = health, capacity

    @asynccontextmanager
    async def turn(
        self,
        model: AnyModel,
        provider: ModelProvider,
        tokens: int = 0,
        patience: float | None = None,
        *,
        anyway: bool = False,
    ) -> AsyncIterator[None]:
        """Around a call that reads about so many tokens. Raises `ProviderFailed` when no place comes, or its model rests.

        With `anyway` a model that rests is called all the same: somebody wants to know whether it answers again.
        """
        who = present()
        if not anyway and (seconds := await self._health.calling(model.id)):
            raise resting(model, seconds)
        person = who.user_id or provider.tenant_id
        try:
            async with self._capacity.place(provider, person, tokens, patience, background=who.background):
                yield
        except ProviderFailed as failure:
            await self._health.failed(model.id, failure)
            raise
        except BaseException:
            await self._health.left(model.id)
            raise
        await self._health.answers(model.id)


def resting(model: AnyModel, seconds: float) -> ProviderFailed:
    """A model is left alone for so long."""
    shown = max(1, round(seconds))
    return ProviderFailed(RESTING, trouble=Trouble.RESTING, retry_after=seconds, name=title_of(model), seconds=shown)
