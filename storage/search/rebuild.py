"""Makes the words of the search index anew from the chunks, after a change of how texts are analysed. Vectors stay."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from domain.knowledge.parsing import with_headings
from storage.search.analysis import analyse
from storage.search.words import backwards, by_scope, prominent, tally

BATCH = 500
INDEX = {"sqlite": "chunk_places", "postgresql": "chunk_index"}
READ_AND_WRITTEN = ("chunks", "documents", "document_versions", "chunk_index", "chunk_words")
_CHUNKS = """
    select c.key, c.tenant_id, c.collection_id, c.header || c.text as text, c.heading_path, d.title, v.language
    from chunks c join documents d on d.id = c.document_id join document_versions v on v.id = c.version_id
    where c.key > :after and not c.disabled order by c.key limit :most
"""
_PUT_WORDS = {
    "sqlite": text(
        "insert into chunk_words(tenant_id, scope, word, backwards, chunks, occurrences) "
        "values (:tenant, 'c' || :collection, :word, :backwards, :chunks, :occurrences) on conflict(scope, word) "
        "do update set chunks = chunks + excluded.chunks, occurrences = occurrences + excluded.occurrences"
    ),
    "postgresql": text(
        "insert into chunk_words(tenant_id, collection_id, word, backwards, chunks, occurrences) "
        "values (cast(cast(:tenant as text) as uuid), cast(cast(:collection as text) as uuid), :word, :backwards, "
        ":chunks, :occurrences) on conflict (collection_id, word) do update set "
        "chunks = chunk_words.chunks + excluded.chunks, occurrences = chunk_words.occurrences + excluded.occurrences"
    ),
}


def words(connection: Connection) -> None:
    """Fill the tables of words, when they are empty although there are indexed chunks."""
    if _any(connection, "chunk_words") or not _any(connection, INDEX[connection.dialect.name]):
        return
    with _everybody(connection):
        for rows in _batches(connection):
            analysed = [(row, analyse(_searched(row), row.language)) for row in rows]
            if connection.dialect.name == "sqlite":
                _sqlite(connection, analysed)
            else:
                _postgres(connection, analysed)
            connection.execute(_PUT_WORDS[connection.dialect.name], list(_counts(analysed)))


def anew(connection: Connection) -> None:
    """Make the words anew whatever is there: the texts were analysed by another version."""
    connection.execute(text("delete from chunk_words"))
    if connection.dialect.name == "sqlite":
        connection.execute(text("insert into chunk_terms(chunk_terms) values ('delete-all')"))
    words(connection)


def _any(connection: Connection, table: str) -> bool:
    return connection.scalar(text(f"select 1 from {table} limit 1")) is not None


@contextmanager
def _everybody(connection: Connection) -> Iterator[None]:
    """Let the owner of the tables see the rows of all organisations: until here row-level security holds for it too."""
    tables = READ_AND_WRITTEN if connection.dialect.name == "postgresql" else ()
    for table in tables:
        connection.execute(text(f"alter table {table} no force row level security"))
    yield
    for table in tables:
        connection.execute(text(f"alter table {table} force row level security"))


def _batches(connection: Connection) -> Iterator[Sequence[Any]]:
    after = -1
    while rows := connection.execute(text(_CHUNKS), {"after": after, "most": BATCH}).all():
        yield rows
        after = rows[-1].key


def _searched(row: Any) -> str:
    path = json.loads(row.heading_path) if isinstance(row.heading_path, str) else row.heading_path
    return with_headings(row.title, path, row.text)


def _counts(analysed: Sequence[tuple[Any, str]]) -> Iterator[dict[str, object]]:
    tenants = {str(row.collection_id): str(row.tenant_id) for row, _ in analysed}
    for collection, terms in by_scope((str(row.collection_id), terms) for row, terms in analysed):
        for word, (chunks, occurrences) in tally(terms).items():
            yield {"tenant": tenants[collection], "collection": collection, "word": word, "backwards": backwards(word),
                   "chunks": chunks, "occurrences": occurrences}  # fmt: skip


def _sqlite(connection: Connection, analysed: Sequence[tuple[Any, str]]) -> None:
    rows = [
        {"key": row.key, "scope": f"c{row.collection_id}", "terms": terms, "lexemes": " ".join(prominent(terms))}
        for row, terms in analysed
    ]
    connection.execute(text("update chunk_places set terms = :terms where key = :key"), rows)
    connection.execute(text("insert into chunk_terms(rowid, scope, terms) values (:key, :scope, :lexemes)"), rows)


def _postgres(connection: Connection, analysed: Sequence[tuple[Any, str]]) -> None:
    rows = [{"key": row.key, "terms": terms, "lexemes": prominent(terms)} for row, terms in analysed]
    connection.execute(
        text("update chunk_index set terms = :terms, lexemes = array_to_tsvector(cast(:lexemes as text[])) "
             "where chunk_key = :key"), rows,
    )  # fmt: skip
