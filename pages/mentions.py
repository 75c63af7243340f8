"""Whom a question may be put to instead of the assistant of its conversation."""

from typing import Any
from uuid import UUID

from pages.components.composer import Composer
from pages.components.face import initials, picture_address
from pages.names import space_name
from pages.visit import visit

MENTIONS = 8


class Mentions:
    """What the box for questions offers behind an @; `own` is the conversation's own assistant."""

    def __init__(self, composer: Composer, own: UUID) -> None:
        self.visit, self.composer, self.own = visit(), composer, own

    async def offer(self, data: dict[str, Any]) -> None:
        """Whom an @ and some words may mean: assistants that can answer, and this conversation's own, to go back to it."""
        words = str(data.get("words", ""))
        found = await self.visit.services.assistants.find(self.visit.actor, search=words, limit=MENTIONS)
        self.composer.offer(
            words,
            [
                {
                    "id": str(view.assistant.id),
                    "name": view.assistant.name,
                    "space": space_name(view.access.space),
                    "own": view.assistant.id == self.own,
                    "picture": picture_address(view.assistant.icon_id),
                    "initials": initials(view.assistant.name),
                }
                for view in found.items
                if view.model and view.model.usable
            ],
        )
