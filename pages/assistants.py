"""Assistants: the list of a space, and what one is made of."""

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.assistants.entities import Prompt
from domain.assistants.readiness import Where
from domain.assistants.service import AssistantDraft, AssistantView
from domain.assistants.starters import MOST_STARTERS
from domain.conversations.reuse import LEAST_HOURS, MOST_HOURS, Reuse
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Permission
from domain.kernel.errors import N_, BadRequest, Forbidden
from domain.knowledge.entities import Collection, CollectionKind
from domain.models.choice import CompletionChoice
from domain.models.stand_ins import Preference
from domain.spaces.entities import SpaceKind
from pages import moving, transparency
from pages.admin.budgets import BudgetForm, budget_list
from pages.components.base import (
    box,
    button,
    chip,
    danger_button,
    empty_state,
    heading,
    icon_button,
    link_box,
    note,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.face import assistant_face, letters
from pages.components.region import Region
from pages.dialogs import ask_name, confirm, inline
from pages.i18n import _
from pages.meanwhile import Meanwhile
from pages.model_settings import ModelSettings
from pages.names import assistant_name, facts_of, model_name, space_name
from pages.pictures import PictureField
from pages.prompt_versions import show_versions
from pages.readiness import ReadinessPanel
from pages.spaces import back_to, enter, setting
from pages.unsaved import SaveBar, Unsaved
from pages.variables import insert_menu, unknown_note
from pages.visit import News, act, identifier, toast, visit

PREFERENCES = {
    Preference.ORDER: N_("The chosen one"),
    Preference.COST: N_("The one that costs least"),
    Preference.SPEED: N_("The one that has begun to answer soonest of late"),
    Preference.QUALITY: N_("The one whose answers people rate best"),
}
REUSE = {
    Reuse.OFF: N_("Always ask the model"),
    Reuse.SAME: N_("Give them again when the model would be asked the very same"),
    Reuse.SIMILAR: N_("Give them again also when a first question differs only in endings and small words"),
}


async def listing(space_id: str) -> None:
    """The assistants of a space as cards, drafts apart from published ones."""
    here, view = visit(), await enter(space_id)
    space = view.space
    may_create = Action.CREATE in _allowed(view.role)

    async def draw() -> Callable[[], None]:
        found = [a for a in await here.services.assistants.in_space(here.actor, space.id) if not a.assistant.is_default]
        return lambda: _groups(found, space.kind == SpaceKind.SHARED, create if may_create else None)

    async def create() -> None:
        async def save(name: str) -> None:
            made = await here.services.assistants.create(here.actor, space.id, name)
            ui.navigate.to(f"/assistants/{made.assistant.id}")

        await ask_name(_("Create assistant"), _("Name"), "", _("Create"), save)

    with box("page"):
        with page_head(_("Assistants"), _("Each has its own instruction, model and documents."), back=back_to(space)):
            if may_create:
                button(_("Create assistant"), create, icon="add")
        region = Region(draw)
        await region.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("assistants_changed", "resync"):
            await region.soon()

    here.listen(f"space:{space.id}", changed)


def _allowed(role: Any) -> Sequence[Action]:
    from domain.kernel.access import permissions

    return permissions(visit().actor, role, Resource.ASSISTANT)


def _groups(found: Sequence[AssistantView], shared: bool, create: Callable[[], Any] | None) -> None:
    if not found:
        text = _("An assistant answers within its instruction and from the collections you give it.")
        with box("card"), empty_state("smart_toy", _("No assistants yet"), text):
            if create:
                button(_("Create assistant"), create, icon="add")
        return
    groups = [
        (_("Published assistants"), [a for a in found if a.assistant.published]),
        (_("Drafts"), [a for a in found if not a.assistant.published]),
    ]
    for title, members in groups if shared else [("", list(found))]:
        if members:
            if title:
                heading(title)
            with box("grid"):
                for view in members:
                    _card(view)


def _card(view: AssistantView) -> None:
    assistant = view.assistant
    with box("card tile"):
        with box("line"):
            assistant_face(assistant, view.access.space)
            ui.label(assistant.name).classes("name grow")
            if {Action.EDIT, Action.PUBLISH, Action.DELETE} & set(view.permissions):
                with (
                    icon_button("more_horiz", _("Options for {name}", name=assistant.name)),
                    ui.menu().props("auto-close"),
                ):
                    _menu(view)
        paragraph(assistant.description or _("No description yet."), "text")
        with box("foot"):
            quiet_button(_("Chat"), lambda: ui.navigate.to(f"/chat/{assistant.id}"), icon="chat").props("dense")
            if view.model:
                ui.label(model_name(view.model.model)).classes("clip")
            if view.model is None or not view.model.usable:
                chip(_("No usable model"), "bad")


def _menu(view: AssistantView) -> None:
    assistant = view.assistant
    if Action.EDIT in view.permissions:
        ui.menu_item(_("Edit"), on_click=lambda: ui.navigate.to(f"/assistants/{assistant.id}"))
        ui.menu_item(_("Duplicate"), on_click=act(functools.partial(moving.ask_duplicate, view)))
    if Action.PUBLISH in view.permissions:
        text = _("Withdraw") if assistant.published else _("Publish")
        ui.menu_item(text, on_click=act(functools.partial(publish, assistant.id, not assistant.published)))
    if Action.DELETE in view.permissions and not assistant.is_default:
        ui.menu_item(_("Move"), on_click=act(functools.partial(moving.ask_move, view)))
        ui.menu_item(_("Delete"), on_click=act(functools.partial(delete, view, False))).classes("danger")


async def publish(assistant_id: UUID, published: bool) -> None:
    """Show the assistant to the viewers of its space, or hide it again."""
    here = visit()
    await here.services.publishing.publish(here.actor, assistant_id, published)
    toast(_("The assistant is published.") if published else _("The assistant is withdrawn."))


async def delete(view: AssistantView, leave: bool) -> None:
    """Delete after asking; `leave` goes to the list."""
    here = visit()
    text = _("“{name}” and all conversations with it will be gone for good.", name=view.assistant.name)
    if await confirm(_("Delete the assistant?"), text, _("Delete")):
        await here.services.assistants.delete(here.actor, view.assistant.id)
        toast(_("The assistant was deleted."))
        if leave:
            ui.navigate.to(f"/spaces/{view.access.space.id}/assistants")


async def edit(assistant_id: str) -> None:
    """Everything an assistant is made of, saved at once."""
    here = visit()
    view = await here.services.assistants.get(here.actor, identifier(assistant_id))
    here.space_id = view.access.space.id
    if Action.EDIT not in view.permissions:
        raise Forbidden
    approved = await here.services.classifications.approved(here.actor, view.access.space.id)
    chosen = view.assistant.completion_model_id
    every = await here.services.models.completion_models(here.actor)
    models = [c for c in every if approved.serves(c) or c.model.id == chosen]
    offered = await here.services.assistants.offered_collections(here.actor, view.assistant.id)
    await Editor(view, models, offered).build()


class Editor:
    """The settings page of one assistant."""

    def __init__(self, view: AssistantView, models: Sequence[CompletionChoice], offered: Sequence[Collection]) -> None:
        self.visit, self.view, self.models, self.offered = visit(), view, models, offered
        self.insight: ui.switch | None = None
        self.readiness: ReadinessPanel | None = None

    async def build(self) -> None:
        """All groups of settings; the bar with Save shows when something has changed."""
        view, assistant, space = self.view, self.view.assistant, self.view.access.space
        with box("page narrow"):
            listed = (_("Assistants"), f"/spaces/{space.id}/assistants")
            with page_head(assistant_name(assistant, space), space_name(space), back=listed, face=self._face):
                quiet_button(
                    _("History"), lambda: ui.navigate.to(f"/assistants/{assistant.id}/history"), icon="history"
                )
                keys = f"/assistants/{assistant.id}/api-keys"
                quiet_button(_("API keys"), lambda: ui.navigate.to(keys), icon="key")
                about = functools.partial(transparency.show, assistant.id)
                quiet_button(_("About"), act(about), icon="info").props["aria-label"] = _("About this assistant")
                quiet_button(_("Try it"), lambda: ui.navigate.to(f"/chat/{assistant.id}"), icon="chat")
                if Action.PUBLISH in view.permissions:
                    self._publishing()
            if Action.PUBLISH in view.permissions:
                self.readiness = ReadinessPanel(assistant.id, self._field, published=assistant.published)
                await self.readiness.refresh()
            with box("card"):
                self._general()
            with box("card"):
                self._instruction()
            with box("card"):
                self._knowledge()
                self._model()
            with (
                box("card"),
                setting(_("Budgets"), _("How much of the models its answers may use, and how much is used.")),
            ):
                await self._budgets()
            with box("card"), setting(_("Other spaces"), _("A copy for another purpose, or the assistant itself.")):
                self._moving()
            if Action.DELETE in view.permissions and not assistant.is_default:
                with box("card"), setting(_("Delete the assistant"), _("With all conversations with it.")):
                    danger_button(_("Delete the assistant"), act(functools.partial(delete, view, True))).style(
                        "align-self:flex-start"
                    )
            self.bar = SaveBar(self._save, lambda: self.unsaved.discard())
        self.unsaved = Unsaved(self._values, self.bar.mark, self._fields())
        with self.bar.told:
            said = N_("{name} has changed this assistant meanwhile: {fields}.")
            newest = functools.partial(self.visit.services.assistant_history.page, self.visit.actor, assistant.id)
            self.meanwhile = Meanwhile(newest, said, f"space:{space.id}", "assistants_changed", self.unsaved)
        await self.meanwhile.begin()

    def _face(self) -> None:
        self.face = box()
        self._face_again()

    def _face_again(self) -> None:
        """Show the picture as it is saved."""
        self.face.clear()
        with self.face:
            assistant_face(self.view.assistant, self.view.access.space, "big")

    def _fields(self) -> list[Any]:
        """Everything that people change on the page."""
        switches = [self.insight] if self.insight is not None else []
        return [
            self.name, self.picture, self.description, self.contact, self.starters, self.prompt, self.collections,
            self.websites, self.whole, self.reuse, self.reuse_hours, self.model, self.fallback,
            self.preference, *self.settings.fields, *switches,
        ]  # fmt: skip

    def _field(self, where: Where) -> ui.element:
        """The field in which a finding is mended."""
        return {
            Where.DESCRIPTION: self.description, Where.CONTACT: self.contact, Where.PROMPT: self.prompt,
            Where.MODEL: self.model, Where.KNOWLEDGE: self.collections,
        }[where]  # fmt: skip

    def _publishing(self) -> None:
        assistant = self.view.assistant
        if assistant.published:
            chip(_("Published"), "ok")
        else:
            chip(_("Draft"), "warn")

        async def switch() -> None:
            if self.unsaved.there:
                raise BadRequest(N_("Save your changes first."))
            await publish(assistant.id, not assistant.published)
            await self.visit.client.sub_pages_router.refresh()

        quiet_button(_("Withdraw") if assistant.published else _("Publish"), act(switch))

    async def _budgets(self) -> None:
        here, assistant = self.visit, self.view.assistant

        async def draw() -> Callable[[], None]:
            found = await here.services.budgets.of_assistant(here.actor, assistant.id)
            return lambda: budget_list(found)

        region = Region(draw, "full-width")
        await region.refresh()
        if here.actor.may(Permission.ADMIN):
            add = quiet_button(_("Add budget"), lambda: BudgetForm(of=assistant).open(), icon="add")
            add.style("align-self:flex-start")

        async def changed(news: News) -> None:
            if news.kind in ("budgets_changed", "resync"):
                await region.soon()

        here.listen(f"tenant:{here.actor.tenant_id}", changed)

    def _moving(self) -> None:
        with box("line wrap"):
            duplicate = act(functools.partial(moving.ask_duplicate, self.view))
            quiet_button(_("Duplicate"), duplicate, icon="content_copy")
            if Action.DELETE in self.view.permissions and not self.view.assistant.is_default:
                move = act(functools.partial(moving.ask_move, self.view))
                quiet_button(_("Move to another space"), move, icon="drive_file_move")

    def _general(self) -> None:
        assistant = self.view.assistant
        name = assistant_name(assistant, self.view.access.space)
        with setting(_("Name"), _("How people find it.")) as row:
            self.name = ui.input(value=assistant.name).props("outlined dense")
            self.name.props["aria-label"] = _("Name")
        row.parent_slot.parent.set_visibility(not assistant.is_default)  # type: ignore[union-attr]
        with setting(_("Picture"), _("Shown beside the name, to all who see the assistant.")):
            self.picture = PictureField(assistant.icon_id, lambda: letters(name, "big"))
        with setting(_("Description"), _("Shown before the first question. Say what it can help with.")):
            self.description = ui.textarea(value=assistant.description or "").props("outlined dense autogrow")
            self.description.props["aria-label"] = _("Description")
        with setting(_("Contact"), _("Whom people ask about the assistant: a person, a unit or an address.")):
            self.contact = ui.input(value=assistant.contact or "").props("outlined dense")
            self.contact.props["aria-label"] = _("Contact")
        text = _("Offered before the first question, each on a line of its own, at most {n}.", n=MOST_STARTERS)
        with setting(_("Questions to begin with"), text):
            self.starters = ui.textarea(value="\n".join(assistant.starter_questions)).props("outlined dense autogrow")
            self.starters.props["aria-label"] = _("Questions to begin with")

    def _instruction(self) -> None:
        prompt = self.view.prompt
        with setting(_("Instruction"), _("What the model is told before every question: its task, tone and limits.")):
            self.prompt = ui.textarea(value=prompt.text if prompt else "").props(
                'outlined autogrow input-style="min-height:150px;max-height:420px"'
            )
            self.prompt.props["aria-label"] = _("Instruction")
            with box("line wrap"):
                quiet_button(_("Earlier versions"), self._versions, icon="history").props("dense")
                insert_menu(self.prompt)
            unknown_note(self.prompt)

    async def _versions(self) -> None:
        def take(prompt: Prompt) -> None:
            self.prompt.set_value(prompt.text)
            toast(_("The version is in the form. Save to use it."), "info")

        await show_versions(self.view.assistant.id, take)

    def _knowledge(self) -> None:
        with setting(_("Knowledge"), _("The collections whose documents answers rest on.")):
            self.collections = self._sources(_("Knowledge"), CollectionKind.DOCUMENTS)
            if not self.collections.options:
                note(_("There are no collections here yet. Create one under Knowledge and upload documents."))
                with link_box(f"/spaces/{self.view.access.space.id}/knowledge", "small"):
                    ui.label(_("Go to Knowledge"))

        with setting(_("Websites"), _("The websites whose pages answers rest on.")):
            self.websites = self._sources(_("Websites"), CollectionKind.WEBSITE)
            if not self.websites.options:
                note(_("There are no websites here yet. Add one under Knowledge."))
        text = _("For questions about a document as a whole, such as summaries. Answers cost more.")
        with setting(_("Whole documents"), text):
            whole = self.view.assistant.whole_documents
            self.whole = ui.switch(_("Give the model the whole document where it fits"), value=whole)
        self._reuse()
        if Action.INSIGHT_TOGGLE in self.view.permissions:
            text = _("What people ask that no document fits, without who asked: shown under Knowledge of the space.")
            with setting(_("Questions without an answer"), text):
                self.insight = ui.switch(_("Keep them"), value=self.view.assistant.insight_enabled)

    def _reuse(self) -> None:
        assistant = self.view.assistant
        text = _("An answer that was given before costs nothing and comes at once. Never where files were attached.")
        with setting(_("Earlier answers"), text):
            names = {key: _(name) for key, name in REUSE.items()}
            self.reuse = ui.select(names, value=assistant.answer_reuse).props("outlined dense options-dense")
            self.reuse.props["aria-label"] = _("Earlier answers")
            self.reuse_hours = ui.number(
                _("For so many hours"), value=assistant.answer_reuse_hours, min=LEAST_HOURS, max=MOST_HOURS, precision=0
            ).props("outlined dense stack-label")
            self.reuse_hours.bind_visibility_from(self.reuse, "value", lambda chosen: chosen != Reuse.OFF)

    def _sources(self, label: str, kind: CollectionKind) -> ui.select:
        names = {c.id: c.name for c in [*self.offered, *self.view.collections] if c.kind == kind}
        chosen = [c.id for c in self.view.collections if c.kind == kind]
        made = ui.select(names, value=chosen, multiple=True).props("outlined dense use-chips options-dense")
        made.props["aria-label"] = label
        return made

    def _model(self) -> None:
        assistant = self.view.assistant
        names = {
            c.model.id: self._choice(c) for c in self.models if c.usable or c.model.id == assistant.completion_model_id
        }
        with setting(_("AI model"), _("Which model writes the answers.")):
            chosen = assistant.completion_model_id if assistant.completion_model_id in names else None
            self.model = ui.select(names, value=chosen).props("outlined dense options-dense")
            self.model.props["aria-label"] = _("AI model")
            facts = {c.model.id: " · ".join(facts_of(c)) for c in self.models}
            ui.label().classes("sub").bind_text_from(self.model, "value", lambda chosen: facts.get(chosen, ""))
        self._fallback()
        self._preference()
        self.settings = ModelSettings(self.model, self.models, assistant.model_settings)

    def _fallback(self) -> None:
        own = self.view.assistant.fallback_model_id
        names: dict[UUID | str, str] = {"": _("No model of its own")}
        names |= {c.model.id: self._choice(c) for c in self.models if c.usable or c.model.id == own}
        text = _("Before those that administrators have chosen. It must not run further away than the chosen model.")
        with setting(_("When the model does not answer"), text):
            self.fallback = ui.select(names, value=own if own in names else "").props("outlined dense options-dense")
            self.fallback.props["aria-label"] = _("When the model does not answer")

    def _preference(self) -> None:
        text = _("Of the chosen model and those that stand in for it. All of them run no further away.")
        with setting(_("Which model is asked first"), text):
            names = {key: _(name) for key, name in PREFERENCES.items()}
            self.preference = ui.select(names, value=self.view.assistant.model_preference)
            self.preference.props("outlined dense options-dense")
            self.preference.props["aria-label"] = _("Which model is asked first")

    @staticmethod
    def _choice(choice: CompletionChoice) -> str:
        text = f"{model_name(choice.model)} · {choice.provider.name}"
        return text if choice.usable else _("{model} (switched off)", model=text)

    async def _save(self) -> None:
        await inline(self._send, self.bar.problem)

    def _values(self) -> dict[str, Any]:
        """What the form says."""
        assistant = self.view.assistant
        values: dict[str, Any] = {
            "icon_id": self.picture.value,
            "description": self.description.value,
            "contact": self.contact.value,
            "starter_questions": str(self.starters.value or "").splitlines(),
            "prompt": self.prompt.value,
            "completion_model_id": self.model.value,
            "fallback_model_id": self.fallback.value or None,
            "model_settings": self.settings.values(),
            "whole_documents": bool(self.whole.value),
            "model_preference": self.preference.value,
            "answer_reuse": self.reuse.value,
            "answer_reuse_hours": int(self.reuse_hours.value or 0),
            "collection_ids": [*(self.collections.value or []), *(self.websites.value or [])],
        }
        if not assistant.is_default:
            values["name"] = self.name.value
        if self.insight is not None:
            values["insight_enabled"] = bool(self.insight.value)
        return values

    async def _send(self) -> None:
        values, changes = self._values(), self.unsaved.changes
        draft = AssistantDraft.of(**changes)
        self.view = await self.visit.services.assistants.update(self.visit.actor, self.view.assistant.id, draft)
        self.unsaved.saved(values)
        self.picture.saved()
        self._face_again()
        toast(_("Saved."))
        await self.meanwhile.saved(changes)
        if self.readiness is not None:
            await self.readiness.refresh()
