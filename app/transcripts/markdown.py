"""A conversation as Markdown.

Everything that somebody else has written stands quoted, so that it cannot pretend to be a part of the transcript. Answers
keep their own Markdown, but for HTML, pictures, and links that lead anywhere else than to the web; questions and passages
are shown as they were typed.
"""

import re
from collections.abc import Iterator
from datetime import tzinfo

from app.transcripts import words
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView
from pages.i18n import translate

_SIGNS = re.compile(r"([\\`*_\[\]<>#|~&!])")
_LINE_START = re.compile(r"^([ \t]*\d*)([-+=.)])", re.MULTILINE)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\]\((?!(?:https?://|mailto:))", re.IGNORECASE)


def plain(text: str) -> str:
    """Text that means itself: no sign of it is Markdown."""
    return _LINE_START.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", words.clean(text)))


def inline(text: str) -> str:
    """The same within a line."""
    return _SIGNS.sub(r"\\\1", words.one_line(text))


def harmless(answer: str) -> str:
    """An answer with its Markdown, without HTML, pictures and links that are not to the web or to an address."""
    text = _TAG.sub("&lt;", words.clean(answer)).replace("![", "!\\[").replace("]:", "]\\:")
    return _LINK.sub("]\\(", text)


def quoted(text: str) -> str:
    """As a quotation, line by line."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def written(transcript: Transcript, language: str) -> str:
    """The transcript as a Markdown document."""
    return "\n\n".join(_parts(transcript, language)) + "\n"


def _parts(transcript: Transcript, language: str) -> Iterator[str]:
    yield f"# {inline(transcript.conversation.name)}"
    yield "\n".join(f"- {name}: {inline(value)}" for name, value in words.about(transcript, language))
    if not transcript.complete:
        yield translate("The oldest questions of this long conversation are not included.", language)
    for view in transcript.messages:
        yield from _exchange(view, language, transcript.zone)


def _exchange(view: MessageView, language: str, zone: tzinfo) -> Iterator[str]:
    message = view.message
    yield f"## {words.asked(view, language, zone)}"
    yield quoted(plain(message.question))
    if view.files:
        names = ", ".join(inline(file.name) for file in view.files)
        yield f"{translate('Attached files', language)}: {names}"
    yield f"## {translate('Answer', language)} · {inline(words.answered_by(message, language, zone))}"
    if message.answer:
        yield quoted(harmless(message.answer))
    if words.state(message, language):
        yield f"*{words.state(message, language)}*"
    sources = words.cited(view.sources)
    if sources:
        yield f"### {translate('Sources', language)}"
    for source in sources:
        url = words.address(source)
        at = f" · {inline(url)}" if url else ""
        yield f"**\\[{source.number}\\]** {inline(words.source_title(source, language))}{at}"
        yield quoted(plain(source.text))
