"""From an uploaded file to searchable chunks: what a worker does with one version of a document."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from domain.classifications.approval import require_approved
from domain.files.entities import Blob
from domain.files.keeping import kept
from domain.jobs.entities import Job, JobState
from domain.kernel.errors import N_, Failure, NotFound
from domain.kernel.ids import new_id
from domain.knowledge.archives import Archives
from domain.knowledge.entities import Chunk, Collection, Document, DocumentState, DocumentVersion, chunk_key
from domain.knowledge.limits import require_counts
from domain.knowledge.parsing import ARCHIVES, RECORDINGS, ChunkDraft, ParsedDocument, extension_of
from domain.knowledge.progress import announce
from domain.knowledge.repository import IndexEntry
from domain.knowledge.transcripts import Transcripts
from domain.models.entities import EmbeddingModel
from domain.ports import Contents, Embedder, Parser
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import work_in_space

BATCH = 32
"""Chunks embedded between two signs of progress."""
STARTED_SHARE, CHUNKED_SHARE = 0.02, 0.2
TEXT_LIMIT = 2 * 1024**3


class Analyser(Protocol):
    """Turns text into index terms."""

    def __call__(self, text: str, language: str) -> str:
        """Space-joined terms."""


class Report(Protocol):
    """How a job tells of its progress and learns that it should stop (by an exception)."""

    async def __call__(self, fraction: float, step: str) -> None:
        """`fraction` from 0 to 1; `step` one of parsing, indexing."""


class ModelChanged(Exception):
    """The collection has got another embedding model since the vectors were made."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.model = model
        super().__init__(model.name)


async def vector_set_of(tx: Transaction, collection_id: UUID, model: EmbeddingModel) -> int:
    """Where vectors that `model` has made belong; nobody can change the collection's model until the transaction ends.

    To be asked before the transaction has loaded the collection. Raises `ModelChanged`.
    """
    await tx.vectors.hold(collection_id)
    collection = await tx.get(Collection, collection_id)
    present = await tx.get(EmbeddingModel, collection.embedding_model_id) if collection else None
    if collection is None or present is None:
        raise NotFound(N_("The collection was deleted."))
    if present.id != model.id:
        raise ModelChanged(present)
    return collection.vector_set


async def version_ended(tx: Transaction, job: Job) -> None:
    """The document's side of a job that ended without success."""
    version = await tx.get(DocumentVersion, UUID(job.args["version_id"]))
    document = await tx.get(Document, version.document_id) if version else None
    if version is None or document is None or job.state == JobState.DONE:
        return
    if not DocumentState(version.state).busy:
        return
    version.state = DocumentState.CANCELLED if job.state == JobState.CANCELLED else DocumentState.FAILED
    version.error, version.error_params = job.error, dict(job.error_params)
    await announce(tx, document, version)


class Ingestion:
    """Reads, cuts, embeds and stores a document version. Can be run again at any point: nothing is stored twice."""

    def __init__(
        self,
        uow: UnitOfWork,
        contents: Contents,
        parser: Parser,
        embedder: Embedder,
        analyse: Analyser,
        archives: Archives,
        transcripts: Transcripts,
    ) -> None:
        self._uow, self._contents, self._parser, self._embedder = uow, contents, parser, embedder
        self._analyse, self._archives, self._transcripts = analyse, archives, transcripts

    async def run(
        self,
        tenant_id: UUID,
        version_id: UUID,
        report: Report,
        parsed: ParsedDocument | None = None,
        *,
        preview: bool = False,
    ) -> UUID:
        """Make the version searchable in place of the one before; returns the document's id.

        `parsed` is what the file says, where it was read already. With `preview` it is only read, so that somebody can
        look at its chunks and say whether it is indexed.
        """
        version, document, collection, model = await self._begin(tenant_id, version_id)
        await report(STARTED_SHARE, DocumentState.PARSING)
        # For the rest of the job, which is a task of its own.
        work_in_space(collection.space_id)
        parsed = parsed or await self._parse(version, document, collection.space_id, report)
        drafts = await self._parser.chunk(parsed, document.title, collection.chunk_tokens)
        await self._read(tenant_id, version_id, parsed, len(drafts), collection.chunk_tokens)
        if preview:
            await self._wait(tenant_id, version_id, parsed)
            return document.id
        await report(CHUNKED_SHARE, DocumentState.INDEXING)
        while True:
            vectors = await self._embed(tenant_id, version_id, model, drafts, report)
            try:
                await self._store(tenant_id, version_id, parsed, drafts, vectors, collection.id, model)
                return document.id
            except ModelChanged as changed:
                model = changed.model

    async def _wait(self, tenant_id: UUID, version_id: UUID, parsed: ParsedDocument) -> None:
        text_blob = await self._store_text(tenant_id, parsed)
        async with self._uow.begin(tenant_id) as tx:
            version, document = await self._current(tx, version_id)
            version.text_blob_id = text_blob
            version.state, version.progress = DocumentState.PREVIEW, 1.0
            await announce(tx, document, version)

    async def _begin(
        self, tenant_id: UUID, version_id: UUID
    ) -> tuple[DocumentVersion, Document, Collection, EmbeddingModel]:
        async with self._uow.begin(tenant_id) as tx:
            version, document = await self._current(tx, version_id)
            collection = await tx.get(Collection, document.collection_id)
            model = await tx.get(EmbeddingModel, collection.embedding_model_id) if collection else None
            if collection is None or model is None:
                raise NotFound(N_("The collection was deleted."))
            await require_approved(tx, collection, model)
            version.state, version.progress, version.error = DocumentState.PARSING, STARTED_SHARE, None
            await announce(tx, document, version)
            return version, document, collection, model

    @staticmethod
    async def _current(tx: Transaction, version_id: UUID) -> tuple[DocumentVersion, Document]:
        version = await tx.get(DocumentVersion, version_id)
        document = await tx.get(Document, version.document_id) if version else None
        if version is None or document is None:
            raise NotFound(N_("The document was deleted."))
        return version, document

    async def _parse(
        self, version: DocumentVersion, document: Document, space_id: UUID, report: Report
    ) -> ParsedDocument:
        tenant_id = version.tenant_id
        async with self._uow.read(tenant_id) as tx:
            blob = await tx.get(Blob, version.blob_id) if version.blob_id else None
            text = await tx.get(Blob, version.text_blob_id) if version.text_blob_id else None
        if text is not None:
            return await parsed_text(self._contents, text)
        if blob is None:
            raise NotFound(N_("The stored file is missing. Upload it again."))

        async def progress(fraction: float) -> None:
            done = STARTED_SHARE + (CHUNKED_SHARE - STARTED_SHARE) * fraction
            await self._progress(tenant_id, version.id, done)
            await report(done, DocumentState.PARSING)

        extension = extension_of(version.filename)
        async with self._contents.on_disk(tenant_id, blob.name) as path:
            if extension in ARCHIVES:
                return await self._archives.read(document, path, version.filename, progress)
            if extension in RECORDINGS:
                return await self._transcripts.read(blob, path, version.filename, progress, space_id=space_id)
            return await self._parser.parse(path, version.filename, progress)

    async def _read(self, tenant_id: UUID, version_id: UUID, parsed: ParsedDocument, count: int, tokens: int) -> None:
        async with self._uow.begin(tenant_id) as tx:
            version, document = await self._current(tx, version_id)
            version.state, version.progress = DocumentState.INDEXING, CHUNKED_SHARE
            version.language, version.page_count = parsed.language, parsed.page_count
            version.pages_without_text = list(parsed.pages_without_text)
            version.pages_by_ocr = list(parsed.pages_by_ocr)
            version.refused = [asdict(refused) for refused in parsed.refused]
            version.characters, version.chunk_count = len(parsed.text), count
            version.chunk_tokens = tokens
            version.media_type = parsed.media_type
            await announce(tx, document, version)

    async def _embed(
        self, tenant_id: UUID, version_id: UUID, model: EmbeddingModel, drafts: Sequence[ChunkDraft], report: Report
    ) -> list[bytes]:
        vectors: list[bytes] = []
        for first in range(0, len(drafts), BATCH):
            batch = [draft.embedded_text for draft in drafts[first : first + BATCH]]
            vectors += await self._embedder.embed(tenant_id, model, batch, "passage")
            done = CHUNKED_SHARE + (0.97 - CHUNKED_SHARE) * len(vectors) / len(drafts)
            await self._progress(tenant_id, version_id, done)
            await report(done, DocumentState.INDEXING)
        if len(vectors) != len(drafts):
            raise Failure(N_("The embedding model gave the wrong number of vectors. Try again."))
        return vectors

    async def _progress(self, tenant_id: UUID, version_id: UUID, fraction: float) -> None:
        async with self._uow.begin(tenant_id) as tx:
            version, document = await self._current(tx, version_id)
            version.progress = fraction
            await announce(tx, document, version)

    async def _store(
        self,
        tenant_id: UUID,
        version_id: UUID,
        parsed: ParsedDocument,
        drafts: Sequence[ChunkDraft],
        vectors: Sequence[bytes],
        collection_id: UUID,
        model: EmbeddingModel,
    ) -> None:
        text_blob = await self._store_text(tenant_id, parsed)
        async with self._uow.begin(tenant_id) as tx:
            vector_set = await vector_set_of(tx, collection_id, model)
            version, document = await self._current(tx, version_id)
            version.text_blob_id = text_blob
            await self._require_passages(tx, document, collection_id, len(drafts))
            await tx.knowledge.drop_chunks(document.id)
            await self._index(tx, document, version, drafts, vectors, vector_set)
            for other in await tx.knowledge.versions([document.id]):
                if other.id != version.id and other.state == DocumentState.READY:
                    other.state = DocumentState.REPLACED
            version.state, version.progress, version.error = DocumentState.READY, 1.0, None
            document.version_id = version.id
            await announce(tx, document, version)

    @staticmethod
    async def _require_passages(tx: Transaction, document: Document, collection_id: UUID, count: int) -> None:
        """Raise `QuotaExceeded` unless the passages of a document fit, in place of those that it has."""
        collection = await tx.get(Collection, collection_id)
        present = await tx.get(DocumentVersion, document.version_id) if document.version_id else None
        more = count - (present.chunk_count if present else 0)
        if collection is not None and more > 0:
            await require_counts(tx, document.user_id, collection.space_id, passages=more)

    async def _index(
        self,
        tx: Transaction,
        document: Document,
        version: DocumentVersion,
        drafts: Sequence[ChunkDraft],
        vectors: Sequence[bytes],
        vector_set: int,
    ) -> None:
        chunks = [chunk_of(document, version, draft) for draft in drafts]
        entries = [
            entry(chunk, self._analyse(draft.embedded_text, version.language), vector, vector_set)
            for chunk, draft, vector in zip(chunks, drafts, vectors, strict=True)
        ]
        await tx.knowledge.store_chunks(version, chunks, entries)

    async def take_in(self, collection: Collection, texts: Sequence[tuple[str, ParsedDocument]]) -> list[UUID]:
        """Make texts with their titles searchable at once, without files and jobs; the ids of the documents."""
        pieces = [list(await self._parser.chunk(parsed, title, collection.chunk_tokens)) for title, parsed in texts]
        async with self._uow.read(collection.tenant_id) as tx:
            model = await tx.get(EmbeddingModel, collection.embedding_model_id)
        if model is None:
            raise NotFound(N_("The model was not found."))
        async with self._uow.read(collection.tenant_id) as tx:
            await require_approved(tx, collection, model)
        work_in_space(collection.space_id)
        flat = [draft.embedded_text for drafts in pieces for draft in drafts]
        vectors = iter(await self._embedder.embed(collection.tenant_id, model, flat, "passage"))
        async with self._uow.begin(collection.tenant_id) as tx:
            return [
                await self._take_in_one(tx, collection, title, parsed, drafts, [next(vectors) for _ in drafts])
                for (title, parsed), drafts in zip(texts, pieces, strict=True)
            ]

    async def _take_in_one(
        self,
        tx: Transaction,
        collection: Collection,
        title: str,
        parsed: ParsedDocument,
        drafts: Sequence[ChunkDraft],
        vectors: Sequence[bytes],
    ) -> UUID:
        document = Document(
            tenant_id=collection.tenant_id, collection_id=collection.id, user_id=collection.user_id, title=title
        )
        encoded = parsed.text.encode()
        version = DocumentVersion(
            tenant_id=collection.tenant_id,
            document_id=document.id,
            number=1,
            filename=title,
            media_type=parsed.media_type,
            size=len(encoded),
            sha256=sha256(encoded).hexdigest(),
            blob_id=None,
            state=DocumentState.READY,
            progress=1.0,
            language=parsed.language,
            characters=len(parsed.text),
            chunk_count=len(drafts),
            chunk_tokens=collection.chunk_tokens,
        )
        await tx.add(document, version)
        document.version_id = version.id
        await self._index(tx, document, version, drafts, vectors, collection.vector_set)
        return document.id

    async def _store_text(self, tenant_id: UUID, parsed: ParsedDocument) -> UUID:
        async def encoded() -> AsyncIterator[bytes]:
            yield parsed.to_json().encode()

        stored = await self._contents.receive(tenant_id, encoded(), TEXT_LIMIT)
        async with self._uow.begin(tenant_id) as tx:
            blob = await kept(tx, tenant_id, stored)
            return blob.id


def entry(chunk: Chunk, terms: str, vector: bytes, vector_set: int) -> IndexEntry:
    """A chunk as the index stores it."""
    return IndexEntry(chunk.key, chunk.id, chunk.collection_id, chunk.document_id, terms, vector, vector_set)


async def parsed_text(contents: Contents, blob: Blob) -> ParsedDocument:
    """What was read from a file, from its stored form."""
    parts = [part async for part in contents.read(blob.tenant_id, blob.name)]
    return ParsedDocument.from_json(b"".join(parts).decode())


def chunk_of(document: Document, version: DocumentVersion, draft: ChunkDraft) -> Chunk:
    """A draft as a chunk of the version."""
    chunk_id = new_id()
    return Chunk(
        tenant_id=document.tenant_id,
        id=chunk_id,
        collection_id=document.collection_id,
        document_id=document.id,
        version_id=version.id,
        key=chunk_key(chunk_id),
        position=draft.position,
        text=draft.text,
        start=draft.start,
        end=draft.end,
        token_count=draft.token_count,
        page_from=draft.page_from,
        page_to=draft.page_to,
        heading_path=list(draft.heading_path),
        header=draft.header,
    )
