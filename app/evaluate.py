"""`python main.py evaluate`: what the search is worth on a labelled set, through the product's own code.

The texts are cut, embedded, analysed and stored as uploaded ones are, in an installation of its own that is gone afterwards,
and every query takes the way of a question.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast
from uuid import UUID

from app.bootstrap import Runtime, build, migrate_database
from app.config import Settings
from app.ingestion.readers import parse_text
from domain.kernel.actor import Actor, Permission
from domain.kernel.ids import new_id
from domain.knowledge.entities import Collection
from domain.knowledge.evaluation import Grades, Quality, measure
from domain.knowledge.service import MAX_PASSAGES, Mode
from domain.tenants.service import Setup

BATCH = 32
TITLE_LENGTH = 255
WARM_UP = 3
MODES: tuple[Mode, ...] = ("text", "vector", "hybrid")


class BadSet(ValueError):
    """A file of the labelled set is not as it should be; the message says where."""


async def evaluate(chosen: argparse.Namespace, settings: Settings) -> int:
    """The command; returns the exit status."""
    try:
        corpus = list(_lines(Path(chosen.corpus)))
        queries = {row["_id"]: row["text"] for row in _lines(Path(chosen.queries))}
        judged = _judgements(Path(chosen.qrels))
    except (OSError, BadSet) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    judged = {query: grades for query, grades in judged.items() if query in queries}
    if not any(grade > 0 for grades in judged.values() for grade in grades.values()):
        sys.stderr.write("No query of the judgements is among the queries, or none has a relevant document.\n")
        return 2
    modes = (cast("Mode", chosen.mode),) if chosen.mode else MODES
    async with _installation(settings, chosen.database_url) as (runtime, actor):
        collection, keys = await _take_in(runtime, actor, corpus)
        for mode in modes:
            found = await run(
                runtime, actor, collection, {query: queries[query] for query in judged}, keys, judged, mode
            )
            sys.stdout.write(_line(mode, found, as_json=chosen.json))
            sys.stdout.flush()
    return 0


async def run(
    runtime: Runtime,
    actor: Actor,
    collection: Collection,
    queries: Mapping[str, str],
    keys: Mapping[UUID, str],
    judged: Mapping[str, Grades],
    mode: Mode,
) -> Quality:
    """Ask every query and measure the rankings; `keys` names the documents in the words of the set."""
    rankings: dict[str, Sequence[str]] = {}
    taken: list[float] = []
    search = runtime.services.knowledge.search_collections
    for text in list(queries.values())[:WARM_UP]:
        await search(actor.tenant_id, text, [collection], limit=MAX_PASSAGES, mode=mode)
    for query, text in queries.items():
        began = time.perf_counter()
        found = await search(actor.tenant_id, text, [collection], limit=MAX_PASSAGES, mode=mode)
        taken.append((time.perf_counter() - began) * 1_000)
        rankings[query] = list(dict.fromkeys(keys[passage.document_id] for passage in found.passages))
    return measure(rankings, judged, taken)


async def _take_in(
    runtime: Runtime, actor: Actor, corpus: Sequence[Mapping[str, str]]
) -> tuple[Collection, dict[UUID, str]]:
    personal = await runtime.services.spaces.personal(actor)
    made = await runtime.services.knowledge.create_collection(actor, personal.space.id, "Evaluation")
    keys: dict[UUID, str] = {}
    for first in range(0, len(corpus), BATCH):
        part = [row for row in corpus[first : first + BATCH] if (row.get("text") or row.get("title") or "").strip()]
        texts = [((row.get("title") or "")[:TITLE_LENGTH], parse_text(row.get("text") or row["title"])) for row in part]
        ids = await runtime.services.ingestion.take_in(made.collection, texts)
        keys |= {document_id: row["_id"] for document_id, row in zip(ids, part, strict=True)}
        sys.stderr.write(f"\r{min(first + BATCH, len(corpus)):,} of {len(corpus):,} documents taken in")
    sys.stderr.write("\n")
    return made.collection, keys


@asynccontextmanager
async def _installation(settings: Settings, url: str | None) -> AsyncIterator[tuple[Runtime, Actor]]:
    """An installation of its own, with the models of this one."""
    with tempfile.TemporaryDirectory(prefix="samrad-evaluate-") as folder:
        own = Settings(
            _env_file=None,
            data_dir=Path(folder),
            database_url=url,
            database_app_url=None,
            encryption_key=bytes(range(32)).hex(),
            models_dir=settings.models_path,
            redis_url="redis://127.0.0.1:1",
        )
        await migrate_database(own)
        runtime = await build(own, listen=False)
        try:
            owner = await runtime.services.setup.run(Setup("Evaluation", "evaluation@localhost", new_id().hex))
            yield runtime, replace(owner, permissions=frozenset(Permission))
        finally:
            await runtime.close()


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                row["_id"], row["text"] = str(row["_id"]), str(row.get("text") or "")
            except (ValueError, KeyError, TypeError) as error:
                raise BadSet(f'{path}, line {number}: not JSON with "_id" and "text".') from error
            yield row


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split("\t") if "\t" in line else line.split()
        if len(parts) == 4:  # TREC's own layout has a column that nobody uses.
            parts = [parts[0], parts[2], parts[3]]
        if not line.strip() or (number == 1 and not parts[-1].strip().lstrip("-").isdigit()):
            continue
        try:
            query, document, grade = parts
            judged.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise BadSet(f"{path}, line {number}: not a query, a document and a whole number.") from error
    return judged


def _line(mode: str, found: Quality, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"mode": mode, **asdict(found)}) + "\n"
    return (
        f"{mode:7} {found.queries:5} queries  nDCG@10 {found.ndcg_10:.4f}  recall@10 {found.recall_10:.4f}  "
        f"recall@100 {found.recall_100:.4f}  MRR {found.mrr:.4f}  p50 {found.p50_ms:.1f} ms  p95 {found.p95_ms:.1f} ms\n"
    )
