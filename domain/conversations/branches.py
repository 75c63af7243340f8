"""Branches: a conversation is a tree of messages, and one path through it is shown.

A question that is edited, or answered again, stands beside the former one: both follow the same message. Ids grow with
time, so the greatest is the newest.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Link:
    """A message and the one it follows; None for the first of a conversation."""

    id: UUID
    parent_id: UUID | None


class Branches:
    """The tree of a conversation's messages."""

    def __init__(self, links: Sequence[Link]) -> None:
        known = {link.id for link in links}
        self._parents = {link.id: link.parent_id if link.parent_id in known else None for link in links}
        self._following: dict[UUID | None, list[UUID]] = defaultdict(list)
        for message_id in sorted(known):
            self._following[self._parents[message_id]].append(message_id)

    def __contains__(self, message_id: UUID) -> bool:
        return message_id in self._parents

    @property
    def all(self) -> list[UUID]:
        """Every message, in the order of time."""
        return sorted(self._parents)

    def parent(self, message_id: UUID) -> UUID | None:
        """The message that this one follows."""
        return self._parents[message_id]

    def followed(self, message_id: UUID) -> bool:
        """Whether anything follows a message."""
        return bool(self._following.get(message_id))

    def versions(self, message_id: UUID) -> Sequence[UUID]:
        """The messages that stand in one place, the oldest first; this one is among them."""
        return tuple(self._following[self._parents[message_id]])

    def path(self, last: UUID | None) -> list[UUID]:
        """From the first message to this one."""
        found: list[UUID] = []
        while last is not None:
            found.append(last)
            last = self._parents[last]
        return found[::-1]

    def shown(self, chosen: UUID | None) -> list[UUID]:
        """The path through the chosen message, else through the newest one, and on to the newest end."""
        last = chosen if chosen in self._parents else max(self._parents, default=None)
        while last is not None and (following := self._following.get(last)):
            last = following[-1]
        return self.path(last)
