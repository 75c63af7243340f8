"""Moving collections (on the wire: groups) and websites to another space, and sharing them with others."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api import wire
from app.api.base import Caller, Use

router = APIRouter(prefix="/api/v1")
KINDS = ("groups", "websites")


class SharePublic(BaseModel):
    """A space that reads a collection of another one."""

    space_id: UUID
    name: str


class Shares(BaseModel):
    """The spaces that a collection is shared with."""

    items: list[SharePublic]
    count: int


class LossPublic(BaseModel):
    """An assistant that would lose the collection, with its space."""

    id: UUID
    name: str
    space_id: UUID
    space_name: str


class Losses(BaseModel):
    """The assistants that would lose a collection."""

    items: list[LossPublic]
    count: int


def _serve(kind: str) -> None:
    """The same operations for both: a website is its collection, by the same id."""

    @router.get(f"/{kind}/{{id}}/shares/", response_model=Shares, name=f"shares_of_{kind}", tags=[kind])
    async def shares(id: UUID, actor: Caller, use: Use) -> Any:
        """The spaces that it is shared with."""
        found = await use.sharing.shares(actor, id)
        return Shares(items=[SharePublic(space_id=s.id, name=s.name) for s in found], count=len(found))

    @router.put(f"/{kind}/{{id}}/shares/{{space_id}}/", status_code=204, response_class=Response, name=f"share_{kind}",
                tags=[kind])  # fmt: skip
    async def share(id: UUID, space_id: UUID, actor: Caller, use: Use) -> None:
        """Let another space read it and use it in its assistants."""
        await use.sharing.share(actor, id, space_id)

    @router.delete(f"/{kind}/{{id}}/shares/{{space_id}}/", status_code=204, response_class=Response,
                   name=f"unshare_{kind}", tags=[kind])  # fmt: skip
    async def unshare(id: UUID, space_id: UUID, actor: Caller, use: Use) -> None:
        """End a share. The assistants of that space lose it at once."""
        await use.sharing.unshare(actor, id, space_id)

    @router.get(f"/{kind}/{{id}}/transfer/losses/", response_model=Losses, name=f"losses_of_{kind}", tags=[kind])
    async def losses(id: UUID, target_space_id: UUID, actor: Caller, use: Use) -> Any:
        """The assistants that would lose it by a move to this space."""
        found = await use.sharing.losses(actor, id, target_space_id)
        items = [
            LossPublic(
                id=each.assistant.id, name=each.assistant.name, space_id=each.space.id, space_name=each.space.name
            )
            for each in found
        ]
        return Losses(items=items, count=len(items))


for _kind in KINDS:
    _serve(_kind)


@router.post("/groups/{id}/transfer/", status_code=204, response_class=Response, tags=["groups"])
async def transfer(id: UUID, body: wire.TransferRequest, actor: Caller, use: Use) -> None:
    """Move a collection to another space. Assistants that may not use it from there lose it."""
    await use.sharing.move(actor, id, body.target_space_id)
