"""Which model answers: the assistant's own, and when it does not, those that stand in for it, in their order.

All of this happens before the first word. Once an answer has begun, nobody else finishes it unasked.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from domain.assistants.settings import takes
from domain.budgets.reserving import Room
from domain.kernel.errors import N_, ProviderFailed, Trouble
from domain.models.capacity import LONGEST_WAIT
from domain.models.choice import CompletionChoice
from domain.models.health import Health
from domain.models.turns import resting

PATIENCE = 3.0
"""A provider that wants to be asked again within so many seconds is; for the others one stand-in or the user does better."""
AGAIN_SECONDS = 0.4
FIRST_WORD_SECONDS = 30.0
"""How long the first word may take where another model can be asked instead; one that reasons gets the longer time."""
REASONING_SECONDS = 90.0
ALONE_SECONDS = 300.0
"""How long it may take where nobody else can be asked: some providers give signs of life for ever, and never an answer."""
TURN_SECONDS = 5.0
"""How long one waits for a place at a provider where another model can be asked instead."""
AGAIN = frozenset({Trouble.BUSY, Trouble.DOWN, Trouble.UNREACHABLE})
"""What passes by itself, so that the same model is asked once more."""
SLOW = N_("The AI model “{name}” did not begin to answer.")
EMPTY = N_("The AI model ended without an answer. Ask again, or choose another model.")
ONLY_THOUGHT = N_(
    "The AI model thought, but did not come to an answer. Ask for less at a time, or let it think less in the settings."
)
BUDGET, LENGTH = "budget", "length"
"""Why a model is passed over that is not to blame: what it costs is not left, or it cannot take in so much."""
PLAIN_SETTINGS = ("temperature", "top_p")
"""Settings that every model knows; the others were made for the model that is replaced."""


@dataclass(slots=True)
class Attempts:
    """The calls for one answer: `choice` is asked now, `left` may be asked next, `failed` tells what became of others."""

    choice: CompletionChoice
    left: list[CompletionChoice]
    health: Health
    failed: list[dict[str, Any]] = field(default_factory=list)
    asked_again: bool = False

    async def begin(self) -> None:
        """Pass over models that rest. Raises `ProviderFailed` when there is no other."""
        while seconds := await self.health.calling(self.choice.model.id):
            failure = resting(self.choice.model, seconds)
            self._note(failure.trouble)
            if not self.left:
                raise failure
            self._next()

    async def after(self, failure: ProviderFailed) -> float | None:
        """What follows on a failure before the first word: `choice` is asked after so many seconds, or nobody (None)."""
        await self.health.failed(self.choice.model.id, failure)
        self._note(failure.trouble)
        wait = AGAIN_SECONDS if failure.retry_after is None else failure.retry_after
        if failure.trouble in AGAIN and not self.asked_again and wait <= PATIENCE:
            self.asked_again = True
            # Not all at the same moment.
            return wait + random.uniform(0, AGAIN_SECONDS)  # noqa: S311
        if failure.trouble is Trouble.REJECTED or not self.left:
            return None
        self._next()
        return 0.0

    async def skip(self, reason: str) -> bool:
        """Pass over a model that is not to blame; whether there is another."""
        await self.health.left(self.choice.model.id)
        if self.left:
            self._note(reason)
            self._next()
            return True
        return False

    @property
    def first_word_seconds(self) -> float:
        """How long the first word may take."""
        if not self.left:
            return ALONE_SECONDS
        return REASONING_SECONDS if self.choice.model.reasoning else FIRST_WORD_SECONDS

    @property
    def turn_seconds(self) -> float:
        """How long one may wait for a place at the provider."""
        return TURN_SECONDS if self.left else LONGEST_WAIT

    def slow(self) -> ProviderFailed:
        """The first word did not come in time."""
        return ProviderFailed(SLOW, trouble=Trouble.SILENT, name=self.choice.model.nickname)

    def _next(self) -> None:
        self.choice, self.asked_again = self.left.pop(0), False

    def _note(self, trouble: str) -> None:
        self.failed.append(_passed(self.choice, trouble))


def _passed(choice: CompletionChoice, trouble: str) -> dict[str, Any]:
    return {"model": choice.model.nickname, "trouble": trouble}


def affordable(choices: Sequence[CompletionChoice], room: Room) -> tuple[list[CompletionChoice], list[dict[str, Any]]]:
    """Those for which there is room in the budgets, and what is told of those before the first of them.

    Raises `BudgetExhausted` when there is none.
    """
    refusals = [(room.paid if each.paid else room.free) if each.counted else None for each in choices]
    left = [each for each, refusal in zip(choices, refusals, strict=True) if refusal is None]
    if not left and refusals[0] is not None:
        raise refusals[0]
    return left, [_passed(each, BUDGET) for each in takewhile(lambda each: each is not left[0], choices)]


def fitting(settings: Mapping[str, Any], choice: CompletionChoice, asked: CompletionChoice) -> dict[str, Any]:
    """The settings of `asked` as far as a model that stands in for it takes them."""
    if choice.model.id == asked.model.id:
        return dict(settings)
    return {name: value for name, value in settings.items() if name in PLAIN_SETTINGS and takes(choice, name)}
