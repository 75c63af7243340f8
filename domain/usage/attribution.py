"""For whom the calls of models are made that go out now. It travels with the task, so that no call can go without."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from uuid import UUID

from domain.kernel.actor import Actor
from domain.usage.entities import ModelCall, Purpose


@dataclass(frozen=True, slots=True)
class Attribution:
    """For whom and what.

    Calls that cost nothing are only `collected` where somebody is about to write anyway; `seen` gets every call.
    Nobody waits for what is done in the `background`.
    """

    purpose: str = Purpose.PROGRAM
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    space_id: UUID | None = None
    assistant_id: UUID | None = None
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    background: bool = False
    collected: list[ModelCall] | None = field(default=None, compare=False)
    seen: list[ModelCall] | None = field(default=None, compare=False)

    @staticmethod
    def of(actor: Actor, purpose: str) -> "Attribution":
        """What an actor does."""
        person = None if actor.user_id == actor.tenant_id else actor.user_id
        return Attribution(purpose, person, actor.key.id if actor.key else None)


_PRESENT: ContextVar[Attribution] = ContextVar("attribution")


def present() -> Attribution:
    """For whom the present task works."""
    return _PRESENT.get(Attribution())


@contextmanager
def attributed(attribution: Attribution) -> Iterator[None]:
    """Calls inside the block are made for this."""
    token = _PRESENT.set(attribution)
    try:
        yield
    finally:
        _PRESENT.reset(token)


def work_in_space(space_id: UUID) -> None:
    """From here on the present task works for the same, in this space."""
    _PRESENT.set(replace(present(), space_id=space_id))
