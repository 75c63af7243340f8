"""Asking and answering."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from nicegui import background_tasks, ui

from domain.assistants.service import AssistantView
from domain.conversations.entities import AnswerState, Conversation, Message, MessageSource
from domain.conversations.narrowing import narrowed, stored
from domain.conversations.summaries import text_of
from domain.conversations.views import Asked, ConversationView, MessageView, Question
from domain.kernel.access import Action, Resource
from domain.kernel.errors import N_, Failure, NotFound, ProviderFailed
from pages.admin.budgets import standing
from pages.chat_head import ChatHead
from pages.components.base import box, note
from pages.components.composer import Composer
from pages.components.face import picture_address
from pages.components.thread import Thread
from pages.gauge import Gauge
from pages.i18n import _
from pages.mentions import Mentions
from pages.names import assistant_name, model_name
from pages.narrowed import Narrowed
from pages.shell import announce_page
from pages.turns import ending, source_cards, sources_part, turn
from pages.visit import ENDED, News, act, guarded, identifier, leave, sentence, toast, unexpected, visit

BATCH_SECONDS = 0.05
PAGE = 30
CHOICES = 20
"""So many assistants the menu offers; the others are sought."""

TEMPORARY = N_(
    "Temporary chat: it stands in no list, is not searched, and is deleted for good when you leave this page."
)


async def personal() -> None:
    """A new conversation with the actor's personal assistant."""
    here = visit()
    space = (await here.services.spaces.personal(here.actor)).space
    await Chat(await here.services.assistants.default(here.actor, space.id)).build()


async def new(assistant_id: str) -> None:
    """A new conversation with an assistant."""
    here = visit()
    await Chat(await here.services.assistants.get(here.actor, identifier(assistant_id))).build()


async def temporary(assistant_id: str) -> None:
    """A new conversation that is gone when the page is left."""
    here = visit()
    await Chat(await here.services.assistants.get(here.actor, identifier(assistant_id)), temporary=True).build()


async def existing(conversation_id: str) -> None:
    """A conversation that goes on."""
    here = visit()
    view = await here.services.conversations.get(here.actor, identifier(conversation_id), limit=PAGE)
    await _go_on(view)


async def at(conversation_id: str, message_id: str) -> None:
    """A conversation that goes on, in the branch that a message is part of."""
    here, found = visit(), identifier(conversation_id)
    conversation = await here.services.conversations.show(here.actor, identifier(message_id))
    if conversation.id != found:
        raise NotFound(N_("The message was not found."))
    await _go_on(await here.services.conversations.get(here.actor, found, limit=PAGE))


async def _go_on(view: ConversationView) -> None:
    here = visit()
    if view.conversation.temporary:
        raise NotFound(N_("The conversation was not found."))
    assistant = await here.services.assistants.get(here.actor, view.assistant.id)
    await Chat(assistant, view.conversation, view.messages).build()


class Chat:
    """One conversation on the screen."""

    def __init__(
        self,
        assistant: AssistantView,
        conversation: Conversation | None = None,
        messages: Sequence[MessageView] = (),
        *,
        temporary: bool = False,
    ) -> None:
        self.visit, self.temporary = visit(), temporary
        self.assistant, self.conversation, self.messages = assistant, conversation, messages
        self.name = assistant_name(assistant.assistant, assistant.access.space)
        self.running: UUID | None = None
        self.asking = False
        self.chosen: tuple[UUID, int, int] | None = None
        self.shown = {view.message.id for view in messages}
        self.last = messages[-1].message.id if messages else None
        self.visit.space_id, self.visit.assistant_id = assistant.access.space.id, assistant.assistant.id

    async def build(self) -> None:
        """Head, thread and composer; a running answer is followed from where it is."""
        turns = [turn(view) for view in self.messages]
        choices = await self.visit.services.assistants.find(self.visit.actor, limit=CHOICES)
        replacing = await self._replacing()
        concerning = await self.visit.services.budgets.concerning(self.visit.actor, self.assistant.assistant.id)
        with box("chatpage"):
            self.head = ChatHead(self.assistant, choices, name=self.name, temporary=self.temporary)
            self.head.draw(self.conversation)
            if self.temporary:
                note(_(TEMPORARY), icon_name="timer").classes("temporary").props("data-testid=temporary")
            self.thread = Thread(
                turns,
                name=self.name,
                picture=picture_address(self.assistant.assistant.icon_id),
                welcome=self._welcome(),
                older=len(turns) == PAGE,
            )
            if not self._usable():
                with box().style("max-width:820px;margin:0 auto 8px;width:calc(100% - 32px)"):
                    note(_("This assistant has no usable AI model. Choose one in its settings."), "warn")
            with box().style("max-width:820px;margin:0 auto;width:calc(100% - 32px)"):
                for budget in concerning[:1]:
                    standing(budget)
                if replacing:
                    note(replacing, "warn")
            self._composer()
        self.visit.listen(f"user:{self.visit.actor.user_id}", self._elsewhere)
        for event, handler in {
            "cite": self._cite,
            "regenerate": self._regenerate,
            "continue": self._continue,
            "easy": self._easy,
            "refused": self._refused,
            "edit": self._edit,
            "branch": self._branch,
            "rate": self._rate,
            "why": self._why,
            "older": self._older,
            "gap": self._gap,
            "thought": self._thought,
            "starter": self._start_with,
        }.items():
            self.thread.handle(event, act(handler))
        self._take_up(self.messages)
        self._weigh()
        self.visit.spawn(self._wake(), "waking the embedding model")

    async def _wake(self) -> None:
        """While the question is being written, so that the first one does not have to wait."""
        with suppress(ProviderFailed):
            await self.visit.services.search.wake(self.visit.actor, self.assistant.collections)

    def _weigh(self) -> None:
        """Show how much room is left, beside what goes on."""
        if self._usable():
            conversation_id = self.conversation.id if self.conversation else None
            self.visit.spawn(guarded(self.gauge.weigh)(conversation_id), "room in the model")

    def _take_up(self, messages: Sequence[MessageView]) -> None:
        """Follow the last answer, or show what it rests on."""
        last = messages[-1] if messages else None
        if last and last.message.state == AnswerState.RUNNING:
            self._follow(last.message, len(last.message.answer))
        elif last and last.sources:
            self._show_sources(last.message, last.sources, -1)

    def _usable(self) -> bool:
        return self.assistant.model is not None and self.assistant.model.usable

    async def _replacing(self) -> str:
        """What to expect when the assistant's model has failed so often that it is left alone; empty otherwise."""
        choice, service = self.assistant.model, self.visit.services.conversations
        if choice is None or not service.health.resting(choice.model.id):
            return ""
        name = model_name(choice.model)
        other = await service.replacing(self.visit.actor, choice, self.assistant.assistant)
        if other is None:
            return _("{name} does not answer at present. It is tried again shortly.", name=name)
        return _(
            "{name} does not answer at present; {other} answers instead.", name=name, other=model_name(other.model)
        )

    def _welcome(self) -> dict[str, Any]:
        assistant = self.assistant.assistant
        title, text = self.name, assistant.description
        if not text:
            title = _("What can I help you with?")
            text = _("Ask in your own words. Answers that rest on documents show their sources.")
        return {"title": title, "text": text, "starters": assistant.starter_questions}

    def _composer(self) -> None:
        model = self.assistant.model
        self.composer = Composer(
            draft_key=self._draft_key(),
            upload_url=f"/api/v1/files/?space_id={self.assistant.access.space.id}",
            token=self.visit.csrf_token,
            limits={f".{extension}": most for extension, most in self.visit.services.files.limits.items()},
            max_files=self.visit.services.conversations.max_files,
            chip=self.name,
            model=model_name(model.model) if model else "",
        )
        self.composer.handle("ask", self._ask).handle("stop", act(self._stop))
        self.composer.handle("mention", act(Mentions(self.composer, self.assistant.assistant.id).offer))
        told = narrowed(self.messages[-1].message) if self.messages else {}
        self.narrowing = Narrowed(self.composer, self.assistant.collections, told)
        self.gauge = Gauge(self.composer, self.assistant.assistant.id)
        self.composer.handle("measure", act(self.gauge.measure))
        ui.label(_("Answers may be wrong. Check the sources.")).classes("hint")
        if not self._usable():
            self.composer.block()

    def _draft_key(self) -> str:
        if self.temporary:
            return ""
        return f"draft:{self.visit.actor.user_id}:{(self.conversation or self.assistant.assistant).id}"

    # Asking

    async def _start_with(self, data: dict[str, Any]) -> None:
        """A question to begin with goes into the box, where it can be changed before it is sent."""
        self.composer.fill(str(data.get("text", "")))

    async def _ask(self, data: dict[str, Any]) -> None:
        """Take the question in; when it is refused, its writer gets it back."""
        self.asking = True
        try:
            await self.visit.authenticate()
            collections, documents = self.narrowing.read()
            question = Question(
                str(data.get("text", "")),
                self.conversation.id if self.conversation else None,
                None if self.conversation else self.assistant.assistant.id,
                [identifier(str(i)) for i in data.get("files", ())],
                mentioned=identifier(str(data["mention"])) if data.get("mention") else None,
                temporary=self.temporary,
                collection_ids=collections,
                documents=documents,
            )
            asked = await self.visit.services.conversations.ask(self.visit.actor, question)
        except ENDED as failure:
            leave(failure)
        except Failure as failure:
            self.composer.give_back()
            toast(sentence(failure), "negative")
        except Exception:
            self.composer.give_back()
            toast(unexpected(), "negative")
        else:
            self._begun(asked)
        finally:
            self.asking = False

    async def _elsewhere(self, news: News) -> None:
        """The same conversation goes on in another tab or on another device: show what was asked there."""
        if self.conversation is None or news.data.get("id") != str(self.conversation.id) or self.asking:
            return
        if news.kind == "conversation_summed_up":
            found = await self.visit.services.conversations.message(
                self.visit.actor, identifier(news.data["message_id"])
            )
            self.thread.change(str(found.message.id), summary=text_of(found.message))
            self._weigh()
            return
        try:
            view = await self.visit.services.conversations.get(self.visit.actor, self.conversation.id, limit=PAGE)
        except NotFound:
            toast(_("The conversation was deleted."), "info")
            ui.navigate.to(f"/chat/{self.assistant.assistant.id}")
            return
        now, shown = view.conversation, self.conversation
        if (now.name, now.pinned_at) != (shown.name, shown.pinned_at):
            self.conversation = now
            self._name()
        if self.last is not None and all(found.message.id != self.last for found in view.messages):
            self._show_branch(view)
            return
        for found in view.messages:
            if found.message.id not in self.shown and not self.asking:
                self._show(found)

    def _show(self, view: MessageView) -> None:
        self.shown.add(view.message.id)
        self.last = view.message.id
        self.thread.add(turn(view))
        if view.message.state == AnswerState.RUNNING:
            self._follow(view.message, len(view.message.answer))

    def _begun(self, asked: Asked) -> None:
        if self.conversation is None:
            self.conversation = asked.conversation
            if self.temporary:
                self._delete_when_left(asked.conversation.id)
            else:
                self._name_address()
                self.composer.keep_under(self._draft_key())
            self._name()
        self._show(MessageView(asked.message, (), asked.files, face=asked.face))

    def _name(self) -> None:
        """Show what the conversation is called now."""
        self.head.draw(self.conversation)
        announce_page(focus=False)

    def _delete_when_left(self, conversation_id: UUID) -> None:
        actor, service = self.visit.actor, self.visit.services.temporary

        def leave() -> None:
            background_tasks.create(service.leave(actor, conversation_id), name="leaving a temporary chat")

        self.visit.on_leave.append(leave)

    def _name_address(self) -> None:
        """The new conversation gets its own address without building the page again."""
        assert self.conversation is not None
        path = f"/conversations/{self.conversation.id}"
        self.visit.client.sub_pages_router.current_path = path
        ui.run_javascript(f"history.replaceState({{page: '{path}'}}, '', (window.path_prefix || '') + '{path}')")
        self.visit.shell.page_changed()

    async def _regenerate(self, data: dict[str, Any]) -> None:
        await self._again(data, easy=False)

    async def _easy(self, data: dict[str, Any]) -> None:
        await self._again(data, easy=True)

    async def _again(self, data: dict[str, Any], *, easy: bool) -> None:
        if self.asking:  # pressed twice
            return
        message_id = identifier(data["message_id"])
        self.asking = True
        try:
            await self.visit.services.conversations.regenerate(self.visit.actor, message_id, easy=easy)
            await self._reload()
        finally:
            self.asking = False

    async def _refused(self, _data: dict[str, Any]) -> None:
        toast(_("Your browser does not let pages copy."), "negative")

    async def _edit(self, data: dict[str, Any]) -> None:
        """Ask an earlier question in other words, with the files and the narrowing it had: a branch begins beside it."""
        if self.conversation is None or self.asking:
            return
        service, actor = self.visit.services.conversations, self.visit.actor
        self.asking = True
        try:
            former = await service.message(actor, identifier(data["message_id"]))
            files = [file.id for file in former.files]
            collections, documents = stored(narrowed(former.message))
            question = Question(
                str(data["text"]),
                self.conversation.id,
                None,
                files,
                replaces=former.message.id,
                collection_ids=collections,
                documents=documents,
            )
            await service.ask(actor, question)
            await self._reload()
        finally:
            self.asking = False

    async def _branch(self, data: dict[str, Any]) -> None:
        self.asking = True
        try:
            await self.visit.services.conversations.show(self.visit.actor, identifier(data["message_id"]))
            await self._reload()
        finally:
            self.asking = False

    async def _reload(self) -> None:
        assert self.conversation is not None
        service = self.visit.services.conversations
        self._show_branch(await service.get(self.visit.actor, self.conversation.id, limit=PAGE))

    def _show_branch(self, view: ConversationView) -> None:
        """Another branch takes the place of what is on the screen."""
        turns = [turn(each) for each in view.messages]
        self.shown = {each.message.id for each in view.messages}
        self.last = view.messages[-1].message.id if view.messages else None
        self.thread.replace(turns, older=len(turns) == PAGE)
        if self.running is not None:
            self.running = None
            self.composer.busy(False)
        self._take_up(view.messages)
        self._weigh()

    async def _continue(self, data: dict[str, Any]) -> None:
        asked = await self.visit.services.conversations.resume(
            self.visit.actor, identifier(data["message_id"]), elsewhere=bool(data.get("elsewhere"))
        )
        self.thread.change(str(asked.message.id), **ending(asked.message, ()))
        self._follow(asked.message, len(asked.message.answer))

    async def _stop(self, _data: dict[str, Any]) -> None:
        if self.running is not None:
            await self.visit.services.conversations.stop(self.visit.actor, self.running)

    # Following

    def _follow(self, message: Message, offset: int) -> None:
        self.running = message.id
        self.composer.busy(True)
        self.visit.spawn(guarded(self._stream)(message.id, offset), f"answer {message.id}")
        self.visit.spawn(guarded(self._announce_sources)(message), f"sources {message.id}")

    async def _stream(self, message_id: UUID, offset: int) -> None:
        """Push what has arrived every 50 ms: the events gather while the loop sleeps."""
        key, waiting = str(message_id), ""
        begin, pushed = offset, asyncio.get_running_loop().time()
        async for event in self.visit.services.conversations.follow(self.visit.actor, message_id, offset):
            if event.thought:
                self.thread.think(key, event.thought_from, event.thought)
                await asyncio.sleep(BATCH_SECONDS)
                continue
            waiting += event.text
            now = asyncio.get_running_loop().time()
            if now - pushed < BATCH_SECONDS and not event.final:
                await asyncio.sleep(BATCH_SECONDS - (now - pushed))
            if waiting:
                self.thread.append(key, begin, waiting)
                begin, waiting, pushed = begin + len(waiting), "", asyncio.get_running_loop().time()
        await self._ended(message_id)

    async def _ended(self, message_id: UUID) -> None:
        view = await self.visit.services.conversations.message(self.visit.actor, message_id)
        self.thread.change(str(message_id), answer=view.message.answer, **ending(view.message, view.sources))
        if self.running != message_id:
            return
        self.running = None
        self.composer.busy(False)
        self._weigh()
        if view.sources:
            self._show_sources(view.message, view.sources, -1)

    async def _announce_sources(self, message: Message) -> None:
        """Citations become buttons as soon as it is known which passages there are."""
        sources = await self.visit.services.conversations.sources_ready(self.visit.actor, message.id)
        if sources and message.id in self.shown:
            self.thread.change(str(message.id), **sources_part(sources), status=_("Reading the sources…"))
            self._show_sources(message, sources, -1)

    async def _gap(self, data: dict[str, Any]) -> None:
        """The browser missed something (it slept): give it everything from where it is."""
        view = await self.visit.services.conversations.message(self.visit.actor, identifier(data["message_id"]))
        have = int(data["have"])
        self.thread.append(data["message_id"], have, view.message.answer[have:])

    async def _thought(self, data: dict[str, Any]) -> None:
        """Somebody wants to read what the model thought: it is only sent then."""
        view = await self.visit.services.conversations.message(self.visit.actor, identifier(data["message_id"]))
        if view.message.thought:
            self.thread.think(data["message_id"], 0, view.message.thought)

    # Sources, ratings, earlier messages

    def _show_sources(
        self, message: Message, sources: Sequence[MessageSource], selected: int, citation: int = -1
    ) -> None:
        if selected >= 0:
            self.chosen = (message.id, selected, citation)
        elif self.chosen is not None and self.chosen[0] == message.id:
            # What somebody has opened while the answer came stays open when it ends.
            selected, citation = self.chosen[1:]
        linked = Action.READ in self.assistant.access.permissions(self.visit.actor, Resource.DOCUMENT)
        cards = source_cards(message, sources, linked=linked, citation=citation if citation >= 0 else None)
        for card in cards:
            card["apart"] = self.temporary
        self.visit.shell.show_sources(cards, selected, citation)

    async def _cite(self, data: dict[str, Any]) -> None:
        message_id, index, citation = identifier(data["message_id"]), int(data["index"]), int(data.get("citation", -1))
        self.chosen = (message_id, index, citation)
        view = await self.visit.services.conversations.message(self.visit.actor, message_id)
        if view.message.state == AnswerState.RUNNING and self.running != message_id:
            # It ended while it was read; that end has shown what was chosen, and shows it as it is now.
            return
        self._show_sources(view.message, view.sources, index, citation)

    async def _why(self, data: dict[str, Any]) -> None:
        if self.conversation is not None:
            path = f"/conversations/{self.conversation.id}/why/{identifier(data['message_id'])}"
            # To leave the page of a temporary conversation is to end it.
            ui.navigate.to(path, new_tab=self.temporary)

    async def _rate(self, data: dict[str, Any]) -> None:
        message_id = identifier(data["message_id"])
        value, text = int(data["value"]), str(data.get("text") or "")
        await self.visit.services.conversations.rate(self.visit.actor, value, text, message_id=message_id)
        toast(_("Thank you. Your comment was saved.") if text else _("Thank you. Your rating was saved."))

    async def _older(self, data: dict[str, Any]) -> None:
        if self.conversation is None:
            return
        before = identifier(str(data["id"]))
        view = await self.visit.services.conversations.get(
            self.visit.actor, self.conversation.id, limit=PAGE, before=before
        )
        self.thread.prepend([turn(m) for m in view.messages], older=len(view.messages) == PAGE)
