"""Knowledge: collections of documents, and the chunks they are searched by."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from domain.kernel.clock import now
from domain.kernel.entity import Owned


class DocumentState(StrEnum):
    """Where a version of a document is on its way to being searchable."""

    QUEUED = "queued"
    PARSING = "parsing"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PREVIEW = "preview"
    REPLACED = "replaced"

    @property
    def busy(self) -> bool:
        """Whether work is still going on."""
        return self in (DocumentState.QUEUED, DocumentState.PARSING, DocumentState.INDEXING)


CHUNK_TOKENS = 280
"""How long chunks are where nothing else was chosen, in tokens."""
LEAST_CHUNK_TOKENS, MOST_CHUNK_TOKENS = 80, 400


class CollectionKind(StrEnum):
    """Who fills a collection: people, or the crawls of the website that has the same id."""

    DOCUMENTS = "documents"
    WEBSITE = "website"


@dataclass(eq=False, kw_only=True)
class Collection(Owned):
    """A folder of documents in a space, embedded by one model, cut into chunks that aim for `chunk_tokens`.

    `vector_set` (0 or 1) says which of the two sets of vectors is searched; the other one is filled while the collection
    changes its model.
    """

    space_id: UUID
    user_id: UUID
    name: str
    embedding_model_id: UUID
    kind: str = CollectionKind.DOCUMENTS
    chunk_tokens: int = CHUNK_TOKENS
    vector_set: int = 0


@dataclass(eq=False, kw_only=True)
class Document(Owned):
    """A document. `version_id` is the searchable version; None until the first one is ready.

    Its id is random: the public API cites a document by the first eight characters of its id.
    """

    id: UUID = field(default_factory=uuid4)
    collection_id: UUID
    user_id: UUID
    title: str
    url: str | None = None
    tags: list[str] = field(default_factory=list)
    version_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class DocumentVersion(Owned):
    """One uploaded content of a document, with what reading it gave.

    `size` is in bytes, `progress` from 0 to 1, `error` a message id with `error_params`. The parsed text is a blob
    of its own, `text_blob_id`. `refused` lists what an archive held that was not taken in: path, message, params. A version
    in `preview` has been read and waits for somebody to say whether it is indexed. `chunk_tokens` is what its chunks aimed
    for.
    """

    document_id: UUID
    number: int
    filename: str
    media_type: str
    size: int
    sha256: str
    blob_id: UUID | None
    text_blob_id: UUID | None = None
    job_id: UUID | None = None
    state: str = DocumentState.QUEUED
    progress: float = 0.0
    error: str | None = None
    error_params: dict[str, Any] = field(default_factory=dict)
    language: str = ""
    page_count: int | None = None
    pages_without_text: list[int] = field(default_factory=list)
    pages_by_ocr: list[int] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    characters: int = 0
    chunk_count: int = 0
    chunk_tokens: int = CHUNK_TOKENS


@dataclass(eq=False, kw_only=True)
class Transcript(Owned):
    """What a model heard in a recording, kept with the content: `segments` are [start, end, text], times in seconds."""

    blob_id: UUID
    model_id: UUID
    segments: list[list[Any]]


@dataclass(eq=False, kw_only=True)
class Chunk(Owned):
    """A stored piece of a document version; `start` and `end` are character positions in its text.

    `key` is the integer by which the search index knows the chunk. `header` is the row of a table that names its columns,
    where the chunk does not begin with it: it is searched with the text. The text of an `edited` chunk is somebody's own; a
    `disabled` one is not in the index.
    """

    collection_id: UUID
    document_id: UUID
    version_id: UUID
    key: int
    position: int
    text: str
    start: int
    end: int
    token_count: int
    page_from: int | None = None
    page_to: int | None = None
    heading_path: list[str] = field(default_factory=list)
    header: str = ""
    edited: bool = False
    disabled: bool = False


@dataclass(eq=False, kw_only=True)
class CollectionShare(Owned):
    """A space that may read a collection of another one and use it in its assistants."""

    collection_id: UUID
    space_id: UUID
    user_id: UUID


class ChangeState(StrEnum):
    """Where a change of embedding model is; from `clearing` on the new model answers."""

    WAITING = "waiting"
    EMBEDDING = "embedding"
    CLEARING = "clearing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether work is still to be done."""
        return self in (ChangeState.WAITING, ChangeState.EMBEDDING, ChangeState.CLEARING)


@dataclass(eq=False, kw_only=True)
class EmbeddingChange(Owned):
    """A collection on its way to another embedding model: the newest such change of each collection is kept.

    `done` of `total` chunks have their new vectors; those of a failed change are kept, so that the next one goes on.
    `error` is a message id with `error_params`.
    """

    collection_id: UUID
    model_id: UUID
    job_id: UUID
    state: str = ChangeState.WAITING
    done: int = 0
    total: int = 0
    error: str | None = None
    error_params: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class UnansweredQuestion(Owned):
    """A question for which the knowledge of an assistant held nothing: its words, how often, and when last.

    Who asked is not kept.
    """

    space_id: UUID
    assistant_id: UUID
    question: str
    count: int = 1
    last_asked_at: datetime = field(default_factory=now)


def chunk_key(chunk_id: UUID) -> int:
    """A 62-bit key from the random part of a chunk's id (a clash fails the insert, and the job is retried)."""
    return chunk_id.int & (1 << 62) - 1
