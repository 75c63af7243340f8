"""Cutting documents into chunks."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingestion.chunk import HARD, SMALL, pack
from app.ingestion.readers import Builder
from domain.knowledge.entities import CHUNK_TOKENS
from domain.knowledge.parsing import ChunkDraft, ParsedDocument

TOKEN = re.compile(r"\w{1,5}|[^\w\s]")


def offsets(text: str) -> list[int]:
    """A tokenizer that cuts words into pieces of five letters."""
    return [match.start() for match in TOKEN.finditer(text)]


def cut(document: ParsedDocument, title: str = "Titel") -> list[ChunkDraft]:
    return pack(document, title, offsets(document.text))


def words(count: int, word: str = "ord") -> str:
    return " ".join([word] * count)


def document_of(*blocks: tuple[str, str] | tuple[str, str, int]) -> ParsedDocument:
    """A document of (kind, text[, page]) blocks; `h1`, `h2` … are headings of that level."""
    builder = Builder()
    starts: list[int] = []
    for kind, text, *page in blocks:
        number = page[0] if page else None
        if number and number > len(starts):
            starts.append(builder.length)
        if kind.startswith("h"):
            builder.heading(int(kind[1:]), text, number)
        else:
            builder.add(kind, text, number)
    document = builder.document("text/plain")
    document.page_starts = starts
    return document


prose = st.lists(
    st.sampled_from(["bygglov", "och", "a", "handläggningstidernas", "§", "1.2", "nej.", "Ja!", "\n", "\n\n", "-"])
)
texts = (
    prose.map(" ".join)
    | st.text(max_size=400)
    | st.integers(1, 6_000).map(lambda n: "x" * n)
    | st.integers(1, 900).map(words)
)
blocks = st.lists(
    st.tuples(st.sampled_from(["h1", "h2", "h3", "paragraph", "list", "table", "code"]), texts, st.integers(1, 5)),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(blocks)
def test_spans_are_exact_ordered_and_lose_nothing(parts: list[tuple[str, str, int]]) -> None:
    document = document_of(*sorted(parts, key=lambda part: part[2]))
    chunks = cut(document)
    covered = [False] * len(document.text)
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert chunk.text
        assert chunk.text == chunk.text.strip()
        assert chunk.token_count <= HARD
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    assert all(a.end <= b.start for a, b in pairwise(chunks))
    lost = [document.text[i] for i, seen in enumerate(covered) if not seen and not document.text[i].isspace()]
    assert lost == []


def test_an_empty_document_has_no_chunks() -> None:
    assert cut(ParsedDocument("", [], "text/plain")) == []


def test_short_paragraphs_are_packed_up_to_the_target() -> None:
    chunks = cut(document_of(*[("paragraph", words(50)) for _ in range(20)]))
    assert len(chunks) == 4
    assert all(CHUNK_TOKENS - 50 < chunk.token_count <= CHUNK_TOKENS for chunk in chunks)


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    text = " ".join(f"{words(39)}." for _ in range(20))
    chunks = cut(document_of(("paragraph", text)))
    assert len(chunks) > 2
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_a_sentence_without_end_is_cut_between_words() -> None:
    chunks = cut(document_of(("paragraph", words(1_000, "kommun"))))
    assert all(set(chunk.text.split()) == {"kommun"} for chunk in chunks)
    assert sum(len(chunk.text.split()) for chunk in chunks) == 1_000


def test_a_word_without_end_is_cut_all_the_same() -> None:
    chunks = cut(document_of(("paragraph", "x" * 10_000)))
    assert "".join(chunk.text for chunk in chunks) == "x" * 10_000
    assert all(chunk.token_count <= CHUNK_TOKENS for chunk in chunks)


def test_a_heading_begins_a_chunk_and_stays_with_its_text() -> None:
    chunks = cut(
        document_of(("h1", "Avgifter"), ("paragraph", words(SMALL)), ("h1", "Tider"), ("paragraph", words(SMALL)))
    )
    assert [chunk.text.split()[0] for chunk in chunks] == ["Avgifter", "Tider"]
    assert [chunk.heading_path for chunk in chunks] == [("Avgifter",), ("Tider",)]


def test_a_tiny_section_is_not_a_chunk_of_its_own() -> None:
    chunks = cut(document_of(("h1", "Ett"), ("paragraph", "Kort."), ("h1", "Två"), ("paragraph", "Också kort.")))
    assert len(chunks) == 1


def test_title_and_headings_are_embedded_but_not_stored() -> None:
    [chunk] = cut(document_of(("h1", "Bygglov"), ("h2", "Altan"), ("paragraph", "Krävs inte.")), "Handbok")
    assert chunk.embedded_text == f"Handbok › Bygglov › Altan\n{chunk.text}"
    assert "Handbok" not in chunk.text


def test_endless_headings_do_not_crowd_out_the_text() -> None:
    [chunk] = cut(document_of(("h1", "A" * 190), ("h2", "B" * 190), ("paragraph", "Text.")), "T" * 255)
    above, _, rest = chunk.embedded_text.partition("\n")
    assert len(above) <= 180
    assert rest == chunk.text


@pytest.mark.parametrize("size", [CHUNK_TOKENS, CHUNK_TOKENS + 1, HARD, HARD + 1])
def test_chunks_know_their_pages(size: int) -> None:
    chunks = cut(
        document_of(("paragraph", words(size), 1), ("paragraph", words(10), 2), ("paragraph", words(CHUNK_TOKENS), 3))
    )
    assert chunks[0].page_from == 1
    assert chunks[-1].page_to == 3
    assert all((chunk.page_from or 0) <= (chunk.page_to or 0) for chunk in chunks)


def test_documents_without_pages_have_chunks_without_pages() -> None:
    [chunk] = cut(document_of(("paragraph", "Text.")))
    assert (chunk.page_from, chunk.page_to) == (None, None)
