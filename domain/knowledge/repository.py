"""What knowledge asks of storage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.knowledge.entities import (
    Chunk,
    Collection,
    CollectionShare,
    Document,
    DocumentVersion,
    EmbeddingChange,
    Transcript,
    UnansweredQuestion,
)
from domain.ports import SearchHit, TextHits

if TYPE_CHECKING:
    from domain.knowledge.limits import KnowledgeLimit
from domain.users.entities import User


@dataclass(frozen=True, slots=True)
class Amount:
    """What somebody or a space stores: bytes of all versions, documents, and passages that can be searched."""

    bytes: int = 0
    documents: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True)
class CollectionSize:
    """How much a collection holds; `size` is in bytes."""

    documents: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the documents of a collection are: searchable, failed, on their way, and searchable with pages missing."""

    searchable: int = 0
    failed: int = 0
    busy: int = 0
    partly: int = 0


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document with its newest version (which may still be on its way)."""

    document: Document
    version: DocumentVersion


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A chunk as the search index stores it: its terms, analysed, and its vector (float32) for one of the two sets."""

    key: int
    chunk_id: UUID
    collection_id: UUID
    document_id: UUID
    terms: str
    vector: bytes
    vector_set: int = 0


@dataclass(frozen=True, slots=True)
class VectorCount:
    """How many chunks of a collection are indexed, and how many vectors one of its sets holds."""

    chunks: int
    vectors: int


@dataclass(frozen=True, slots=True)
class Volume:
    """How much of a collection is embedded."""

    documents: int = 0
    chunks: int = 0
    tokens: int = 0

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(self.documents + other.documents, self.chunks + other.chunks, self.tokens + other.tokens)


@dataclass(frozen=True, slots=True)
class EmbeddedChunk:
    """An indexed chunk with what its embedding is made of."""

    key: int
    text: str


@dataclass(frozen=True, slots=True)
class CutCount:
    """Documents that are cut differently than their collection says: to be cut anew, and kept since changed by hand."""

    outdated: int = 0
    kept: int = 0


class ChunkText(NamedTuple):
    """What a reader needs of a chunk."""

    id: UUID
    document_id: UUID
    version_id: UUID
    collection_id: UUID
    key: int
    position: int
    text: str
    start: int
    end: int
    page_from: int | None
    page_to: int | None
    heading_path: Sequence[str]
    header: str

    @classmethod
    def of(cls, chunk: Chunk) -> "ChunkText":
        """The same of a whole chunk."""
        return cls(*(getattr(chunk, name) for name in cls._fields))


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk with what a reader needs to know of its document."""

    chunk: ChunkText
    title: str
    url: str | None
    language: str
    pages: int = 0
    unread: int = 0
    """How many of the pages have no text."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a search can be narrowed by: when the version was added, its file's name, source, tags and language."""

    added_at: datetime
    filename: str
    kind: str
    tags: Sequence[str]
    language: str


class KnowledgeRepository(Protocol):
    """Collections, documents and chunks of the transaction's tenant."""

    async def collections(self, space_ids: Sequence[UUID]) -> Sequence[Collection]:
        """The collections of these spaces, in order of name."""

    async def vector_sets(self, ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The present set of vectors of each of these collections."""

    async def collections_by_id(self, ids: Sequence[UUID]) -> Sequence[Collection]:
        """Collections by id; unknown ones are left out."""

    async def shares(self, collection_id: UUID) -> Sequence[CollectionShare]:
        """The shares of a collection with other spaces."""

    async def shared_with(self, space_id: UUID) -> Sequence[Collection]:
        """The collections of other spaces that are shared with this one, in order of name."""

    async def sizes(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, CollectionSize]:
        """How much each collection holds."""

    async def state_of(self, collection_ids: Sequence[UUID]) -> str:
        """A name for the present state of the documents in some collections: it changes whenever one of them does."""

    async def readiness(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, Readiness]:
        """How far the documents of each collection are; collections without documents are left out."""

    async def documents(
        self, collection_ids: Sequence[UUID], *, search: str, limit: int, cursor: str | None
    ) -> Page[DocumentRow]:
        """Documents with their newest versions, newest document first."""

    async def documents_by_id(self, collection_id: UUID, ids: Iterable[UUID]) -> Sequence[Document]:
        """Those of the documents that are in the collection, in order of title."""

    async def document_titled(self, collection_id: UUID, title: str) -> Document | None:
        """The document with this title."""

    async def version_with_hash(self, collection_id: UUID, sha256: str) -> DocumentVersion | None:
        """The newest version of any document in the collection with this content, unless it failed."""

    async def latest_version(self, document_id: UUID) -> DocumentVersion | None:
        """The newest version of a document."""

    async def versions(self, document_ids: Sequence[UUID]) -> Sequence[DocumentVersion]:
        """All versions of the documents, newest first."""

    async def chunks(self, version_id: UUID, *, after: int, limit: int) -> Sequence[Chunk]:
        """Chunks of a version by position, from the one after `after`."""

    async def index(self, entries: Sequence[IndexEntry]) -> None:
        """Put chunks into vectors and full text."""

    async def unindex(self, keys: Sequence[int]) -> None:
        """Take chunks out of vectors and full text; their rows stay."""

    async def differently_cut(
        self, collection_id: UUID, tokens: int, *, after: UUID | None = None, limit: int = 100
    ) -> Sequence[DocumentVersion]:
        """Searchable versions whose chunks do not aim for `tokens` and were not changed by hand, by document id."""

    async def cut(self, collection_id: UUID, tokens: int) -> CutCount:
        """How many documents are cut differently than into `tokens`."""

    async def changed_by_hand(self, version_id: UUID) -> bool:
        """Whether somebody has changed or switched off a chunk of the version."""

    async def unanswered(self, space_id: UUID, *, limit: int, cursor: str | None) -> Page[UnansweredQuestion]:
        """The questions of a space without an answer, the newest first."""

    async def unanswered_of(self, assistant_id: UUID, limit: int) -> Sequence[UnansweredQuestion]:
        """The newest questions of an assistant without an answer."""

    async def unanswered_days(self) -> Sequence[tuple[UUID, int | None]]:
        """The assistants that have such questions, and for how many days those are kept where that is said."""

    async def drop_unanswered(self, assistant_id: UUID, before: datetime) -> int:
        """Delete an assistant's questions last asked before a moment; how many."""

    async def found(self, keys: Sequence[int]) -> Mapping[int, FoundChunk]:
        """Chunks by search key."""

    async def described(self, keys: Sequence[int]) -> Mapping[int, Described]:
        """What the documents are like whose chunks have these search keys."""

    async def store_chunks(
        self, version: DocumentVersion, chunks: Sequence[Chunk], entries: Sequence[IndexEntry]
    ) -> None:
        """Write chunks and their index entries."""

    async def drop_chunks(self, document_id: UUID, *, keep_version: UUID | None = None) -> int:
        """Delete the document's chunks from table, vectors and full text, except those of one version."""

    async def drop_collection_index(self, collection_id: UUID) -> None:
        """Delete all chunks of a collection from table, vectors and full text."""

    async def bytes_stored(self, user_id: UUID | None = None) -> int:
        """Bytes of documents of the tenant, or of one user's."""

    async def amount(self, user_id: UUID | None) -> Amount:
        """What the tenant stores, or one user."""

    async def limits(self, space_ids: Sequence[UUID], user_ids: Sequence[UUID]) -> "Sequence[KnowledgeLimit]":
        """The limits of these spaces and people; with neither, that of the organisation."""

    async def limits_for(self, space_id: UUID, user_id: UUID) -> "Sequence[KnowledgeLimit]":
        """All that bear upon what a user adds to a space."""

    async def owners(self, *, limit: int, cursor: str | None) -> Page[tuple[User, Amount]]:
        """Who has stored documents, with what they have stored, most bytes first."""

    async def bytes_by_user(self, user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Bytes of documents of each user."""

    async def transcript(self, blob_id: UUID, model_id: UUID) -> Transcript | None:
        """What a model heard in a content before."""

    async def search_vectors(
        self, collection_ids: Sequence[UUID], vector: bytes, limit: int, vector_set: int = 0
    ) -> Sequence[SearchHit]:
        """The nearest chunks in these collections by cosine similarity, by the vectors of one set."""

    async def search_texts(self, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """The best chunks in these collections by BM25."""


class VectorRepository(Protocol):
    """The two sets of vectors of collections, and collections on their way from one to the other."""

    async def hold(self, collection_id: UUID) -> None:
        """Let nobody else change what is indexed of a collection until this transaction has ended."""

    async def volumes(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, Volume]:
        """How much of each collection is embedded."""

    async def without(self, collection_id: UUID, vector_set: int, limit: int) -> Sequence[EmbeddedChunk]:
        """Indexed chunks that have no vector in the set."""

    async def put(self, collection_id: UUID, vector_set: int, vectors: Sequence[tuple[EmbeddedChunk, bytes]]) -> int:
        """Add vectors of chunks whose texts are still the same and that have none in the set; how many."""

    async def count(self, collection_id: UUID, vector_set: int) -> VectorCount:
        """Indexed chunks, and vectors of the set."""

    async def drop(self, collection_id: UUID, vector_set: int, limit: int) -> int:
        """Remove some vectors of a set; how many."""

    async def sample(self, collection_id: UUID, limit: int) -> Sequence[EmbeddedChunk]:
        """Some indexed chunks of a collection, from all over it."""

    async def again(self, found: Sequence[EmbeddedChunk]) -> Sequence[EmbeddedChunk]:
        """The same chunks as they are now; those that were removed are left out."""

    async def changes(self, collection_ids: Sequence[UUID]) -> Sequence[EmbeddingChange]:
        """The changes of embedding model of these collections, one each at the most."""

    async def changes_of(self, job_id: UUID) -> Sequence[EmbeddingChange]:
        """The changes that a job carries out, in order."""

    async def changing(self) -> Sequence[Collection]:
        """All collections whose newest change is not done, in order of name."""

    async def collections_of(self, model_id: UUID) -> Sequence[Collection]:
        """All collections of the organisation that a model embeds, in order of id."""
