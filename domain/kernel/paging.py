"""Keyset paging: a page is found by the key of the last row seen, never by an offset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
MAX_LIMIT = 200
DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page: its items, the opaque cursor of the next page (or None) and the total, where counted."""

    items: Sequence[T]
    next_cursor: str | None = None
    total: int | None = None


def clamp(limit: int | None) -> int:
    """A page size between 1 and `MAX_LIMIT`."""
    return max(1, min(limit or DEFAULT_LIMIT, MAX_LIMIT))
