"""Answer runs: an answer belongs to the server, not to the connection that asked for it.

A run appends to its text; any number of readers follow it from any character position. When the run is not in this
process (another process has it, or it ended long ago) a reader follows the message row instead.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from domain.conversations.entities import AnswerState, MessageSource
from domain.conversations.thoughts import MOST_CHARACTERS

PAUSE_SECONDS, LONGEST_PAUSE = 0.002, 0.1
"""So long for each answer that is being written lies between two pieces of the same one that are told, up to the longest.

Telling costs more than taking in, and nobody reads twenty words a second one by one; the first word never waits.
"""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """News of a run: text that begins at character `offset`, or its end in a final `state`.

    Or what the model thinks before it answers: `thought` begins at `thought_from`, at 0 when what was said of it before
    is void, since another model has been asked.
    """

    offset: int
    text: str = ""
    state: str = AnswerState.RUNNING
    thought: str = ""
    thought_from: int = 0

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self.state != AnswerState.RUNNING


@dataclass(eq=False)
class Run:
    """A run in this process."""

    message_id: UUID
    tenant_id: UUID
    user_id: UUID
    api_key_id: UUID | None = None
    text: str = ""
    thought: str = ""
    state: str = AnswerState.RUNNING
    sources: list[MessageSource] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    pause: Callable[[], float] = lambda: 0.0
    _tries: int = 0
    _waiting: "set[asyncio.Future[None]]" = field(default_factory=set)
    _told: float = 0.0
    _telling: asyncio.TimerHandle | None = None

    def append(self, text: str) -> None:
        """Add a piece of the answer and tell the readers."""
        self.text += text
        self.ready.set()
        self._tell()

    def think(self, thought: str) -> None:
        """Add a piece of what the model thinks before it answers."""
        self.thought = (self.thought + thought)[:MOST_CHARACTERS]
        self._tell()

    def try_anew(self, thought: str) -> None:
        """Another call begins: what the last one thought is void, down to the `thought` that had been before."""
        self.thought = thought
        self._tries += 1

    def close(self, state: str) -> None:
        """End the run; readers get what is left and then the final state."""
        self.state = state
        self.ready.set()
        self._wake()

    def _tell(self) -> None:
        """Wake the readers, now or together with what comes until the pause is over."""
        if self._telling is None:
            left = self._told + self.pause() - monotonic()
            if left > 0:
                self._telling = asyncio.get_running_loop().call_later(left, self._wake)
            else:
                self._wake()

    def _wake(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._told = monotonic()
        for reader in self._waiting:
            if not reader.done():
                reader.set_result(None)
        self._waiting.clear()

    async def follow(self, offset: int) -> AsyncIterator[RunEvent]:
        """The text from `offset` as it grows, with what is thought before it, then the end."""
        seen, tries = 0, self._tries
        while True:
            if tries != self._tries:
                seen, tries = 0, self._tries
            text, thought, state = self.text[offset:], self.thought[seen:], self.state
            if thought:
                yield RunEvent(offset, thought=thought, thought_from=seen)
                seen += len(thought)
            elif text:
                yield RunEvent(offset, text)
                offset += len(text)
            elif state != AnswerState.RUNNING:
                yield RunEvent(offset, state=state)
                return
            else:
                news = asyncio.get_running_loop().create_future()
                self._waiting.add(news)
                try:
                    await news
                finally:
                    self._waiting.discard(news)


async def within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event comes within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Runs:
    """The runs of this process, and the tasks that drive them."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, message_id: UUID) -> Run | None:
        """The run of this message, when it is in this process."""
        return self._runs.get(message_id)

    def add(self, run: Run) -> None:
        """Make a run known to readers."""
        self._runs[run.message_id] = run
        run.pause = self._pause

    def _pause(self) -> float:
        return min(LONGEST_PAUSE, PAUSE_SECONDS * len(self._runs))

    def drive(self, run: Run, work: "asyncio.Task[None]") -> None:
        """Keep the task alive until it ends; then forget the run."""
        self._tasks.add(work)

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            self._runs.pop(run.message_id, None)

        work.add_done_callback(ended)

    def tend(self, work: "asyncio.Task[None]") -> None:
        """Keep a task alive that follows an answer, and for which nobody waits."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    async def shutdown(self, grace_seconds: float = 5.0) -> None:
        """Stop all runs of this process; what they have is kept as interrupted."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace_seconds)
