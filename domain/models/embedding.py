"""Vectors for programs: texts by one of the organisation's embedding models."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid
from domain.kernel.text import clean_text
from domain.models.choice import EmbeddingChoice
from domain.ports import Deed, Embedder, Limiter
from domain.usage.attribution import Attribution, attributed
from domain.usage.entities import ModelCall, Purpose

MOST_TEXTS = 256
TEXT_LIMIT = 100_000


class EmbeddingService:
    """Use case of those who search elsewhere with the organisation's models."""

    def __init__(self, embedder: Embedder, limiter: Limiter) -> None:
        self._embedder, self._limiter = embedder, limiter

    async def embed(
        self, actor: Actor, choice: EmbeddingChoice, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> tuple[Sequence[bytes], int]:
        """A vector for each text, in order, and the tokens that were read."""
        await self._limiter.take(Deed.QUESTION, actor)
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise Invalid(N_("Give between 1 and {limit} texts."), field="input", limit=MOST_TEXTS)
        cleaned = [clean_text(text, "input", TEXT_LIMIT) for text in texts]
        if not all(text.strip() for text in cleaned):
            raise Invalid(N_("A text is empty."), field="input")
        seen: list[ModelCall] = []
        with attributed(replace(Attribution.of(actor, Purpose.PROGRAM), seen=seen)):
            vectors = await self._embedder.embed(actor.tenant_id, choice.model, cleaned, kind)
        return vectors, sum(call.tokens_in for call in seen)
