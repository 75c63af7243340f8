"""Pictures of assistants and spaces."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response, UploadFile

from app.api import wire
from app.api.base import Caller, Use, moments
from app.api.knowledge import blocks

router = APIRouter(prefix="/api/v1/icons", tags=["icons"])
HEADERS = {
    # Another picture is another address. A browser keeps it for an hour, nobody between.
    "Cache-Control": "private, max-age=3600",
    "Content-Disposition": 'inline; filename="icon.png"',
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@router.post("/", response_model=wire.IconPublic)
async def make(file: UploadFile, actor: Caller, use: Use) -> Any:
    """Upload a picture (PNG, JPEG or WebP, at most 5 MB) for an assistant or a space; it is made a small square."""
    return moments(await use.icons.make(actor, file.filename or "file", blocks(file)))


@router.put("/", response_model=wire.IconPublic, status_code=201)
async def put(name: str, request: Request, actor: Caller, use: Use) -> Any:
    """Upload a picture as the plain body of the request."""
    return moments(await use.icons.make(actor, name, request.stream()))


@router.get(
    "/{id}/", response_class=Response, responses={200: {"content": {"image/png": {}}}, 304: {"description": "The same"}}
)
async def get(id: UUID, actor: Caller, use: Use, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """The picture itself, for whoever has uploaded it or sees something that bears it."""
    icon = await use.icons.get(actor, id)
    headers = {**HEADERS, "ETag": f'"{icon.id}"'}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(await use.icons.content(icon), media_type="image/png", headers=headers)


@router.delete("/{id}/", status_code=204, response_class=Response)
async def delete(id: UUID, actor: Caller, use: Use) -> None:
    """Delete a picture, and take it from what bears it."""
    await use.icons.delete(actor, id)
