"""Knowledge: use cases of collections, documents and search."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal
from uuid import UUID

from domain.assistants.service import readable_assistant, readable_collections
from domain.files.entities import Blob
from domain.files.naming import clean_filename
from domain.jobs.entities import Job, JobState
from domain.jobs.service import Ended, request_cancel, requeue
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, FileTooLarge, Invalid, NameTaken, NotFound, QuotaExceeded
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.knowledge import ingestion
from domain.knowledge.access import collection_access, document_access
from domain.knowledge.entities import Collection, Document, DocumentState, DocumentVersion
from domain.knowledge.parsing import SUPPORTED, ParsedDocument, extension_of
from domain.knowledge.removal import remove_collection, remove_document
from domain.knowledge.repository import CollectionSize, DocumentRow
from domain.knowledge.retrieval import Passage, Retrieval, fuse, passages, vector_weight
from domain.models.entities import EmbeddingModel
from domain.models.service import EmbeddingChoice, default_embedding, embedding_choices
from domain.ports import Contents, Deed, Embedder, Limiter, SearchHit, StoredContent, TextHits
from domain.spaces.service import SpaceAccess, space_access
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

Mode = Literal["hybrid", "vector", "text"]
LEG_DEPTH = 60
"""How many chunks each leg of the search brings to the fusion."""
MAX_PASSAGES = 200
QUERY_LIMIT = 10_000
TEXT_DOCUMENT_LIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection with its figures and what the actor may do to it."""

    collection: Collection
    model: EmbeddingModel | None
    size: CollectionSize
    permissions: Sequence[Action]
    choice: EmbeddingChoice | None = None


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with its newest version and what the actor may do to it."""

    document: Document
    version: DocumentVersion
    permissions: Sequence[Action]
    embedding_model_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The outcome of an upload; `job` is None when the very same content was there already."""

    document: Document
    version: DocumentVersion
    job: Job | None


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Where to search: exactly one of the three."""

    space_id: UUID | None = None
    collection_ids: Sequence[UUID] | None = None
    assistant_id: UUID | None = None


class KnowledgeService:
    """Use cases of knowledge."""

    def __init__(
        self,
        uow: UnitOfWork,
        contents: Contents,
        embedder: Embedder,
        limiter: Limiter,
        *,
        max_file_size: int,
        ended: Mapping[str, Ended],
    ) -> None:
        self._uow, self._contents, self._embedder, self._limiter = uow, contents, embedder, limiter
        self.max_file_size = max_file_size
        self._ended = ended

    # Collections

    async def collections(self, actor: Actor, space_id: UUID) -> list[CollectionView]:
        """The collections of a space, for those who may read them."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.COLLECTION):
                return []
            return await self._views(tx, actor, access, await tx.knowledge.collections([space_id]))

    async def _views(
        self, tx: Transaction, actor: Actor, access: SpaceAccess, found: Sequence[Collection]
    ) -> list[CollectionView]:
        choices = {c.model.id: c for c in await embedding_choices(tx)}
        sizes = await tx.knowledge.sizes([c.id for c in found])
        allowed = access.permissions_of_one(actor, Resource.COLLECTION)
        return [
            CollectionView(
                c,
                choices[c.embedding_model_id].model,
                sizes.get(c.id, CollectionSize()),
                allowed,
                choices[c.embedding_model_id],
            )
            for c in found
        ]

    async def collection(self, actor: Actor, collection_id: UUID) -> CollectionView:
        """One collection."""
        async with self._uow.read(actor.tenant_id) as tx:
            collection, access = await self._collection(tx, actor, collection_id, Action.READ)
            return (await self._views(tx, actor, access, [collection]))[0]

    async def create_collection(
        self, actor: Actor, space_id: UUID, name: str, embedding_model_id: UUID | None = None
    ) -> CollectionView:
        """A new collection; its embedding model stays with it."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.COLLECTION, Action.CREATE)
            choices = await embedding_choices(tx)
            if embedding_model_id is not None:
                choices = [c for c in choices if c.model.id == embedding_model_id]
                if not choices:
                    raise NotFound(N_("The model was not found."), field="embedding_model")
            collection = Collection(
                tenant_id=actor.tenant_id,
                space_id=space_id,
                user_id=actor.user_id,
                name=clean_name(name),
                embedding_model_id=default_embedding(choices).model.id,
            )
            await tx.add(collection)
            tx.record(actor, Change("collection_created", "collection", collection.id, collection.name))
            tx.signal(Signal(f"space:{space_id}", "collections_changed"))
            return (await self._views(tx, actor, access, [collection]))[0]

    async def rename_collection(self, actor: Actor, collection_id: UUID, name: str) -> CollectionView:
        """Give a collection another name."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, access = await self._collection(tx, actor, collection_id, Action.EDIT)
            old, collection.name = collection.name, clean_name(name)
            change = Change(
                "collection_updated", "collection", collection.id, old, old={"name": old}, new={"name": collection.name}
            )
            tx.record(actor, change)
            tx.signal(Signal(f"space:{collection.space_id}", "collections_changed"))
            return (await self._views(tx, actor, access, [collection]))[0]

    async def delete_collection(self, actor: Actor, collection_id: UUID) -> None:
        """Delete a collection with all its documents."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await self._collection(tx, actor, collection_id, Action.DELETE)
            await remove_collection(tx, collection)
            tx.record(actor, Change("collection_deleted", "collection", collection_id, collection.name))
            tx.signal(Signal(f"space:{collection.space_id}", "collections_changed"))

    _collection = staticmethod(collection_access)

    # Documents

    async def documents(
        self,
        actor: Actor,
        collection_id: UUID,
        *,
        search: str = "",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DocumentView]:
        """The documents of a collection, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            collection, access = await self._collection(tx, actor, collection_id, Action.READ)
            page = await tx.knowledge.documents(
                [collection_id], search=search.strip(), limit=clamp(limit), cursor=cursor
            )
            return self._page(actor, access, page, [collection])

    async def documents_of_space(
        self, actor: Actor, space_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[DocumentView]:
        """The documents of all collections of a space, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.DOCUMENT):
                return Page([], None, 0)
            found = await tx.knowledge.collections([space_id])
            page = await tx.knowledge.documents([c.id for c in found], search="", limit=clamp(limit), cursor=cursor)
            return self._page(actor, access, page, found)

    @staticmethod
    def _page(
        actor: Actor, access: SpaceAccess, page: Page[DocumentRow], collections: Sequence[Collection]
    ) -> Page[DocumentView]:
        allowed = access.permissions_of_one(actor, Resource.DOCUMENT)
        models = {c.id: c.embedding_model_id for c in collections}
        views = [DocumentView(r.document, r.version, allowed, models.get(r.document.collection_id)) for r in page.items]
        return Page(views, page.next_cursor, page.total)

    async def document(self, actor: Actor, document_id: UUID) -> DocumentView:
        """One document with its newest version."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._document(tx, actor, document_id, Action.READ)

    async def _document(self, tx: Transaction, actor: Actor, document_id: UUID, action: Action) -> DocumentView:
        document, collection, access = await document_access(tx, actor, document_id, action)
        version = await tx.knowledge.latest_version(document_id)
        if version is None:
            raise NotFound(N_("The document was not found."))
        allowed = access.permissions_of_one(actor, Resource.DOCUMENT)
        return DocumentView(document, version, allowed, collection.embedding_model_id)

    async def upload(
        self,
        actor: Actor,
        collection_id: UUID,
        filename: str,
        stream: AsyncIterator[bytes],
        *,
        declared_size: int | None = None,
        title: str | None = None,
        url: str | None = None,
        preview: bool = False,
    ) -> Uploaded:
        """Take in a file as it comes and queue the reading of it; with `preview` it waits to be looked at before indexing.

        The same content in the collection is not stored twice; the same title becomes a new version. Raises
        `UnsupportedFile`, `FileTooLarge` and `QuotaExceeded` before reading the stream where that can be known.
        """
        await self._limiter.take(Deed.UPLOAD, actor)
        name = clean_filename(filename)
        extension_of(name)
        async with self._uow.read(actor.tenant_id) as tx:
            await self._collection(tx, actor, collection_id, Action.CREATE, Resource.DOCUMENT)
            if declared_size is not None and declared_size > self.max_file_size:
                raise FileTooLarge(limit=human_size(self.max_file_size))
            await self._room(tx, actor, declared_size or 0)
        stored = await self._contents.receive(actor.tenant_id, stream, self.max_file_size)
        try:
            if stored.size == 0:
                raise Invalid(N_("The file is empty."), field="file")
            title = clean_name(title or name, "title")
            return await self._take_in(actor, collection_id, name, title, url, stored, preview)
        except BaseException:
            await self._discard(actor.tenant_id, stored)
            raise

    async def _take_in(
        self,
        actor: Actor,
        collection_id: UUID,
        name: str,
        title: str,
        url: str | None,
        stored: StoredContent,
        preview: bool,
    ) -> Uploaded:
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await self._collection(tx, actor, collection_id, Action.CREATE, Resource.DOCUMENT)
            same = await tx.knowledge.version_with_hash(collection_id, stored.sha256)
            if same is not None:
                document = await tx.get(Document, same.document_id)
                if document is not None:
                    tx.forget_content(stored.name)
                    return Uploaded(document, same, None)
            # Uploads of an organisation wait for each other here, so that two cannot share the last room.
            await tx.users.take_turns()
            await self._room(tx, actor, stored.size)
            blob = await tx.files.blob_by_hash(stored.sha256)
            if blob is None:
                blob = Blob(tenant_id=actor.tenant_id, name=stored.name, sha256=stored.sha256, size=stored.size)
                await tx.add(blob)
            elif blob.name != stored.name:
                tx.forget_content(stored.name)
            document, number = await self._new_or_replaced(tx, actor, collection, title, url)
            version = DocumentVersion(
                tenant_id=actor.tenant_id,
                document_id=document.id,
                number=number,
                filename=name,
                media_type=SUPPORTED[extension_of(name)][0],
                size=stored.size,
                sha256=stored.sha256,
                blob_id=blob.id,
            )
            job = ingestion.job_of(actor, document, version, preview=preview)
            version.job_id = job.id
            await tx.add(version, job)
            tx.enqueue(job)
            await ingestion.announce(tx, document, version)
            action = "document_uploaded" if number == 1 else "document_replaced"
            tx.record(actor, Change(action, "document", document.id, title, new={"size": stored.size}))
            return Uploaded(document, version, job)

    async def _new_or_replaced(
        self, tx: Transaction, actor: Actor, collection: Collection, title: str, url: str | None
    ) -> tuple[Document, int]:
        document = await tx.knowledge.document_titled(collection.id, title)
        if document is None:
            document = Document(
                tenant_id=actor.tenant_id, collection_id=collection.id, user_id=actor.user_id, title=title, url=url
            )
            await tx.add(document)
            return document, 1
        latest = await tx.knowledge.latest_version(document.id)
        if latest is not None and DocumentState(latest.state).busy:
            await self._cancel(tx, latest)
        return document, latest.number + 1 if latest else 1

    async def _room(self, tx: Transaction, actor: Actor, more: int) -> None:
        tenant = await tx.get(Tenant, actor.tenant_id)
        user = await tx.get(User, actor.user_id)
        if tenant and await tx.knowledge.bytes_stored() + more > tenant.quota_limit:
            raise QuotaExceeded(
                N_("The organisation's storage is full ({limit})."), limit=human_size(tenant.quota_limit)
            )
        limit = user.quota_limit if user else None
        if limit is not None and await tx.knowledge.bytes_stored(actor.user_id) + more > limit:
            raise QuotaExceeded(N_("Your own storage is full ({limit})."), limit=human_size(limit))

    async def _discard(self, tenant_id: UUID, stored: StoredContent) -> None:
        async with self._uow.read(tenant_id) as tx:
            blob = await tx.files.blob_by_hash(stored.sha256)
        if blob is None or blob.name != stored.name:
            await self._contents.delete(tenant_id, stored.name)

    async def add_text(
        self, actor: Actor, collection_id: UUID, text: str, title: str, url: str | None = None
    ) -> Uploaded:
        """A document written or sent as plain text."""
        if not text.strip():
            raise Invalid(N_("The text is empty."), field="text")
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > TEXT_DOCUMENT_LIMIT:
            raise FileTooLarge(limit=human_size(TEXT_DOCUMENT_LIMIT))

        async def stream() -> AsyncIterator[bytes]:
            yield encoded

        return await self.upload(
            actor, collection_id, f"{clean_filename(title)[:200]}.txt", stream(), title=title, url=url
        )

    async def update_document(
        self, actor: Actor, document_id: UUID, *, title: str | None = None, url: str | None = None
    ) -> DocumentView:
        """Change title or address of a document."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            old = {"title": view.document.title, "url": view.document.url}
            if title is not None:
                title = clean_name(title, "title")
                other = await tx.knowledge.document_titled(view.document.collection_id, title)
                if other is not None and other.id != document_id:
                    raise NameTaken(N_("Another document in the collection has this title."), field="title")
                view.document.title = title
            if url is not None:
                view.document.url = url[:2000] or None
            new = {"title": view.document.title, "url": view.document.url}
            tx.record(actor, Change("document_updated", "document", document_id, new["title"] or "", old=old, new=new))
            await ingestion.announce(tx, view.document, view.version)
            return view

    async def delete_document(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Delete a document: rows, vectors, full text and files."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.DELETE)
            collection = await tx.get(Collection, view.document.collection_id)
            await remove_document(tx, view.document)
            tx.record(actor, Change("document_deleted", "document", document_id, view.document.title))
            if collection is not None:
                for topic in ingestion.topics(view.document, collection):
                    tx.signal(Signal(topic, "document", {"id": str(document_id), "state": "deleted"}))
            return view

    async def cancel(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Stop the reading of a document. An earlier version stays searchable."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            if not DocumentState(view.version.state).busy:
                raise BadRequest(N_("There is nothing to cancel."))
            await self._cancel(tx, view.version)
            await ingestion.announce(tx, view.document, view.version)
            return view

    async def _cancel(self, tx: Transaction, version: DocumentVersion) -> None:
        job = await tx.get(Job, version.job_id) if version.job_id else None
        version.state = DocumentState.CANCELLED
        if job is not None and job.state in (JobState.QUEUED, JobState.RUNNING):
            await request_cancel(tx, job, self._ended)

    async def retry(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Read a document again that failed or was cancelled."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            if view.version.state not in (DocumentState.FAILED, DocumentState.CANCELLED):
                raise BadRequest(N_("Only a document that failed or was cancelled can be read again."))
            job = await tx.get(Job, view.version.job_id) if view.version.job_id else None
            if job is None or job.state in (JobState.QUEUED, JobState.RUNNING):
                job = ingestion.job_of(actor, view.document, view.version)
                await tx.add(job)
                tx.enqueue(job)
                view.version.job_id = job.id
            else:
                requeue(tx, job)
            view.version.state, view.version.progress = DocumentState.QUEUED, 0.0
            view.version.error, view.version.error_params = None, {}
            await ingestion.announce(tx, view.document, view.version)
            return view

    async def original(self, actor: Actor, document_id: UUID) -> tuple[DocumentVersion, AsyncIterator[bytes]]:
        """The uploaded file itself."""
        async with self._uow.read(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.READ)
            blob = await tx.get(Blob, view.version.blob_id) if view.version.blob_id else None
        if blob is None:
            raise NotFound(N_("The stored file is missing. Upload it again."))
        return view.version, self._contents.read(actor.tenant_id, blob.name)

    async def text(self, actor: Actor, document_id: UUID) -> str:
        """The text that was read from the searchable version; empty while there is none."""
        async with self._uow.read(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.READ)
            version = await tx.get(DocumentVersion, view.document.version_id) if view.document.version_id else None
            blob = await tx.get(Blob, version.text_blob_id) if version and version.text_blob_id else None
        return (await ingestion.parsed_text(self._contents, blob)).text if blob else ""

    async def version_content(
        self, tenant_id: UUID, version_id: UUID
    ) -> tuple[DocumentVersion, Blob | None, ParsedDocument | None]:
        """A version with its file and text, for showing a citation whose right to be seen was checked before."""
        async with self._uow.read(tenant_id) as tx:
            version = await tx.get(DocumentVersion, version_id)
            if version is None:
                raise NotFound(N_("The document was deleted."))
            blob = await tx.get(Blob, version.blob_id) if version.blob_id else None
            text = await tx.get(Blob, version.text_blob_id) if version.text_blob_id else None
        return version, blob, await ingestion.parsed_text(self._contents, text) if text else None

    # Search

    async def search(
        self, actor: Actor, query: str, scope: SearchScope, *, limit: int = 10, mode: Mode = "hybrid"
    ) -> list[Passage]:
        """The best passages for a question among what the actor may read in `scope`."""
        if not query.strip():
            raise Invalid(N_("Write what to search for."), field="query")
        async with self._uow.read(actor.tenant_id) as tx:
            collections = await self._in_scope(tx, actor, scope)
        found = await self.search_collections(actor.tenant_id, query, collections, limit=limit, mode=mode)
        return found.passages

    async def _in_scope(self, tx: Transaction, actor: Actor, scope: SearchScope) -> list[Collection]:
        if sum(part is not None for part in (scope.space_id, scope.collection_ids, scope.assistant_id)) != 1:
            raise Invalid(N_("Give exactly one of space_id, collection_ids and assistant_id."), field="space_id")
        if scope.space_id is not None:
            access = await space_access(tx, actor, scope.space_id)
            access.require(actor, Resource.COLLECTION, Action.READ)
            return await readable_collections(tx, access.space)
        if scope.assistant_id is not None:
            assistant, _ = await readable_assistant(tx, actor, scope.assistant_id)
            ids = (await tx.assistants.collection_ids([assistant.id])).get(assistant.id, ())
            return list(await tx.knowledge.collections_by_id(ids))
        ids = list(dict.fromkeys(scope.collection_ids or ()))
        return [(await self._collection(tx, actor, i, Action.READ))[0] for i in ids]

    async def search_collections(
        self, tenant_id: UUID, query: str, collections: Sequence[Collection], *, limit: int, mode: Mode = "hybrid"
    ) -> Retrieval:
        """The search itself, in collections whose reading was allowed before."""
        query, limit = query.strip()[:QUERY_LIMIT], max(1, min(limit, MAX_PASSAGES))
        if not collections:
            return Retrieval(query, [])
        began = monotonic()
        vectors = [] if mode == "text" else await self._query_vectors(tenant_id, query, collections)
        embedded = monotonic()
        ids = [] if mode == "vector" else [c.id for c in collections]
        async with self._uow.read(tenant_id) as tx:
            found = await find_passages(tx, query, vectors, ids, limit)
        found.milliseconds["embedding"] = round((embedded - began) * 1_000)
        return found

    async def _query_vectors(
        self, tenant_id: UUID, query: str, collections: Sequence[Collection]
    ) -> list[tuple[list[UUID], bytes]]:
        async with self._uow.read(tenant_id) as tx:
            models = {c.model.id: c.model for c in await embedding_choices(tx)}
        vectors: list[tuple[list[UUID], bytes]] = []
        for model_id in {c.embedding_model_id for c in collections}:
            vector = (await self._embedder.embed(tenant_id, models[model_id], [query], "query"))[0]
            vectors.append(([c.id for c in collections if c.embedding_model_id == model_id], vector))
        return vectors


async def find_passages(
    tx: Transaction,
    query: str,
    vectors: Sequence[tuple[Sequence[UUID], bytes]],
    collection_ids: Sequence[UUID],
    limit: int,
) -> Retrieval:
    """The best `limit` passages for a query.

    `vectors` holds the query as each embedding model sees it, with the collections of that model; the words of the query
    are sought in `collection_ids`. Without either, that leg is left out.
    """
    depth = max(LEG_DEPTH, limit * 2)
    began = monotonic()
    near: list[SearchHit] = []
    for ids, vector in vectors:
        near += await tx.knowledge.search_vectors(ids, vector, depth)
    seen = monotonic()
    texts = await tx.knowledge.search_texts(collection_ids, query, depth) if collection_ids else TextHits()
    read = monotonic()
    weight = vector_weight(query, texts.small_words, max((hit.score for hit in texts.hits), default=0.0))
    ranked = fuse(near, texts.hits, weight)
    # More than the limit, because neighbouring chunks become one passage.
    found = await tx.knowledge.found([r.key for r in ranked[: limit * 3]])
    chosen = passages(ranked, found, limit)
    milliseconds = {
        "vectors": round((seen - began) * 1_000),
        "texts": round((read - seen) * 1_000),
        "passages": round((monotonic() - read) * 1_000),
    }
    return Retrieval(query, chosen, texts.terms, near, texts.hits, weight, ranked, milliseconds)


def human_size(size: int) -> str:
    """Bytes as people read them: `2 GB`, `300 kB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError(size)
