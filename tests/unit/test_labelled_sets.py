"""Labelled sets as others publish them, and measures of rankings beside a plain calculation of them."""

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labelled_sets import BadSet, LabelledSet, judgements, read
from domain.knowledge.evaluation import measure

CORPUS = [
    {"_id": "d1", "title": "Avgifter", "text": "Vad det kostar."},
    {"_id": "d2", "title": "", "text": "Skolskjuts."},
]
QUERIES = [{"_id": "q1", "text": "avgift"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\n"


def labelled(folder: Path, corpus: object = None, queries: object = None, qrels: str | bytes = QRELS) -> LabelledSet:
    """A set as it is read: rows are written as JSON lines, strings and bytes as they are."""
    files = {
        "corpus.jsonl": CORPUS if corpus is None else corpus,
        "queries.jsonl": queries or QUERIES,
        "qrels.tsv": qrels,
    }
    for name, content in files.items():
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        (folder / name).write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return read(*(folder / name for name in files))


@pytest.mark.parametrize(
    "written",
    [
        QRELS,
        "q1\td1\t1\n",
        "q1 d1 1\n",
        "q1 0 d1 1\n",
        "q1\tQ0\td1\t1",
        "query-id\tcorpus-id\tscore\r\nq1\td1\t1\r\n",
        "\ufeffq1\td1\t1.0\n\n",
        gzip.compress(QRELS.encode(), mtime=0),
    ],
)
def test_judgements_are_read_as_published_sets_write_them(written: str | bytes, tmp_path: Path) -> None:
    assert labelled(tmp_path, qrels=written).judged == {"q1": {"d1": 1}}


def test_grades_below_one_are_kept_and_are_not_relevant(tmp_path: Path) -> None:
    found = labelled(tmp_path, qrels="q1\td1\t2\nq1\td2\t0\nq1\td3\t-1\n")
    assert found.judged == {"q1": {"d1": 2, "d2": 0, "d3": -1}}
    assert measure({"q1": ["d3", "d2", "d1"]}, found.judged, []).mrr == pytest.approx(1 / 3)


def test_ids_that_are_numbers_and_fields_that_are_missing_are_read(tmp_path: Path) -> None:
    corpus = [
        {"_id": 7, "text": "a\u2028b\x00"},
        {"_id": 8, "title": "Bara rubrik"},
        {"_id": 9, "title": None, "text": None},
    ]
    found = labelled(tmp_path, corpus, [{"_id": 1, "text": "a \ud800"}], "1\t7\t1\n")
    assert [(text.key, text.title, text.text) for text in found.texts] == [
        ("7", "", "a\u2028b"), ("8", "Bara rubrik", ""), ("9", "", ""),
    ]  # fmt: skip
    assert found.queries == {"1": "a ?"}
    assert found.notes == ["1 documents are empty."]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    corpus = [*CORPUS, {"_id": "d1", "title": "", "text": "Den senare."}]
    queries = [*QUERIES, {"_id": "q2", "text": "utan bedömning"}]
    found = labelled(tmp_path, corpus, queries, QRELS + "q1\tgone\t1\nq9\td1\t1\n")
    assert found.queries == {"q1": "avgift"}
    assert next(text.text for text in found.texts if text.key == "d1") == "Den senare."
    assert found.judged == {"q1": {"d1": 1, "gone": 1}}
    assert [note.split(" ", 1) for note in found.notes] == [
        ["1", "documents have an id that came before: the last of each counts."],
        ["1", "judged queries are not among the queries, and are left out."],
        ["1", "queries have no judgements, and are not asked."],
        ["1", "relevant documents are not in the corpus, and count as not found."],
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus": '{"_id": "d1"}\nkein JSON\n'}, "corpus.jsonl, line 2"),
        ({"corpus": '["d1"]\n'}, "corpus.jsonl, line 1"),
        ({"corpus": '{"_id": null, "text": "x"}\n'}, "corpus.jsonl, line 1"),
        ({"corpus": b"\xff\xfe\x00"}, "neither UTF-8"),
        ({"corpus": gzip.compress(b'{"_id": "d1", "text": "x"}\n' * 9)[:-9]}, "only a part"),
        ({"corpus": "\n"}, "no document"),
        ({"qrels": "q1\td1\t1\nq1\td1\tyes\n"}, "qrels.tsv, line 2"),
        ({"qrels": "q1\td1\t1\nq1 0.5\n"}, "qrels.tsv, line 2"),
        ({"qrels": "q1\td1\t0\n"}, "none has a relevant document"),
        ({"qrels": "q1\tother\t1\n"}, '"other" and others, the corpus "d1"'),
    ],
)
def test_a_bad_file_is_refused_with_the_place(files: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadSet, match=said):
        labelled(tmp_path, **files)  # type: ignore[arg-type]


def test_judgements_alone_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "qrels.tsv").write_text(QRELS)
    assert judgements(tmp_path / "qrels.tsv") == {"q1": {"d1": 1}}


IDS = st.sampled_from([f"d{number}" for number in range(30)])
GRADES = st.dictionaries(IDS, st.integers(-1, 3), min_size=1).filter(lambda grades: max(grades.values()) > 0)


@given(
    st.dictionaries(st.text("ab", min_size=1, max_size=3), st.tuples(GRADES, st.lists(IDS, unique=True)), min_size=1)
)
def test_the_measures_are_those_of_trec_eval(asked: dict[str, tuple[dict[str, int], list[str]]]) -> None:
    """Beside a calculation that follows the definitions step by step, one query after the other."""
    found = measure(
        {q: ranking for q, (_, ranking) in asked.items()}, {q: grades for q, (grades, _) in asked.items()}, []
    )
    sums = [0.0, 0.0, 0.0]
    for grades, ranking in asked.values():
        gains = [grades[key] if key in grades and grades[key] > 0 else 0 for key in ranking]
        dcg = ideal = 0.0
        for place, gain in enumerate(gains, start=1):
            if place <= 10:
                dcg += gain / math.log(place + 1, 2)
        for place, gain in enumerate(sorted(grades.values(), reverse=True), start=1):
            if place <= 10 and gain > 0:
                ideal += gain / math.log(place + 1, 2)
        relevant = [key for key in grades if grades[key] >= 1]
        sums[0] += dcg / ideal
        sums[1] += len([key for key in relevant if key in ranking[:10]]) / len(relevant)
        for place, gain in enumerate(gains, start=1):
            if gain:
                sums[2] += 1 / place
                break
    assert [found.ndcg_10, found.recall_10, found.mrr] == pytest.approx([total / len(asked) for total in sums])
