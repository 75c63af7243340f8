"""Pictures of assistants and spaces: use cases."""

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from uuid import UUID

from domain.assistants.access import own_spaces, resource_of, visible
from domain.assistants.entities import Assistant
from domain.files.entities import Blob
from domain.files.keeping import kept
from domain.files.naming import clean_filename
from domain.files.screening import Screening
from domain.icons.entities import Icon
from domain.icons.keeping import NOT_FOUND, remove_icons
from domain.kernel.access import Action, Resource, Role
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, Forbidden, NotFound, UnsupportedFile
from domain.kernel.events import Change, Signal
from domain.ports import Contents, Deed, Directory, Limiter, Pictures, StoredContent
from domain.spaces.entities import Space
from domain.spaces.service import SpaceAccess
from domain.transaction import Transaction, UnitOfWork

LIMIT = 5 * 1024**2
"""So many bytes the picture may have that is brought; what is kept of it is small."""
SIDE = 256
"""So many points its square has at the most."""
DRAWN_LIMIT = 512 * 1024
UNUSED = 20
"""So many pictures that nothing bears a user may have: whoever brings more loses the oldest."""
UNUSED_FOR = timedelta(days=1)
AT_ONCE = 100
WRONG_TYPE = N_("Choose a picture in the format PNG, JPEG or WebP.")


class IconService:
    """Takes pictures in, shows them to those who may see what bears them, and removes them."""

    def __init__(
        self,
        uow: UnitOfWork,
        directory: Directory,
        contents: Contents,
        pictures: Pictures,
        limiter: Limiter,
        screening: Screening,
    ) -> None:
        self._uow, self._directory, self._contents = uow, directory, contents
        self._pictures, self._limiter, self._screening = pictures, limiter, screening

    async def make(self, actor: Actor, filename: str, stream: AsyncIterator[bytes]) -> Icon:
        """Take a picture in. What is kept is drawn anew from it, never its own bytes."""
        await self._limiter.take(Deed.UPLOAD, actor)
        received = await self._contents.receive(actor.tenant_id, stream, LIMIT)
        try:
            await self._screening.check(actor, clean_filename(filename), received)
            drawn = await self._drawn(actor, received)
        finally:
            await self._contents.delete(actor.tenant_id, received.name)
        # Should the transaction fail, the nightly maintenance finds a content that no row names.
        stored = await self._contents.receive(actor.tenant_id, _parts(drawn), DRAWN_LIMIT)
        async with self._uow.begin(actor.tenant_id) as tx:
            blob = await kept(tx, actor.tenant_id, stored)
            icon = Icon(tenant_id=actor.tenant_id, user_id=actor.user_id, blob_id=blob.id)
            await tx.add(icon)
            await remove_icons(tx, await tx.icons.unborne_of(actor.user_id, beyond=UNUSED))
            return icon

    async def _drawn(self, actor: Actor, received: StoredContent) -> bytes:
        head = b"".join([part async for part in self._contents.read(actor.tenant_id, received.name, 0, 16)])
        if not _is_picture(head):
            raise UnsupportedFile(WRONG_TYPE, field="file")
        async with self._contents.on_disk(actor.tenant_id, received.name) as path:
            return await self._pictures.square(path, SIDE)

    async def get(self, actor: Actor, icon_id: UUID) -> Icon:
        """A picture that the actor has brought, or of something that the actor sees."""
        async with self._uow.read(actor.tenant_id) as tx:
            icon = await tx.get(Icon, icon_id)
            if icon is None or not (icon.user_id == actor.user_id or await self._seen(tx, actor, icon)):
                raise NotFound(NOT_FOUND)
        return icon

    async def content(self, icon: Icon) -> bytes:
        """The picture itself, as PNG; `icon` comes from `get`."""
        async with self._uow.read(icon.tenant_id) as tx:
            blob = await tx.get(Blob, icon.blob_id)
        if blob is None:
            raise NotFound(NOT_FOUND)
        return b"".join([part async for part in self._contents.read(icon.tenant_id, blob.name)])

    @staticmethod
    async def _seen(tx: Transaction, actor: Actor, icon: Icon) -> bool:
        accesses = await _accesses(tx, actor)
        spaces, assistants = await tx.icons.bearers(icon.id)
        return any(space.id in accesses for space in spaces) or any(
            visible(accesses[assistant.space_id], assistant)
            for assistant in assistants
            if assistant.space_id in accesses
        )

    async def delete(self, actor: Actor, icon_id: UUID) -> None:
        """Delete a picture, and take it from all that bears it, if the actor may change all of that."""
        async with self._uow.begin(actor.tenant_id) as tx:
            icon = await tx.get(Icon, icon_id)
            own = icon is not None and icon.user_id == actor.user_id
            if icon is None or not (own or await self._seen(tx, actor, icon)):
                raise NotFound(NOT_FOUND)
            spaces, assistants = await tx.icons.bearers(icon_id)
            if not _changeable(actor, await _accesses(tx, actor), spaces, assistants):
                raise Forbidden(N_("The picture belongs to something that you may not change."))
            for space in spaces:
                space.icon_id = None
                tx.record(actor, _taken("space", space, icon_id))
                tx.signal(Signal(f"space:{space.id}", "space_changed"))
            for assistant in assistants:
                assistant.icon_id = None
                tx.record(actor, _taken("assistant", assistant, icon_id))
                tx.signal(Signal(f"space:{assistant.space_id}", "assistants_changed"))
            await tx.flush()
            await remove_icons(tx, [icon])

    async def drop_unused(self) -> int:
        """Delete the pictures that nothing has borne for a day, in all organisations; how many."""
        return sum([await self._drop(tenant_id) for tenant_id in await self._directory.tenant_ids()])

    async def _drop(self, tenant_id: UUID) -> int:
        count = 0
        while True:
            async with self._uow.begin(tenant_id) as tx:
                left = await tx.icons.unborne_before(now() - UNUSED_FOR, AT_ONCE)
                await remove_icons(tx, left)
            count += len(left)
            if len(left) < AT_ONCE:
                return count


async def _accesses(tx: Transaction, actor: Actor) -> dict[UUID, SpaceAccess]:
    """The spaces that the actor sees, the organisation's own too."""
    accesses = await own_spaces(tx, actor)
    organization = await tx.spaces.organization() if actor.is_admin else None
    return accesses | ({organization.id: SpaceAccess(organization, Role.ADMIN)} if organization else {})


def _changeable(
    actor: Actor, accesses: dict[UUID, SpaceAccess], spaces: Iterable[Space], assistants: Iterable[Assistant]
) -> bool:
    wanted = [(space.id, Resource.SPACE) for space in spaces]
    wanted += [(assistant.space_id, resource_of(assistant)) for assistant in assistants]
    return all(
        space_id in accesses and Action.EDIT in accesses[space_id].permissions(actor, resource)
        for space_id, resource in wanted
    )


def _taken(kind: str, bearer: Space | Assistant, icon_id: UUID) -> Change:
    old: dict[str, object] = {"icon_id": str(icon_id)}
    return Change(f"{kind}_updated", kind, bearer.id, bearer.name, old=old, new={"icon_id": None})


def _is_picture(head: bytes) -> bool:
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return webp or head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    yield content
