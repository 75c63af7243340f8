"""What the keys of an organisation ask of storage."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from domain.tenants.entities import TenantKey

BEGINNING = UUID(int=0)


@dataclass(slots=True)
class Progress:
    """How far turning over has come: the encrypted column, the last row looked at, and what was found."""

    place: int = 0
    after: UUID = BEGINNING
    changed: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)


class SecretRepository(Protocol):
    """Data keys and encrypted values of the transaction's tenant."""

    async def data_keys(self) -> Sequence[TenantKey]:
        """All data keys, retired ones too, in the order they were made."""

    async def turn_over(self, progress: Progress, limit: int) -> bool:
        """Encrypt the next values anew that are not in the present form under the present key; False at the end.

        Values that cannot be opened stay as they are, and are counted.
        """

    async def needs(self, tags: Collection[str]) -> bool:
        """Whether a value names one of these keys, or is of a form that names none."""
