"""Collections, documents and chunks of one tenant."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, bindparam, case, cast, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.assistants.entities import Assistant
from domain.kernel.paging import Page
from domain.knowledge.entities import (
    Chunk,
    Collection,
    CollectionShare,
    Document,
    DocumentState,
    DocumentVersion,
    Transcript,
    UnansweredQuestion,
)
from domain.knowledge.limits import KnowledgeLimit
from domain.knowledge.repository import (
    Amount,
    ChunkText,
    CollectionSize,
    CutCount,
    Described,
    DocumentRow,
    FoundChunk,
    IndexEntry,
    Readiness,
)
from domain.ports import SearchHit, TextHits
from domain.spaces.entities import Space
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.amounts import AMOUNT, BYTES, amount, most_first
from storage.repositories.paging import decode, encode, escape_like
from storage.search import SearchIndex
from storage.tables.assistants import assistants
from storage.tables.knowledge import (
    chunks,
    collection_shares,
    collections,
    document_versions,
    documents,
    knowledge_limits,
    transcripts,
    unanswered_questions,
)
from storage.tables.spaces import spaces
from storage.tables.users import users

CHUNK_ROWS = 500
"""Rows to a statement when many are written or deleted."""

_BYTES = standing(select(func.sum(document_versions.c.size)).select_from(DocumentVersion))
_BYTES_OF_USER = standing(
    select(func.sum(document_versions.c.size))
    .select_from(DocumentVersion)
    .join(Document, documents.c.id == document_versions.c.document_id)
    .where(documents.c.user_id == bindparam("user_id"))
)

_BYTES_BY_USER = standing(
    select(documents.c.user_id, func.sum(document_versions.c.size))
    .select_from(DocumentVersion)
    .join(Document, documents.c.id == document_versions.c.document_id)
    .where(documents.c.user_id.in_(bindparam("ids", expanding=True)))
    .group_by(documents.c.user_id)
)

_LIMITS = standing(
    select(KnowledgeLimit)
    .where(
        or_(
            knowledge_limits.c.space_id == bindparam("space_id"),
            knowledge_limits.c.user_id == bindparam("user_id"),
            and_(knowledge_limits.c.space_id.is_(None), knowledge_limits.c.user_id.is_(None)),
        )
    )
    .order_by(knowledge_limits.c.id)
)

_VECTOR_SETS = standing(
    select(collections.c.id, collections.c.vector_set)
    .select_from(Collection)
    .where(collections.c.id.in_(bindparam("ids", expanding=True)))
)
_COLLECTIONS_BY_ID = standing(
    select(Collection)
    .where(collections.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(func.lower(collections.c.name))
)
_FOUND = standing(
    # No entities: of all that is read of a search these are most rows, and nobody changes them.
    select(
        *(chunks.c[name] for name in ChunkText._fields),
        documents.c.title,
        documents.c.url,
        document_versions.c.language,
        document_versions.c.page_count,
        document_versions.c.pages_without_text,
    )
    .select_from(Chunk)
    .join(Document, documents.c.id == chunks.c.document_id)
    .join(DocumentVersion, document_versions.c.id == chunks.c.version_id)
    .where(chunks.c.key.in_(bindparam("keys", expanding=True)), chunks.c.disabled.is_(False))
)

_BY_HAND = (
    select(Chunk).where(chunks.c.version_id == document_versions.c.id, or_(chunks.c.edited, chunks.c.disabled)).exists()
)
"""Whether somebody has changed a chunk of the version."""


def _is_newest() -> ColumnElement[bool]:
    """There is no newer version of the same document."""
    newer = document_versions.alias()
    same = (newer.c.document_id == document_versions.c.document_id, newer.c.number > document_versions.c.number)
    return ~select(aliased(DocumentVersion, newer)).where(*same).exists()


class KnowledgeRepository:
    """See `domain.knowledge.repository`."""

    def __init__(self, session: AsyncSession, index: SearchIndex) -> None:
        self._session, self._index = session, index

    async def collections(self, space_ids: Sequence[UUID]) -> Sequence[Collection]:
        """The collections of these spaces, in order of name."""
        statement = (
            select(Collection)
            .where(collections.c.space_id.in_(set(space_ids)))
            .order_by(func.lower(collections.c.name), collections.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def vector_sets(self, ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The present set of vectors of each of these collections."""
        found = await self._session.execute(_VECTOR_SETS, {"ids": list(set(ids))})
        return {row.id: row.vector_set for row in found}

    async def collections_by_id(self, ids: Sequence[UUID]) -> Sequence[Collection]:
        """Collections by id."""
        if not ids:
            return []
        return (await self._session.scalars(_COLLECTIONS_BY_ID, {"ids": list(set(ids))})).all()

    async def shares(self, collection_id: UUID) -> Sequence[CollectionShare]:
        """The shares of a collection with other spaces."""
        statement = select(CollectionShare).where(collection_shares.c.collection_id == collection_id)
        return (await self._session.scalars(statement)).all()

    async def shared_with(self, space_id: UUID) -> Sequence[Collection]:
        """The collections of other spaces that are shared with this one, in order of name."""
        statement = (
            select(Collection)
            .join(CollectionShare, collection_shares.c.collection_id == collections.c.id)
            .where(collection_shares.c.space_id == space_id)
            .order_by(func.lower(collections.c.name), collections.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def sizes(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, CollectionSize]:
        """How much each collection holds."""
        if not collection_ids:
            return {}
        statement = (
            select(
                documents.c.collection_id,
                func.count(documents.c.id.distinct()),
                func.coalesce(func.sum(document_versions.c.size), 0),
            )
            .select_from(Document)
            .join(DocumentVersion, document_versions.c.document_id == documents.c.id)
            .where(documents.c.collection_id.in_(set(collection_ids)))
            .group_by(documents.c.collection_id)
        )
        rows = await self._session.execute(statement)
        return {collection_id: CollectionSize(count, int(size)) for collection_id, count, size in rows}

    async def state_of(self, collection_ids: Sequence[UUID]) -> str:
        """A name for the present state of the documents in some collections: it changes whenever one of them does."""
        if not collection_ids:
            return ""
        statement = (
            select(documents.c.collection_id, func.count(), func.max(documents.c.updated_at))
            .select_from(Document)
            .where(documents.c.collection_id.in_(set(collection_ids)))
            .group_by(documents.c.collection_id)
        )
        return str(sorted(map(str, (await self._session.execute(statement)).all())))

    async def readiness(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, Readiness]:
        """How far the documents of each collection are, by their newest versions."""

        def how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
            return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

        state = document_versions.c.state
        statement = (
            select(
                documents.c.collection_id,
                how_many(documents.c.version_id.is_not(None)),
                how_many(state == DocumentState.FAILED),
                how_many(state.in_([each for each in DocumentState if each.busy])),
                how_many(
                    and_(state == DocumentState.READY, cast(document_versions.c.pages_without_text, String) != "[]")
                ),
            )
            .select_from(Document)
            .join(DocumentVersion, document_versions.c.document_id == documents.c.id)
            .where(documents.c.collection_id.in_(set(collection_ids)), _is_newest())
            .group_by(documents.c.collection_id)
        )
        rows = await self._session.execute(statement)
        return {collection_id: Readiness(*map(int, counts)) for collection_id, *counts in rows}

    async def documents(
        self, collection_ids: Sequence[UUID], *, search: str, limit: int, cursor: str | None
    ) -> Page[DocumentRow]:
        """Documents with their newest versions, newest document first."""
        wanted: list[ColumnElement[bool]] = [documents.c.collection_id.in_(set(collection_ids))]
        if search:
            wanted.append(func.lower(documents.c.title).like(f"%{escape_like(search.lower())}%", escape="\\"))
        total = await self._session.scalar(select(func.count()).select_from(Document).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            moment = (
                select(documents.c.created_at).select_from(Document).where(documents.c.id == UUID(after[1]))
            ).scalar_subquery()
            wanted.append(
                or_(
                    documents.c.created_at < moment,
                    and_(documents.c.created_at == moment, documents.c.id < UUID(after[1])),
                )
            )
        statement = (
            select(Document)
            .where(*wanted)
            .order_by(documents.c.created_at.desc(), documents.c.id.desc())
            .limit(limit + 1)
        )
        rows = list(await self._session.scalars(statement))
        shown = rows[:limit]
        newest = await self._newest([d.id for d in shown])
        next_cursor = encode("", shown[-1].id) if len(rows) > limit else None
        return Page([DocumentRow(d, newest[d.id]) for d in shown if d.id in newest], next_cursor, total)

    async def _newest(self, document_ids: Sequence[UUID]) -> dict[UUID, DocumentVersion]:
        if not document_ids:
            return {}
        statement = select(DocumentVersion).where(document_versions.c.document_id.in_(set(document_ids)), _is_newest())
        return {version.document_id: version for version in await self._session.scalars(statement)}

    async def documents_by_id(self, collection_id: UUID, ids: Iterable[UUID]) -> Sequence[Document]:
        """Those of the documents that are in the collection, in order of title."""
        wanted = (documents.c.collection_id == collection_id, documents.c.id.in_(set(ids)))
        return (await self._session.scalars(select(Document).where(*wanted).order_by(documents.c.title))).all()

    async def document_titled(self, collection_id: UUID, title: str) -> Document | None:
        """The document with this title."""
        statement = select(Document).where(documents.c.collection_id == collection_id, documents.c.title == title)
        return (await self._session.scalars(statement)).first()

    async def version_with_hash(self, collection_id: UUID, sha256: str) -> DocumentVersion | None:
        """The newest version of any document with this content, unless it failed or was replaced."""
        statement = (
            select(DocumentVersion)
            .join(Document, documents.c.id == document_versions.c.document_id)
            .where(
                documents.c.collection_id == collection_id,
                document_versions.c.sha256 == sha256,
                document_versions.c.state.not_in(
                    (DocumentState.FAILED, DocumentState.CANCELLED, DocumentState.REPLACED)
                ),
            )
        )
        return (await self._session.scalars(statement)).first()

    async def latest_version(self, document_id: UUID) -> DocumentVersion | None:
        """The newest version of a document."""
        return next(iter(await self.versions([document_id])), None)

    async def versions(self, document_ids: Sequence[UUID]) -> Sequence[DocumentVersion]:
        """All versions of the documents, newest first."""
        statement = (
            select(DocumentVersion)
            .where(document_versions.c.document_id.in_(set(document_ids)))
            .order_by(document_versions.c.number.desc())
        )
        return (await self._session.scalars(statement)).all()

    async def chunks(self, version_id: UUID, *, after: int, limit: int) -> Sequence[Chunk]:
        """Chunks of a version by position."""
        statement = (
            select(Chunk)
            .where(chunks.c.version_id == version_id, chunks.c.position > after)
            .order_by(chunks.c.position)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def index(self, entries: Sequence[IndexEntry]) -> None:
        """Put chunks into vectors and full text."""
        await self._index.put(self._session, entries)

    async def unindex(self, keys: Sequence[int]) -> None:
        """Take chunks out of vectors and full text; their rows stay."""
        await self._index.remove(self._session, keys)

    async def differently_cut(
        self, collection_id: UUID, tokens: int, *, after: UUID | None = None, limit: int = 100
    ) -> Sequence[DocumentVersion]:
        """Searchable versions whose chunks do not aim for `tokens` and were not changed by hand, by document id."""
        wanted = [documents.c.collection_id == collection_id, document_versions.c.chunk_tokens != tokens, ~_BY_HAND]
        if after is not None:
            wanted.append(documents.c.id > after)
        statement = (
            select(DocumentVersion)
            .join(Document, documents.c.version_id == document_versions.c.id)
            .where(*wanted)
            .order_by(documents.c.id)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def cut(self, collection_id: UUID, tokens: int) -> CutCount:
        """How many documents are cut differently than into `tokens`."""
        statement = (
            select(_BY_HAND, func.count())
            .select_from(DocumentVersion)
            .join(Document, documents.c.version_id == document_versions.c.id)
            .where(documents.c.collection_id == collection_id, document_versions.c.chunk_tokens != tokens)
            .group_by(_BY_HAND)
        )
        counts = {bool(by_hand): count for by_hand, count in await self._session.execute(statement)}
        return CutCount(counts.get(False, 0), counts.get(True, 0))

    async def changed_by_hand(self, version_id: UUID) -> bool:
        """Whether somebody has changed or switched off a chunk of the version."""
        statement = (
            select(chunks.c.id)
            .select_from(Chunk)
            .where(chunks.c.version_id == version_id, or_(chunks.c.edited, chunks.c.disabled))
            .limit(1)
        )
        return await self._session.scalar(statement) is not None

    async def unanswered(self, space_id: UUID, *, limit: int, cursor: str | None) -> Page[UnansweredQuestion]:
        """The questions of a space without an answer, the newest first."""
        table = unanswered_questions
        wanted: list[ColumnElement[bool]] = [table.c.space_id == space_id]
        total = await self._session.scalar(select(func.count()).select_from(UnansweredQuestion).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            moment, last = datetime.fromisoformat(after[0]), UUID(after[1])
            wanted.append(or_(table.c.last_asked_at < moment, and_(table.c.last_asked_at == moment, table.c.id < last)))
        statement = (
            select(UnansweredQuestion)
            .where(*wanted)
            .order_by(table.c.last_asked_at.desc(), table.c.id.desc())
            .limit(limit + 1)
        )
        rows = list(await self._session.scalars(statement))
        shown = rows[:limit]
        further = encode(shown[-1].last_asked_at.isoformat(), shown[-1].id) if len(rows) > limit else None
        return Page(shown, further, total)

    async def unanswered_of(self, assistant_id: UUID, limit: int) -> Sequence[UnansweredQuestion]:
        """The newest questions of an assistant without an answer."""
        table = unanswered_questions
        statement = select(UnansweredQuestion).where(table.c.assistant_id == assistant_id)
        return (await self._session.scalars(statement.order_by(table.c.last_asked_at.desc()).limit(limit))).all()

    async def unanswered_days(self) -> Sequence[tuple[UUID, int | None]]:
        """The assistants that have such questions, and for how many days those are kept where that is said."""
        days = func.coalesce(assistants.c.data_retention_days, spaces.c.data_retention_days)
        statement = (
            select(unanswered_questions.c.assistant_id, days)
            .select_from(UnansweredQuestion)
            .join(Assistant, assistants.c.id == unanswered_questions.c.assistant_id)
            .join(Space, spaces.c.id == unanswered_questions.c.space_id)
            .distinct()
        )
        return [(assistant_id, kept) for assistant_id, kept in await self._session.execute(statement)]

    async def drop_unanswered(self, assistant_id: UUID, before: datetime) -> int:
        """Delete an assistant's questions last asked before a moment."""
        table = unanswered_questions
        statement = (
            delete(UnansweredQuestion)
            .where(table.c.assistant_id == assistant_id, table.c.last_asked_at < before)
            .returning(table.c.id)
        )
        found = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return len(found.all())

    async def found(self, keys: Sequence[int]) -> Mapping[int, FoundChunk]:
        """Chunks by search key."""
        if not keys:
            return {}
        rows = await self._session.execute(_FOUND, {"keys": list(keys)})
        found = {}
        for *columns, title, url, language, pages, without_text in rows:
            chunk = ChunkText(*columns)
            found[chunk.key] = FoundChunk(chunk, title, url, language, pages or 0, len(without_text))
        return found

    async def described(self, keys: Sequence[int]) -> Mapping[int, Described]:
        """What the documents of chunks are like."""
        statement = (
            select(
                chunks.c.key,
                document_versions.c.created_at,
                document_versions.c.filename,
                collections.c.kind,
                documents.c.tags,
                document_versions.c.language,
            )
            .select_from(Chunk)
            .join(DocumentVersion, document_versions.c.id == chunks.c.version_id)
            .join(Document, documents.c.id == chunks.c.document_id)
            .join(Collection, collections.c.id == chunks.c.collection_id)
        )
        found: dict[int, Described] = {}
        for first in range(0, len(keys), CHUNK_ROWS):
            part = statement.where(chunks.c.key.in_(list(keys[first : first + CHUNK_ROWS])))
            found |= {row[0]: Described(*row[1:]) for row in await self._session.execute(part)}
        return found

    async def store_chunks(self, version: DocumentVersion, new: Sequence[Chunk], entries: Sequence[IndexEntry]) -> None:
        """Write chunks and their index entries."""
        for first in range(0, len(new), CHUNK_ROWS):
            self._session.add_all(new[first : first + CHUNK_ROWS])
            await self._session.flush()
            await self._index.put(self._session, entries[first : first + CHUNK_ROWS])

    async def drop_chunks(self, document_id: UUID, *, keep_version: UUID | None = None) -> int:
        """Delete the document's chunks from table, vectors and full text."""
        wanted: list[ColumnElement[bool]] = [chunks.c.document_id == document_id]
        if keep_version is not None:
            wanted.append(chunks.c.version_id != keep_version)
        return await self._drop(wanted)

    async def drop_collection_index(self, collection_id: UUID) -> None:
        """Delete all chunks of a collection from table, vectors and full text."""
        await self._drop([chunks.c.collection_id == collection_id])

    async def _drop(self, wanted: list[ColumnElement[bool]]) -> int:
        statement = select(chunks.c.key).select_from(Chunk).where(*wanted)
        keys = list(await self._session.scalars(statement))
        for first in range(0, len(keys), CHUNK_ROWS):
            part = keys[first : first + CHUNK_ROWS]
            await self._index.remove(self._session, part)
            await self._session.execute(
                delete(Chunk).where(chunks.c.key.in_(part)), execution_options={"synchronize_session": False}
            )
        return len(keys)

    async def bytes_stored(self, user_id: UUID | None = None) -> int:
        """Bytes of documents of the tenant, or of one user's."""
        if user_id is None:
            return int(await self._session.scalar(_BYTES) or 0)
        return int(await self._session.scalar(_BYTES_OF_USER, {"user_id": user_id}) or 0)

    async def amount(self, user_id: UUID | None) -> Amount:
        """What the tenant stores, or one user."""
        statement = (
            select(*AMOUNT)
            .select_from(Document)
            .join(DocumentVersion, document_versions.c.document_id == documents.c.id)
        )
        if user_id is not None:
            statement = statement.where(documents.c.user_id == user_id)
        return amount(*(await self._session.execute(statement)).one())

    async def limits(self, space_ids: Sequence[UUID], user_ids: Sequence[UUID]) -> Sequence[KnowledgeLimit]:
        """The limits of these spaces and people; with neither, that of the organisation."""
        table = knowledge_limits.c
        wanted = or_(table.space_id.in_(set(space_ids)), table.user_id.in_(set(user_ids)))
        if not space_ids and not user_ids:
            wanted = and_(table.space_id.is_(None), table.user_id.is_(None))
        return (await self._session.scalars(select(KnowledgeLimit).where(wanted))).all()

    async def limits_for(self, space_id: UUID, user_id: UUID) -> Sequence[KnowledgeLimit]:
        """All that bear upon what a user adds to a space."""
        return (await self._session.scalars(_LIMITS, {"space_id": space_id, "user_id": user_id})).all()

    async def owners(self, *, limit: int, cursor: str | None) -> Page[tuple[User, Amount]]:
        """Who has stored documents, with what they have stored, most bytes first."""
        people = select(func.count(documents.c.user_id.distinct())).select_from(Document)
        statement = (
            select(User, *AMOUNT)
            .join(Document, documents.c.user_id == users.c.id)
            .join(DocumentVersion, document_versions.c.document_id == documents.c.id)
            .group_by(users.c.id)
        )
        rows, more = await most_first(self._session, statement, BYTES, users.c.id, limit, cursor)
        found: list[tuple[User, Amount]] = [(row[0], amount(*row[1:])) for row in rows]
        return Page(found, more, await self._session.scalar(people))

    async def bytes_by_user(self, user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Bytes of documents of each user."""
        if not user_ids:
            return {}
        rows = await self._session.execute(_BYTES_BY_USER, {"ids": list(set(user_ids))})
        return {user_id: int(size or 0) for user_id, size in rows}

    async def transcript(self, blob_id: UUID, model_id: UUID) -> Transcript | None:
        """What a model heard in a content before."""
        wanted = (transcripts.c.blob_id == blob_id, transcripts.c.model_id == model_id)
        return (await self._session.scalars(select(Transcript).where(*wanted))).first()

    async def search_vectors(
        self, collection_ids: Sequence[UUID], vector: bytes, limit: int, vector_set: int = 0
    ) -> Sequence[SearchHit]:
        """The nearest chunks by cosine similarity."""
        return await self._index.vectors(self._session, collection_ids, vector, limit, vector_set)

    async def search_texts(self, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """The best chunks by BM25."""
        return await self._index.texts(self._session, collection_ids, query, limit)
