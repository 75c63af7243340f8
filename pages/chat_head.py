"""The head of a conversation."""

import functools
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.assistants.service import AssistantView
from domain.conversations.entities import Conversation
from domain.kernel.access import Action
from domain.kernel.paging import Page
from pages import transparency
from pages.components.base import box, heading, icon, icon_button
from pages.components.face import assistant_face
from pages.i18n import _
from pages.names import assistant_name, space_name
from pages.navigation import conversation_menu
from pages.visit import act, visit


class ChatHead:
    """Whom the conversation is with, whom it could be with instead, and what can be done with it."""

    def __init__(self, assistant: AssistantView, choices: Page[AssistantView], *, name: str, temporary: bool) -> None:
        self.visit, self.box = visit(), box("chathead")
        self.assistant, self.choices, self.name, self.temporary = assistant, choices, name, temporary

    def draw(self, conversation: Conversation | None) -> None:
        """For the conversation, or for one that has not begun."""
        self.box.clear()
        with self.box:
            assistant_face(self.assistant.assistant, self.assistant.access.space)
            heading(conversation.name if conversation else self.name, 1, "clip")
            with ui.button(color=None).props("flat dense no-wrap").classes("muted pick"):
                ui.label(self.name if conversation else _("Change assistant")).classes("clip small")
                if conversation:
                    ui.label(_("Change assistant")).classes("sr-only")
                icon("expand_more")
                self._picker()
            box("grow")
            about = functools.partial(transparency.show, self.assistant.assistant.id)
            icon_button("info", _("About this assistant"), act(about))
            if conversation is None:
                self._toggle()
            if Action.EDIT in self.assistant.permissions:
                target = f"/assistants/{self.assistant.assistant.id}"
                icon_button("tune", _("Settings of the assistant"), lambda: ui.navigate.to(target))
            if conversation:
                with icon_button("more_horiz", _("Options for {name}", name=conversation.name)):
                    conversation_menu(conversation, True)

    def _toggle(self) -> None:
        """Into a temporary conversation, or back, while nothing is asked."""
        target = f"/chat/{self.assistant.assistant.id}" + ("" if self.temporary else "/temporary")
        label = _("Temporary chat")
        toggle = icon_button("timer_off" if self.temporary else "timer", label, lambda: ui.navigate.to(target))
        toggle.props["aria-pressed"] = "true" if self.temporary else "false"

    def _picker(self) -> None:
        with ui.menu().props("auto-close").style("max-height:60dvh"):
            for choice in self.choices.items:
                with ui.menu_item(on_click=self._opener(choice.assistant.id)), box("line"):
                    assistant_face(choice.assistant, choice.access.space)
                    with box("stack tight").style("gap:0"):
                        ui.label(assistant_name(choice.assistant, choice.access.space)).classes("clip")
                        ui.label(space_name(choice.access.space)).classes("muted small clip")
            if self.choices.next_cursor is not None:
                ui.menu_item(_("Search all assistants"), on_click=self.visit.shell.search)

    @staticmethod
    def _opener(assistant_id: UUID) -> Any:
        return lambda: ui.navigate.to(f"/chat/{assistant_id}")
