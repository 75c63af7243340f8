"""Deleting a space with everything in it."""

from domain.api_keys.removal import end_keys
from domain.icons.keeping import drop_icons
from domain.knowledge.removal import remove_collection
from domain.spaces.entities import Space
from domain.transaction import Transaction


async def remove_space(tx: Transaction, space: Space) -> None:
    """Delete a space. The index and the file store know no foreign keys: they are emptied in the same transaction."""
    for collection in await tx.knowledge.collections([space.id]):
        await remove_collection(tx, collection)
    await end_keys(tx, await tx.api_keys.of_space(space.id))
    icons = [space.icon_id, *await tx.icons.within(space.id)]
    await tx.remove(space)
    await drop_icons(tx, icons)
