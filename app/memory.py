"""When Python's garbage collector goes through everything: with hundreds of open pages that takes a second and more.

It would do so by itself once a minute and hold up every answer. Instead the young objects are gone through every few seconds
and those that survive are put aside (`gc.freeze`); what was put aside is gone through where no answer is being written.
"""

import asyncio
import gc
from collections.abc import Callable
from time import monotonic

LOOK_SECONDS = 5.0
ENOUGH = 3
"""So many collections of the middle generation since the last look are worth one of ours."""
YOUNG = 5_000
"""So many new objects are worth a look at them: more of them are gone by then than at Python's 700."""
SELDOM = 1_000_000
WHOLE_SECONDS, LONGEST_SECONDS = 300.0, 3600.0
"""How often everything is gone through at the most, and when it is also where answers are being written."""


class Memory:
    """Collects garbage; `busy` says whether somebody would notice."""

    def __init__(self, busy: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self._busy, self._clock = busy, clock
        self._whole = clock()

    def settle(self) -> None:
        """What is loaded at start stays: put it aside, and let nothing be gone through but by `look`."""
        gc.collect()
        gc.freeze()
        _, middle, _ = gc.get_threshold()
        gc.set_threshold(YOUNG, middle, SELDOM)

    def look(self) -> None:
        """Collect what the moment allows."""
        if gc.get_count()[2] < ENOUGH:
            return
        age = self._clock() - self._whole
        if age >= LONGEST_SECONDS or (age >= WHOLE_SECONDS and not self._busy()):
            gc.unfreeze()
            self._whole = self._clock()
        gc.collect()
        gc.freeze()

    async def follow(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
