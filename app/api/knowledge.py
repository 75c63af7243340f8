"""Collections (on the wire: groups), documents (info-blobs) and search."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api import present, wire
from app.api.base import Caller, Use
from domain.files.naming import clean_path
from domain.kernel.errors import N_, BadRequest, Invalid
from domain.knowledge.intake import Uploaded
from domain.knowledge.retrieval import Passage
from domain.knowledge.searching import SearchScope

groups = APIRouter(prefix="/api/v1/groups", tags=["groups"])
blobs = APIRouter(prefix="/api/v1/info-blobs", tags=["info-blobs"])
search = APIRouter(prefix="/api/v1/search", tags=["search"])
BLOCK = 1024 * 1024
MOST_TEXTS = 128


@groups.get("/", response_model=wire.PageOfGroupPublicWithMetadata, deprecated=True)
async def mine(actor: Caller, use: Use) -> Any:
    """The collections of all the caller's spaces."""
    accesses = [view.access for view in await use.spaces.mine(actor)]
    return present.page([_legacy(present.collection(found)) for found in await use.knowledge.in_each(actor, accesses)])


@groups.post("/", response_model=wire.GroupPublicWithMetadata, deprecated=True)
async def create(body: wire.CreateGroupRequest, actor: Caller, use: Use) -> Any:
    """A collection in one's personal space. Prefer POST /spaces/{id}/knowledge/groups/."""
    personal = await use.spaces.personal(actor)
    model_id = body.embedding_model.id if body.embedding_model else None
    created = await use.knowledge.create_collection(actor, personal.space.id, body.name, model_id)
    return _legacy(present.collection(created))


def _legacy(shown: dict[str, Any]) -> dict[str, Any]:
    model = shown["embedding_model"]
    return {**shown, "embedding_model": {**model, "max_batch_size": None, "is_org_enabled": model["is_org_enabled"]}}


@groups.get("/{id}/", response_model=wire.CollectionPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A collection."""
    return present.collection(await use.knowledge.collection(actor, id))


@groups.post("/{id}/", response_model=wire.CollectionPublic)
async def rename(id: UUID, body: wire.CollectionUpdate, actor: Caller, use: Use) -> Any:
    """Give a collection another name."""
    return present.collection(await use.knowledge.rename_collection(actor, id, body.name))


@groups.delete("/{id}/")
async def delete(id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a collection with its documents."""
    await use.knowledge.delete_collection(actor, id)
    return {"id": id, "deletion_info": {"success": True}}


@groups.get("/{id}/info-blobs/", response_model=wire.PageOfInfoBlobPublicNoText)
async def documents(
    id: UUID,
    actor: Caller,
    use: Use,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
    search: str = "",
) -> Any:
    """The documents of a collection, newest first."""
    page = await use.knowledge.documents(actor, id, search=search, limit=limit or 200, cursor=cursor)
    return present.page(
        [present.document(d, actor.language) for d in page.items], next_cursor=page.next_cursor, total_count=page.total
    )


@groups.post("/{id}/info-blobs/", response_model=wire.PageOfInfoBlobPublic)
async def add_texts(id: UUID, body: wire.InfoBlobUpsertRequest, actor: Caller, use: Use) -> Any:
    """Add texts as documents. They are searchable once their jobs are done."""
    if len(body.info_blobs) > MOST_TEXTS:
        raise BadRequest(N_("Send at most {limit} texts at once."), limit=MOST_TEXTS)
    items = []
    for text in body.info_blobs:
        title = (text.metadata.title if text.metadata else None) or text.text.strip()[:80]
        url = text.metadata.url if text.metadata else None
        added = await use.knowledge.add_text(actor, id, text.text, title, url)
        view = await use.knowledge.document(actor, added.document.id)
        items.append(present.document(view, actor.language, text=text.text))
    return present.page(items)


@groups.post("/{id}/tags/", response_model=wire.TagsChanged)
async def change_tags(id: UUID, body: wire.TagsChange, actor: Caller, use: Use) -> Any:
    """Give documents of a collection tags and take others from them: all of them, or none when one cannot be changed."""
    count = await use.tagging.change(actor, id, body.info_blob_ids, add=body.add, remove=body.remove)
    return {"changed": count}


@groups.post("/{id}/info-blobs/upload/", response_model=wire.JobPublic, status_code=202)
async def upload(id: UUID, file: UploadFile, actor: Caller, use: Use) -> Any:
    """Upload a document; the answer is the job that reads it."""
    done = await use.knowledge.upload(actor, id, file.filename or "file", blocks(file), declared_size=file.size)
    job_id = done.version.job_id
    if job_id is None:
        raise Invalid(N_("The file is empty."), field="file")
    return present.job(done.job or await use.jobs.get(actor, job_id), actor.language)


@groups.put("/{id}/documents/", status_code=202)
async def put_document(
    id: UUID,
    name: str,
    request: Request,
    actor: Caller,
    use: Use,
    title: str | None = None,
    path: str | None = None,
    preview: bool = False,
) -> Any:
    """Upload a document as the plain body of the request: the fastest way, never whole in memory.

    With the `title` of a document in the collection it becomes a new version of it. A file of a folder says its `path`
    in it, which is its title then. With `preview` it is read, and waits in the state `preview` until it is indexed or
    discarded.
    """
    title = title or (clean_path(path) if path else None)
    declared = request.headers.get("content-length", "")
    done = await use.knowledge.upload(
        actor,
        id,
        name,
        request.stream(),
        title=title,
        declared_size=int(declared) if declared.isdigit() else None,
        preview=preview,
    )
    return _taken_in(done, actor.language)


def _taken_in(done: Uploaded, language: str) -> dict[str, Any]:
    return {
        "id": done.document.id,
        "title": done.document.title,
        "state": done.version.state,
        "job": present.job(done.job, language) if done.job else None,
        "duplicate": done.job is None,
    }


@groups.post("/{id}/searches/", response_model=wire.PageOfSemanticSearchResponse)
async def search_group(id: UUID, body: wire.SemanticSearchRequest, actor: Caller, use: Use) -> Any:
    """The best passages of one collection."""
    scope = SearchScope(collection_ids=[id])
    found = await use.search.find(actor, body.search_string, scope, limit=body.num_chunks or 30)
    return present.page(
        [
            {
                "id": p.chunk_id,
                "info_blob_id": p.document_id,
                "text": p.text,
                "score": p.vector_score if p.vector_score is not None else p.score,
                "created_at": None,
                "updated_at": None,
            }
            for p in found
        ]
    )


@blobs.get("/", response_model=wire.PageOfInfoBlobPublicNoText)
async def my_documents(actor: Caller, use: Use) -> Any:
    """The documents of one's personal space."""
    personal = await use.spaces.personal(actor)
    page = await use.knowledge.documents_of_space(actor, personal.space.id, limit=200)
    return present.page([present.document(d, actor.language) for d in page.items], next_cursor=page.next_cursor)


@blobs.get("/spaces/{space_id}/info-blobs/", response_model=wire.PageOfInfoBlobPublicNoText)
async def documents_of_space(
    space_id: UUID, actor: Caller, use: Use, limit: int | None = None, cursor: str | None = None
) -> Any:
    """The documents of a space, newest first."""
    page = await use.knowledge.documents_of_space(actor, space_id, limit=limit or 200, cursor=cursor)
    return present.page(
        [present.document(d, actor.language) for d in page.items], next_cursor=page.next_cursor, total_count=page.total
    )


@blobs.get("/{id}/", response_model=wire.InfoBlobPublic)
async def document(id: UUID, actor: Caller, use: Use) -> Any:
    """A document with its text."""
    view = await use.knowledge.document(actor, id)
    return present.document(view, actor.language, text=await use.knowledge.text(actor, id))


@blobs.post("/{id}/", response_model=wire.InfoBlobPublic)
async def update_document(id: UUID, body: wire.InfoBlobUpdatePublic, actor: Caller, use: Use) -> Any:
    """Change title, address or tags of a document."""
    given = body.metadata
    view = await use.knowledge.update_document(actor, id, title=given.title, url=given.url, tags=given.tags)
    return present.document(view, actor.language, text=await use.knowledge.text(actor, id))


@blobs.delete("/{id}/", response_model=wire.InfoBlobPublic)
async def delete_document(id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a document: rows, vectors, full text and files."""
    text = await use.knowledge.text(actor, id)
    return present.document(await use.knowledge.delete_document(actor, id), actor.language, text=text)


@blobs.post("/{id}/cancel/", tags=["info-blobs"])
async def cancel(id: UUID, actor: Caller, use: Use) -> Any:
    """Stop the reading of a document."""
    return present.document(await use.knowledge.cancel(actor, id), actor.language)


@blobs.post("/{id}/retry/", tags=["info-blobs"])
async def retry(id: UUID, actor: Caller, use: Use) -> Any:
    """Read a document again that failed or was cancelled."""
    return present.document(await use.knowledge.retry(actor, id), actor.language)


@blobs.get("/{id}/original/", response_class=Response)
async def original(id: UUID, actor: Caller, use: Use) -> Response:
    """The uploaded file itself."""
    version, stream = await use.knowledge.original(actor, id)
    return attachment(stream, version.filename, version.media_type)


async def blocks(file: UploadFile) -> AsyncIterator[bytes]:
    """What is uploaded, piece by piece."""
    while block := await file.read(BLOCK):
        yield block


def attachment(stream: Any, name: str, media_type: str, disposition: str = "attachment") -> StreamingResponse:
    """A file as a download; it never runs as a page of ours."""
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
    headers = {
        "Content-Disposition": f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(stream, media_type=media_type, headers=headers)


class SearchRequest(BaseModel):
    """What to search for, and where: exactly one of the three places."""

    query: str = Field(examples=["Hur ansöker jag om bygglov?"])
    space_id: UUID | None = None
    collection_ids: list[UUID] | None = None
    assistant_id: UUID | None = None
    limit: int = Field(10, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    filter: wire.Narrowed = wire.Narrowed()


class FoundPassage(BaseModel):
    """A passage and how it was found. `start` and `end` are positions in the document's text."""

    rank: int
    document_id: UUID
    version_id: UUID
    collection_id: UUID
    title: str
    url: str | None
    page: int | None
    page_to: int | None
    headings: list[str]
    start: int
    end: int
    text: str
    score: float
    vector_score: float | None
    text_score: float | None


class SearchResult(BaseModel):
    """The best passages, best first."""

    items: list[FoundPassage]
    count: int


def found_passage(rank: int, p: Passage) -> FoundPassage:
    """A passage and how it was found."""
    return FoundPassage(
        rank=rank, document_id=p.document_id, version_id=p.version_id, collection_id=p.collection_id, title=p.title,
        url=p.url, page=p.page_from, page_to=p.page_to, headings=p.heading_path, start=p.start, end=p.end, text=p.text,
        score=p.score, vector_score=p.vector_score, text_score=p.text_score,
    )  # fmt: skip


@search.post("/", response_model=SearchResult)
async def find(body: SearchRequest, actor: Caller, use: Use) -> Any:
    """Hybrid search: meaning and words, fused; or one of the two alone."""
    scope = SearchScope(body.space_id, body.collection_ids, body.assistant_id)
    found = await use.search.find(
        actor, body.query, scope, limit=body.limit, mode=body.mode, narrowed=body.filter.read()
    )
    items = [found_passage(rank, passage) for rank, passage in enumerate(found, 1)]
    return SearchResult(items=items, count=len(items))
