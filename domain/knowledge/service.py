"""Knowledge: use cases of collections and documents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.assistants.access import readable_collections
from domain.classifications.approval import require_approved
from domain.files.entities import Blob
from domain.files.naming import clean_filename
from domain.files.screening import Screening
from domain.jobs.entities import Job, JobState
from domain.jobs.service import Ended, requeue
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, FileTooLarge, Invalid, NameTaken, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.knowledge import ingestion
from domain.knowledge.access import collection_access, document_access
from domain.knowledge.entities import Collection, CollectionKind, Document, DocumentState, DocumentVersion
from domain.knowledge.filters import clean_tags
from domain.knowledge.intake import (
    Incoming,
    Room,
    Uploaded,
    cancel_reading,
    discard,
    human_size,
    reading_job,
    require_room,
    room,
    take_in,
)
from domain.knowledge.parsing import RECORDINGS, ParsedDocument, extension_of
from domain.knowledge.progress import announce, topics
from domain.knowledge.removal import remove_collection, remove_document
from domain.knowledge.repository import CollectionSize, DocumentRow
from domain.models.choice import EmbeddingChoice
from domain.models.entities import EmbeddingModel
from domain.models.service import embedding_choices, embedding_for_new
from domain.models.transcription import transcription_in
from domain.ports import Contents, Deed, Limiter
from domain.spaces.each import in_each
from domain.spaces.entities import Space
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction, UnitOfWork

TEXT_DOCUMENT_LIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection with its figures and what the actor may do to it, as it is seen in `access.space`.

    `origin` is the space it belongs to, where that is another one.
    """

    collection: Collection
    model: EmbeddingModel | None
    size: CollectionSize
    permissions: Sequence[Action]
    access: SpaceAccess
    choice: EmbeddingChoice | None = None
    origin: Space | None = None

    @property
    def space_id(self) -> UUID:
        """The space it belongs to."""
        return self.collection.space_id


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with its newest version and what the actor may do to it."""

    document: Document
    version: DocumentVersion
    permissions: Sequence[Action]
    embedding_model_id: UUID | None = None
    kind: str = CollectionKind.DOCUMENTS


class KnowledgeService:
    """Use cases of knowledge."""

    def __init__(
        self,
        uow: UnitOfWork,
        contents: Contents,
        limiter: Limiter,
        screening: Screening,
        *,
        max_file_size: int,
        ended: Mapping[str, Ended],
    ) -> None:
        self._uow, self._contents, self._limiter = uow, contents, limiter
        self._screening = screening
        self.max_file_size = max_file_size
        self._ended = ended

    # Collections

    async def collections(self, actor: Actor, space_id: UUID) -> list[CollectionView]:
        """The collections of a space, for those who may read them."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.COLLECTION):
                return []
            found = [c for c in await tx.knowledge.collections([space_id]) if c.kind == CollectionKind.DOCUMENTS]
            return await self._views(tx, actor, access, found)

    async def in_each(self, actor: Actor, accesses: Sequence[SpaceAccess]) -> list[CollectionView]:
        """The collections of several spaces, space by space, of those where they may be read; all fetched at once."""

        async def fetch(tx: Transaction, access: SpaceAccess, space_ids: Sequence[UUID]) -> list[CollectionView]:
            found = [c for c in await tx.knowledge.collections(space_ids) if c.kind == CollectionKind.DOCUMENTS]
            return await self._views(tx, actor, access, found)

        def seen(view: CollectionView, access: SpaceAccess) -> CollectionView:
            allowed = access.permissions_of_one(actor, Resource.COLLECTION)
            return replace(view, permissions=allowed, access=access, origin=None)

        return await in_each(self._uow, actor, accesses, Resource.COLLECTION, fetch, seen)

    async def borrowed(self, actor: Actor, space_id: UUID) -> list[CollectionView]:
        """The collections of other spaces that may be used in this one: shared ones, then the organisation's."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.COLLECTION):
                return []
            usable = await readable_collections(tx, access.space)
            found = [c for c in usable if c.space_id != space_id and c.kind == CollectionKind.DOCUMENTS]
            return await self._views(tx, actor, replace(access, shared=True), found)

    async def _views(
        self, tx: Transaction, actor: Actor, access: SpaceAccess, found: Sequence[Collection]
    ) -> list[CollectionView]:
        choices = {c.model.id: c for c in await embedding_choices(tx)}
        sizes = await tx.knowledge.sizes([c.id for c in found])
        allowed = access.permissions_of_one(actor, Resource.COLLECTION)
        origins = await tx.spaces.many({c.space_id for c in found} - {access.space.id})
        return [
            CollectionView(
                c,
                choices[c.embedding_model_id].model,
                sizes.get(c.id, CollectionSize()),
                allowed,
                access,
                choices[c.embedding_model_id],
                origins.get(c.space_id),
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
            choice = await embedding_for_new(tx, access.space, embedding_model_id)
            collection = Collection(
                tenant_id=actor.tenant_id,
                space_id=space_id,
                user_id=actor.user_id,
                name=clean_name(name),
                embedding_model_id=choice.model.id,
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
        places = {c.id: c for c in collections}
        views = [_view(actor, access, r.document, r.version, places[r.document.collection_id]) for r in page.items]
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
        return _view(actor, access, document, version, collection)

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
        `UnsupportedFile`, `NoModel`, `FileTooLarge` and `QuotaExceeded` before reading the stream where that can be known.
        """
        await self._limiter.take(Deed.UPLOAD, actor)
        name = clean_filename(filename)
        title = clean_name(title or name, "title")
        extension = extension_of(name)
        async with self._uow.read(actor.tenant_id) as tx:
            collection, _ = await self._collection(tx, actor, collection_id, Action.CREATE, Resource.DOCUMENT)
            if declared_size is not None and declared_size > self.max_file_size:
                raise FileTooLarge(limit=human_size(self.max_file_size))
            await require_room(tx, actor, declared_size or 0, collection.space_id)
            await require_approved(tx, collection)
            if extension in RECORDINGS:
                await transcription_in(tx, collection.space_id)
        stored = await self._contents.receive(actor.tenant_id, stream, self.max_file_size)
        try:
            if stored.size == 0:
                raise Invalid(N_("The file is empty."), field="file")
            await self._screening.check(actor, name, stored)
            async with self._uow.begin(actor.tenant_id) as tx:
                collection, _ = await self._collection(tx, actor, collection_id, Action.CREATE, Resource.DOCUMENT)
                incoming = Incoming(name, title, url, stored, preview)
                return await take_in(tx, actor, collection, incoming, self._ended)
        except BaseException:
            await discard(self._uow, self._contents, actor.tenant_id, stored)
            raise

    async def room(self, actor: Actor, collection_id: UUID | None = None) -> Room:
        """How much more the actor may store, in a collection."""
        async with self._uow.read(actor.tenant_id) as tx:
            if collection_id is None:
                return await room(tx, actor)
            collection, _ = await self._collection(tx, actor, collection_id, Action.READ)
            return await room(tx, actor, collection.space_id)

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
        self,
        actor: Actor,
        document_id: UUID,
        *,
        title: str | None = None,
        url: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> DocumentView:
        """Change title, address or tags of a document."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            old = _told(view.document)
            if title is not None:
                title = clean_name(title, "title")
                other = await tx.knowledge.document_titled(view.document.collection_id, title)
                if other is not None and other.id != document_id:
                    raise NameTaken(N_("Another document in the collection has this title."), field="title")
                view.document.title = title
            if url is not None:
                view.document.url = url[:2000] or None
            if tags is not None:
                view.document.tags = clean_tags(tags)
            new = _told(view.document)
            change = Change("document_updated", "document", document_id, view.document.title, old=old, new=new)
            tx.record(actor, change)
            await announce(tx, view.document, view.version)
            return view

    async def delete_document(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Delete a document: rows, vectors, full text and files."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.DELETE)
            collection = await tx.get(Collection, view.document.collection_id)
            await remove_document(tx, view.document)
            tx.record(actor, Change("document_deleted", "document", document_id, view.document.title))
            if collection is not None:
                for topic in topics(view.document, collection):
                    tx.signal(Signal(topic, "document", {"id": str(document_id), "state": "deleted"}))
            return view

    async def cancel(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Stop the reading of a document. An earlier version stays searchable."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            if not DocumentState(view.version.state).busy:
                raise BadRequest(N_("There is nothing to cancel."))
            await cancel_reading(tx, view.version, self._ended)
            await announce(tx, view.document, view.version)
            return view

    async def retry(self, actor: Actor, document_id: UUID) -> DocumentView:
        """Read a document again that failed or was cancelled."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._document(tx, actor, document_id, Action.EDIT)
            if view.version.state not in (DocumentState.FAILED, DocumentState.CANCELLED):
                raise BadRequest(N_("Only a document that failed or was cancelled can be read again."))
            job = await tx.get(Job, view.version.job_id) if view.version.job_id else None
            if job is None or job.state in (JobState.QUEUED, JobState.RUNNING):
                job = reading_job(actor, view.document, view.version)
                await tx.add(job)
                tx.enqueue(job)
                view.version.job_id = job.id
            else:
                requeue(tx, job)
            view.version.state, view.version.progress = DocumentState.QUEUED, 0.0
            view.version.error, view.version.error_params = None, {}
            await announce(tx, view.document, view.version)
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


def _told(document: Document) -> dict[str, Any]:
    """What the audit log says of a document."""
    return {"title": document.title, "url": document.url, "tags": list(document.tags)}


def _view(
    actor: Actor, access: SpaceAccess, document: Document, version: DocumentVersion, collection: Collection
) -> DocumentView:
    allowed = access.permissions_of_one(actor, Resource.DOCUMENT)
    if collection.kind == CollectionKind.WEBSITE:
        allowed = [action for action in allowed if action == Action.READ]
    return DocumentView(document, version, allowed, collection.embedding_model_id, collection.kind)
