"""Collections, documents, their versions and chunks, and the questions that nothing in them answers."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    text,
)

from domain.knowledge.entities import (
    CHUNK_TOKENS,
    Chunk,
    Collection,
    CollectionShare,
    Document,
    DocumentVersion,
    EmbeddingChange,
    Transcript,
    UnansweredQuestion,
)
from domain.knowledge.limits import KnowledgeLimit
from storage.sealing import SealedJson, SealedText
from storage.tables.base import Json, Moment, belongs_to, mapper, tenant_table

collections = tenant_table(
    "collections",
    Column("space_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("name", String(255), nullable=False),
    Column("embedding_model_id", Uuid, nullable=False),
    Column("kind", String(20), nullable=False, server_default="documents"),
    Column("chunk_tokens", Integer, nullable=False, server_default=str(CHUNK_TOKENS)),
    Column("vector_set", Integer, nullable=False, server_default="0"),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
    belongs_to("embedding_model_id", "embedding_models", ondelete="RESTRICT"),
)
Index("ix_collections_tenant_id_space_id", collections.c.tenant_id, collections.c.space_id)
documents = tenant_table(
    "documents",
    Column("collection_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("title", String(255), nullable=False),
    Column("url", String(2000)),
    Column("tags", Json, nullable=False, server_default=text("'[]'")),
    # No foreign key: it would close a circle with document_versions. The service keeps it true.
    Column("version_id", Uuid),
    belongs_to("collection_id", "collections"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
)
Index("ix_documents_tenant_id_collection_id", documents.c.tenant_id, documents.c.collection_id, documents.c.id)
document_versions = tenant_table(
    "document_versions",
    Column("document_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("filename", String(255), nullable=False),
    Column("media_type", String(150), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob_id", Uuid),
    Column("text_blob_id", Uuid),
    Column("job_id", Uuid),
    Column("state", String(20), nullable=False),
    Column("progress", Float, nullable=False),
    Column("error", Text),
    Column("error_params", Json, nullable=False),
    Column("language", String(10), nullable=False),
    Column("page_count", Integer),
    Column("pages_without_text", Json, nullable=False),
    Column("pages_by_ocr", Json, nullable=False, server_default=text("'[]'")),
    Column("refused", Json, nullable=False, server_default=text("'[]'")),
    Column("characters", BigInteger, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("chunk_tokens", Integer, nullable=False, server_default=str(CHUNK_TOKENS)),
    belongs_to("document_id", "documents"),
    belongs_to("blob_id", "blobs", ondelete="RESTRICT"),
    belongs_to("text_blob_id", "blobs", ondelete="RESTRICT"),
    UniqueConstraint("tenant_id", "document_id", "number"),
)
Index("ix_document_versions_tenant_id_blob_id", document_versions.c.tenant_id, document_versions.c.blob_id)
Index("ix_document_versions_text_blob", document_versions.c.tenant_id, document_versions.c.text_blob_id)
transcripts = tenant_table(
    "transcripts",
    Column("blob_id", Uuid, nullable=False),
    Column("model_id", Uuid, nullable=False),
    Column("segments", SealedJson("transcripts.segments"), nullable=False),
    belongs_to("blob_id", "blobs"),
    belongs_to("model_id", "transcription_models"),
    UniqueConstraint("tenant_id", "blob_id", "model_id"),
)
chunks = tenant_table(
    "chunks",
    Column("collection_id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("key", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("token_count", Integer, nullable=False),
    Column("page_from", Integer),
    Column("page_to", Integer),
    Column("heading_path", Json, nullable=False),
    Column("header", Text, nullable=False, server_default=""),
    Column("edited", Boolean, nullable=False, server_default=false()),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    belongs_to("collection_id", "collections"),
    belongs_to("document_id", "documents"),
    belongs_to("version_id", "document_versions"),
    UniqueConstraint("key"),
    UniqueConstraint("tenant_id", "version_id", "position"),
)
# The key alone is unique; with the tenant before it SQLite takes this index, not one by which it would read every chunk.
Index("ix_chunks_tenant_id_key", chunks.c.tenant_id, chunks.c.key)
Index("ix_chunks_tenant_id_document_id", chunks.c.tenant_id, chunks.c.document_id)
Index("ix_chunks_tenant_id_collection_id", chunks.c.tenant_id, chunks.c.collection_id)
collection_shares = tenant_table(
    "collection_shares",
    Column("collection_id", Uuid, nullable=False),
    Column("space_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    belongs_to("collection_id", "collections"),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
    UniqueConstraint("tenant_id", "collection_id", "space_id"),
)
Index("ix_collection_shares_space", collection_shares.c.tenant_id, collection_shares.c.space_id)
embedding_changes = tenant_table(
    "embedding_changes",
    Column("collection_id", Uuid, nullable=False),
    Column("model_id", Uuid, nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("state", String(20), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("error", Text),
    Column("error_params", Json, nullable=False),
    belongs_to("collection_id", "collections"),
    belongs_to("model_id", "embedding_models"),
    belongs_to("job_id", "jobs"),
    UniqueConstraint("tenant_id", "collection_id"),
)
Index("ix_embedding_changes_job", embedding_changes.c.tenant_id, embedding_changes.c.job_id)
unanswered_questions = tenant_table(
    "unanswered_questions",
    Column("space_id", Uuid, nullable=False),
    Column("assistant_id", Uuid, nullable=False),
    Column("question", SealedText("unanswered_questions.question"), nullable=False),
    Column("count", Integer, nullable=False),
    Column("last_asked_at", Moment, nullable=False),
    belongs_to("space_id", "spaces"),
    belongs_to("assistant_id", "assistants"),
)
Index(
    "ix_unanswered_questions_space",
    unanswered_questions.c.tenant_id,
    unanswered_questions.c.space_id,
    unanswered_questions.c.last_asked_at,
)
Index(
    "ix_unanswered_questions_assistant",
    unanswered_questions.c.tenant_id,
    unanswered_questions.c.assistant_id,
    unanswered_questions.c.last_asked_at,
)
knowledge_limits = tenant_table(
    "knowledge_limits",
    # Of the organisation where both are empty.
    Column("space_id", Uuid),
    Column("user_id", Uuid),
    Column("documents", Integer),
    Column("passages", Integer),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users"),
    UniqueConstraint("tenant_id", "space_id"),
    UniqueConstraint("tenant_id", "user_id"),
)
mapper.map_imperatively(Collection, collections)
mapper.map_imperatively(Document, documents)
mapper.map_imperatively(DocumentVersion, document_versions)
mapper.map_imperatively(Transcript, transcripts)
mapper.map_imperatively(Chunk, chunks)
mapper.map_imperatively(CollectionShare, collection_shares)
mapper.map_imperatively(EmbeddingChange, embedding_changes)
mapper.map_imperatively(UnansweredQuestion, unanswered_questions)
mapper.map_imperatively(KnowledgeLimit, knowledge_limits)
