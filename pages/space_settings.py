"""The settings of a space."""

import functools
from typing import Any

from nicegui import ui

from domain.kernel.access import Action
from domain.kernel.errors import N_, NotFound
from domain.knowledge.embedding_changes import ChangeScope
from domain.spaces.entities import Space, SpaceKind
from domain.spaces.service import SpaceView
from pages import embedding_changes
from pages.components.base import box, danger_button, page_head, paragraph, quiet_button
from pages.components.face import sign
from pages.dialogs import dialog, inline
from pages.i18n import _
from pages.meanwhile import Meanwhile
from pages.pictures import PictureField
from pages.restrictions import RestrictionsForm
from pages.spaces import back_to, enter, setting
from pages.unsaved import SaveBar, Unsaved
from pages.visit import act, toast, visit


async def settings(space_id: str) -> None:
    """Name, description, how long conversations are kept, what the space demands of its models, deletion."""
    view = await enter(space_id)
    if Action.EDIT not in view.permissions:
        raise NotFound
    await Settings(view, await RestrictionsForm.load(view.space)).build()


class Settings:
    """The page; only what was changed on it is saved, so that what others change meanwhile stays."""

    def __init__(self, view: SpaceView, demands: RestrictionsForm) -> None:
        self.visit, self.view, self.space, self.demands = visit(), view, view.space, demands

    async def build(self) -> None:
        """All groups of settings, and the bar with Save."""
        here, space = self.visit, self.space
        with box("page narrow"):
            with page_head(_("Settings"), _("Of the space and everything in it."), back=back_to(space)):
                quiet_button(_("History"), lambda: ui.navigate.to(f"/spaces/{space.id}/history"), icon="history")
            with box("card"):
                self._general()
                self._demands()
            await self._embedding()
            if Action.DELETE in self.view.permissions and space.kind == SpaceKind.SHARED:
                with (
                    box("card"),
                    setting(_("Delete the space"), _("With its assistants, documents and conversations.")),
                ):
                    danger_button(_("Delete the space"), lambda: delete_space(space)).style("align-self:flex-start")
            self.bar = SaveBar(self._save, lambda: self.unsaved.discard())
        fields = [self.name, self.description, self.picture, self.keep, self.days, *self.demands.fields]
        self.unsaved = Unsaved(self._values, self.bar.mark, fields)
        with self.bar.told:
            said = N_("{name} has changed this space meanwhile: {fields}.")
            newest = functools.partial(here.services.spaces.history, here.actor, space.id)
            self.meanwhile = Meanwhile(newest, said, f"space:{space.id}", "space_changed", self.unsaved)
        await self.meanwhile.begin()

    def _general(self) -> None:
        space = self.space
        with setting(_("Name"), _("Shown to all members.")):
            self.name = ui.input(value=space.name).props("outlined dense")
            self.name.props["aria-label"] = _("Name")
        with setting(_("Description"), _("What the space is for.")):
            self.description = ui.textarea(value=space.description or "").props("outlined dense autogrow")
            self.description.props["aria-label"] = _("Description")
        with setting(_("Picture"), _("Shown beside the name, to all members.")):
            self.picture = PictureField(space.icon_id, functools.partial(sign, space, "big"))
        with setting(_("Keeping conversations"), _("Conversations that are older are deleted.")):
            self.keep = ui.switch(_("Delete after a number of days"), value=space.data_retention_days is not None)
            self.days = ui.number(value=space.data_retention_days or 365, min=1, max=2555, precision=0).props(
                "outlined dense"
            )
            self.days.props["aria-label"] = _("Days")
            self.days.bind_visibility_from(self.keep, "value").style("max-width:140px")

    def _demands(self) -> None:
        if self.demands.has_class:
            text = _("The space uses models of this class or higher, and gives its knowledge to no lower space.")
            with setting(_("Security class"), text):
                self.demands.build_class()
        with setting(_("AI models"), _("Which of the organisation's models the space may use.")):
            self.demands.build_models()

    async def _embedding(self) -> None:
        scope = ChangeScope(space_id=self.space.id)
        text = _("Embeds the documents of all collections and websites of the space anew.")
        with box("card"), setting(_("Embedding model"), text):
            ask = functools.partial(embedding_changes.ask, scope, _("Change the embedding model of the space"))
            quiet_button(_("Change model"), act(ask)).style("align-self:flex-start")
        await embedding_changes.changes(scope, f"space:{self.space.id}")

    def _values(self) -> dict[str, Any]:
        """What the form says."""
        return {
            "name": self.name.value,
            "description": self.description.value,
            "icon_id": self.picture.value,
            "data_retention_days": int(self.days.value or 0) if self.keep.value else None,
            **self.demands.values(),
        }

    async def _save(self) -> None:
        await inline(self._send, self.bar.problem)

    async def _send(self) -> None:
        here, values, changes = self.visit, self._values(), self.unsaved.changes
        demands = await self.demands.confirmed(changes)
        if demands is None:
            return
        await here.services.spaces.update(here.actor, self.space.id, changes | demands)
        self.unsaved.saved(values)
        self.picture.saved()
        toast(_("Saved."))
        here.shell.page_changed()
        await self.meanwhile.saved(changes)


def delete_space(space: Space) -> None:
    """Delete after the name was typed: there is no way back."""
    here = visit()
    made, card = dialog(_("Delete the space?"))

    async def submit() -> None:
        async def work() -> None:
            await here.services.spaces.delete(here.actor, space.id)
            made.close()
            toast(_("The space was deleted."))
            ui.navigate.to("/")

        await inline(work, problem)

    with card:
        paragraph(_("Everything in “{name}” will be gone for good. Type the name to confirm.", name=space.name))
        typed = ui.input(_("Name of the space")).props("outlined stack-label autofocus")
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            danger_button(_("Delete"), submit).bind_enabled_from(
                typed, "value", lambda v: (v or "").strip() == space.name
            )
    made.open()
