"""Questions without an answer: where the knowledge of a space has gaps."""

import functools
from uuid import UUID

from nicegui import ui

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import NotFound
from domain.kernel.paging import Page
from domain.knowledge.entities import UnansweredQuestion
from pages.components.base import box, empty_state, icon_button, note, page_head
from pages.components.pager import PagedList
from pages.i18n import _, moment, ngettext
from pages.names import assistant_name
from pages.spaces import enter
from pages.visit import act, toast, visit


async def questions(space_id: str) -> None:
    """What people asked that nothing fits, how often, and when last."""
    here, view = visit(), await enter(space_id)
    if Action.EDIT not in permissions(here.actor, view.role, Resource.COLLECTION):
        raise NotFound
    space = view.space
    helpers = await here.services.assistants.in_space(here.actor, space.id)
    names = {each.assistant.id: assistant_name(each.assistant, space) for each in helpers}
    recording = [each for each in helpers if each.assistant.insight_enabled]

    async def fetch(_words: str, cursor: str | None) -> Page[UnansweredQuestion]:
        return await here.services.unanswered.page(here.actor, space.id, cursor=cursor)

    def row(found: UnansweredQuestion) -> None:
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(found.question).classes("name")
                parts = [names.get(found.assistant_id, ""), _("last asked {when}", when=moment(found.last_asked_at))]
                ui.label(" · ".join(part for part in parts if part)).classes("sub")
            ui.label(ngettext("{n} time", "{n} times", found.count)).classes("chip")
            label = _("Take “{question}” off the list", question=found.question[:80])
            icon_button("delete", label, act(functools.partial(remove, found.id)))

    async def remove(question_id: UUID) -> None:
        await here.services.unanswered.delete(here.actor, space.id, question_id)
        toast(_("The question was taken off the list."))
        await listed.refresh()

    with box("page"):
        back = (_("Knowledge"), f"/spaces/{space.id}/knowledge")
        lead = _("What people asked that nothing in the knowledge fits. Who asked is not kept.")
        page_head(_("Questions without an answer"), lead, back=back)
        if not recording:
            note(_("No assistant here keeps such questions. Switch it on in the settings of an assistant."))
        listed: PagedList[UnansweredQuestion] = PagedList(fetch, row, empty=lambda _words: _none())
        await listed.refresh()


def _none() -> None:
    text = _("When somebody asks something that no document fits, it shows up here.")
    empty_state("task_alt", _("No questions without an answer"), text)
