"""The same done to many colleagues at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Failure, Invalid
from domain.users.service import UserService, UserView

MOST = 500


class BulkDeed(StrEnum):
    """What can be done to many."""

    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    DELETE = "delete"
    GIVE_ROLE = "give_role"
    TAKE_ROLE = "take_role"


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody it could not be done to, and why."""

    user_id: UUID
    email: str
    failure: Failure


@dataclass(slots=True)
class BulkReport:
    """To whom it was done, and who is as before."""

    done: list[UUID] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class UserBulk:
    """Use cases of many at once: each for itself, so that one who cannot be changed stops nobody else."""

    def __init__(self, users: UserService) -> None:
        self._users = users

    async def run(self, actor: Actor, user_ids: Sequence[UUID], deed: BulkDeed, role: str | None = None) -> BulkReport:
        """Do it to each; `role` is the key of a role to give or take."""
        actor.require(Permission.ADMIN)
        wanted = list(dict.fromkeys(user_ids))
        if not 1 <= len(wanted) <= MOST:
            raise Invalid(N_("Choose between 1 and {limit} people."), field="ids", limit=MOST)
        if (role is None) == (deed in (BulkDeed.GIVE_ROLE, BulkDeed.TAKE_ROLE)):
            raise Invalid(N_("Name a role to give or take, and none for anything else."), field="role")
        report = BulkReport()
        for user_id in wanted:
            email = ""
            try:
                view = await self._users.get(actor, user_id)
                email = view.user.email
                await self._one(actor, view, deed, role or "")
            except Failure as failure:
                report.refused.append(Refused(user_id, email, failure))
            else:
                report.done.append(user_id)
        return report

    async def _one(self, actor: Actor, view: UserView, deed: BulkDeed, role: str) -> None:
        plain: dict[BulkDeed, Callable[[Actor, UUID], Awaitable[object]]] = {
            BulkDeed.DEACTIVATE: self._users.deactivate,
            BulkDeed.REACTIVATE: self._users.reactivate,
            BulkDeed.DELETE: self._users.delete,
        }
        if deed in plain:
            await plain[deed](actor, view.user.id)
            return
        held = [each.key for each in view.roles if each.key != role]
        await self._users.set_roles(actor, view.user.id, [*held, role] if deed is BulkDeed.GIVE_ROLE else held)
