"""What ends with a key's owner."""

from collections.abc import Sequence
from uuid import UUID

from domain.api_keys.entities import ApiKey
from domain.kernel.clock import now
from domain.kernel.events import Signal
from domain.knowledge.removal import release_blobs
from domain.transaction import Transaction

FILES_AT_ONCE = 200


def key_ended(tx: Transaction, key: ApiKey) -> None:
    """Tell whoever streams to the key's holder."""
    tx.signal(Signal(f"api_key:{key.id}", "key_ended"))


async def end_keys_of_user(tx: Transaction, user_id: UUID) -> None:
    """Revoke all keys of a user, and those the user made for assistants: they act in the user's name."""
    for key in await tx.api_keys.of_user(user_id):
        key.revoked_at = now()
        key_ended(tx, key)


async def end_keys(tx: Transaction, keys: Sequence[ApiKey]) -> None:
    """The keys go with their assistants; the contents of their files are released before."""
    ids = [key.id for key in keys]
    while ids and (files := await tx.files.of_keys(ids, FILES_AT_ONCE)):
        for file in files:
            await tx.remove(file)
        await release_blobs(tx, [file.blob_id for file in files])
    for key in keys:
        key_ended(tx, key)
