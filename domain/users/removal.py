"""What holds when people leave: somebody still administers, and what was theirs alone is gone."""

from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest
from domain.kernel.events import Signal
from domain.spaces.removal import remove_space
from domain.transaction import Transaction


async def administrator_remains(tx: Transaction) -> None:
    """Raise `BadRequest` unless an active user administers the organisation.

    Changes of this kind wait for each other: two administrators cannot remove each other at the same time.
    """
    await tx.users.take_turns()
    if not await tx.users.count_administrators():
        raise BadRequest(N_("The organisation needs at least one active administrator."))


async def sign_out(tx: Transaction, user_id: UUID, *, links: bool = True) -> None:
    """End every session of a user at once; with `links`, invitations and password links too."""
    await tx.sign_ins.revoke_all(user_id, now())
    if links:
        await tx.sign_ins.drop_links(user_id)
    tx.signal(Signal(f"user:{user_id}", "signed_out"))


async def remove_personal(tx: Transaction, user_id: UUID) -> None:
    """Delete a user's personal space with everything in it."""
    space = await tx.spaces.personal(user_id)
    if space is not None:
        await remove_space(tx, space)
