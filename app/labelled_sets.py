"""Labelled sets as others publish them: texts, questions, and what people have judged to answer them.

The layout is that of BEIR: two files of JSON lines and one of judgements, each plain or gzip. Where published sets differ
(heading or none, TREC's four columns, ids that are numbers, grades below 1, ids that nothing has) they are read all the
same; what is left out is said.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.knowledge.evaluation import Grades

GZIP = b"\x1f\x8b"
COLUMNS, TREC_COLUMNS = 3, 4


class BadSet(ValueError):
    """A file of the labelled set is not as it should be; the message says where."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document of the corpus."""

    key: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """What is searched, what is asked, and the grades of the right answers; `notes` says what was left out."""

    texts: Sequence[Text]
    queries: Mapping[str, str]
    judged: Mapping[str, Grades]
    notes: Sequence[str]


def read(corpus: Path, queries: Path, qrels: Path) -> LabelledSet:
    """A labelled set; raises `BadSet`, and `OSError` where a file cannot be read."""
    texts, notes = _texts(corpus)
    asked = {key: _string(row.get("text")) for key, row in _rows(queries)}
    judged = judgements(qrels)
    known = {query: grades for query, grades in judged.items() if query in asked}
    if not any(grade > 0 for grades in known.values() for grade in grades.values()):
        raise BadSet("No query of the judgements is among the queries, or none has a relevant document.")
    held = {text.key for text in texts}
    absent = {key for grades in known.values() for key, grade in grades.items() if grade > 0 and key not in held}
    relevant = {key for grades in known.values() for key, grade in grades.items() if grade > 0}
    if absent == relevant:
        raise BadSet(
            f'None of the relevant documents is in the corpus: the judgements name "{min(relevant)}" and others, the corpus '
            f'"{min(held, default="nothing")}" and others. Check that the files belong together.'
        )
    counted = (
        (len(judged) - len(known), "judged queries are not among the queries, and are left out"),
        (len(asked.keys() - known.keys()), "queries have no judgements, and are not asked"),
        (len(absent), "relevant documents are not in the corpus, and count as not found"),
    )
    notes += [f"{count:,} {what}." for count, what in counted if count]
    return LabelledSet(texts, {query: asked[query] for query in known}, known, notes)


def _texts(path: Path) -> tuple[list[Text], list[str]]:
    texts: dict[str, Text] = {}
    again = empty = 0
    for key, row in _rows(path):
        text = Text(key, " ".join(_string(row.get("title")).split()), _string(row.get("text")))
        again += key in texts
        empty += not (text.text.strip() or text.title)
        texts[key] = text
    if not texts:
        raise BadSet(f"{path}: there is no document in it.")
    counted = (
        (again, "documents have an id that came before: the last of each counts"),
        (empty, "documents are empty"),
    )
    return list(texts.values()), [f"{count:,} {what}." for count, what in counted if count]


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of a file of JSON lines, with their ids; raises `BadSet`."""
    for number, line in _lines(path):
        try:
            row = json.loads(line)
            key = row["_id"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadSet(f'{path}, line {number}: not JSON with "_id" and "text".') from error
        if not isinstance(key, str | int) or not str(key).strip():
            raise BadSet(f'{path}, line {number}: "_id" is neither a word nor a number.')
        yield str(key).strip(), row


def judgements(path: Path) -> dict[str, dict[str, int]]:
    """For each query the grades of documents; raises `BadSet`."""
    judged: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        parts = [part.strip() for part in (line.split("\t") if "\t" in line else line.split())]
        if len(parts) == TREC_COLUMNS:  # TREC's own layout has a column that nobody uses.
            parts = [parts[0], *parts[2:]]
        grade = _grade(parts[-1])
        if grade is None and number == 1:
            continue
        if grade is None or len(parts) != COLUMNS:
            raise BadSet(f"{path}, line {number}: not a query, a document and a whole number.")
        judged.setdefault(parts[0], {})[parts[1]] = grade
    return judged


def _grade(written: str) -> int | None:
    try:
        number = float(written)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, but for empty ones; raises `BadSet`."""
    with path.open("rb") as probe:
        opened = gzip.open if probe.read(2) == GZIP else open
    try:
        # Marks of byte order are left out, and only "\n" and "\r\n" end a line: texts hold other separators.
        with opened(path, "rt", encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise BadSet(f"{path}: neither UTF-8 text nor such text packed by gzip, or only a part of it.") from error


def _string(value: object) -> str:
    """A field as text that can be stored: without NUL, and without halves of characters."""
    written = value if isinstance(value, str) else "" if value is None else str(value)
    return written.replace("\x00", "").encode("utf-8", "replace").decode()
