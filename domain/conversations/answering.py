"""Answering: what happens between a question that is written down and an answer that is saved."""

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from os import getpid
from time import monotonic
from typing import Any

from domain.conversations.ahead import Foreseen, begun, unless_given_up
from domain.conversations.attempts import BUDGET, EMPTY, LENGTH, ONLY_THOUGHT, Attempts, fitting
from domain.conversations.citations import Stems
from domain.conversations.context import (
    KNOWLEDGE_TOKENS,
    AttachedImage,
    AttachedText,
    Context,
    Exchange,
    Material,
    assemble,
)
from domain.conversations.entities import AnswerState
from domain.conversations.evidence import source_of, unread_of
from domain.conversations.plan import FORGOTTEN, Plan, answers_with
from domain.conversations.records import Records
from domain.conversations.reuse import Reuse, copied, earlier, marks, told
from domain.conversations.rewriting import sought
from domain.conversations.run import Run, Runs, within
from domain.conversations.saving import Saving
from domain.conversations.summaries import Summaries
from domain.conversations.thoughts import Thoughts
from domain.files.entities import File
from domain.files.service import FileService
from domain.kernel import tracing
from domain.kernel.clock import now
from domain.kernel.errors import (
    N_,
    BudgetExhausted,
    Failure,
    ProviderFailed,
    QueryTooLong,
    StorageTrouble,
    Trouble,
)
from domain.kernel.ids import new_id
from domain.knowledge.retrieval import Retrieval
from domain.knowledge.searching import Meaning, SearchService
from domain.models.capacity import Capacity
from domain.models.entities import ModelProvider
from domain.models.health import Health
from domain.ports import Access, ChatDelta, ChatProvider, ChatRequest, ContextPassage
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import attributed, present
from domain.usage.ledger import Ledger, count_in

log = logging.getLogger(__name__)
PASSAGES = 10
ASKED_SECONDS = 0.003
"""The question is on its way after so long, and what was found is told."""
INTERRUPTED = N_("The answer was interrupted. What had arrived is kept; you can continue.")
NOT_EXPECTED = N_("The answer failed unexpectedly. Try again; if it happens again, report the id {id}.")
CONTINUE = N_("Continue exactly where your answer broke off.")


class Answering:
    """Drives the answer runs of this process."""

    def __init__(
        self,
        uow: UnitOfWork,
        search: SearchService,
        files: FileService,
        chat: ChatProvider,
        runs: Runs,
        stems: Stems,
        ledger: Ledger,
        health: Health,
        capacity: Capacity,
    ) -> None:
        self._uow, self._search, self._files = uow, search, files
        self._chat, self.runs, self._stems = chat, runs, stems
        self._ledger = ledger
        self.health, self.capacity = health, capacity
        self.owner = f"{socket.gethostname()[:60]}:{getpid()}:{new_id().hex[-8:]}"
        self._saving = Saving(uow, self.owner)
        self._records = Records(uow, ledger, stems, self.owner)
        self._summaries = Summaries(uow, chat, ledger, self.capacity)
        self.foreseen = Foreseen(search)

    def start(self, plan: Plan) -> None:
        """Begin the run; it goes on whoever listens."""
        actor, message = plan.actor, plan.message
        plan.kept, plan.thought = len(message.answer), message.thought
        run = Run(message.id, actor.tenant_id, actor.user_id, actor.apart, message.answer, message.thought)
        self.runs.add(run)
        with attributed(plan.who), tracing.within(plan.span):
            self.runs.drive(run, asyncio.create_task(self._run(plan, run), name=f"answer {run.message_id}"))

    @asynccontextmanager
    async def embedding(self, plan: Plan) -> AsyncIterator[None]:
        """Ask the embedding models while the rest of the plan is read."""
        self.foreseen.note(plan)
        if plan.collections:
            plan.meaning = begun(plan, self._meaning(plan))
        async with unless_given_up(plan.meaning):
            yield

    @asynccontextmanager
    async def searching(self, plan: Plan) -> AsyncIterator[None]:
        """Begin the search while the question is written down."""
        if plan.collections:
            plan.retrieving = begun(plan, self._retrieve(plan))
        async with unless_given_up(plan.retrieving):
            yield

    async def _run(self, plan: Plan, run: Run) -> None:
        state, error, params = str(AnswerState.DONE), None, {}
        plan.message.trace.pop("error_code", None)
        try:
            async with self._saving.saved(run):
                stopped = await self._answer(plan, run)
            state = AnswerState.STOPPED if stopped else AnswerState.DONE
        except asyncio.CancelledError:
            state, error = AnswerState.INTERRUPTED, INTERRUPTED
        except Failure as failure:
            state, error, params = AnswerState.FAILED, failure.message, dict(failure.params)
            plan.message.trace["error_code"] = failure.code
        except StorageTrouble as trouble:
            log.warning("answer %s could not be given: %s", run.message_id, trouble)
            state, error, params = AnswerState.FAILED, trouble.shown.message, dict(trouble.shown.params)
            plan.message.trace["error_code"] = trouble.shown.code
        except Exception:
            incident = new_id().hex[-8:]
            log.exception("answer run failed, id %s", incident)
            state, error, params = AnswerState.FAILED, NOT_EXPECTED, {"id": incident}
        await asyncio.shield(self._records.close(plan, run, state, error, params))
        plan.tell(state)
        if state == AnswerState.DONE:
            self.runs.tend(asyncio.create_task(self._summaries.keep_up(plan), name=f"summary {run.message_id}"))

    async def _answer(self, plan: Plan, run: Run) -> bool:
        """Retrieve, then ask one model after the other until one begins to answer. Whether the user stopped it."""
        searching = plan.retrieving or self._retrieve(plan)
        retrieval, plan.access = await asyncio.gather(searching, self._access(plan.choice.provider))
        attempts = Attempts(plan.choice, list(plan.stand_ins), self.health, list(plan.passed))
        failed: Failure | None = None
        while True:
            await attempts.begin()
            _choose(plan, attempts)
            try:
                return await self._attempt(plan, run, retrieval, attempts)
            except ProviderFailed as failure:
                failed = failure
                wait = None if len(run.text) > plan.kept else await attempts.after(failure)
                if wait is None:
                    if attempts.left:
                        plan.message.trace["elsewhere"] = attempts.left[0].model.nickname
                    raise
                await self._records.end_attempt(plan, run, failure)
                if await within(wait, run.stop):
                    return True
            except (QueryTooLong, BudgetExhausted) as refusal:
                failed = failed or refusal
                if not await attempts.skip(LENGTH if isinstance(refusal, QueryTooLong) else BUDGET):
                    raise failed from None

    async def _attempt(self, plan: Plan, run: Run, retrieval: Retrieval | None, attempts: Attempts) -> bool:
        """Assemble for the chosen model and take its answer in. Whether the user stopped it."""
        shown = False
        try:
            context = await self._fitting_context(plan, run, retrieval)
            if plan.earlier is not None:
                plan.message.trace |= {"reused": told(plan.earlier), "first_token_ms": plan.milliseconds}
                run.append(plan.earlier.message.answer)
                return False
            request = self._request(plan, context)
            run.try_anew(plan.thought)
            ended = asyncio.Event()
            explaining = asyncio.create_task(self._records.explain(plan, run, request, context, retrieval, ended))
            if not plan.stand_ins:
                # Otherwise another model, with less room, may yet be given fewer passages.
                asyncio.get_running_loop().call_later(ASKED_SECONDS, run.ready.set)
            try:
                return await self._stream(plan, run, request, attempts)
            finally:
                ended.set()
                await asyncio.gather(explaining)
                shown = len(run.text) > plan.kept
        except ProviderFailed:
            # What the failure means for the model is said when it is known what follows on it.
            shown = True
            raise
        finally:
            if not shown:
                await self.health.left(plan.choice.model.id)

    async def _retrieve(self, plan: Plan) -> Retrieval | None:
        if not plan.collections:
            return None
        retrieval = await self._search.in_collections(
            plan.actor.tenant_id,
            _sought(plan),
            plan.collections,
            limit=PASSAGES,
            narrowed=plan.documents,
            whole_tokens=plan.whole_tokens,
            reranker=plan.reranker,
            meaning=plan.meaning or self._meaning(plan),
        )
        plan.message.trace["words_only"] = bool(retrieval.silent)
        plan.message.trace["retrieval_ms"] = plan.milliseconds
        return retrieval

    def _meaning(self, plan: Plan) -> Coroutine[Any, Any, Meaning]:
        return self._search.meaning(plan.actor.tenant_id, _sought(plan), plan.collections, plan.embedders)

    async def _fitting_context(self, plan: Plan, run: Run, retrieval: Retrieval | None) -> Context:
        context = assemble(await self._material(plan, run, retrieval), plan.choice.model.token_limit)
        bounds = (context.max_answer_tokens, plan.choice.model.max_output, plan.max_tokens)
        context.max_answer_tokens = min(bound for bound in bounds if bound is not None)
        plan.message.tokens_question = context.tokens
        plan.message.trace["left_out"] = context.left_out
        again = bool(run.sources)
        run.sources = [source_of(plan, number, p) for number, p in enumerate(context.passages, 1)]
        async with self._uow.begin(plan.actor.tenant_id) as tx:
            if run.text or again:
                await tx.conversations.remove_sources(run.message_id)
            if await self._found_again(tx, plan, run, context, retrieval):
                await tx.add(*run.sources, *present().collected or ())
                return context
            if run.sources:
                plan.message.trace["unread"] = unread_of(context.passages)
            plan.call = await self._ledger.open(
                tx,
                plan.choice.model,
                plan.choice.provider,
                tokens_in=context.tokens,
                most_out=context.max_answer_tokens,
                price=plan.choice.price,
                budgets=plan.choice.counted,
            )
        return context

    async def _found_again(
        self, tx: Transaction, plan: Plan, run: Run, context: Context, retrieval: Retrieval | None
    ) -> bool:
        """Whether an earlier answer does; then its passages are those of this one."""
        plan.marks = None
        own = plan.files or plan.temporary or plan.message.trace.get(FORGOTTEN)
        if plan.assistant.answer_reuse == Reuse.OFF or own or run.text:
            return False
        plan.marks = marks(
            plan.choice.model.id,
            plan.settings,
            context,
            plan.prompt,
            plan.instruction_files,
            plan.history,
            retrieval.meant if retrieval else None,
            await tx.knowledge.state_of([c.id for c in plan.collections]),
        )
        if plan.fresh:
            return False
        plan.earlier = await earlier(tx, plan.assistant, plan.marks, plan.message.question, retrieval, self._stems)
        if plan.earlier is None:
            return False
        run.sources = copied(plan.earlier, plan.message)
        return True

    async def _material(self, plan: Plan, run: Run, retrieval: Retrieval | None) -> Material:
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
            passages=retrieval.passages if retrieval else (),
            searched=retrieval is not None,
            unsure=retrieval is not None and retrieval.unsure,
            knowledge_tokens=KNOWLEDGE_TOKENS + plan.whole_tokens,
            today=now().date(),
        )

    async def _image(self, file: File) -> AttachedImage:
        parts = [part async for part in await self._files.stored(file)]
        encoded = base64.b64encode(b"".join(parts)).decode()
        return AttachedImage(file.name, f"data:{file.media_type};base64,{encoded}")

    async def _access(self, provider: ModelProvider) -> Access | None:
        """The key of a provider, while the search goes on; what is wrong with it is told when it is called."""
        try:
            return await self._chat.access(provider)
        except Failure:
            return None

    @staticmethod
    def _request(plan: Plan, context: Context) -> ChatRequest:
        access, plan.access = plan.access, None
        return ChatRequest(
            tenant_id=plan.actor.tenant_id,
            provider=plan.choice.provider,
            model=plan.choice.model,
            messages=context.messages,
            max_tokens=context.max_answer_tokens,
            settings=fitting(plan.settings, plan.choice, plan.asked),
            question=plan.message.question,
            passages=[
                ContextPassage(n, p.title, p.text, p.page_from, p.vector_score)
                for n, p in enumerate(context.passages, 1)
            ],
            searched=bool(plan.collections),
            language=plan.actor.language,
            access=access if access is not None and access.provider.id == plan.choice.provider.id else None,
        )

    async def _stream(self, plan: Plan, run: Run, request: ChatRequest, attempts: Attempts) -> bool:
        """Take the answer in until it ends or is stopped; whether it was stopped."""
        taking = asyncio.create_task(self._take_all(plan, run, request, attempts))
        stopping = asyncio.create_task(run.stop.wait())
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                return True
            await taking
            return stopping.done()
        finally:
            # The provider is left only when the task has ended, in whatever way.
            taking.cancel()
            stopping.cancel()
            await asyncio.gather(taking, stopping, return_exceptions=True)

    async def _take_all(self, plan: Plan, run: Run, request: ChatRequest, attempts: Attempts) -> None:
        tokens = plan.message.tokens_question + request.max_tokens
        place = self.capacity.place(request.provider, plan.actor.user_id, tokens, attempts.turn_seconds)
        thoughts, begun = Thoughts(), False
        async with place:
            called = monotonic()
            try:
                async with asyncio.timeout(attempts.first_word_seconds) as patience:
                    async with aclosing(self._chat.stream(request)) as stream:
                        async for delta in stream:
                            if not begun and (delta.text or delta.thought):
                                begun = True
                                patience.reschedule(None)
                                await self.health.answers(request.model.id)
                                self.health.began(request.model.id, round((monotonic() - called) * 1000))
                            self._take(plan, run, thoughts.sort(delta))
                    self._take(plan, run, thoughts.rest())
            except TimeoutError as error:
                raise attempts.slow() from error
        if not run.text:
            # As when it wants to call a tool that it was not offered.
            raise ProviderFailed(ONLY_THOUGHT if run.thought else EMPTY, trouble=Trouble.GARBAGE)

    @staticmethod
    def _take(plan: Plan, run: Run, delta: ChatDelta) -> None:
        message = plan.message
        if delta.thought:
            _note_time(plan, "thinking_ms")
            run.think(delta.thought.replace("\x00", ""))
        if delta.text:
            _note_time(plan, "first_token_ms")
            run.append(delta.text.replace("\x00", ""))
        if delta.tokens_question is not None:
            message.tokens_question, message.tokens_estimated = delta.tokens_question, False
        if delta.tokens_answer is not None:
            message.tokens_answer = delta.tokens_answer
        if plan.call is not None:
            count_in(plan.call, delta)


def _sought(plan: Plan) -> str:
    """What is searched for."""
    asked = plan.message.question or " ".join(f.name for f in plan.files)
    return sought(asked, [exchange.question for exchange in plan.history])


def _choose(plan: Plan, attempts: Attempts) -> None:
    """Let the model answer that is to be asked now, and say so in the message."""
    plan.choice, message = attempts.choice, plan.message
    answers_with(message, plan.choice)
    message.trace.pop("elsewhere", None)
    message.trace.pop("thinking_ms", None)
    # A list of its own: what is saved at the end is what is true then.
    message.trace["attempts"] = attempts.failed


def _note_time(plan: Plan, what: str) -> None:
    """Keep in the trace when it happened for the first time."""
    trace = plan.message.trace
    if what not in trace:
        trace[what] = plan.milliseconds
