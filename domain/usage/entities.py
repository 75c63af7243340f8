"""The usage ledger: one row for each call of a model. It refers to nothing, so that it outlives what it was made for."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned

LEASE = timedelta(hours=1)
"""No call lasts longer."""


class Outcome(StrEnum):
    """How a call ended; it is `running` until then."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Purpose(StrEnum):
    """What a call was for."""

    ANSWER = "answer"
    SUMMARY = "summary"
    SEARCH = "search"
    DOCUMENT = "document"
    RECORDING = "recording"
    PROGRAM = "program"


@dataclass(eq=False, kw_only=True)
class ModelCall(Owned):
    """A call of a model. The ids say for whom and what; who or what has been deleted since is known by its id alone.

    `day` is the day on which it began, where the installation is. Tokens are the provider's count where it gives one
    (`estimated` False), `tokens_cached` among `tokens_in`. `cost` is in billionths of `currency`, by the price of the
    moment; None where no price was set. `reservations` is what budgets hold back for it until it ends; a call whose process
    died is closed after `lease_until`.
    """

    day: date
    kind: str
    purpose: str
    model_id: UUID
    model_name: str
    provider_name: str
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    space_id: UUID | None = None
    assistant_id: UUID | None = None
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    seconds: float = 0.0
    estimated: bool = True
    cost: int | None = None
    currency: str | None = None
    first_token_ms: int | None = None
    total_ms: int | None = None
    outcome: str = Outcome.RUNNING
    error_code: int | None = None
    finished_at: datetime | None = None
    lease_until: datetime | None = None
    reservations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cache_hit(self) -> bool:
        """Whether the provider had read the beginning of it before."""
        return self.tokens_cached > 0


class Grouping(StrEnum):
    """What a report adds up by."""

    DAY = "day"
    MODEL = "model"
    SPACE = "space"
    ASSISTANT = "assistant"
    USER = "user"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which calls a report is about: from the day `since` to the day `until`, both included."""

    since: date
    until: date
    space_id: UUID | None = None
    assistant_id: UUID | None = None
    user_id: UUID | None = None
    model_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What calls add up to. `cost` is None where no call had a price, or where they had several currencies."""

    calls: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    seconds: float = 0.0
    cost: int | None = None
    currency: str | None = None
    total_ms: int | None = None
    first_token_ms: int | None = None

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class UsedBy:
    """What one model, space, assistant, user or day has used. `name` is empty when it is gone; `about` says more.

    The assistant that a space has by itself bears the name of the space, and `about` the kind of that.
    """

    key: str
    name: str
    used: Used
    about: str = ""
