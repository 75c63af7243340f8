"""`main.py evaluate`: figures of a labelled set, with and without a rerank model."""

import gzip
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from app.evaluate import evaluate
from tests.conftest import MODEL
from tests.support.provider import Provider

CORPUS = {
    "taxa": "Bygglov för en altan kostar 4 300 kronor enligt taxan.",
    "handbok": "Vad kostar bygglov för en altan? Fråga kommunen om vad bygglov för en altan kostar.",
    "protokoll": "Nämnden beslutade om avgiften för altaner: fem procent högre.",
    "skola": "Skolskjuts söks på våren av elever med lång väg till skolan.",
}
QUERIES = {"altan": "Vad kostar bygglov för en altan?", "skjuts": "Hur söker man skolskjuts?"}
QRELS = "query-id\tcorpus-id\tscore\naltan\tprotokoll\t1\nskjuts\tskola\t1\n"


@pytest.fixture
def chosen(tmp_path: Path) -> dict[str, Any]:
    """What the command is given."""
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in rows.items()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("corpus", "queries")}
    more = {"mode": None, "database_url": None, "json": True, "rerank_address": None, "rerank_model": None}
    return {**files, "qrels": str(tmp_path / "qrels.tsv"), **more}


def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder / "data", models_dir=MODEL)  # type: ignore[call-arg]


async def test_every_mode_is_measured_through_the_product_s_own_search(
    chosen: dict[str, Any], tmp_path: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.preferred = [CORPUS["protokoll"]]
    named = {**chosen, "rerank_address": provider.url, "rerank_model": "orders"}
    assert await evaluate(Namespace(**named), settings(tmp_path)) == 0
    rows = {row["mode"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(rows) == ["text", "vector", "hybrid", "rerank"]
    assert {row["queries"] for row in rows.values()} == {2}
    assert rows["hybrid"]["recall_100"] == 1.0
    assert rows["hybrid"]["ndcg_10"] < rows["rerank"]["ndcg_10"]
    asked = {each["query"] for each in provider.seen.reranked}
    assert asked == set(QUERIES.values())


async def test_a_rerank_model_that_is_not_named_or_does_not_answer_gives_no_figure(
    chosen: dict[str, Any], tmp_path: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await evaluate(Namespace(**{**chosen, "mode": "rerank"}), settings(tmp_path)) == 2
    assert "--rerank-model" in capsys.readouterr().err
    failing = {**chosen, "mode": "rerank", "rerank_address": provider.url, "rerank_model": "err:500"}
    assert await evaluate(Namespace(**failing), settings(tmp_path)) == 2
    said = capsys.readouterr()
    assert "did not answer" in said.err
    assert said.out == ""


async def test_a_set_as_others_publish_it_is_measured_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Packed files, ids that are numbers, a text of 45,000 characters, one of a letter, twins, and a query's own text."""
    long = "\n\n".join(f"Stycke {number} om gator, vatten och snöröjning i kommunen." for number in range(800))
    corpus = [
        {"_id": 1, "title": "", "text": CORPUS["skola"]},
        {"_id": 2, "title": "", "text": CORPUS["skola"]},
        {"_id": 3, "title": "Gator", "text": long},
        {"_id": 4, "title": None, "text": "x"},
        {"_id": 5, "title": "Bara en rubrik om bygglov"},
        {"_id": 10, "title": "", "text": "Hur söker man skolskjuts på våren?"},
    ]
    queries = [
        {"_id": 10, "text": "Hur söker man skolskjuts på våren?"},
        {"_id": 11, "text": ""},
        {"_id": 12, "text": "y"},
    ]
    paths = {name: str(tmp_path / f"{name}.gz") for name in ("corpus", "queries", "qrels")}
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = "\r\n".join(json.dumps(row) for row in rows)
        Path(paths[name]).write_bytes(gzip.compress(lines.encode()))
    Path(paths["qrels"]).write_bytes(gzip.compress(b"10 0 1 2\n10 0 2 1\n10 0 4 0\n"))
    more = {"mode": "all", "database_url": None, "json": True, "rerank_address": None, "rerank_model": None}
    assert await evaluate(Namespace(**paths, **more), settings(tmp_path)) == 0
    said = capsys.readouterr()
    rows = {row["mode"]: row for row in map(json.loads, said.out.splitlines())}
    assert list(rows) == ["text", "vector", "hybrid"]
    # The query's own text is no answer, and the twin, which a search shows once, is found as well.
    assert all(row["queries"] == 1 and row["recall_10"] == 1.0 and row["mrr"] == 1.0 for row in rows.values())
    assert "2 queries have no judgements" in said.err
    assert "6 of 6 documents taken in" in said.err


async def test_a_set_that_cannot_be_read_is_refused_before_anything_is_made(
    chosen: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await evaluate(Namespace(**{**chosen, "corpus": str(tmp_path / "away.jsonl")}), settings(tmp_path)) == 2
    (tmp_path / "qrels.tsv").write_text("altan\tprotokoll\tmycket\n" * 2)
    assert await evaluate(Namespace(**chosen), settings(tmp_path)) == 2
    said = capsys.readouterr()
    assert "away.jsonl" in said.err
    assert "line 2: not a query, a document and a whole number" in said.err
    assert said.out == ""
