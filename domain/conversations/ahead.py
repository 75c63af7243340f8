"""Parts of an answer that are begun before the answer itself, while what comes before it is read and written."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from domain.conversations.plan import Plan
from domain.kernel import tracing
from domain.usage.attribution import attributed

T = TypeVar("T")


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
