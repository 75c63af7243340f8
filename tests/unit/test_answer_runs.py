"""How a growing answer is told to those who read it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from domain.conversations import run as runs
from domain.conversations.ahead import unless_given_up
from domain.conversations.entities import AnswerState
from domain.conversations.run import Run, RunEvent, Runs

HOUR = 3600.0


def beginning(monkeypatch: pytest.MonkeyPatch, pause: float) -> tuple[Run, AsyncIterator[RunEvent]]:
    """A run with so long a pause between two pieces, and its reader."""
    monkeypatch.setattr(runs, "PAUSE_SECONDS", pause)
    monkeypatch.setattr(runs, "LONGEST_PAUSE", HOUR)
    run = Run(uuid4(), uuid4(), uuid4())
    Runs().add(run)
    return run, run.follow(0)


async def told(reader: AsyncIterator[RunEvent]) -> str:
    """The next piece that the reader is told."""
    async with asyncio.timeout(10):
        return (await anext(reader)).text


async def waiting(reader: AsyncIterator[RunEvent]) -> "asyncio.Task[str]":
    """A reader that waits for what comes next."""
    task = asyncio.create_task(told(reader))
    await asyncio.sleep(0)
    return task


async def test_pieces_that_follow_close_on_one_another_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    run, reader = beginning(monkeypatch, 0.05)
    first = await waiting(reader)
    run.append("Bygglov ")
    assert await first == "Bygglov "
    second = await waiting(reader)
    for piece in ("söks ", "hos ", "nämnden."):
        run.append(piece)
        await asyncio.sleep(0)
    assert await second == "söks hos nämnden."


async def test_neither_the_first_word_nor_the_end_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    run, reader = beginning(monkeypatch, HOUR)
    first = await waiting(reader)
    run.append("Ja")
    assert await first == "Ja"
    last = await waiting(reader)
    run.append(", alltid.")
    run.close(AnswerState.DONE)
    assert await last == ", alltid."
    assert (await anext(reader)).final


async def test_the_more_answers_are_written_the_longer_is_the_pause_up_to_the_longest() -> None:
    kept, pauses = Runs(), []
    for _ in range(100):
        run = Run(uuid4(), uuid4(), uuid4())
        kept.add(run)
        pauses.append(run.pause())
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (runs.PAUSE_SECONDS, runs.LONGEST_PAUSE)


async def test_what_was_begun_ahead_is_given_up_when_what_it_was_for_fails() -> None:
    given_up = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(ValueError, match="refused"):
        async with unless_given_up(given_up):
            raise ValueError("refused")
    assert given_up.cancelled()

    kept = asyncio.create_task(asyncio.sleep(0, "found"))
    async with unless_given_up(kept):
        pass
    assert await kept == "found"
