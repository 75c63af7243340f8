"""How full the model's window is, at the box in which questions are written."""

from typing import Any
from uuid import UUID

from domain.conversations.room import NEARLY_FULL, Room, tokens_of
from domain.conversations.tokens import estimate
from pages.components.composer import Composer
from pages.i18n import _
from pages.visit import identifier, visit


class Gauge:
    """What stands in the window is read once for each answer; what is being written is estimated when its writer pauses."""

    def __init__(self, composer: Composer, assistant_id: UUID) -> None:
        self.visit, self.composer, self.assistant_id = visit(), composer, assistant_id
        self.room: Room | None = None
        self.text = self.files = 0

    async def weigh(self, conversation_id: UUID | None) -> None:
        """Estimate instruction and conversation anew."""
        self.room = await self.visit.services.room.of(self.visit.actor, self.assistant_id, conversation_id)
        self._show()

    async def measure(self, data: dict[str, Any]) -> None:
        """Add what is being written."""
        ids = [identifier(str(each)) for each in data.get("files", ())]
        self.text = estimate(str(data.get("text", "")))
        self.files = tokens_of(await self.visit.services.files.own(self.visit.actor, ids))
        self._show()

    def _show(self) -> None:
        if self.room is None:
            return
        percent = round(self.room.percent(self.text, self.files))
        full = percent >= NEARLY_FULL
        text = _("About {percent} % of what the model can take in is used.", percent=percent)
        if full:
            text += " " + _("Soon the oldest messages are left out. Begin a new conversation for a new subject.")
        self.composer.gauge(percent, text, full=full)
