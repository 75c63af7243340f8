"""Files attached to questions and instructions."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response, UploadFile

from app.api import present, wire
from app.api.base import Caller, Running, Use
from app.api.knowledge import attachment, blocks
from app.auth.tokens import read_file_token, sign_file
from domain.kernel.errors import N_, Invalid

router = APIRouter(prefix="/api/v1/files", tags=["files"])
LONGEST_LINK = 7 * 24 * 3600


@router.post("/", response_model=wire.FilePublic)
async def upload(upload_file: UploadFile, actor: Caller, use: Use, space_id: UUID | None = None) -> Any:
    """Upload a file; its text is read at once. A recording is written down by a model of the space, else of one's own."""
    name = upload_file.filename or "file"
    return present.file(await use.files.upload(actor, name, blocks(upload_file), space_id=space_id))


@router.put("/", response_model=wire.FilePublic, status_code=201)
async def put(name: str, request: Request, actor: Caller, use: Use, space_id: UUID | None = None) -> Any:
    """Upload a file as the plain body of the request."""
    return present.file(await use.files.upload(actor, name, request.stream(), space_id=space_id))


@router.get("/", response_model=wire.PageOfFilePublic)
async def mine(actor: Caller, use: Use, limit: int | None = None, cursor: str | None = None) -> Any:
    """One's own files, newest first."""
    page = await use.files.page(actor, limit=limit or 200, cursor=cursor)
    return present.page([present.file(f) for f in page.items], next_cursor=page.next_cursor, total_count=page.total)


@router.get("/{id}/", response_model=wire.FilePublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """One of one's own files."""
    return present.file(await use.files.get(actor, id))


@router.get("/{id}/content/", response_class=Response)
async def content(id: UUID, actor: Caller, use: Use) -> Response:
    """One of one's own files, itself."""
    file, stream = await use.files.content(actor, id)
    return attachment(stream, file.name, file.media_type)


@router.delete("/{id}/", status_code=204, response_class=Response)
async def delete(id: UUID, actor: Caller, use: Use) -> None:
    """Delete one of one's own files."""
    await use.files.delete(actor, id)


@router.post("/{id}/signed-url/", response_model=wire.SignedURLResponse)
async def signed_url(id: UUID, body: wire.SignedURLRequest, request: Request, actor: Caller, running: Running) -> Any:
    """An address that lets anybody who has it download the file for a while."""
    await running.services.files.get(actor, id)
    seconds = body.expires_in or 3600
    if not 1 <= seconds <= LONGEST_LINK:
        raise Invalid(N_("Give a number from {low} to {high}."), field="expires_in", low=1, high=LONGEST_LINK)
    token, expires = sign_file(
        running.token_key, actor.tenant_id, id, seconds, body.content_disposition or "attachment"
    )
    base = (running.settings.public_origin or str(request.base_url)).rstrip("/")
    return {"url": f"{base}/api/v1/files/{id}/download/?token={token}", "expires_at": expires}


@router.get("/{id}/download/", response_class=Response)
async def download(id: UUID, token: str, running: Running, range: Annotated[str | None, Header()] = None) -> Response:
    """The file itself, by a signed address."""
    tenant_id, disposition = read_file_token(running.token_key, token, id)
    file = await running.services.files.by_grant(tenant_id, id)
    span = _span(range, file.size)
    if span is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
    start, end = span
    response = attachment(
        await running.services.files.stored(file, start, end), file.name, file.media_type, disposition
    )
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(end - start)
    if range:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return response


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """The asked part of a file as (start, end); None when it cannot be given."""
    if not header:
        return 0, size
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    start = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(size, int(match[2]) + 1) if match[1] and match[2] else size
    return (start, end) if start < end else None
