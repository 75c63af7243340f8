"""When garbage is gone through."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from app import memory
from app.memory import Memory


class Knot:
    """Refers to itself: only the collector can free it."""

    def __init__(self) -> None:
        self.self = self


def tied() -> "weakref.ref[Knot]":
    return weakref.ref(Knot())


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each look is worth it; afterwards everything is as it was."""
    monkeypatch.setattr(memory, "ENOUGH", 0)
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.collect()
    gc.freeze()


def test_young_garbage_goes_at_once_and_what_was_put_aside_when_nobody_notices() -> None:
    clock, answering = Clock(), True
    tidy = Memory(lambda: answering, clock)
    tidy.settle()
    young = tied()
    tidy.look()
    assert young() is None
    kept = Knot()
    old = weakref.ref(kept)
    tidy.look()
    del kept
    clock.seconds = memory.WHOLE_SECONDS
    tidy.look()
    assert old() is not None
    answering = False
    tidy.look()
    assert old() is None


def test_it_is_not_put_off_for_ever() -> None:
    clock = Clock()
    tidy = Memory(lambda: True, clock)
    kept = Knot()
    old = weakref.ref(kept)
    tidy.settle()
    del kept
    clock.seconds = memory.LONGEST_SECONDS - 1
    tidy.look()
    assert old() is not None
    clock.seconds += 1
    tidy.look()
    assert old() is None
