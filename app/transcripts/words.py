"""What the readable transcripts say, in the reader's language."""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from domain.conversations.easy import EASY
from domain.conversations.entities import Message, MessageSource
from domain.conversations.mentions import mentioned
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView
from domain.kernel.errors import N_
from pages.i18n import translate

STATES = {
    "running": N_("The answer is still being written."),
    "stopped": N_("The answer was stopped before its end."),
    "interrupted": N_("The answer was interrupted before its end."),
    "failed": N_("The answer failed."),
}
_KEPT = "\n\t"
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Text without control characters, marks that turn the reading direction, and what no XML can hold."""
    lines = "\n".join(text.splitlines())
    return "".join(
        c for c in lines if c in _KEPT or (c not in _BIDI and unicodedata.category(c) not in ("Cc", "Cs", "Cn"))
    )


def one_line(text: str) -> str:
    """Text without breaks of lines."""
    return " ".join(clean(text).split())


def about(transcript: Transcript, language: str) -> Iterator[tuple[str, str]]:
    """Names and values for the head of a transcript."""
    yield translate("Assistant", language), one_line(transcript.assistant)
    yield translate("Begun", language), _moment(transcript.conversation.created_at, transcript.zone)
    yield translate("Exported", language), _moment(transcript.made_at, transcript.zone)


def asked(view: MessageView, language: str, zone: tzinfo) -> str:
    """When a question was asked, and which of several versions it is."""
    return f"{translate('Question', language)} · {_moment(view.message.created_at, zone)}{_version(view, language)}"


def answered_by(message: Message, language: str, zone: tzinfo) -> str:
    """The assistant of an answer, where it is not the conversation's own, the model, and when it was given."""
    model = one_line(translate(message.model_name, language))
    easy = f" · {translate('Easy language', language)}" if EASY in message.trace else ""
    name = one_line(mentioned(message).get("name", ""))
    who = f"{name} · " if name else ""
    return f"{who}{model}{easy} · {_moment(message.finished_at or message.created_at, zone)}"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _version(view: MessageView, language: str) -> str:
    """Which of several versions of a question and its answer this is; empty when it is the only one."""
    if len(view.versions) < 2:
        return ""
    number = view.versions.index(view.message.id) + 1
    return " · " + translate("Version {n} of {of}", language, n=number, of=len(view.versions))


def state(message: Message, language: str) -> str:
    """What is to be said of an answer that is not whole; empty when it is."""
    return translate(STATES[message.state], language) if message.state in STATES else ""


def source_title(source: MessageSource, language: str) -> str:
    """The name of a document with the place in it."""
    parts = [one_line(source.title)]
    if source.page_from:
        parts.append(translate("Page {page}", language, page=source.page_from))
    if source.heading_path:
        parts.append(" › ".join(one_line(heading) for heading in source.heading_path))
    return " · ".join(parts)


def cited(sources: Sequence[MessageSource]) -> list[MessageSource]:
    """The passages that an answer refers to."""
    return [source for source in sources if source.cited]


def address(source: MessageSource) -> str:
    """Where the document can be read on the web; empty when nowhere."""
    url = one_line(source.url or "")
    return url if url.startswith(("https://", "http://")) else ""
