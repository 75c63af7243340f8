"""Trying the search of a space."""

from uuid import UUID

from nicegui import ui

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import N_, NotFound
from domain.knowledge.entities import Collection
from domain.knowledge.playground import Trial
from domain.knowledge.retrieval import Passage
from pages.components.base import box, button, empty_state, heading, note, page_head, paragraph
from pages.dialogs import inline
from pages.i18n import _, number
from pages.narrowing import Narrowing
from pages.ranked import ranked, times
from pages.spaces import enter
from pages.visit import visit

MODES = {
    "hybrid": N_("Meaning and words"),
    "vector": N_("Meaning alone"),
    "text": N_("Words alone"),
}


async def playground(space_id: str) -> None:
    """A question, where and how to seek it, and what is found."""
    here, view = visit(), await enter(space_id)
    if Action.READ not in permissions(here.actor, view.role, Resource.COLLECTION):
        raise NotFound
    found = await here.services.knowledge.collections(here.actor, view.space.id)
    Trying(view.space.id, [each.collection for each in found]).build()


class Trying:
    """The page: the form, and below it the last search."""

    def __init__(self, space_id: UUID, collections: list[Collection]) -> None:
        self.visit, self.space_id, self.collections = visit(), space_id, collections

    def build(self) -> None:
        """Form and place for the outcome."""
        with box("page"):
            back = (_("Knowledge"), f"/spaces/{self.space_id}/knowledge")
            page_head(_("Try the search"), _("See what a question finds, in which order, and why."), back=back)
            if not self.collections:
                with box("card"):
                    empty_state("search", _("No collections yet"), _("Create a collection and add documents first."))
                return
            with box("card pad stack"):
                self._form()
            self.outcome = box("stack full-width")
            self.outcome.props["aria-live"] = "polite"

    def _form(self) -> None:
        self.query = ui.input(_("Question")).props("outlined stack-label autofocus maxlength=2000")
        self.query.classes("full-width").on("keydown.enter", self._search)
        with box("line wrap"):
            modes = {mode: _(name) for mode, name in MODES.items()}
            self.mode = ui.select(modes, value="hybrid", label=_("How to search")).props("outlined dense stack-label")
            self.mode.style("min-width:220px")
            names = {each.id: each.name for each in self.collections}
            self.chosen = ui.select(names, value=[], multiple=True, label=_("Collections (all if none is chosen)"))
            self.chosen.props("outlined dense stack-label use-chips options-dense").classes("grow").style(
                "min-width:240px"
            )
            button(_("Search"), self._search, icon="search")
        self.narrowing = Narrowing()
        self.problem = box("full-width")

    async def _search(self) -> None:
        await inline(self._find, self.problem)

    async def _find(self) -> None:
        query = str(self.query.value or "")
        trial = await self.visit.services.playground.search(
            self.visit.actor,
            self.space_id,
            query,
            collection_ids=list(self.chosen.value) or None,
            mode=self.mode.value,
            narrowed=self.narrowing.read(),
        )
        self.outcome.clear()
        with self.outcome:
            _outcome(trial, query)


def _outcome(trial: Trial, query: str) -> None:
    search = trial.followed.to_dict()
    heading(_("Ranked lists"))
    ranked(search, query)
    heading(_("Passages for the model"))
    with box("card"):
        for rank, passage in enumerate(trial.passages, 1):
            _passage(rank, passage)
        if not trial.passages:
            note(_("Nothing was found."), "warn")
    heading(_("Time"))
    with box("card pad"):
        times(search["milliseconds"], {})


def _passage(rank: int, passage: Passage) -> None:
    with box("passage"):
        place = [f"{rank}. {passage.title}"]
        if passage.page_from:
            place.append(_("Page {page}", page=passage.page_from))
        place.append(_("Score {score}", score=number(round(passage.score, 3))))
        ui.label(" · ".join(place)).classes("muted small")
        paragraph(passage.text)
