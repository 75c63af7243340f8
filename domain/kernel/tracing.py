"""Where the time goes: pieces of work that belong together across processes, told to whoever collects traces.

A piece begins inside the present one. Where nobody listens, next to nothing is done. What is noted are kinds, numbers and
names of models: never what people write, nor who they are.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[P, Coroutine[Any, Any, T]]
Facts = Mapping[str, str | int | float | bool]
Kind = Literal["internal", "server", "client", "consumer"]
"""What a piece is: work of our own, a request, a call of somebody else, a job."""
NOTHING: Facts = {}


class Span(Protocol):
    """A piece of work."""

    @property
    def trace_id(self) -> str:
        """The id of all that belongs together, in hexadecimal; empty where nobody listens."""

    @property
    def carried(self) -> str:
        """What another process needs in order to go on with this (W3C `traceparent`); empty where nobody listens."""

    def rename(self, name: str) -> None:
        """Give it another name, once more is known."""

    def note(self, facts: Facts) -> None:
        """Add what is known of it."""

    def mark(self, moment: str) -> None:
        """Something happened in it just now."""

    def fail(self, kind: str) -> None:
        """It went wrong; `kind` is the name of an error, never its text."""

    def end(self) -> None:
        """It is over. A piece that is never ended is told to nobody."""


class Tracer(Protocol):
    """Collects traces."""

    def begin(self, name: str, facts: Facts, kind: Kind, parent: Span | str | None, seconds_ago: float) -> Span:
        """A piece of work that began `seconds_ago`; `parent` is a piece of this process, or what was carried here."""


class _Silent:
    """What is told to nobody."""

    trace_id = carried = ""

    def rename(self, name: str) -> None: ...

    def note(self, facts: Facts) -> None: ...

    def mark(self, moment: str) -> None: ...

    def fail(self, kind: str) -> None: ...

    def end(self) -> None: ...


SILENT: Span = _Silent()
_PRESENT: ContextVar[Span | None] = ContextVar("span", default=None)
_tracer: Tracer | None = None


def listen(tracer: Tracer | None) -> None:
    """From now on `tracer` is told what this process does; None: nobody is. As with a log, there is one for a process."""
    global _tracer
    _tracer = tracer


def present() -> Span:
    """The piece of work that the present task is about."""
    return _PRESENT.get() or SILENT


def carried() -> str | None:
    """What another process needs in order to go on with the present piece of work; None where nobody listens."""
    return present().carried or None


def begin(
    name: str, facts: Facts = NOTHING, *, kind: Kind = "internal", parent: str | None = None, seconds_ago: float = 0.0
) -> Span:
    """A piece of work inside the present one, or inside what was carried here (`parent`)."""
    if _tracer is None:
        return SILENT
    return _tracer.begin(name, facts, kind, parent or _PRESENT.get(), seconds_ago)


@contextmanager
def within(span: Span) -> Iterator[None]:
    """The block, and the tasks begun in it, belong to `span`, which goes on after it."""
    if span is SILENT:
        yield
        return
    token = _PRESENT.set(span)
    try:
        yield
    finally:
        _PRESENT.reset(token)


@contextmanager
def span(name: str, facts: Facts = NOTHING, *, kind: Kind = "internal", parent: str | None = None) -> Iterator[Span]:
    """The block is a piece of work."""
    begun = begin(name, facts, kind=kind, parent=parent)
    try:
        with within(begun):
            yield begun
    except BaseException as error:
        begun.fail(type(error).__name__)
        raise
    finally:
        begun.end()


def traced(name: str, *, kind: Kind = "internal") -> Callable[[Work[P, T]], Work[P, T]]:
    """Each call of the function is a piece of work."""

    def around(function: Work[P, T]) -> Work[P, T]:
        @wraps(function)
        async def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with span(name, kind=kind):
                return await function(*args, **kwargs)

        return called

    return around
