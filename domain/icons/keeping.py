"""What spaces and assistants do with their pictures."""

from collections.abc import Iterable
from uuid import UUID

from domain.icons.entities import Icon
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound
from domain.knowledge.removal import release_blobs
from domain.transaction import Transaction

NOT_FOUND = N_("The picture was not found. Upload it again.")


async def choose_icon(tx: Transaction, actor: Actor, present: UUID | None, wanted: UUID | None) -> UUID | None:
    """The picture that a thing gets: the one that it has, none, or one that the actor has brought."""
    if wanted is not None and wanted != present:
        icon = await tx.get(Icon, wanted)
        if icon is None or icon.user_id != actor.user_id:
            raise NotFound(NOT_FOUND, field="icon_id")
    return wanted


async def drop_icons(tx: Transaction, icon_ids: Iterable[UUID | None]) -> None:
    """Delete those of the pictures that nothing bears any more, with their contents."""
    ids = {icon_id for icon_id in icon_ids if icon_id is not None}
    if ids:
        await tx.flush()
        await remove_icons(tx, await tx.icons.unborne(ids))


async def remove_icons(tx: Transaction, icons: Iterable[Icon]) -> None:
    """Delete pictures that nothing bears, with their contents."""
    contents = []
    for icon in icons:
        contents.append(icon.blob_id)
        await tx.remove(icon)
    await release_blobs(tx, contents)
