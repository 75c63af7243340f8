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
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import migrate_database
from app.ingestion.readers import parse_text
from app.labelled_sets import BadSet, LabelledSet, Text, read
from domain.kernel.actor import Actor, Permission
from domain.kernel.ids import new_id
from domain.knowledge.entities import Collection
from domain.knowledge.evaluation import Quality, measure
from domain.knowledge.retrieval import Retrieval
from domain.knowledge.searching import MAX_PASSAGES, Mode
from domain.models.choice import RerankChoice
from domain.models.entities import ProviderType
from domain.models.service import ProviderDraft
from domain.tenants.service import Setup

BATCH = 32
BATCH_CHARACTERS = 100_000
TITLE_LENGTH = 255
WARM_UP = 3
MODES = ("text", "vector", "hybrid")
RERANK = "rerank"
ALL = "all"
SCREEN_SECONDS, LOG_SECONDS, LONG = 0.5, 15.0, 90.0
"""Between two signs of progress, on a screen and elsewhere; from when on it is said how long the rest takes."""


class NoOrder(RuntimeError):
    """The rerank model that is to be measured did not answer."""


async def evaluate(chosen: argparse.Namespace, settings: Settings) -> int:
    """The command; returns the exit status."""
    try:
        labelled = read(Path(chosen.corpus), Path(chosen.queries), Path(chosen.qrels))
    except (OSError, BadSet) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for note in labelled.notes:
        sys.stderr.write(f"{note}\n")
    one = chosen.mode not in (None, ALL)
    modes = [chosen.mode] if one else [*MODES, *([RERANK] if chosen.rerank_model else [])]
    if RERANK in modes and not (chosen.rerank_address and chosen.rerank_model):
        sys.stderr.write("Name the rerank model and where it answers: --rerank-model and --rerank-address.\n")
        return 2
    if chosen.rerank_address:
        # The command itself says where the model is: that it is on this network needs no setting.
        settings = settings.model_copy(update={"outbound_allow": urlsplit(chosen.rerank_address).netloc})
    try:
        async with installation(settings, chosen.database_url) as (runtime, actor):
            reranker = await rerank_model(runtime, actor, chosen) if RERANK in modes else None
            collection, keys = await take_in(runtime, actor, labelled.texts)
            for mode in modes:
                kind, orders = ("hybrid", reranker) if mode == RERANK else (mode, None)
                found = await run(runtime, actor, collection, labelled, keys, cast("Mode", kind), orders)
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
    labelled: LabelledSet,
    keys: Mapping[UUID, str],
    mode: Mode,
    reranker: RerankChoice | None = None,
) -> Quality:
    """Ask every query and measure the rankings; `keys` names the documents in the words of the set.

    A document is as good as its best passage. The document that a query was made of, which some sets hold under the query's
    id, is no answer to it unless it was judged to be one.
    """
    rankings: dict[str, Sequence[str]] = {}
    taken: list[float] = []
    search = partial(runtime.services.search.in_collections, limit=MAX_PASSAGES, mode=mode, reranker=reranker)
    asked = {query: text for query, text in labelled.queries.items() if text.strip()}
    for text in list(asked.values())[:WARM_UP]:
        await search(actor.tenant_id, text, [collection])
    progress = Progress(len(asked), f"queries asked ({mode})")
    for query, text in asked.items():
        began = time.perf_counter()
        found = await search(actor.tenant_id, text, [collection])
        if reranker is not None and not (found.reranked and found.reranked.ranked) and len(found.ranked) > 1:
            raise NoOrder("The rerank model did not answer; a figure without it would be none of it.")
        taken.append((time.perf_counter() - began) * 1_000)
        ranking = _documents(found, keys)
        rankings[query] = [key for key in ranking if key != query or key in labelled.judged[query]]
        progress.tell(len(taken))
    return measure(rankings, labelled.judged, taken)


def _documents(found: Retrieval, keys: Mapping[UUID, str]) -> Iterable[str]:
    """The documents in the order of their best chunks, those too whose text another one has word by word."""
    chunks = (found.found.get(row.key) for row in found.order)
    return dict.fromkeys(keys[match.chunk.document_id] for match in chunks if match)


async def rerank_model(runtime: Runtime, actor: Actor, chosen: argparse.Namespace) -> RerankChoice:
    """The rerank model that the command names, as an administrator would add it."""
    services = runtime.services
    draft = ProviderDraft("Rerank", ProviderType.COMPATIBLE, chosen.rerank_address, os.environ.get("RERANK_KEY"))
    provider = await services.models.add_provider(actor, draft)
    return await services.rerank_models.add(actor, provider.id, chosen.rerank_model)


async def take_in(runtime: Runtime, actor: Actor, corpus: Sequence[Text]) -> tuple[Collection, dict[UUID, str]]:
    """Store the texts in a collection; which documents they have become."""
    personal = await runtime.services.spaces.personal(actor)
    made = await runtime.services.knowledge.create_collection(actor, personal.space.id, "Evaluation")
    keys: dict[UUID, str] = {}
    taken, progress = 0, Progress(len(corpus), "documents taken in")
    for part in _batches(corpus):
        held = [text for text in part if text.text.strip() or text.title]
        texts = [(text.title[:TITLE_LENGTH], parse_text(text.text.strip() or text.title)) for text in held]
        ids = await runtime.services.ingestion.take_in(made.collection, texts)
        keys |= {document_id: text.key for document_id, text in zip(ids, held, strict=True)}
        taken += len(part)
        progress.tell(taken)
    return made.collection, keys


def _batches(corpus: Sequence[Text]) -> Iterator[list[Text]]:
    """The corpus in parts that are embedded at once: long texts are many chunks."""
    part: list[Text] = []
    characters = 0
    for text in corpus:
        if part and (len(part) == BATCH or characters + len(text.text) > BATCH_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text.text)
    if part:
        yield part


class Progress:
    """Says on the standard error how far the work is, and how long the rest will take."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what = total, what
        self._began = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        """Say it, if the last time is a while ago or all is done."""
        now = time.monotonic()
        screen = sys.stderr.isatty()
        if done < self._total and now - self._told < (SCREEN_SECONDS if screen else LOG_SECONDS):
            return
        self._told = now
        left = (now - self._began) / done * (self._total - done)
        rest = f", about {left / 60:,.0f} minutes left" if left > LONG else ""
        end = "\r" if screen and done < self._total else "\n"
        sys.stderr.write(f"{done:,} of {self._total:,} {self._what}{rest}{end}")
        sys.stderr.flush()


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


def _line(mode: str, found: Quality, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"mode": mode, **asdict(found)}) + "\n"
    return (
        f"{mode:7} {found.queries:5} queries  nDCG@10 {found.ndcg_10:.4f}  recall@10 {found.recall_10:.4f}  "
        f"recall@100 {found.recall_100:.4f}  MRR {found.mrr:.4f}  p50 {found.p50_ms:.1f} ms  p95 {found.p95_ms:.1f} ms\n"
    )
