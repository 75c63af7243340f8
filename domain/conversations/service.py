"""Conversations: asking, following the answer, and looking back."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.assistants.service import clean_settings, readable_assistant, readable_collections
from domain.assistants.variables import filled
from domain.classifications.approval import approved_in, require_model
from domain.conversations.answering import FORGOTTEN, Answering, Plan, attribution
from domain.conversations.citations import Stems
from domain.conversations.context import Exchange
from domain.conversations.entities import AnswerState, Conversation, Message, MessageFile, MessageSource
from domain.conversations.explaining import Explained
from domain.conversations.places import Place, place, spans
from domain.conversations.run import Run, RunEvent, Runs
from domain.conversations.temporary import remove_conversation
from domain.files.entities import File
from domain.files.service import FileService
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Forbidden, Invalid, NoModel, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.knowledge.entities import Collection, Document
from domain.knowledge.service import KnowledgeService
from domain.models.choice import CompletionChoice
from domain.models.service import completion_choice
from domain.models.stand_ins import preferred, stand_ins
from domain.ports import ChatProvider, Deed, Directory, Limiter
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork
from domain.usage.ledger import Ledger

QUESTION_LIMIT = 400_000
HISTORY_MESSAGES = 20
NAME_LENGTH = 80
MOST_PINNED = 50


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks: in a conversation, or of an assistant in a new one."""

    text: str
    conversation_id: UUID | None = None
    assistant_id: UUID | None = None
    file_ids: Sequence[UUID] = ()
    temporary: bool = False
    """Whether the conversation that begins with it is to be gone when it is left."""
    fresh: bool = False
    """Whether an earlier answer may not do."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a program asks that keeps the conversation itself, and sends all of it along.

    `instruction` is added to the assistant's own, `settings` count before the assistant's.
    """

    assistant_id: UUID
    text: str
    history: Sequence[Exchange] = ()
    instruction: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    keep: bool = False
    """Whether the conversation stays when it is answered. If not, whoever asks deletes it, or the sweeper does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was taken in; its answer is under way."""

    conversation: Conversation
    message: Message
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with its passages and files."""

    message: Message
    sources: Sequence[MessageSource]
    files: Sequence[File]


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation with its newest messages, oldest first."""

    conversation: Conversation
    assistant: Assistant
    messages: Sequence[MessageView]


class ConversationService:
    """Use cases of conversations. A conversation is its author's alone."""

    def __init__(
        self,
        uow: UnitOfWork,
        directory: Directory,
        knowledge: KnowledgeService,
        files: FileService,
        chat: ChatProvider,
        runs: Runs,
        limiter: Limiter,
        stems: Stems,
        ledger: Ledger,
        *,
        max_files: int,
        zone: tzinfo,
    ) -> None:
        self._uow, self._files, self.runs, self.max_files = uow, files, runs, max_files
        self._zone = zone
        self._limiter, self._knowledge, self._ledger = limiter, knowledge, ledger
        self._answering = Answering(uow, directory, knowledge, files, chat, runs, stems, ledger)
        self.health = self._answering.health

    # Asking

    async def ask(self, actor: Actor, question: Question) -> Asked:
        """Write the question down and start the answer. The run goes on whoever listens."""
        await self._limiter.take(Deed.QUESTION, actor)
        return await self._ask(actor, question)

    async def _ask(self, actor: Actor, question: Question) -> Asked:
        text = clean_text(question.text, "question", QUESTION_LIMIT).strip()
        if len(question.file_ids) > self.max_files:
            raise Invalid(N_("Attach at most {limit} files."), field="files", limit=self.max_files)
        files = await self._files.own(actor, question.file_ids)
        if not text and not files:
            raise Invalid(N_("Write a question."), field="question")
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation, assistant = await self._target(tx, actor, question, text, files)
            earlier = await self._earlier(tx, question.conversation_id)
            plan = await self._plan(tx, actor, assistant, conversation, earlier, text, files)
            plan.fresh = question.fresh
            await tx.add(plan.message)
            for file in files:
                await tx.add(MessageFile(tenant_id=actor.tenant_id, message_id=plan.message.id, file_id=file.id))
            if question.conversation_id is not None:
                conversation.last_message_at = now()
            tx.record(actor, _asked(conversation))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation.id)}))
        self._answering.start(plan)
        return Asked(conversation, plan.message, files)

    async def converse(self, actor: Actor, dialogue: Dialogue) -> Asked:
        """Answer a program that keeps its conversation itself: in a conversation of its own, for one question."""
        await self._limiter.take(Deed.QUESTION, actor)
        text = clean_text(dialogue.text, "messages", QUESTION_LIMIT).strip()
        if not text:
            raise Invalid(N_("Write a question."), field="messages")
        settings = clean_settings(dict(dialogue.settings))
        instruction = clean_text(dialogue.instruction, "messages", QUESTION_LIMIT)
        history = [
            Exchange(
                clean_text(e.question, "messages", QUESTION_LIMIT), clean_text(e.answer, "messages", QUESTION_LIMIT)
            )
            for e in dialogue.history
        ]
        async with self._uow.begin(actor.tenant_id) as tx:
            question = Question(text, None, dialogue.assistant_id)
            conversation, assistant = await self._target(tx, actor, question, text, ())
            plan = await self._plan(tx, actor, assistant, conversation, history, text, ())
            plan.prompt = "\n\n".join(part for part in (plan.prompt, instruction) if part)
            plan.settings |= settings
            plan.max_tokens = dialogue.max_tokens
            if not dialogue.keep:
                plan.message.trace[FORGOTTEN] = True
            await tx.add(plan.message)
            tx.record(actor, _asked(conversation))
        self._answering.start(plan)
        return Asked(conversation, plan.message)

    async def _target(
        self, tx: Transaction, actor: Actor, question: Question, text: str, files: Sequence[File]
    ) -> tuple[Conversation, Assistant]:
        if question.conversation_id is not None:
            conversation = await self._own(tx, actor, question.conversation_id)
            assistant, _ = await readable_assistant(tx, actor, conversation.assistant_id)
            if question.assistant_id not in (None, assistant.id):
                raise NotFound(N_("The conversation was not found."))
            return conversation, assistant
        if question.assistant_id is None:
            raise Invalid(N_("Say which conversation or assistant the question is for."), field="assistant_id")
        assistant, _ = await readable_assistant(tx, actor, question.assistant_id)
        conversation = Conversation(
            tenant_id=actor.tenant_id,
            user_id=actor.user_id,
            assistant_id=assistant.id,
            name=_title(text or " ".join(f.name for f in files)),
            last_message_at=now(),
            api_key_id=actor.apart,
            temporary=question.temporary,
        )
        await tx.add(conversation)
        return conversation, assistant

    async def _plan(
        self,
        tx: Transaction,
        actor: Actor,
        assistant: Assistant,
        conversation: Conversation,
        history: list[Exchange],
        text: str,
        files: Sequence[File],
    ) -> Plan:
        own = await self._model(tx, assistant)
        pictures = any(f.kind == "image" for f in files)
        if pictures and not own.model.vision:
            raise BadRequest(N_("This model cannot see pictures. Choose another assistant or remove the picture."))
        others = await stand_ins(tx, own, assistant.space_id, vision=pictures)
        choice, *others = preferred([own, *others], assistant.model_preference, self.health)
        prompt = await tx.assistants.selected_prompt(assistant.id)
        message = Message(
            tenant_id=actor.tenant_id,
            conversation_id=conversation.id,
            assistant_id=assistant.id,
            question=text,
            completion_model_id=choice.model.id,
            model_name=choice.model.nickname,
            provider_name=choice.provider.name,
            owner=self._answering.owner,
            heartbeat_at=now(),
        )
        if choice.counted:
            await self._ledger.require_room(tx, attribution(actor, assistant, message))
        return Plan(
            actor,
            assistant,
            message,
            choice,
            await filled(tx, actor, assistant, self._zone, prompt.text) if prompt else "",
            dict(assistant.model_settings),
            history,
            await self._collections(tx, assistant),
            files,
            await tx.assistants.files(assistant.id),
            own,
            stand_ins=others,
            temporary=conversation.temporary,
        )

    @staticmethod
    async def _earlier(tx: Transaction, conversation_id: UUID | None) -> list[Exchange]:
        if conversation_id is None:
            return []
        earlier = await tx.conversations.messages(conversation_id, limit=HISTORY_MESSAGES)
        return [Exchange(m.question, m.answer) for m in earlier if m.answer]

    @staticmethod
    async def _model(tx: Transaction, assistant: Assistant) -> CompletionChoice:
        choice = await completion_choice(tx, assistant.completion_model_id)
        if choice is None:
            raise NoModel
        if not choice.usable:
            raise Forbidden(N_("The assistant's model is switched off. Choose another one in its settings."))
        space = await tx.get(Space, assistant.space_id)
        if space is not None:
            await require_model(tx, space, choice.model)
        return choice

    @staticmethod
    async def _collections(tx: Transaction, assistant: Assistant) -> list[Collection]:
        found, space = await tx.assistants.collections(assistant.id), await tx.get(Space, assistant.space_id)
        return await approved_in(tx, space, found) if space is not None else []

    async def regenerate(self, actor: Actor, message_id: UUID) -> Asked:
        """Ask the last question of a conversation again; its earlier answer is replaced."""
        await self._limiter.take(Deed.QUESTION, actor)
        async with self._uow.begin(actor.tenant_id) as tx:
            message, conversation = await self._own_message(tx, actor, message_id)
            newest = await tx.conversations.messages(conversation.id, limit=1)
            if message.state == AnswerState.RUNNING or newest[0].id != message_id:
                raise BadRequest(N_("Only the last answer of a conversation can be made anew."))
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            await tx.remove(message)
            await tx.flush()
        question = Question(message.question, conversation.id, None, [f.id for f in files], fresh=True)
        return await self._ask(actor, question)

    async def resume(self, actor: Actor, message_id: UUID, *, elsewhere: bool = False) -> Asked:
        """Go on with an answer that was interrupted, failed or stopped: the model continues what is there.

        With `elsewhere` the first model that stands in for the assistant's does, where there is one.
        """
        await self._limiter.take(Deed.QUESTION, actor)
        async with self._uow.begin(actor.tenant_id) as tx:
            message, conversation = await self._own_message(tx, actor, message_id)
            if message.state in (AnswerState.RUNNING, AnswerState.DONE):
                raise BadRequest(N_("This answer is not interrupted."))
            assistant, _ = await readable_assistant(tx, actor, message.assistant_id)
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            history = await self._earlier(tx, conversation.id)
            history = history[:-1] if history and message.answer else history
            plan = await self._plan(tx, actor, assistant, conversation, history, message.question, files)
            message.state, message.error, message.error_params = AnswerState.RUNNING, None, {}
            message.citations = None
            message.owner, message.heartbeat_at, message.stop_requested = self._answering.owner, now(), False
            plan.message = message
            others = [c for c in (plan.choice, *plan.stand_ins) if c.model.id != message.completion_model_id]
            if elsewhere and others:
                plan.choice, *plan.stand_ins = others
        self._answering.start(plan)
        return Asked(conversation, message, files)

    async def sweep(self) -> int:
        """Close the runs whose process has died, with the text they had; how many."""
        return await self._answering.sweep()

    async def replacing(self, actor: Actor, choice: CompletionChoice, space_id: UUID) -> CompletionChoice | None:
        """Which model would answer now in a space in place of one that rests; None when it does not or nothing stands in."""
        if not self.health.resting(choice.model.id):
            return None
        async with self._uow.read(actor.tenant_id) as tx:
            others = await stand_ins(tx, choice, space_id, vision=False)
        return next((each for each in others if not self.health.resting(each.model.id)), None)

    # Following

    async def follow(self, actor: Actor, message_id: UUID, offset: int = 0) -> AsyncIterator[RunEvent]:
        """The answer from character `offset` on, as it grows, until its final state."""
        run = self._own_run(actor, message_id)
        if run is not None:
            async for event in run.follow(offset):
                yield event
            return
        while True:
            async with self._uow.read(actor.tenant_id) as tx:
                message, _ = await self._own_message(tx, actor, message_id)
            if len(message.answer) > offset:
                yield RunEvent(offset, message.answer[offset:])
                offset = len(message.answer)
            if message.state != AnswerState.RUNNING:
                yield RunEvent(offset, state=message.state)
                return
            await asyncio.sleep(0.3)

    async def sources_ready(self, actor: Actor, message_id: UUID) -> Sequence[MessageSource]:
        """The passages given to the model, as soon as they are known."""
        run = self._own_run(actor, message_id)
        if run is not None:
            await run.ready.wait()
            return run.sources
        async with self._uow.read(actor.tenant_id) as tx:
            await self._own_message(tx, actor, message_id)
            return (await tx.conversations.sources([message_id])).get(message_id, ())

    def _own_run(self, actor: Actor, message_id: UUID) -> Run | None:
        """The run in this process, when it is the actor's: it was allowed when it began."""
        run = self.runs.get(message_id)
        return run if run is not None and (run.user_id, run.api_key_id) == (actor.user_id, actor.apart) else None

    async def stop(self, actor: Actor, message_id: UUID) -> None:
        """Stop an answer; what has arrived is kept."""
        async with self._uow.begin(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            if message.state == AnswerState.RUNNING:
                message.stop_requested = True
        run = self.runs.get(message_id)
        if run is not None:
            run.stop.set()

    # Looking back

    async def page(
        self,
        actor: Actor,
        *,
        assistant_id: UUID | None = None,
        search: str = "",
        limit: int | None = None,
        cursor: str | None = None,
        pinned: bool | None = None,
    ) -> Page[Conversation]:
        """The actor's conversations, newest first; with `pinned` only those that are, or only those that are not."""
        async with self._uow.read(actor.tenant_id) as tx:
            if assistant_id is not None:
                await readable_assistant(tx, actor, assistant_id)
            return await tx.conversations.page(
                actor.user_id,
                actor.apart,
                assistant_id=assistant_id,
                search=search.strip(),
                limit=clamp(limit),
                cursor=cursor,
                pinned=pinned,
            )

    async def pinned(self, actor: Actor) -> Sequence[Conversation]:
        """The actor's pinned conversations, the last pinned first."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.conversations.pinned(actor.user_id, actor.apart, MOST_PINNED)

    async def get(
        self, actor: Actor, conversation_id: UUID, *, limit: int = 100, before: UUID | None = None
    ) -> ConversationView:
        """A conversation with its newest messages."""
        async with self._uow.read(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            assistant = await tx.get(Assistant, conversation.assistant_id)
            if assistant is None:
                raise NotFound(N_("The conversation was not found."))
            messages = await tx.conversations.messages(conversation_id, limit=clamp(limit), before=before)
            ids = [m.id for m in messages]
            sources, files = await tx.conversations.sources(ids), await tx.conversations.files(ids)
        views = [MessageView(m, sources.get(m.id, ()), files.get(m.id, ())) for m in messages]
        return ConversationView(conversation, assistant, views)

    async def message(self, actor: Actor, message_id: UUID) -> MessageView:
        """One message with its passages and files."""
        async with self._uow.read(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            sources = (await tx.conversations.sources([message_id])).get(message_id, ())
            files = (await tx.conversations.files([message_id])).get(message_id, ())
        return MessageView(message, sources, files)

    async def place(self, actor: Actor, message_id: UUID, number: int, citation: int | None = None) -> Place:
        """Passage `[number]` of one of the actor's answers in the document as it was cited.

        With `citation` (the place of a marker among those of the answer) only what supports it is marked.
        """
        view = await self.message(actor, message_id)
        source = next((each for each in view.sources if each.number == number), None)
        if source is None:
            raise NotFound(N_("The source was not found."))
        async with self._uow.read(actor.tenant_id) as tx:
            await self._still_shared(tx, actor, view.message, source)
        content = await self._knowledge.version_content(actor.tenant_id, source.version_id)
        return place(source, spans(view.message, source, citation), *content)

    @staticmethod
    async def _still_shared(tx: Transaction, actor: Actor, message: Message, source: MessageSource) -> None:
        """Raise `NotFound` when the assistant's space may no longer read what the passage is from."""
        document = await tx.get(Document, source.document_id)
        conversation = await tx.get(Conversation, message.conversation_id)
        assistant = await tx.get(Assistant, conversation.assistant_id) if conversation else None
        space = await tx.get(Space, assistant.space_id) if assistant else None
        if document is None or space is None:
            return
        if document.collection_id not in {c.id for c in await readable_collections(tx, space)}:
            raise NotFound(N_("This source is no longer shared with the space."))

    async def explained(self, actor: Actor, message_id: UUID) -> Explained:
        """How one of the actor's answers came about."""
        async with self._uow.read(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            kept = await tx.conversations.explanation(message_id)
        return Explained(message, kept)

    async def rename(self, actor: Actor, conversation_id: UUID, name: str) -> Conversation:
        """Give a conversation another name."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            conversation.name = clean_name(name)
            # Without the names: they tell what was asked, and the audit log is not encrypted.
            tx.record(actor, Change("conversation_renamed", "conversation", conversation_id))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))
            return conversation

    async def pin(self, actor: Actor, conversation_id: UUID, *, pinned: bool) -> Conversation:
        """Let a conversation stand before the others, or no longer."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            if conversation.temporary:
                raise BadRequest(N_("A temporary conversation is not kept and cannot be pinned."))
            if pinned == (conversation.pinned_at is not None):
                return conversation
            if pinned and len(await tx.conversations.pinned(actor.user_id, actor.apart, MOST_PINNED)) == MOST_PINNED:
                raise BadRequest(N_("At most {limit} conversations can be pinned. Unpin one first."), limit=MOST_PINNED)
            conversation.pinned_at = now() if pinned else None
            action = "conversation_pinned" if pinned else "conversation_unpinned"
            tx.record(actor, Change(action, "conversation", conversation_id))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))
            return conversation

    async def delete(self, actor: Actor, conversation_id: UUID) -> None:
        """Delete a conversation; a running answer is stopped."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            await remove_conversation(tx, actor, conversation, self.runs)
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))

    async def rate(
        self,
        actor: Actor,
        value: int,
        text: str | None,
        *,
        conversation_id: UUID | None = None,
        message_id: UUID | None = None,
    ) -> Conversation:
        """Thumbs up (1) or down (−1) with a comment, for one answer or the conversation."""
        if value not in (-1, 1):
            raise Invalid(N_("Choose one of the listed values."), field="value")
        async with self._uow.begin(actor.tenant_id) as tx:
            target: Conversation | Message
            if message_id is not None:
                target, conversation = await self._own_message(tx, actor, message_id)
            else:
                target = conversation = await self._own(tx, actor, conversation_id or UUID(int=0))
            target.feedback_value = value
            target.feedback_text = clean_text(text, "text", 10_000) or None
            tx.record(actor, Change("answer_rated", "conversation", conversation.id, new={"value": value}))
            return conversation

    @staticmethod
    async def _own(tx: Transaction, actor: Actor, conversation_id: UUID) -> Conversation:
        conversation = await tx.get(Conversation, conversation_id)
        if conversation is None or not conversation.is_of(actor):
            raise NotFound(N_("The conversation was not found."))
        return conversation

    async def _own_message(self, tx: Transaction, actor: Actor, message_id: UUID) -> tuple[Message, Conversation]:
        message = await tx.get(Message, message_id)
        if message is None:
            raise NotFound(N_("The message was not found."))
        return message, await self._own(tx, actor, message.conversation_id)


def _asked(conversation: Conversation) -> Change:
    """That somebody asked, not what: the audit log is not encrypted."""
    new = {"temporary": True} if conversation.temporary else {}
    return Change("question_asked", "conversation", conversation.id, new=new)


def _title(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= NAME_LENGTH:
        return line
    return line[:NAME_LENGTH].rsplit(" ", 1)[0].rstrip(",.;:") + "…"
