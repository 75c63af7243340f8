"""From two ranked lists to passages."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.knowledge.entities import Chunk
from domain.knowledge.repository import ChunkText, FoundChunk
from domain.knowledge.retrieval import (
    JOINED_CHUNKS,
    SCARCE,
    Ranked,
    doubtful,
    fuse,
    passages,
    vector_weight,
)
from domain.ports import SearchHit, TextHits

TENANT, COLLECTION = uuid4(), uuid4()
TEXT = "".join(f"Stycke {number} handlar om ärende {number}.\n\n" for number in range(20))


def found(key: int, position: int, text: str, *, document: UUID, start: int, page: int | None = None) -> FoundChunk:
    chunk = Chunk(
        tenant_id=TENANT, collection_id=COLLECTION, document_id=document, version_id=document, key=key,
        position=position, text=text, start=start, end=start + len(text), token_count=10, page_from=page, page_to=page,
        heading_path=["Kapitel"],
    )  # fmt: skip
    return FoundChunk(ChunkText.of(chunk), "Policy", None, "sv")


def pieces(
    document: UUID, count: int = 6, *, first_key: int = 0, overlap: int = 0, pages: int = 1
) -> dict[int, FoundChunk]:
    """Chunks of 40 characters of TEXT that follow each other; each begins `overlap` characters before the other's end."""
    size = 40
    return {
        first_key + n: found(
            first_key + n, n, TEXT[max(0, n * size - overlap) : (n + 1) * size],
            document=document, start=max(0, n * size - overlap), page=n * pages // count + 1,
        )
        for n in range(count)
    }  # fmt: skip


def ranked(*keys: int) -> list[Ranked]:
    return [Ranked(key, 1.0 - place / 100, 0.9, 3.0) for place, key in enumerate(keys)]


def hits(*scores: float) -> list[SearchHit]:
    return [SearchHit(key, score) for key, score in enumerate(scores)]


def weight(query: str, covered: float, *, small_words: float = 0.0, chunks: int = 1_000) -> float:
    return vector_weight(query, TextHits(hits(covered), (), small_words, chunks))


def test_the_text_leg_counts_more_the_better_it_covers_the_question() -> None:
    weights = [weight("bygglov altan", covered / 10) for covered in range(3, 11)]
    assert weights == sorted(set(weights), reverse=True)
    assert weight("bygglov altan", 0.0) == weight("bygglov altan", SCARCE) > 0.5


def test_words_count_more_the_more_of_them_mean_something() -> None:
    weights = [weight("bygglov " * count, 0.3) for count in (1, 5, 10, 20, 5_000)]
    assert weights == sorted(set(weights), reverse=True)
    assert weights[0] > 0.5 > weights[2]
    assert weight("hur söker man ett bygglov", 0.3, small_words=0.8) == pytest.approx(weight("bygglov", 0.3))


@pytest.mark.parametrize(
    "query", ["ärende 2026-114", 'avsnittet "allmänna villkor"', "SFS 2010", "vad säger lag 2010:900?"]
)
def test_words_count_more_where_codes_or_quotes_are_named(query: str) -> None:
    assert weight(query, 0.5) < weight("ett två tre fyra", 0.5)


def test_words_count_less_in_a_question_and_among_few_chunks() -> None:
    usual = weight("bygglov altan", 0.5)
    assert weight("bygglov altan?", 0.5) > usual
    assert weight("bygglov altan", 0.5, chunks=70) > usual == weight("bygglov altan", 0.5, chunks=300)
    assert vector_weight("bygglov " * 5_000, TextHits()) < 0.01


def test_the_order_of_the_best_does_not_hang_on_how_many_were_asked_for() -> None:
    near = [SearchHit(key, 0.9 - key / 1_000) for key in range(400)]
    texts = [SearchHit(50 - key, 0.6 - key / 100) for key in range(40)]
    few, many = (fuse([near[:depth]], texts, 0.7) for depth in (60, 100))
    assert [row.key for row in few[:20]] == [row.key for row in many[:20]]


@pytest.mark.parametrize(("weight", "heard"), [(0.05, True), (0.5, True), (0.79, True), (0.95, False)])
def test_what_a_leg_holds_for_the_best_is_heard(weight: float, heard: bool) -> None:
    near = [SearchHit(key, 0.9 - key / 1_000) for key in range(60)]
    texts = [SearchHit(100 + key, 0.6 - key / 100) for key in range(40)]
    order = {row.key for row in fuse([near], texts, weight)[:10]}
    assert {0, 1} <= order
    # What words found is not heard where they hardly count.
    assert ({100, 101} <= order) is heard


def test_a_chunk_in_both_legs_beats_one_that_leads_a_single_leg() -> None:
    order = fuse(
        [[SearchHit(1, 0.90), SearchHit(2, 0.88), SearchHit(3, 0.70)]], [SearchHit(2, 12.0), SearchHit(4, 6.0)], 0.75
    )
    assert [row.key for row in order] == [2, 1, 4, 3]
    assert (order[0].vector, order[0].text) == (0.88, 12.0)
    assert (order[2].vector, order[2].text) == (None, 6.0)


@pytest.mark.parametrize("weight", [0.0, 0.45, 0.75, 1.0])
def test_a_silent_leg_leaves_the_order_to_the_other(weight: float) -> None:
    assert [r.key for r in fuse([], [SearchHit(5, 1.0), SearchHit(6, 4.0)], weight)] == [6, 5]
    assert [r.key for r in fuse([[SearchHit(5, 0.2), SearchHit(6, 0.8)]], [], weight)] == [6, 5]


def test_words_that_hardly_cover_the_question_count_little() -> None:
    near = [SearchHit(1, 0.90), SearchHit(2, 0.80), SearchHit(3, 0.70)]
    scarce, plenty = [SearchHit(3, 0.05)], [SearchHit(3, 0.5)]
    assert [row.key for row in fuse([near], scarce, 0.6)] == [1, 2, 3]
    assert [row.key for row in fuse([near], plenty, 0.6)] == [1, 3, 2]


def test_each_model_has_its_own_scale() -> None:
    near = [SearchHit(1, 0.90), SearchHit(2, 0.80)]
    far = [SearchHit(3, 0.40), SearchHit(4, 0.10)]
    assert [row.key for row in fuse([near, far], [], 0.75)] == [1, 3, 2, 4]


def test_nothing_found_gives_nothing() -> None:
    assert fuse([], [], 0.75) == []
    assert passages([], {}, 5) == []


def test_equal_scores_keep_a_fixed_order() -> None:
    hits = [SearchHit(key, 0.5) for key in (9, 3, 7)]
    assert [row.key for row in fuse([hits], [], 0.75)] == [3, 7, 9]
    assert all(row.score == 1.0 for row in fuse([hits], [], 0.75))


legs = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), unique_by=lambda pair: pair[0], max_size=20)


@given(legs, legs, st.floats(0, 1))
def test_scores_lie_between_nought_and_one_and_every_hit_is_ranked_once(
    vectors: list[tuple[int, float]], texts: list[tuple[int, float]], weight: float
) -> None:
    order = fuse([[SearchHit(*v) for v in vectors]], [SearchHit(*t) for t in texts], weight)
    assert sorted(row.key for row in order) == sorted({k for k, _ in vectors} | {k for k, _ in texts})
    assert all(-1e-9 <= row.score <= 1 + 1e-9 for row in order)
    assert [row.score for row in order] == sorted((row.score for row in order), reverse=True)


def test_neighbours_are_joined_into_one_passage() -> None:
    chunks = pieces(uuid4())
    [passage] = passages(ranked(2, 1), chunks, 5)
    assert passage.positions == (1, 2)
    assert (passage.start, passage.end) == (40, 120)
    assert (passage.page_from, passage.page_to) == (1, 1)
    assert "".join(passage.text.split()) == "".join(TEXT[40:120].split())
    assert passage.chunk_id == chunks[2].chunk.id
    assert passage.score == 1.0


def test_chunks_on_different_pages_stay_apart() -> None:
    found = passages(ranked(2, 1), pieces(uuid4(), pages=6), 5)
    assert [(passage.page_from, passage.page_to) for passage in found] == [(3, 3), (2, 2)]


def test_a_passage_stays_short_enough_to_be_read() -> None:
    result = passages(ranked(2, 3, 1, 4, 0), pieces(uuid4()), 5)
    assert [p.positions for p in result] == [(2, 3), (0, 1), (4, 4)]
    assert all(last - first < JOINED_CHUNKS for first, last in (p.positions for p in result))


@pytest.mark.parametrize("order", [(2, 3), (3, 2)])
def test_an_overlap_is_shown_once(order: tuple[int, int]) -> None:
    [passage] = passages(ranked(*order), pieces(uuid4(), overlap=15), 5)
    assert passage.text == TEXT[65:160]
    assert (passage.start, passage.end) == (65, 160)


def test_chunks_of_other_documents_are_no_neighbours() -> None:
    one, other = pieces(uuid4(), 3), pieces(uuid4(), 3, first_key=100)
    for key, match in other.items():
        other[key] = found(
            key, match.chunk.position, "Annat: " + match.chunk.text, document=match.chunk.document_id, start=0
        )
    result = passages(ranked(1, 102), one | other, 5)
    assert [p.positions for p in result] == [(1, 1), (2, 2)]


def test_the_same_text_is_shown_once_however_it_is_set() -> None:
    chunks = {
        1: found(1, 0, "Bygglov krävs.", document=uuid4(), start=0),
        2: found(2, 4, "BYGGLOV   krävs", document=uuid4(), start=9),
    }
    result = passages(ranked(1, 2), chunks, 5)
    assert [p.text for p in result] == ["Bygglov krävs."]


def test_texts_that_only_begin_alike_are_all_shown() -> None:
    # Forms and minutes begin with the same words; here the first comes once more at the end, set otherwise.
    heading = "Sundviks kommun, protokoll fört vid nämndens sammanträde den tolfte mars."
    texts = [f"{heading} {end}" for end in ("Ja.", "Nej.", "Bordlagt.", "JA")]
    chunks = {n: found(n, 0, text, document=uuid4(), start=0) for n, text in enumerate(texts)}
    assert [p.text for p in passages(ranked(*chunks), chunks, 5)] == texts[:3]


def test_the_limit_holds_and_neighbours_still_join_the_best() -> None:
    chunks = pieces(uuid4(), 6)
    result = passages(ranked(0, 4, 2, 1), chunks, 2)
    assert [p.positions for p in result] == [(0, 1), (4, 4)]


def test_a_chunk_that_is_gone_is_passed_over() -> None:
    chunks = pieces(uuid4(), 1)
    assert [p.start for p in passages(ranked(77, 0), chunks, 5)] == [0]


@given(st.lists(st.integers(0, 5), unique=True, min_size=1), st.integers(1, 6), st.integers(0, 20))
def test_each_passage_is_what_stands_between_its_ends(keys: list[int], limit: int, overlap: int) -> None:
    result = passages(ranked(*keys), pieces(uuid4(), overlap=overlap), limit)
    assert 1 <= len(result) <= limit
    for passage in result:
        assert "".join(passage.text.split()) == "".join(TEXT[passage.start : passage.end].split())
        assert passage.positions[0] <= passage.positions[1]


def test_doubt_needs_both_legs_to_be_poor_and_a_model_that_is_known() -> None:
    e5, near, far = ["multilingual-e5-small"], [SearchHit(1, 0.9)], [SearchHit(1, 0.8)]
    assert doubtful(e5, far, 0.05)
    assert doubtful(e5, [], 0.0)
    assert not doubtful(e5, near, 0.05)
    assert not doubtful(e5, far, 0.5)
    assert not doubtful(["text-embedding-3-small"], far, 0.0)
    assert not doubtful([*e5, "text-embedding-3-small"], far, 0.0)
    assert not doubtful([], [], 0.0)
