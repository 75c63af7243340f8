"""Where a cited passage stands in the version that was cited."""

from uuid import uuid4

from domain.conversations.entities import Message, MessageSource
from domain.conversations.places import place, spans
from domain.knowledge.entities import DocumentState, DocumentVersion
from domain.knowledge.parsing import ParsedDocument

TENANT = uuid4()
FIRST, SECOND = "Avgiften är 4 300 kronor.", "Beslutet kan överklagas inom tre veckor."
WHOLE = f"Inledning.\n\n{FIRST}\n  {SECOND}\n\nSlut. {FIRST}"


def source(text: str, start: int, end: int, page: int | None = None) -> MessageSource:
    return MessageSource(
        tenant_id=TENANT, message_id=uuid4(), number=1, document_id=uuid4(), version_id=uuid4(), collection_id=uuid4(),
        chunk_id=uuid4(), title="Handbok.pdf", text=text, start=start, end=end, page_from=page,
    )  # fmt: skip


def answer(*verdicts: tuple[int, str, int | None, int | None]) -> Message:
    citations = [
        {"number": n, "start": 0, "end": 5, "verdict": verdict, "source_start": start, "source_end": end}
        for n, verdict, start, end in verdicts
    ]
    return Message(
        tenant_id=TENANT, conversation_id=uuid4(), assistant_id=uuid4(), question="Vad?", citations=citations
    )


def version(state: str = DocumentState.READY, media_type: str = "text/plain") -> DocumentVersion:
    return DocumentVersion(
        tenant_id=TENANT, document_id=uuid4(), number=1, filename="a", media_type=media_type, size=1, sha256="",
        blob_id=None, state=state,
    )  # fmt: skip


def parsed(text: str = WHOLE, page_starts: list[int] | None = None) -> ParsedDocument:
    return ParsedDocument(text, [], "text/plain", page_starts=page_starts or [])


def test_what_supports_an_answer_is_marked_and_what_is_not_found_is_not() -> None:
    joined = source(f"{FIRST}\n{SECOND}", WHOLE.index(FIRST), WHOLE.index(SECOND) + len(SECOND))
    at = joined.text.index(SECOND)
    message = answer((1, "supported", at, at + len(SECOND)), (1, "not_found", None, None), (2, "supported", 0, 3))
    assert spans(message, joined) == [(at, at + len(SECOND))]
    assert spans(message, joined, 1) == []
    found = place(joined, spans(message, joined, 0), version(), None, parsed())
    assert [found.text[start:end] for start, end in found.marks] == [SECOND]
    assert (found.changed, found.replaced, found.pictured) == (False, False, False)


def test_the_whole_passage_is_marked_where_nothing_was_checked() -> None:
    one = source(FIRST, WHOLE.index(FIRST), WHOLE.index(FIRST) + len(FIRST))
    assert spans(answer(), one) == [(0, len(FIRST))]


def test_equal_words_elsewhere_are_not_taken_for_the_passage() -> None:
    text = f"{FIRST}{' x' * 600}\n{FIRST}"
    start = text.rindex(FIRST)
    one = source(FIRST, start, start + len(FIRST), page=2)
    found = place(one, [(0, len(FIRST))], version(DocumentState.REPLACED), None, parsed(text, [0, 700]))
    [(first, last)] = found.marks
    assert found.text[first:last] == FIRST
    assert found.text[:first].count(FIRST) == 1
    assert (found.page, found.replaced) == (2, True)


def test_a_passage_changed_by_hand_is_said_to_be() -> None:
    one = source("Det här har någon skrivit själv.", 12, 37, page=1)
    found = place(one, [(0, 7)], version(), None, parsed(WHOLE, [0]))
    assert found.changed
    assert found.text == one.text
    assert found.marks == [(0, 7)]
