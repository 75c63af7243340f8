"""What the questions of a chat are narrowed to: chips at the box in which one writes, and the dialog that sets them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.conversations.narrowing import stored
from domain.knowledge.entities import Collection
from domain.knowledge.filters import Filter
from pages.components.base import box, button, paragraph, quiet_button
from pages.components.composer import Composer
from pages.dialogs import dialog, inline
from pages.i18n import _
from pages.narrowing import Narrowing, chips, without
from pages.visit import act


class Narrowed:
    """Counts for the next question and those after it, until it is taken away. Nothing where no documents are searched."""

    def __init__(self, composer: Composer, collections: Sequence[Collection], told: dict[str, Any]) -> None:
        self.composer, self.collections = composer, {each.id: each for each in collections}
        self.told = told if collections else {}
        if collections:
            composer.handle("narrow", act(self._choose)).handle("widen", act(self._widen))
        self._show()

    def read(self) -> tuple[list[UUID], Filter | None]:
        """The collections (none: all) and the documents in which the answer is to be sought."""
        return stored(self.told)

    def _show(self) -> None:
        parts = [{"key": key, "label": label} for key, label in chips(self.told)]
        self.composer.narrowed(parts, offered=bool(self.collections))

    async def _widen(self, data: dict[str, Any]) -> None:
        self.told = without(self.told, str(data.get("key", "")))
        self._show()

    async def _choose(self, _data: dict[str, Any]) -> None:
        """Ask to what; a collection that the assistant has lost meanwhile can only be taken away."""
        made, card = dialog(_("Narrow the search"), wide=True)
        ids, documents = self.read()

        async def save() -> None:
            async def work() -> None:
                chosen = [self.collections[each] for each in places.value]
                wanted = narrowing.read()
                names = [{"id": str(each.id), "name": each.name} for each in chosen]
                self.told = {**({"collections": names} if names else {}), **(wanted.told() if wanted else {})}
                self._show()
                made.close()

            await inline(work, problem)

        def clear() -> None:
            self.told = {}
            self._show()
            made.close()

        with card:
            paragraph(_("Only such documents are searched for your next questions in this chat."), "muted")
            names = {each.id: each.name for each in self.collections.values()}
            known = [each for each in ids if each in names]
            places = ui.select(names, value=known, multiple=True, label=_("Collections (all if none is chosen)"))
            places.props("outlined dense stack-label use-chips options-dense")
            narrowing = Narrowing(documents, folded=False)
            problem = box("full-width")
            with box("actions-row"):
                quiet_button(_("Cancel"), made.close)
                if self.told:
                    quiet_button(_("Search everything"), clear)
                button(_("Narrow the search"), save)
        made.open()
