"""Parts of an answer that are begun before the answer itself, while what comes before it is read and written."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from domain.conversations.plan import Plan
from domain.conversations.rewriting import leans
from domain.kernel import tracing
from domain.knowledge.searching import SearchService
from domain.models.entities import ProviderType
from domain.usage.attribution import attributed

T = TypeVar("T")
REMEMBERED = 10_000


class Foreseen:
    """Where the built-in embedding model will be asked: it begins on a question while everything else is still read.

    It costs nothing and runs here, so that what nobody may ask after all has only been worked out in vain.
    """

    def __init__(self, search: SearchService) -> None:
        self._search = search
        self._places: dict[UUID, None] = {}

    def question(self, place: UUID | None, text: str, *, first: bool) -> None:
        """Begin on a question to an assistant, or in a conversation, where it was needed before."""
        # What a question that leans on others is sought by is not known before these are read.
        if place in self._places and text and (first or not leans(text)):
            self._search.expect(text)

    def note(self, plan: Plan) -> None:
        """Remember, of an assistant and its conversation, whether the model is needed."""
        needed = plan.collections and any(provider.type == ProviderType.BUILTIN for _, provider in plan.embedders)
        for place in (plan.assistant.id, plan.message.conversation_id):
            self._places.pop(place, None)
            if needed:
                self._places[place] = None
        while len(self._places) > REMEMBERED:
            self._places.pop(next(iter(self._places)))


def begun(plan: Plan, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Begin a part of the answer before the answer itself."""
    with attributed(plan.who), tracing.within(plan.span):
        return asyncio.create_task(work, name=f"ahead {plan.message.id}")


@asynccontextmanager
async def unless_given_up(task: "asyncio.Task[Any] | None") -> AsyncIterator[None]:
    """What was begun ahead is given up when the block fails."""
    try:
        yield
    except BaseException:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise
