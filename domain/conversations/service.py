"""Conversations: asking, following the answer, and looking back."""

import asyncio
import base64
import logging
import re
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from os import getpid
from time import monotonic
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.assistants.service import readable_assistant
from domain.conversations.context import (
    AttachedImage,
    AttachedText,
    Context,
    Exchange,
    Material,
    assemble,
)
from domain.conversations.entities import AnswerState, Conversation, Message, MessageFile, MessageSource
from domain.conversations.run import Run, RunEvent, Runs
from domain.conversations.tokens import estimate
from domain.files.entities import File
from domain.files.service import FileService
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Failure, Forbidden, Invalid, NoModel, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.knowledge.entities import Collection
from domain.knowledge.retrieval import Passage
from domain.knowledge.service import KnowledgeService
from domain.models.service import CompletionChoice, completion_choices
from domain.ports import ChatDelta, ChatProvider, ChatRequest, ContextPassage, Directory
from domain.transaction import Transaction, UnitOfWork

log = logging.getLogger(__name__)
QUESTION_LIMIT = 400_000
HISTORY_MESSAGES = 20
PASSAGES = 10
FLUSH_SECONDS = 0.8
STALE_SECONDS = 20.0
NAME_LENGTH = 80
INTERRUPTED = N_("The answer was interrupted. What had arrived is kept; you can continue.")
NOT_EXPECTED = N_("The answer failed unexpectedly. Try again; if it happens again, report the id {id}.")
_CITATION = re.compile(r"\[(\d{1,3})\]")
CONTINUE = N_("Continue exactly where your answer broke off.")


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks: in a conversation, or of an assistant in a new one."""

    text: str
    conversation_id: UUID | None = None
    assistant_id: UUID | None = None
    file_ids: Sequence[UUID] = ()


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


@dataclass(slots=True)
class _Plan:
    """All that a run needs, gathered before the model is called."""

    actor: Actor
    message: Message
    choice: CompletionChoice
    prompt: str
    settings: dict[str, Any]
    history: list[Exchange]
    collections: list[Collection]
    files: Sequence[File]
    instruction_files: Sequence[File]
    begun: float = field(default_factory=monotonic)


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
        *,
        max_files: int,
    ) -> None:
        self._uow, self._directory, self._knowledge, self._files = uow, directory, knowledge, files
        self._chat, self.runs, self.max_files = chat, runs, max_files
        self._owner = f"{socket.gethostname()[:60]}:{getpid()}:{new_id().hex[-8:]}"

    # Asking

    async def ask(self, actor: Actor, question: Question) -> Asked:
        """Write the question down and start the answer. The run goes on whoever listens."""
        text = clean_text(question.text, "question", QUESTION_LIMIT).strip()
        if len(question.file_ids) > self.max_files:
            raise Invalid(N_("Attach at most {limit} files."), field="files", limit=self.max_files)
        files = await self._files.own(actor, question.file_ids)
        if not text and not files:
            raise Invalid(N_("Write a question."), field="question")
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation, assistant = await self._target(tx, actor, question, text, files)
            plan = await self._plan(tx, actor, assistant, conversation, text, files)
            await tx.add(plan.message)
            for file in files:
                await tx.add(MessageFile(tenant_id=actor.tenant_id, message_id=plan.message.id, file_id=file.id))
            conversation.last_message_at = now()
            tx.record(actor, Change("question_asked", "conversation", conversation.id))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation.id)}))
        self._start(plan)
        return Asked(conversation, plan.message, files)

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
        )
        await tx.add(conversation)
        return conversation, assistant

    async def _plan(
        self,
        tx: Transaction,
        actor: Actor,
        assistant: Assistant,
        conversation: Conversation,
        text: str,
        files: Sequence[File],
    ) -> _Plan:
        choice = await self._model(tx, assistant)
        if any(f.kind == "image" for f in files) and not choice.model.vision:
            raise BadRequest(N_("This model cannot see pictures. Choose another assistant or remove the picture."))
        earlier = await tx.conversations.messages(conversation.id, limit=HISTORY_MESSAGES)
        ids = (await tx.assistants.collection_ids([assistant.id])).get(assistant.id, ())
        prompt = await tx.assistants.selected_prompt(assistant.id)
        message = Message(
            tenant_id=actor.tenant_id,
            conversation_id=conversation.id,
            assistant_id=assistant.id,
            question=text,
            completion_model_id=choice.model.id,
            model_name=choice.model.nickname,
            provider_name=choice.provider.name,
            owner=self._owner,
            heartbeat_at=now(),
        )
        return _Plan(
            actor,
            message,
            choice,
            prompt.text if prompt else "",
            dict(assistant.model_settings),
            [Exchange(m.question, m.answer) for m in earlier if m.answer],
            list(await tx.knowledge.collections_by_id(ids)),
            files,
            await tx.assistants.files(assistant.id),
        )

    @staticmethod
    async def _model(tx: Transaction, assistant: Assistant) -> CompletionChoice:
        for choice in await completion_choices(tx):
            if choice.model.id == assistant.completion_model_id:
                if not choice.usable:
                    raise Forbidden(N_("The assistant's model is switched off. Choose another one in its settings."))
                return choice
        raise NoModel

    async def regenerate(self, actor: Actor, message_id: UUID) -> Asked:
        """Ask the last question of a conversation again; its earlier answer is replaced."""
        async with self._uow.begin(actor.tenant_id) as tx:
            message, conversation = await self._own_message(tx, actor, message_id)
            newest = await tx.conversations.messages(conversation.id, limit=1)
            if message.state == AnswerState.RUNNING or newest[0].id != message_id:
                raise BadRequest(N_("Only the last answer of a conversation can be made anew."))
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            await tx.remove(message)
            await tx.flush()
        question = Question(message.question, conversation.id, None, [f.id for f in files])
        return await self.ask(actor, question)

    async def resume(self, actor: Actor, message_id: UUID) -> Asked:
        """Go on with an answer that was interrupted, failed or stopped: the model continues what is there."""
        async with self._uow.begin(actor.tenant_id) as tx:
            message, conversation = await self._own_message(tx, actor, message_id)
            if message.state in (AnswerState.RUNNING, AnswerState.DONE):
                raise BadRequest(N_("This answer is not interrupted."))
            assistant, _ = await readable_assistant(tx, actor, message.assistant_id)
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            plan = await self._plan(tx, actor, assistant, conversation, message.question, files)
            plan.history = plan.history[:-1] if plan.history and message.answer else plan.history
            message.state, message.error, message.error_params = AnswerState.RUNNING, None, {}
            message.owner, message.heartbeat_at, message.stop_requested = self._owner, now(), False
            plan.message = message
        self._start(plan)
        return Asked(conversation, message, files)

    def _start(self, plan: _Plan) -> None:
        run = Run(plan.message.id, plan.actor.tenant_id, plan.actor.user_id, text=plan.message.answer)
        self.runs.add(run)
        self.runs.drive(run, asyncio.create_task(self._run(plan, run), name=f"answer {run.message_id}"))

    # The run

    async def _run(self, plan: _Plan, run: Run) -> None:
        state, error, params = str(AnswerState.DONE), None, {}
        try:
            stopped = await self._answer(plan, run)
            state = AnswerState.STOPPED if stopped else AnswerState.DONE
        except asyncio.CancelledError:
            state, error = AnswerState.INTERRUPTED, INTERRUPTED
        except Failure as failure:
            state, error, params = AnswerState.FAILED, failure.message, dict(failure.params)
        except Exception:
            incident = new_id().hex[-8:]
            log.exception("answer run failed, id %s", incident)
            state, error, params = AnswerState.FAILED, NOT_EXPECTED, {"id": incident}
        await asyncio.shield(self._close(plan, run, state, error, params))

    async def _answer(self, plan: _Plan, run: Run) -> bool:
        """Retrieve, assemble, stream. Whether the user stopped it."""
        passages = await self._retrieve(plan)
        context = await self._fitting_context(plan, run, passages)
        request = await self._request(plan, run, context)
        flusher = asyncio.create_task(self._flush(run))
        try:
            return await self._stream(plan, run, request)
        finally:
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)

    async def _retrieve(self, plan: _Plan) -> list[Passage]:
        if not plan.collections:
            return []
        question = plan.message.question or " ".join(f.name for f in plan.files)
        passages = await self._knowledge.search_collections(
            plan.actor.tenant_id, question, plan.collections, limit=PASSAGES
        )
        plan.message.trace["retrieval_ms"] = round((monotonic() - plan.begun) * 1000)
        return passages

    async def _fitting_context(self, plan: _Plan, run: Run, passages: list[Passage]) -> Context:
        context = assemble(await self._material(plan, run, passages), plan.choice.model.token_limit)
        plan.message.tokens_question = context.tokens
        plan.message.trace |= {"query": plan.message.question, "left_out": context.left_out}
        run.sources = [_source(plan, number, p) for number, p in enumerate(context.passages, 1)]
        if not run.sources and not run.text:
            run.ready.set()
            return context
        async with self._uow.begin(plan.actor.tenant_id) as tx:
            old = (await tx.conversations.sources([run.message_id])).get(run.message_id, ())
            for source in old:
                await tx.remove(source)
            await tx.flush()
            await tx.add(*run.sources)
        run.ready.set()
        return context

    async def _material(self, plan: _Plan, run: Run, passages: list[Passage]) -> Material:
        history, question = list(plan.history), plan.message.question
        if run.text:
            history.append(Exchange(question, run.text))
            question = CONTINUE
        return Material(
            question=question,
            prompt=plan.prompt,
            instruction_files=[AttachedText(f.name, f.text or "") for f in plan.instruction_files],
            files=[AttachedText(f.name, f.text) for f in plan.files if f.text is not None],
            images=[await self._image(f) for f in plan.files if f.kind == "image"],
            history=history,
            passages=passages,
            searched=bool(plan.collections),
            today=now().date(),
        )

    async def _image(self, file: File) -> AttachedImage:
        parts = [part async for part in await self._files.stored(file)]
        encoded = base64.b64encode(b"".join(parts)).decode()
        return AttachedImage(file.name, f"data:{file.media_type};base64,{encoded}")

    async def _request(self, plan: _Plan, run: Run, context: Context) -> ChatRequest:
        words = set(re.findall(r"\w{3,}", plan.message.question.casefold()))
        return ChatRequest(
            tenant_id=plan.actor.tenant_id,
            provider=plan.choice.provider,
            model=plan.choice.model,
            messages=context.messages,
            max_tokens=context.max_answer_tokens,
            settings=plan.settings,
            question=plan.message.question,
            passages=[
                ContextPassage(n, p.title, p.text, p.page_from, p.vector_score, _coverage(words, p.text))
                for n, p in enumerate(context.passages, 1)
            ],
            searched=bool(plan.collections),
            language=plan.actor.language,
        )

    async def _stream(self, plan: _Plan, run: Run, request: ChatRequest) -> bool:
        stream = self._chat.stream(request)
        stopping = asyncio.create_task(run.stop.wait())
        try:
            while True:
                piece = asyncio.ensure_future(anext(stream, None))
                await asyncio.wait({piece, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done() and not piece.done():
                    piece.cancel()
                    await asyncio.gather(piece, return_exceptions=True)
                    return True
                delta = await piece
                if delta is None:
                    return stopping.done()
                await self._take(plan, run, delta)
        finally:
            stopping.cancel()
            await stream.aclose()

    @staticmethod
    async def _take(plan: _Plan, run: Run, delta: ChatDelta) -> None:
        message = plan.message
        if delta.text:
            message.trace.setdefault("first_token_ms", round((monotonic() - plan.begun) * 1000))
            await run.append(delta.text.replace("\x00", ""))
        if delta.tokens_question is not None:
            message.tokens_question, message.tokens_estimated = delta.tokens_question, False
        if delta.tokens_answer is not None:
            message.tokens_answer = delta.tokens_answer

    async def _flush(self, run: Run) -> None:
        """Save the text at least once a second, and learn that another process was asked to stop the run."""
        saved = -1
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            length = len(run.text)
            try:
                async with self._uow.begin(run.tenant_id) as tx:
                    stop = await tx.conversations.append(run.message_id, self._owner, run.text, now())
            except Exception:
                log.exception("could not save an answer in progress; trying again")
                continue
            if length != saved:
                saved = length
            if stop is None or stop:
                run.stop.set()

    async def _close(self, plan: _Plan, run: Run, state: str, error: str | None, params: dict[str, Any]) -> None:
        cited = cited_numbers(run.text, len(run.sources))
        try:
            async with self._uow.begin(run.tenant_id) as tx:
                message = await tx.get(Message, run.message_id)
                if message is not None and message.owner == self._owner:
                    message.answer, message.state = run.text, state
                    message.error, message.error_params = error, params
                    message.finished_at, message.heartbeat_at = now(), None
                    message.tokens_question = plan.message.tokens_question
                    message.tokens_answer = plan.message.tokens_answer or estimate(run.text)
                    message.tokens_estimated = plan.message.tokens_estimated
                    plan.message.trace["total_ms"] = round((monotonic() - plan.begun) * 1000)
                    message.trace = dict(plan.message.trace)
                    await tx.conversations.mark_cited(run.message_id, cited)
                    outcome = "success" if state in (AnswerState.DONE, AnswerState.STOPPED) else "failure"
                    tx.record(plan.actor, _call(plan, message, outcome))
        except Exception:
            log.exception("could not save the end of an answer; it will be closed as interrupted")
        for source in run.sources:
            source.cited = source.number in cited
        await run.close(state)

    async def sweep(self) -> int:
        """Close the runs whose process has died, with the text they had; how many."""
        count = 0
        for located in await self._directory.stale_runs(STALE_SECONDS):
            if self.runs.get(located.id) is not None:
                continue
            async with self._uow.begin(located.tenant_id) as tx:
                message = await tx.get(Message, located.id)
                if message is None or message.state != AnswerState.RUNNING:
                    continue
                if message.heartbeat_at and message.heartbeat_at > now() - timedelta(seconds=STALE_SECONDS):
                    continue
                message.state, message.error = AnswerState.INTERRUPTED, INTERRUPTED
                message.finished_at, message.heartbeat_at = now(), None
                message.tokens_answer = estimate(message.answer)
                sources = (await tx.conversations.sources([message.id])).get(message.id, ())
                await tx.conversations.mark_cited(message.id, cited_numbers(message.answer, len(sources)))
                count += 1
        return count

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
        return run if run is not None and run.user_id == actor.user_id else None

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
    ) -> Page[Conversation]:
        """The actor's conversations, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            if assistant_id is not None:
                await readable_assistant(tx, actor, assistant_id)
            return await tx.conversations.page(
                actor.user_id, assistant_id=assistant_id, search=search.strip(), limit=clamp(limit), cursor=cursor
            )

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

    async def source(self, actor: Actor, message_id: UUID, number: int) -> MessageSource:
        """Passage `[number]` of one of the actor's answers."""
        for source in (await self.message(actor, message_id)).sources:
            if source.number == number:
                return source
        raise NotFound(N_("The source was not found."))

    async def rename(self, actor: Actor, conversation_id: UUID, name: str) -> Conversation:
        """Give a conversation another name."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            old, new = {"name": conversation.name}, {"name": clean_name(name)}
            conversation.name = new["name"]
            tx.record(actor, Change("conversation_renamed", "conversation", conversation_id, old=old, new=new))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))
            return conversation

    async def delete(self, actor: Actor, conversation_id: UUID) -> None:
        """Delete a conversation; a running answer is stopped."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            for message in await tx.conversations.messages(conversation_id, limit=5):
                run = self.runs.get(message.id)
                if run is not None:
                    run.stop.set()
            await tx.remove(conversation)
            tx.record(actor, Change("conversation_deleted", "conversation", conversation_id))
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
        if conversation is None or conversation.user_id != actor.user_id:
            raise NotFound(N_("The conversation was not found."))
        return conversation

    async def _own_message(self, tx: Transaction, actor: Actor, message_id: UUID) -> tuple[Message, Conversation]:
        message = await tx.get(Message, message_id)
        if message is None:
            raise NotFound(N_("The message was not found."))
        return message, await self._own(tx, actor, message.conversation_id)


def _title(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= NAME_LENGTH:
        return line
    return line[:NAME_LENGTH].rsplit(" ", 1)[0].rstrip(",.;:") + "…"


def _source(plan: _Plan, number: int, passage: Passage) -> MessageSource:
    return MessageSource(
        tenant_id=plan.actor.tenant_id,
        message_id=plan.message.id,
        number=number,
        document_id=passage.document_id,
        version_id=passage.version_id,
        collection_id=passage.collection_id,
        chunk_id=passage.chunk_id,
        title=passage.title,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        page_from=passage.page_from,
        page_to=passage.page_to,
        heading_path=passage.heading_path,
        score=passage.score,
        vector_score=passage.vector_score,
        text_score=passage.text_score,
    )


def _call(plan: _Plan, message: Message, outcome: str) -> Change:
    new = {"model": message.model_name, "tokens": [message.tokens_question, message.tokens_answer]}
    return Change("model_called", "conversation", message.conversation_id, new=new, outcome=outcome)


def _coverage(words: set[str], text: str) -> float:
    """The share of the question's words that stand in the passage, by their first five letters."""
    if not words:
        return 0.0
    stems = {w[:5] for w in re.findall(r"\w{3,}", text.casefold())}
    return sum(w[:5] in stems for w in words) / len(words)


def cited_numbers(answer: str, count: int) -> list[int]:
    """The passages an answer refers to, in order of first mention; numbers beyond `count` do not count."""
    numbers = (int(n) for n in _CITATION.findall(answer))
    return list(dict.fromkeys(n for n in numbers if 1 <= n <= count))
