"""`main.py evaluate`: figures of a labelled set, with and without a rerank model."""

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
