"""The built-in embedding model, as it is: converted, in a process of its own."""

import array
import asyncio
import json
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from app.ai.embedding import DIMENSIONS, MAX_TOKENS
from app.ai.embedding.client import BuiltinEmbedder
from app.ingestion.chunk import HARD
from app.ingestion.parse import DocumentParser
from domain.kernel.errors import ProviderFailed
from domain.knowledge.parsing import Block, ParsedDocument
from tests.support.programs import children
from tests.support.server import MODEL

QUESTION = "Hur lång tid tar det att få bygglov?"
RIGHT = "Handläggningstiden för en bygglovsansökan är högst tio veckor från det att den är komplett."
WRONG = ["Simhallen är öppen måndag till fredag mellan 7 och 21.", "Barnomsorgen tar ut en avgift efter inkomst."]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedding")


@pytest.fixture
def embedder(run: Path) -> BuiltinEmbedder:
    # Lives long enough for the next test to find it, and ends by itself after the last one.
    return BuiltinEmbedder(MODEL, run, idle_seconds=15)


def numbers(vector: bytes) -> Sequence[float]:
    return array.array("f", vector)


def likeness(a: bytes, b: bytes) -> float:
    return sum(x * y for x, y in zip(numbers(a), numbers(b), strict=True))


async def test_vectors_have_the_promised_shape(embedder: BuiltinEmbedder) -> None:
    vectors = await embedder.embed([RIGHT, "a", "", "ord " * 2_000], "passage")
    assert len(vectors) == 4
    for vector in vectors:
        assert len(numbers(vector)) == DIMENSIONS
        assert math.isclose(likeness(vector, vector), 1.0, abs_tol=1e-4)
    assert await embedder.embed([], "query") == []


async def test_a_question_is_nearest_to_its_answer(embedder: BuiltinEmbedder) -> None:
    [question] = await embedder.embed([QUESTION], "query")
    right, *wrong = await embedder.embed([RIGHT, *WRONG], "passage")
    assert all(likeness(question, right) > likeness(question, other) + 0.03 for other in wrong)


async def test_it_understands_across_languages(embedder: BuiltinEmbedder) -> None:
    [question] = await embedder.embed(["How long does a building permit take?"], "query")
    right, *wrong = await embedder.embed([RIGHT, *WRONG], "passage")
    assert all(likeness(question, right) > likeness(question, other) for other in wrong)


async def test_company_changes_a_vector_only_within_rounding(embedder: BuiltinEmbedder) -> None:
    [alone] = await embedder.embed([RIGHT], "passage")
    among = await embedder.embed([*WRONG * 20, RIGHT, "x"], "passage")
    assert likeness(alone, among[40]) > 0.98


async def test_a_query_and_a_passage_of_the_same_words_differ(embedder: BuiltinEmbedder) -> None:
    [query], [passage] = await embedder.embed([RIGHT], "query"), await embedder.embed([RIGHT], "passage")
    assert query != passage
    assert likeness(query, passage) > 0.8


async def test_tokens_begin_where_the_text_says(embedder: BuiltinEmbedder) -> None:
    text = f"{RIGHT}\n\n  Tabell | 12 345 kr\t§ 7 😀 " * 3_000
    offsets = await embedder.token_offsets(text)
    assert len(text) > 250_000
    assert all(a <= b for a, b in pairwise(offsets))
    assert offsets[0] >= 0
    assert offsets[-1] < len(text)
    words = len(text.split())
    assert words < len(offsets) < 4 * words
    assert len(text) - offsets[-1] < 20
    assert await embedder.token_offsets("") == []


async def test_chunks_never_exceed_what_the_model_reads(embedder: BuiltinEmbedder) -> None:
    text = f"{RIGHT} {' '.join(WRONG)} " * 150 + "x" * 5_000
    document = ParsedDocument(text, [Block("paragraph", 0, len(text))], "text/plain")
    chunks = await DocumentParser(embedder).chunk(document, "T" * 255)
    assert "".join("".join(c.text.split()) for c in chunks) == "".join(text.split())
    for chunk in chunks:
        assert chunk.token_count <= HARD
        assert len(await embedder.token_offsets(chunk.embedded_text)) + 6 <= MAX_TOKENS


async def test_all_who_ask_at_once_share_one_process(tmp_path: Path) -> None:
    embedders = [BuiltinEmbedder(MODEL, tmp_path, idle_seconds=5) for _ in range(4)]
    vectors = await asyncio.gather(*[e.embed([QUESTION], "query") for e in embedders])
    assert len({v[0] for v in vectors}) == 1
    assert len(children(tmp_path / "embed.sock")) == 1


async def test_it_is_woken_before_it_is_asked(tmp_path: Path) -> None:
    embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=5)
    await embedder.wake()
    woken = children(tmp_path / "embed.sock")
    assert len(woken) == 1
    await embedder.embed([QUESTION], "query")
    assert children(tmp_path / "embed.sock") == woken


async def test_it_comes_back_after_it_was_killed(tmp_path: Path) -> None:
    embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=5)
    before = await embedder.embed([QUESTION], "query")
    [process] = children(tmp_path / "embed.sock")
    os.kill(int(process), 9)
    assert await embedder.embed([QUESTION], "query") == before
    assert children(tmp_path / "embed.sock") != [process]


async def test_whoever_stops_lets_it_go_and_it_comes_back_when_asked(tmp_path: Path) -> None:
    embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=60)
    await embedder.end()
    assert children(tmp_path / "embed.sock") == []
    before = await embedder.embed([QUESTION], "query")
    [number] = children(tmp_path / "embed.sock")
    process = psutil.Process(int(number))
    await embedder.end()
    await asyncio.to_thread(process.wait, 20)
    assert await embedder.embed([QUESTION], "query") == before
    await embedder.end()


async def test_a_deep_folder_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("djup" * 30)
    vectors = await BuiltinEmbedder(MODEL, deep, idle_seconds=1).embed([QUESTION], "query")
    assert len(vectors) == 1


async def test_a_connection_serves_one_question_after_the_other(tmp_path: Path) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while line := await reader.readline():
            writer.write(b"1536\n" + json.loads(line)["texts"][0][-1].encode() * 1536)
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "embed.sock"):
        embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=1)
        for number in range(3):
            assert await embedder.embed([f"fråga {number}"], "query") == [str(number).encode() * 1536]
        assert connections == 1
        many = await asyncio.gather(*[embedder.embed([f"fråga {n}"], "query") for n in range(10)])
        assert many == [[str(n).encode() * 1536] for n in range(10)]
        assert connections == 10


async def test_who_gives_up_leaves_no_answer_to_the_next(tmp_path: Path) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            text = json.loads(line)["texts"][0]
            if text == "långsam 1":
                asked.set()
                await go_on.wait()
            writer.write(b"1536\n" + text[-1].encode() * 1536)
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "embed.sock"):
        embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=1)
        await embedder.embed(["fråga 0"], "query")
        slow = asyncio.create_task(embedder.embed(["långsam 1"], "query"))
        await asked.wait()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        go_on.set()
        assert await embedder.embed(["fråga 2"], "query") == [b"2" * 1536]


async def test_what_is_expected_is_asked_for_once_and_taken_over(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        asked.extend(request["texts"])
        writer.write(b"1536\n" + request["texts"][0][-1].encode() * 1536)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "embed.sock"):
        embedder = BuiltinEmbedder(MODEL, tmp_path, idle_seconds=1)
        embedder.expect("fråga 1")
        embedder.expect("fråga 1")
        assert await embedder.embed(["fråga 1"], "query") == [b"1" * 1536]
        assert asked == ["fråga 1"]
        assert await embedder.embed(["fråga 1"], "query") == [b"1" * 1536]
        assert asked == ["fråga 1", "fråga 1"]
        for number in range(10, 110):
            embedder.expect(f"fråga {number}")
        assert await embedder.embed(["fråga 10"], "query") == [b"0" * 1536]
        assert await embedder.embed(["fråga 109"], "query") == [b"9" * 1536]
        assert len(asked) < 50


async def test_a_failure_of_what_was_expected_is_told_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    embedder = BuiltinEmbedder(MODEL, tmp_path / "run", idle_seconds=1)
    embedder.expect(QUESTION)
    with pytest.raises(ProviderFailed):
        await embedder.embed([QUESTION], "query")
