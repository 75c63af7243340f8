"""The chunks of documents: seeing, changing and trying them, and how long they are."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api import present, wire
from app.api.base import Caller, Use
from domain.knowledge.entities import LEAST_CHUNK_TOKENS, MOST_CHUNK_TOKENS, Chunk
from domain.knowledge.parsing import ChunkDraft

documents = APIRouter(prefix="/api/v1/info-blobs", tags=["info-blobs"])
collections = APIRouter(prefix="/api/v1/groups", tags=["groups"])
Size = Annotated[int | None, Query(ge=LEAST_CHUNK_TOKENS, le=MOST_CHUNK_TOKENS)]
After = Annotated[int, Query(ge=-1, description="The position after which the page begins")]
Limit = Annotated[int, Query(ge=1, le=200)]


class DraftPublic(BaseModel):
    """A piece of a document; `start` and `end` are positions in its text."""

    position: int
    text: str
    start: int
    end: int
    tokens: int
    page: int | None
    page_to: int | None
    headings: list[str]


class ChunkPublic(DraftPublic):
    """A piece that a document is searched by. The text of one that was `edited` is somebody's own."""

    id: UUID
    edited: bool
    enabled: bool


class ChunkPage(BaseModel):
    """Chunks in order; `next_after` continues, null at the end."""

    items: list[ChunkPublic]
    count: int
    next_after: int | None


class PreviewPage(BaseModel):
    """How a document would be cut into chunks of about `chunk_tokens` tokens."""

    items: list[DraftPublic]
    count: int
    total_count: int
    chunk_tokens: int
    next_after: int | None


class ChunkUpdate(BaseModel):
    """What to change of a chunk."""

    text: str | None = Field(None, max_length=20_000)
    enabled: bool | None = None


class ChunkSize(BaseModel):
    """How many tokens chunks aim for."""

    chunk_tokens: int = Field(ge=LEAST_CHUNK_TOKENS, le=MOST_CHUNK_TOKENS)


class CutPublic(BaseModel):
    """How the documents of a collection are cut: `outdated` ones differ from `chunk_tokens`.

    `kept` ones differ too, but stay as they are since somebody has changed their chunks.
    """

    chunk_tokens: int
    outdated: int
    kept: int


def _draft(found: Chunk | ChunkDraft) -> dict[str, Any]:
    return {
        "position": found.position,
        "text": found.text,
        "start": found.start,
        "end": found.end,
        "tokens": found.token_count,
        "page": found.page_from,
        "page_to": found.page_to,
        "headings": list(found.heading_path),
    }


def _chunk(found: Chunk) -> dict[str, Any]:
    return {**_draft(found), "id": found.id, "edited": found.edited, "enabled": not found.disabled}


@documents.get("/{id}/chunks/", response_model=ChunkPage)
async def chunks(id: UUID, actor: Caller, use: Use, after: After = -1, limit: Limit = 50) -> Any:
    """The chunks that a document is searched by, in order."""
    found = await use.chunks.page(actor, id, after=after, limit=limit)
    further = found[-1].position if len(found) == limit else None
    return {"items": [_chunk(each) for each in found], "count": len(found), "next_after": further}


@documents.patch("/{id}/chunks/{chunk_id}/", response_model=ChunkPublic)
async def update_chunk(id: UUID, chunk_id: UUID, body: ChunkUpdate, actor: Caller, use: Use) -> Any:
    """Change the text of a chunk, or switch it off or on. Holds until the document is replaced."""
    return _chunk(await use.chunks.update(actor, id, chunk_id, text=body.text, enabled=body.enabled))


@documents.get("/{id}/preview/", response_model=PreviewPage)
async def preview(
    id: UUID, actor: Caller, use: Use, chunk_tokens: Size = None, after: After = -1, limit: Limit = 50
) -> Any:
    """How the newest version that was read would be cut, with the collection's size of chunks or another."""
    found = await use.chunks.preview(actor, id, tokens=chunk_tokens, after=after, limit=limit)
    last = found.drafts[-1].position if found.drafts else after
    return {
        "items": [_draft(each) for each in found.drafts],
        "count": len(found.drafts),
        "total_count": found.total,
        "chunk_tokens": found.tokens,
        "next_after": last if last + 1 < found.total else None,
    }


@documents.post("/{id}/index/", response_model=wire.JobPublic, status_code=202)
async def index(id: UUID, actor: Caller, use: Use) -> Any:
    """Index a document that was looked at; the answer is the job."""
    return present.job(await use.chunks.index(actor, id), actor.language)


@documents.post("/{id}/discard/", status_code=204, response_class=Response)
async def discard(id: UUID, actor: Caller, use: Use) -> None:
    """Do not index what was looked at; a document that has nothing else is deleted."""
    await use.chunks.discard(actor, id)


@collections.get("/{id}/chunk-size/", response_model=CutPublic)
async def chunk_size(id: UUID, actor: Caller, use: Use) -> Any:
    """How many tokens the chunks of a collection aim for, and how many documents are cut otherwise."""
    view = await use.knowledge.collection(actor, id)
    count = await use.chunks.cut(actor, id)
    return {"chunk_tokens": view.collection.chunk_tokens, "outdated": count.outdated, "kept": count.kept}


@collections.put("/{id}/chunk-size/", response_model=CutPublic)
async def set_chunk_size(id: UUID, body: ChunkSize, actor: Caller, use: Use) -> Any:
    """Choose the size of chunks; documents that are there keep theirs until the collection is cut anew."""
    count = await use.chunks.resize(actor, id, body.chunk_tokens)
    return {"chunk_tokens": body.chunk_tokens, "outdated": count.outdated, "kept": count.kept}


@collections.post("/{id}/reindex/", response_model=wire.JobPublic, status_code=202)
async def reindex(id: UUID, actor: Caller, use: Use) -> Any:
    """Cut the documents of a collection anew, as a job."""
    return present.job(await use.chunks.reindex(actor, id), actor.language)
