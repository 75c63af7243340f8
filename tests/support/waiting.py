"""Waiting in tests: never without an end, and a failure says what happened."""

import asyncio
from typing import Any

REACH_SECONDS = 60.0


async def reached(event: asyncio.Event, task: "asyncio.Task[Any]") -> None:
    """Wait until `task` has set the event; where it ends before, what it ended with is raised."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((waiting, task), timeout=REACH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if event.is_set():
        return
    assert task.done(), f"not reached within {REACH_SECONDS:.0f} seconds: {task}"
    raise AssertionError(f"it ended before: {task.result()}")
