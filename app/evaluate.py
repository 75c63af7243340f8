"""`python main.py evaluate`: what the search is worth on a labelled set, through the product's own code.

The texts are cut, embedded, analysed and stored as uploaded ones are, in an installation of its own that is gone afterwards,
and every query takes the way of a question.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from app.bootstrap import Runtime, build, migrate_database
from app.config import Settings
from app.ingestion.readers import parse_text
from domain.kernel.actor import Actor, Permission
from domain.kernel.ids import new_id
from domain.knowledge.entities import Collection
from domain.knowledge.evaluation import Grades, Quality, measure
from domain.knowledge.service import MAX_PASSAGES, Mode
from domain.models.choice import RerankChoice
from domain.models.entities import ProviderType
from domain.models.service import ProviderDraft
from domain.tenants.service import Setup

BATCH = 32
TITLE_LENGTH = 255
WARM_UP = 3
MODES = ("text", "vector", "hybrid")
RERANK = "rerank"


class BadSet(ValueError):
    """A file of the labelled set is not as it should be; the message says where."""


class NoOrder(RuntimeError):
    """The rerank model that is to be measured did not answer."""


async def evaluate(chosen: argparse.Namespace, settings: Settings) -> int:
    """The command; returns the exit status."""
    try:
        corpus = list(lines(Path(chosen.corpus)))
        queries = {row["_id"]: row["text"] for row in lines(Path(chosen.queries))}
        judged = judgements(Path(chosen.qrels))
    except (OSError, BadSet) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    judged = {query: grades for query, grades in judged.items() if query in queries}
    if not any(grade > 0 for grades in judged.values() for grade in grades.values()):
        sys.stderr.write("No query of the judgements is among the queries, or none has a relevant document.\n")
        return 2
    modes = [chosen.mode] if chosen.mode else [*MODES, *([RERANK] if chosen.rerank_model else [])]
    if RERANK in modes and not (chosen.rerank_address and chosen.rerank_model):
        sys.stderr.write("Name the rerank model and where it answers: --rerank-model and --rerank-address.\n")
        return 2
    if chosen.rerank_address:
        # The command itself says where the model is: that it is on this network needs no setting.
        settings = settings.model_copy(update={"outbound_allow": urlsplit(chosen.rerank_address).netloc})
    try:
        async with installation(settings, chosen.database_url) as (runtime, actor):
            reranker = await rerank_model(runtime, actor, chosen) if RERANK in modes else None
            collection, keys = await take_in(runtime, actor, corpus)
            for mode in modes:
                asked = {query: queries[query] for query in judged}
                kind, orders = ("hybrid", reranker) if mode == RERANK else (mode, None)
                found = await run(runtime, actor, collection, asked, keys, judged, cast("Mode", kind), orders)
                sys.stdout.write(_line(mode, found, as_json=chosen.json))
                sys.stdout.flush()
    except NoOrder as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def run(
    runtime: Runtime,
    actor: Actor,
    collection: Collection,
    queries: Mapping[str, str],
    keys: Mapping[UUID, str],
    judged: Mapping[str, Grades],
    mode: Mode,
    reranker: RerankChoice | None = None,
) -> Quality:
    """Ask every query and measure the rankings; `keys` names the documents in the words of the set."""
    rankings: dict[str, Sequence[str]] = {}
    taken: list[float] = []
    search = partial(runtime.services.knowledge.search_collections, limit=MAX_PASSAGES, mode=mode, reranker=reranker)
    for text in list(queries.values())[:WARM_UP]:
        await search(actor.tenant_id, text, [collection])
    for query, text in queries.items():
        began = time.perf_counter()
        found = await search(actor.tenant_id, text, [collection])
        if reranker is not None and not (found.reranked and found.reranked.ranked) and len(found.ranked) > 1:
            raise NoOrder("The rerank model did not answer; a figure without it would be none of it.")
        taken.append((time.perf_counter() - began) * 1_000)
        rankings[query] = list(dict.fromkeys(keys[passage.document_id] for passage in found.passages))
    return measure(rankings, judged, taken)


async def rerank_model(runtime: Runtime, actor: Actor, chosen: argparse.Namespace) -> RerankChoice:
    """The rerank model that the command names, as an administrator would add it."""
    services = runtime.services
    draft = ProviderDraft("Rerank", ProviderType.COMPATIBLE, chosen.rerank_address, os.environ.get("RERANK_KEY"))
    provider = await services.models.add_provider(actor, draft)
    return await services.rerank_models.add(actor, provider.id, chosen.rerank_model)


async def take_in(
    runtime: Runtime, actor: Actor, corpus: Sequence[Mapping[str, str]]
) -> tuple[Collection, dict[UUID, str]]:
    """Store the texts in a collection; which documents they have become."""
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
async def installation(settings: Settings, url: str | None) -> AsyncIterator[tuple[Runtime, Actor]]:
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
            outbound_allow=settings.outbound_allow,
            rerank_seconds=60.0,
        )
        await migrate_database(own)
        runtime = await build(own, listen=False)
        try:
            owner = await runtime.services.setup.run(Setup("Evaluation", "evaluation@localhost", new_id().hex))
            yield runtime, replace(owner, permissions=frozenset(Permission))
        finally:
            await runtime.close()


def lines(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file of texts; raises `BadSet`."""
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


def judgements(path: Path) -> dict[str, dict[str, int]]:
    """For each query the grades of documents; raises `BadSet`."""
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
