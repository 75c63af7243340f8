"""Conversations: asking, and following the answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import tzinfo
from typing import Any
from uuid import UUID

from domain.assistants.access import readable_assistant
from domain.assistants.entities import Assistant
from domain.assistants.settings import clean_settings
from domain.assistants.variables import filled
from domain.classifications.approval import approved_in, require_model
from domain.conversations.answering import Answering
from domain.conversations.attempts import affordable
from domain.conversations.branches import Branches
from domain.conversations.citations import Stems
from domain.conversations.context import Exchange
from domain.conversations.easy import EASY, ask_easily
from domain.conversations.entities import AnswerState, Conversation, Message, MessageFile, MessageSource
from domain.conversations.interrupted import SURE_SECONDS, Interrupted
from domain.conversations.kept import Kept
from domain.conversations.mentions import faces, hearing, mention
from domain.conversations.narrowing import narrow, narrowed, stored
from domain.conversations.plan import FORGOTTEN, Plan, answers_with, attribution
from domain.conversations.run import Run, RunEvent, Runs
from domain.conversations.summaries import HISTORY_MESSAGES, recalled
from domain.conversations.views import Asked, Dialogue, Question
from domain.files.entities import File
from domain.files.service import FileService
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Forbidden, Invalid, NoModel, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_text
from domain.knowledge.searching import SearchService
from domain.knowledge.service import KnowledgeService
from domain.models.capacity import Capacity
from domain.models.choice import CompletionChoice
from domain.models.health import Health
from domain.models.rerank import rerank_in
from domain.models.service import completion_choice, ratings_of
from domain.models.stand_ins import Preference, preferred, stand_ins
from domain.ports import ChatProvider, Deed, Directory, Limiter
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork
from domain.usage.ledger import Ledger

QUESTION_LIMIT = 400_000
NAME_LENGTH = 80
TEMPORARY = "temporary"


class _Overtaken(Exception):
    """Another question came first."""


class ConversationService(Kept):
    """Use cases of conversations: asking, and following the answer."""

    def __init__(
        self,
        uow: UnitOfWork,
        directory: Directory,
        knowledge: KnowledgeService,
        search: SearchService,
        files: FileService,
        chat: ChatProvider,
        runs: Runs,
        limiter: Limiter,
        stems: Stems,
        ledger: Ledger,
        health: Health,
        capacity: Capacity,
        *,
        max_files: int,
        zone: tzinfo,
    ) -> None:
        super().__init__(uow, knowledge, runs)
        self._files, self.max_files, self._zone = files, max_files, zone
        self._limiter, self._ledger = limiter, ledger
        self._answering = Answering(uow, search, files, chat, runs, stems, ledger, health, capacity)
        self._interrupted = Interrupted(uow, directory, runs, ledger, stems)
        self.health = health

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
        place = question.mentioned or question.assistant_id or question.conversation_id
        self._answering.foreseen.question(place, text, first=question.conversation_id is None)
        while True:
            # What only reads comes first: there is one who writes at a time on SQLite.
            async with self._uow.read(actor.tenant_id) as tx:
                conversation, plan = await self._prepared(tx, actor, question, text, files)
            try:
                async with self._answering.searching(plan), self._uow.begin(actor.tenant_id) as tx:
                    if question.conversation_id is None:
                        conversation.shown_id = plan.message.id
                        await tx.write(conversation)
                    else:
                        conversation = await self._placed(tx, actor, question, plan)
                    links = [
                        MessageFile(tenant_id=actor.tenant_id, message_id=plan.message.id, file_id=f.id) for f in files
                    ]
                    await tx.write(plan.message, *links)
                    face = (await faces(tx, [plan.message])).get(plan.message.id)
                    tx.record(actor, _asked(conversation, easy=question.easy))
                    tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation.id)}))
            except _Overtaken:
                continue
            self._answering.start(plan)
            return Asked(conversation, plan.message, files, face)

    async def _prepared(
        self, tx: Transaction, actor: Actor, question: Question, text: str, files: Sequence[File]
    ) -> tuple[Conversation, Plan]:
        """All that can be known of an answer before anything is written; a new conversation is still to be added."""
        conversation, assistant, space = await self._target(tx, actor, question, text, files)
        branches = Branches(await tx.conversations.links(conversation.id) if question.conversation_id else ())
        parent_id = self._followed(branches, conversation, question.replaces)
        earlier = await self._earlier(tx, branches.path(parent_id))
        plan = await self._plan(tx, actor, assistant, space, conversation, earlier, text, files)
        mention(plan.message, conversation, assistant)
        plan.fresh, plan.message.parent_id = question.fresh, parent_id
        narrow(plan, question.collection_ids, question.documents)
        async with self._answering.embedding(plan):
            await self._complete(tx, plan, space)
        if question.easy:
            ask_easily(plan)
        return conversation, plan

    async def _placed(self, tx: Transaction, actor: Actor, question: Question, plan: Plan) -> Conversation:
        """Give a question its place in a conversation that is there; `_Overtaken` when another one took it meanwhile."""
        message = plan.message
        await tx.conversations.lock(message.conversation_id)
        conversation = await self._own(tx, actor, message.conversation_id)
        branches = Branches(await tx.conversations.links(conversation.id))
        if self._followed(branches, conversation, question.replaces) != message.parent_id:
            raise _Overtaken
        conversation.shown_id, conversation.last_message_at = message.id, now()
        await self._forget_empty(tx, branches, question.replaces, message.question)
        if question.fresh and question.replaces is not None and not question.easy:
            await tx.conversations.never_again(question.replaces)
        return conversation

    @staticmethod
    def _followed(branches: Branches, conversation: Conversation, replaces: UUID | None) -> UUID | None:
        """The message that a new question follows."""
        if replaces is None:
            return next(reversed(branches.shown(conversation.shown_id)), None)
        if replaces not in branches:
            raise NotFound(N_("The message was not found."))
        return branches.parent(replaces)

    @staticmethod
    async def _forget_empty(tx: Transaction, branches: Branches, replaced: UUID | None, text: str) -> None:
        """A question that nothing answered leaves no branch behind when it is asked again."""
        if replaced is None or branches.followed(replaced):
            return
        message = await tx.get(Message, replaced)
        if message is not None and not message.answer and message.question == text:
            await tx.remove(message)
            await tx.flush()

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
            conversation, assistant, space = await self._target(tx, actor, question, text, ())
            await tx.add(conversation)
            plan = await self._plan(tx, actor, assistant, space, conversation, (), text, ())
            await self._complete(tx, plan, space)
            plan.history = history
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
    ) -> tuple[Conversation, Assistant, Space]:
        """Where a question goes: a conversation that is there, or a new one, which is still to be added."""
        if question.conversation_id is not None:
            conversation = await self._own(tx, actor, question.conversation_id)
            if question.assistant_id not in (None, conversation.assistant_id):
                raise NotFound(N_("The conversation was not found."))
            answerer = question.mentioned or await self._answerer(tx, conversation, question.replaces)
            assistant, access = await readable_assistant(tx, actor, answerer)
            return conversation, assistant, access.space
        if question.replaces is not None:
            raise NotFound(N_("The message was not found."))
        if question.assistant_id is None:
            raise Invalid(N_("Say which conversation or assistant the question is for."), field="assistant_id")
        assistant, access = await readable_assistant(tx, actor, question.assistant_id)
        conversation = Conversation(
            tenant_id=actor.tenant_id,
            user_id=actor.user_id,
            assistant_id=assistant.id,
            name=_title(text or " ".join(f.name for f in files)),
            last_message_at=now(),
            api_key_id=actor.apart,
            temporary=question.temporary,
        )
        if question.mentioned is not None:
            assistant, access = await readable_assistant(tx, actor, question.mentioned)
        return conversation, assistant, access.space

    @staticmethod
    async def _answerer(tx: Transaction, conversation: Conversation, replaced: UUID | None) -> UUID:
        """Whose answer it is: of the one who answered the question that is replaced, else of the conversation's own."""
        message = await tx.get(Message, replaced) if replaced is not None else None
        if message is None or message.conversation_id != conversation.id:
            return conversation.assistant_id
        return message.assistant_id

    async def _plan(
        self,
        tx: Transaction,
        actor: Actor,
        assistant: Assistant,
        space: Space,
        conversation: Conversation,
        earlier: Sequence[Message],
        text: str,
        files: Sequence[File],
    ) -> Plan:
        own = await self._model(tx, assistant, space)
        heard = await hearing(tx, conversation, assistant, earlier)
        heard.require(assistant, own)
        pictures = any(f.kind == "image" for f in files)
        if pictures and not own.model.vision:
            raise BadRequest(N_("This model cannot see pictures. Choose another assistant or remove the picture."))
        others = await stand_ins(tx, own, assistant, vision=pictures)
        choices = [own, *(each for each in others if heard.may(each.model))]
        ratings = await ratings_of(tx, choices) if assistant.model_preference == Preference.QUALITY else {}
        choices = preferred(choices, assistant.model_preference, self.health, ratings)
        message = Message(
            tenant_id=actor.tenant_id,
            conversation_id=conversation.id,
            assistant_id=assistant.id,
            question=text,
            owner=self._answering.owner,
            heartbeat_at=now(),
        )
        passed: Sequence[dict[str, Any]] = ()
        if choices[0].counted:
            choices, passed = affordable(choices, await self._ledger.room(tx, attribution(actor, assistant, message)))
        choice, *others = choices
        answers_with(message, choice)
        searched = await tx.assistants.searched(assistant.id)
        collections = await approved_in(tx, space, [collection for collection, _model, _provider in searched])
        return Plan(
            actor,
            assistant,
            message,
            choice,
            dict(assistant.model_settings),
            recalled(earlier),
            collections,
            files,
            own,
            heard=heard,
            stand_ins=others,
            passed=passed,
            embedders=list({model.id: (model, provider) for _collection, model, provider in searched}.values()),
            temporary=conversation.temporary,
        )

    async def _complete(self, tx: Transaction, plan: Plan, space: Space) -> None:
        """Read what is not needed to begin the search."""
        assistant = plan.assistant
        prompt, plan.instruction_files = await tx.assistants.instruction(assistant.id)
        if prompt is not None:
            plan.prompt = await filled(tx, plan.actor, assistant, self._zone, prompt.text)
        reranker = await rerank_in(tx, space) if plan.collections else None
        plan.reranker = reranker if reranker and plan.heard.may(reranker.model) else None

    @staticmethod
    async def _earlier(tx: Transaction, path: Sequence[UUID]) -> list[Message]:
        return [m for m in await tx.conversations.messages(path[-HISTORY_MESSAGES:]) if m.answer]

    @staticmethod
    async def _model(tx: Transaction, assistant: Assistant, space: Space) -> CompletionChoice:
        choice = await completion_choice(tx, assistant.completion_model_id)
        if choice is None:
            raise NoModel
        if not choice.usable:
            raise Forbidden(N_("The assistant's model is switched off. Choose another one in its settings."))
        await require_model(tx, space, choice.model)
        return choice

    async def regenerate(self, actor: Actor, message_id: UUID, *, easy: bool = False) -> Asked:
        """Ask a question again; its earlier answer is kept beside the new one, as a branch.

        The new one is in easy language when that is wanted, or when the earlier one was.
        """
        await self._limiter.take(Deed.QUESTION, actor)
        async with self._uow.read(actor.tenant_id) as tx:
            message, conversation = await self._own_message(tx, actor, message_id)
            if message.state == AnswerState.RUNNING:
                raise BadRequest(N_("This question is being answered. Wait for the answer, or stop it."))
            files = (await tx.conversations.files([message_id])).get(message_id, ())
        ids, easy = [f.id for f in files], easy or EASY in message.trace
        collections, documents = stored(narrowed(message))
        question = Question(
            message.question,
            conversation.id,
            None,
            ids,
            fresh=True,
            easy=easy,
            replaces=message_id,
            collection_ids=collections,
            documents=documents,
        )
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
            assistant, access = await readable_assistant(tx, actor, message.assistant_id)
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            branches = Branches(await tx.conversations.links(conversation.id))
            earlier = await self._earlier(tx, branches.path(message.parent_id))
            plan = await self._plan(tx, actor, assistant, access.space, conversation, earlier, message.question, files)
            await self._complete(tx, plan, access.space)
            plan.explained = True
            message.state, message.error, message.error_params = AnswerState.RUNNING, None, {}
            message.citations = None
            message.owner, message.heartbeat_at, message.stop_requested = self._answering.owner, now(), False
            plan.message = message
            narrow(plan, *stored(narrowed(message)))
            if EASY in message.trace:
                ask_easily(plan)
            others = [c for c in (plan.choice, *plan.stand_ins) if c.model.id != message.completion_model_id]
            if elsewhere and others:
                plan.choice, *plan.stand_ins = others
        self._answering.start(plan)
        return Asked(conversation, message, files)

    async def sweep(self, sure_seconds: float = SURE_SECONDS) -> int:
        """Close the runs whose process has died, with the text they had; how many. Nobody is `sure` at the first look."""
        return await self._interrupted.sweep(sure_seconds)

    async def replacing(self, actor: Actor, choice: CompletionChoice, assistant: Assistant) -> CompletionChoice | None:
        """Which model would answer now in place of an assistant's that rests; None when it does not or nothing stands in."""
        if not self.health.resting(choice.model.id):
            return None
        async with self._uow.read(actor.tenant_id) as tx:
            others = await stand_ins(tx, choice, assistant, vision=False)
        return next((each for each in others if not self.health.resting(each.model.id)), None)

    # Following

    async def follow(self, actor: Actor, message_id: UUID, offset: int = 0) -> AsyncIterator[RunEvent]:
        """The answer from character `offset` on, as it grows, until its final state."""
        run = self._own_run(actor, message_id)
        if run is not None:
            async for event in run.follow(offset):
                yield event
            return
        told = 0
        while True:
            async with self._uow.read(actor.tenant_id) as tx:
                message, _ = await self._own_message(tx, actor, message_id)
            if not offset and len(message.thought) > told:
                yield RunEvent(offset, thought=message.thought[told:], thought_from=told)
                told = len(message.thought)
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


def _asked(conversation: Conversation, *, easy: bool = False) -> Change:
    """That somebody asked, not what: the audit log is not encrypted."""
    new = {name: True for name, told in ((TEMPORARY, conversation.temporary), (EASY, easy)) if told}
    return Change("question_asked", "conversation", conversation.id, new=new)


def _title(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= NAME_LENGTH:
        return line
    return line[:NAME_LENGTH].rsplit(" ", 1)[0].rstrip(",.;:") + "…"
