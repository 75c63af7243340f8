"""What holds when people leave: somebody still administers, and what was theirs alone is gone."""

from uuid import UUID

from domain.icons.keeping import remove_icons
from domain.kernel.access import Role
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest
from domain.kernel.events import Change, Signal
from domain.spaces.entities import SpaceMember
from domain.spaces.removal import remove_space
from domain.transaction import Transaction
from domain.users.entities import User


async def administrator_remains(tx: Transaction) -> None:
    """Raise `BadRequest` unless an active user administers the organisation.

    Changes of this kind wait for each other: two administrators cannot remove each other at the same time.
    """
    await tx.users.take_turns()
    if not await tx.users.count_administrators():
        raise BadRequest(N_("The organisation needs at least one active administrator."))


async def hand_over_spaces(tx: Transaction, actor: Actor, user: User) -> None:
    """Spaces that only this user administers go to whoever removes the account, or to the first administrator.

    A space that nobody could change, share or delete would be lost to everybody.
    """
    spaces = await tx.spaces.administered_alone(user.id)
    if not spaces:
        return
    colleague = await tx.get(User, actor.user_id)
    successor = colleague or next(each for each in await tx.users.administrators() if each.id != user.id)
    for space in spaces:
        member = await tx.spaces.member(space.id, successor.id)
        if member is not None:
            member.role = Role.ADMIN
        else:
            await tx.add(
                SpaceMember(tenant_id=user.tenant_id, space_id=space.id, user_id=successor.id, role=Role.ADMIN)
            )
        new = {"role": str(Role.ADMIN), "in_place_of": user.email}
        tx.record(actor, Change("space_member_added", "space", space.id, f"{successor.email}, {space.name}", new=new))
        tx.signal(Signal(f"space:{space.id}", "members_changed"))
    tx.signal(Signal(f"user:{successor.id}", "spaces_changed"))


async def sign_out(tx: Transaction, user_id: UUID, *, links: bool = True) -> None:
    """End every session of a user at once; with `links`, invitations and password links too."""
    await tx.sign_ins.revoke_all(user_id, now())
    if links:
        await tx.sign_ins.drop_links(user_id)
    tx.signal(Signal(f"user:{user_id}", "signed_out"))


async def remove_personal(tx: Transaction, user_id: UUID) -> None:
    """Delete a user's personal space with everything in it, and the pictures of theirs that nothing bears."""
    space = await tx.spaces.personal(user_id)
    if space is not None:
        await remove_space(tx, space)
    await remove_icons(tx, await tx.icons.unborne_of(user_id, beyond=0))
