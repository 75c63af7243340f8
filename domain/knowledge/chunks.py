"""Chunks as people see them: a look before indexing, changes by hand, and how long they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.classifications.approval import require_approved
from domain.files.entities import Blob
from domain.jobs.entities import Job, Lane
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import clamp
from domain.kernel.text import clean_text
from domain.knowledge import ingestion
from domain.knowledge.access import collection_access, document_access
from domain.knowledge.entities import (
    LEAST_CHUNK_TOKENS,
    MOST_CHUNK_TOKENS,
    Chunk,
    Collection,
    Document,
    DocumentState,
    DocumentVersion,
)
from domain.knowledge.ingestion import Analyser, ModelChanged, Report, vector_set_of
from domain.knowledge.intake import reading_job
from domain.knowledge.parsing import ChunkDraft, ParsedDocument, with_headings
from domain.knowledge.progress import announce, topics
from domain.knowledge.removal import remove_document
from domain.knowledge.repository import CutCount, IndexEntry
from domain.models.entities import EmbeddingModel
from domain.ports import Contents, Embedder, Parser
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import Attribution, attributed, work_in_space
from domain.usage.entities import Purpose

TASK = "embed_group"
MOST_TOKENS = 440
"""A chunk changed by hand may be so long: the built-in model reads 512 tokens with title and headings."""
TEXT_LENGTH = 20_000
NO_PREVIEW = N_("This document does not wait to be looked at.")


@dataclass(frozen=True, slots=True)
class Preview:
    """How a document would be cut: a part of the drafts, and how many there are in all."""

    drafts: Sequence[ChunkDraft]
    total: int
    tokens: int


class ChunkService:
    """Use cases of chunks."""

    def __init__(
        self, uow: UnitOfWork, contents: Contents, parser: Parser, embedder: Embedder, analyse: Analyser
    ) -> None:
        self._uow, self._contents, self._parser, self._embedder = uow, contents, parser, embedder
        self._analyse = analyse

    async def page(self, actor: Actor, document_id: UUID, *, after: int = -1, limit: int = 50) -> Sequence[Chunk]:
        """The chunks of the searchable version, in order, from the one after position `after`."""
        async with self._uow.read(actor.tenant_id) as tx:
            document, _, _ = await document_access(tx, actor, document_id, Action.READ)
            if document.version_id is None:
                return []
            return await tx.knowledge.chunks(document.version_id, after=after, limit=clamp(limit))

    # Before indexing

    async def preview(
        self, actor: Actor, document_id: UUID, *, tokens: int | None = None, after: int = -1, limit: int = 50
    ) -> Preview:
        """How the newest version that was read would be cut, into chunks of the collection's size or of `tokens`."""
        async with self._uow.read(actor.tenant_id) as tx:
            document, collection, _ = await document_access(tx, actor, document_id, Action.READ)
            version = await tx.knowledge.latest_version(document_id)
            blob = await tx.get(Blob, version.text_blob_id) if version and version.text_blob_id else None
        if blob is None:
            raise BadRequest(N_("The document has not been read yet."))
        tokens = _size(tokens) if tokens is not None else collection.chunk_tokens
        parsed = await ingestion.parsed_text(self._contents, blob)
        drafts = await self._parser.chunk(parsed, document.title, tokens)
        first = max(0, after + 1)
        return Preview(drafts[first : first + clamp(limit)], len(drafts), tokens)

    async def index(self, actor: Actor, document_id: UUID) -> Job:
        """Index a document that was looked at."""
        async with self._uow.begin(actor.tenant_id) as tx:
            document, version = await self._previewed(tx, actor, document_id, Action.EDIT)
            job = reading_job(actor, document, version)
            await tx.add(job)
            tx.enqueue(job)
            version.job_id, version.state, version.progress = job.id, DocumentState.QUEUED, 0.0
            tx.record(actor, Change("document_indexed", "document", document_id, document.title))
            await announce(tx, document, version)
            return job

    async def discard(self, actor: Actor, document_id: UUID) -> None:
        """Do not index what was looked at. A document that has nothing else is deleted."""
        async with self._uow.begin(actor.tenant_id) as tx:
            document, version = await self._previewed(tx, actor, document_id, Action.DELETE)
            if document.version_id is not None:
                version.state = DocumentState.CANCELLED
                await announce(tx, document, version)
                return
            collection = await tx.get(Collection, document.collection_id)
            await remove_document(tx, document)
            tx.record(actor, Change("document_deleted", "document", document_id, document.title))
            for topic in topics(document, collection) if collection else ():
                tx.signal(Signal(topic, "document", {"id": str(document_id), "state": "deleted"}))

    @staticmethod
    async def _previewed(
        tx: Transaction, actor: Actor, document_id: UUID, action: Action
    ) -> tuple[Document, DocumentVersion]:
        document, _, _ = await document_access(tx, actor, document_id, action)
        version = await tx.knowledge.latest_version(document_id)
        if version is None or version.state != DocumentState.PREVIEW:
            raise BadRequest(NO_PREVIEW)
        return document, version

    # By hand

    async def update(
        self,
        actor: Actor,
        document_id: UUID,
        chunk_id: UUID,
        *,
        text: str | None = None,
        enabled: bool | None = None,
    ) -> Chunk:
        """Change the text of a chunk, or switch it off (the search does not find it) or on again.

        Holds until the document is replaced. Raises `Invalid` when the text is empty or too long for a chunk.
        """
        written = None if text is None else await self._written(text)
        while True:
            try:
                return await self._update(actor, document_id, chunk_id, written, enabled)
            except ModelChanged:
                continue

    async def _update(
        self, actor: Actor, document_id: UUID, chunk_id: UUID, text: str | None, enabled: bool | None
    ) -> Chunk:
        async with self._uow.read(actor.tenant_id) as tx:
            document, collection, chunk = await self._chunk(tx, actor, document_id, chunk_id)
            model = await tx.get(EmbeddingModel, collection.embedding_model_id)
            await require_approved(tx, collection, model)
        if model is None:
            raise NotFound(N_("The model was not found."))
        written = chunk.text if text is None else text
        shown = not chunk.disabled if enabled is None else enabled
        vector = None
        if shown and (chunk.disabled or written != chunk.text):
            whole = _searched(document, chunk, written)
            with attributed(replace(Attribution.of(actor, Purpose.DOCUMENT), space_id=collection.space_id)):
                vector = (await self._embedder.embed(actor.tenant_id, model, [whole], "passage"))[0]
        tokens = await self._parser.count(written)
        async with self._uow.begin(actor.tenant_id) as tx:
            vector_set = await vector_set_of(tx, collection.id, model)
            document, collection, chunk = await self._chunk(tx, actor, document_id, chunk_id)
            old = {"edited": chunk.edited, "enabled": not chunk.disabled}
            if vector is not None or not shown:
                await tx.knowledge.unindex([chunk.key])
            if vector is not None:
                await tx.knowledge.index([await self._entry(tx, document, chunk, written, vector, vector_set)])
            chunk.edited = chunk.edited or written != chunk.text
            chunk.text, chunk.token_count, chunk.disabled = written, tokens, not shown
            new = {"edited": chunk.edited, "enabled": shown, "position": chunk.position}
            tx.record(actor, Change("chunk_updated", "document", document_id, document.title, old=old, new=new))
            return chunk

    async def _entry(
        self, tx: Transaction, document: Document, chunk: Chunk, text: str, vector: bytes, vector_set: int
    ) -> IndexEntry:
        version = await tx.get(DocumentVersion, chunk.version_id)
        terms = self._analyse(_searched(document, chunk, text), version.language if version else "")
        return ingestion.entry(chunk, terms, vector, vector_set)

    async def _written(self, text: str) -> str:
        text = clean_text(text, "text", TEXT_LENGTH).strip()
        if not text:
            raise Invalid(N_("The text is empty."), field="text")
        count = await self._parser.count(text)
        if count > MOST_TOKENS:
            raise Invalid(
                N_("The passage is too long: {count} tokens, and at most {limit} fit."),
                field="text",
                count=count,
                limit=MOST_TOKENS,
            )
        return text

    @staticmethod
    async def _chunk(
        tx: Transaction, actor: Actor, document_id: UUID, chunk_id: UUID
    ) -> tuple[Document, Collection, Chunk]:
        document, collection, _ = await document_access(tx, actor, document_id, Action.EDIT)
        chunk = await tx.get(Chunk, chunk_id)
        if chunk is None or chunk.document_id != document_id or chunk.version_id != document.version_id:
            raise NotFound(N_("The passage was not found. The document may have been replaced."))
        return document, collection, chunk

    # How long they are

    async def cut(self, actor: Actor, collection_id: UUID) -> CutCount:
        """How many documents are cut differently than the collection says."""
        async with self._uow.read(actor.tenant_id) as tx:
            collection, _ = await collection_access(tx, actor, collection_id, Action.READ)
            return await tx.knowledge.cut(collection_id, collection.chunk_tokens)

    async def resize(self, actor: Actor, collection_id: UUID, tokens: int) -> CutCount:
        """Let chunks of a collection aim for another size; documents that are there keep theirs until `reindex`."""
        tokens = _size(tokens)
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await collection_access(tx, actor, collection_id, Action.EDIT)
            old, collection.chunk_tokens = collection.chunk_tokens, tokens
            change = Change(
                "collection_updated",
                "collection",
                collection_id,
                collection.name,
                old={"chunk_tokens": old},
                new={"chunk_tokens": tokens},
            )
            tx.record(actor, change)
            tx.signal(Signal(f"space:{collection.space_id}", "collections_changed"))
            return await tx.knowledge.cut(collection_id, tokens)

    async def reindex(self, actor: Actor, collection_id: UUID) -> Job:
        """Cut the documents of a collection anew, as a job; those with chunks changed by hand stay as they are."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, access = await collection_access(tx, actor, collection_id, Action.EDIT)
            access.require(actor, Resource.DOCUMENT, Action.EDIT)
            job = Job(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                task=TASK,
                lane=Lane.MAINTENANCE,
                name=collection.name,
                args={"collection_id": str(collection_id)},
            )
            await tx.add(job)
            tx.enqueue(job)
            tx.record(actor, Change("collection_reindexed", "collection", collection_id, collection.name))
            return job

    # For workers

    async def run(self, tenant_id: UUID, collection_id: UUID, report: Report) -> None:
        """Cut what is cut differently, document by document; begun again it goes on where it was."""
        async with self._uow.read(tenant_id) as tx:
            collection = await tx.get(Collection, collection_id)
            model = await tx.get(EmbeddingModel, collection.embedding_model_id) if collection else None
            if collection is None or model is None:
                raise NotFound(N_("The collection was deleted."))
            work_in_space(collection.space_id)
            count = (await tx.knowledge.cut(collection_id, collection.chunk_tokens)).outdated
        done, after = 0, None
        while True:
            async with self._uow.read(tenant_id) as tx:
                found = await tx.knowledge.differently_cut(collection_id, collection.chunk_tokens, after=after)
            if not found:
                return
            for version in found:
                model = await self._again(version, collection, model)
                done, after = done + 1, version.document_id
                await report(min(0.99, done / max(1, count)), DocumentState.INDEXING)

    async def _again(self, version: DocumentVersion, collection: Collection, model: EmbeddingModel) -> EmbeddingModel:
        """Cut a document anew; the model that embeds the collection now."""
        tenant_id, tokens = version.tenant_id, collection.chunk_tokens
        async with self._uow.read(tenant_id) as tx:
            document = await tx.get(Document, version.document_id)
            blob = await tx.get(Blob, version.text_blob_id) if version.text_blob_id else None
            await require_approved(tx, collection, model)
        if document is None or blob is None:
            return model
        parsed = await ingestion.parsed_text(self._contents, blob)
        drafts = await self._parser.chunk(parsed, document.title, tokens)
        while True:
            vectors: list[bytes] = []
            for first in range(0, len(drafts), ingestion.BATCH):
                batch = [draft.embedded_text for draft in drafts[first : first + ingestion.BATCH]]
                vectors += await self._embedder.embed(tenant_id, model, batch, "passage")
            try:
                await self._swap(version, parsed, drafts, vectors, collection, model)
                return model
            except ModelChanged as changed:
                model = changed.model

    async def _swap(
        self,
        version: DocumentVersion,
        parsed: ParsedDocument,
        drafts: Sequence[ChunkDraft],
        vectors: Sequence[bytes],
        collection: Collection,
        model: EmbeddingModel,
    ) -> None:
        async with self._uow.begin(version.tenant_id) as tx:
            vector_set = await vector_set_of(tx, collection.id, model)
            document = await tx.get(Document, version.document_id)
            current = await tx.get(DocumentVersion, version.id)
            if document is None or current is None or document.version_id != version.id:
                return
            # Somebody may have changed a chunk meanwhile.
            if await tx.knowledge.changed_by_hand(version.id):
                return
            chunks = [ingestion.chunk_of(document, current, draft) for draft in drafts]
            terms = [self._analyse(draft.embedded_text, parsed.language) for draft in drafts]
            entries = [ingestion.entry(*row, vector_set=vector_set) for row in zip(chunks, terms, vectors, strict=True)]
            await tx.knowledge.drop_chunks(document.id)
            await tx.knowledge.store_chunks(current, chunks, entries)
            current.chunk_tokens, current.chunk_count = collection.chunk_tokens, len(chunks)
            await announce(tx, document, current)


def _searched(document: Document, chunk: Chunk, text: str) -> str:
    return with_headings(document.title, chunk.heading_path, f"{chunk.header}{text}")


def _size(tokens: int) -> int:
    if not LEAST_CHUNK_TOKENS <= tokens <= MOST_CHUNK_TOKENS:
        raise Invalid(
            N_("Choose between {least} and {most} tokens."),
            field="chunk_tokens",
            least=LEAST_CHUNK_TOKENS,
            most=MOST_CHUNK_TOKENS,
        )
    return tokens
