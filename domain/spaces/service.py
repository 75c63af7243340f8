"""Spaces and their members: use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.audit.entities import AuditEntry
from domain.audit.replay import difference, snapshot
from domain.audit.repository import AuditFilter
from domain.classifications.restrictions import restrict_space
from domain.icons.keeping import choose_icon, drop_icons
from domain.kernel.access import Action, Resource, Role, highest, permissions, require
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, Forbidden, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.spaces.entities import MEMBER_ROLES, Space, SpaceGroup, SpaceKind, SpaceMember
from domain.spaces.removal import remove_space
from domain.spaces.repository import SpaceCounts
from domain.transaction import Transaction, UnitOfWork
from domain.user_groups.entities import UserGroup
from domain.users.entities import User, UserState

DESCRIPTION_LIMIT = 2000
FIELDS = (
    "name",
    "kind",
    "user_id",
    "description",
    "data_retention_days",
    "security_classification_id",
    "allowed_models",
    "icon_id",
)
"""What a space is, as its history tells it; its members are told as `member:<user id>`."""
ORGANIZATION_NAME = "Organization space"


@dataclass(frozen=True, slots=True)
class SpaceAccess:
    """A space together with the role in which the actor sees it; what is `shared` there from another may only be read."""

    space: Space
    role: Role
    shared: bool = False

    def require(self, actor: Actor, resource: Resource, action: Action) -> None:
        """Raise `Forbidden` unless the actor may do this in the space."""
        if self.shared and action is not Action.READ:
            raise Forbidden(N_("This is shared from another space. It can only be changed there."))
        require(actor, self.role, resource, action)

    def permissions(self, actor: Actor, resource: Resource) -> list[Action]:
        """What the actor may do to such a resource in the space."""
        allowed = permissions(actor, self.role, resource)
        if self.shared:
            return [action for action in allowed if action is Action.READ]
        if resource is Resource.MEMBER and self.space.kind != SpaceKind.SHARED:
            return []
        return allowed

    def permissions_of_one(self, actor: Actor, resource: Resource) -> list[Action]:
        """What the actor may do to one such resource that exists."""
        return [action for action in self.permissions(actor, resource) if action != Action.CREATE]


@dataclass(frozen=True, slots=True)
class SpaceView:
    """A space in a list or on its own, with what the actor may do."""

    space: Space
    role: Role
    permissions: Sequence[Action]
    counts: SpaceCounts = field(default_factory=SpaceCounts)

    @property
    def access(self) -> SpaceAccess:
        """The actor's place in the space."""
        return SpaceAccess(self.space, self.role)


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a space."""

    member: SpaceMember
    user: User


@dataclass(frozen=True, slots=True)
class GroupView:
    """A user group that is a member of a space, with how many people are in it."""

    member: SpaceGroup
    group: UserGroup
    count: int


async def space_access(
    tx: Transaction, actor: Actor, space_id: UUID, *, missing: NotFound | None = None
) -> SpaceAccess:
    """The space as the actor sees it; `NotFound` when it does not exist or is not the actor's to know.

    Who looks for something in a space says with `missing` what was not found.
    """
    space = await tx.get(Space, space_id)
    role = await _role(tx, actor, space) if space else None
    if space is None or role is None:
        raise missing or NotFound(N_("The space was not found."))
    return SpaceAccess(space, role)


async def _role(tx: Transaction, actor: Actor, space: Space) -> Role | None:
    match space.kind:
        case SpaceKind.PERSONAL:
            return Role.OWNER if space.user_id == actor.user_id else None
        case SpaceKind.ORGANIZATION:
            return Role.ADMIN if actor.is_admin else None
        case _:
            return highest(await tx.spaces.roles_in(space.id, actor.user_id))


class SpaceService:
    """Use cases of spaces. Every method takes the actor first."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def personal(self, actor: Actor) -> SpaceView:
        """The actor's own space, made on the first visit."""
        async with self._uow.read(actor.tenant_id) as tx:
            space = await tx.spaces.personal(actor.user_id)
        if space is None:
            async with self._uow.begin(actor.tenant_id) as tx:
                space = await self._make_personal(tx, actor)
        return self._view(actor, SpaceAccess(space, Role.OWNER))

    async def _make_personal(self, tx: Transaction, actor: Actor) -> Space:
        existing = await tx.spaces.personal(actor.user_id)
        if existing:
            return existing
        space = Space(
            tenant_id=actor.tenant_id, name=actor.name or actor.email, kind=SpaceKind.PERSONAL, user_id=actor.user_id
        )
        await tx.add(space)
        tx.record(actor, created(space))
        return space

    async def organization(self, actor: Actor) -> SpaceView:
        """The organisation's space, for administrators; made when missing."""
        if not actor.is_admin:
            raise NotFound(N_("The space was not found."))
        async with self._uow.begin(actor.tenant_id) as tx:
            space = await tx.spaces.organization()
            if space is None:
                space = Space(tenant_id=actor.tenant_id, name=ORGANIZATION_NAME, kind=SpaceKind.ORGANIZATION)
                await tx.add(space)
                tx.record(actor, created(space))
        return self._view(actor, SpaceAccess(space, Role.ADMIN))

    async def mine(self, actor: Actor, *, include_personal: bool = True) -> list[SpaceView]:
        """The actor's spaces: the personal one first, then the shared ones by name."""
        first = [await self.personal(actor)] if include_personal else []
        async with self._uow.read(actor.tenant_id) as tx:
            shared = await tx.spaces.of_member(actor.user_id)
            counts = await tx.spaces.counts([v.space.id for v in first] + [space.id for space, _ in shared])
        views = [self._view(actor, SpaceAccess(space, Role(role)), counts) for space, role in shared]
        return [self._view(actor, v.access, counts) for v in first] + views

    async def get(self, actor: Actor, space_id: UUID) -> SpaceView:
        """One space with its figures."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            counts = await tx.spaces.counts([space_id])
        return self._view(actor, access, counts)

    def _view(self, actor: Actor, access: SpaceAccess, counts: Mapping[UUID, SpaceCounts] | None = None) -> SpaceView:
        found = (counts or {}).get(access.space.id, SpaceCounts())
        return SpaceView(access.space, access.role, access.permissions(actor, Resource.SPACE), found)

    async def create(self, actor: Actor, name: str, description: str | None = None) -> SpaceView:
        """A shared space with the actor as its administrator."""
        space = Space(
            tenant_id=actor.tenant_id,
            name=clean_name(name),
            kind=SpaceKind.SHARED,
            description=clean_text(description, "description", DESCRIPTION_LIMIT) or None,
        )
        async with self._uow.begin(actor.tenant_id) as tx:
            await tx.add(space)
            await tx.add(
                SpaceMember(tenant_id=actor.tenant_id, space_id=space.id, user_id=actor.user_id, role=Role.ADMIN)
            )
            tx.record(actor, created(space))
            tx.signal(Signal(f"user:{actor.user_id}", "spaces_changed"))
        return self._view(actor, SpaceAccess(space, Role.ADMIN))

    async def update(self, actor: Actor, space_id: UUID, changes: Mapping[str, Any]) -> SpaceView:
        """Change `name`, `description`, `icon_id`, `data_retention_days` (1–2555 days, None = for ever) or the restrictions.

        These (see `Restrictions.changed`) change only with `impact_token`, where that takes something in use away.
        """
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.SPACE, Action.EDIT)
            space, before = access.space, snapshot(access.space, FIELDS)
            former = space.icon_id
            if "icon_id" in changes:
                space.icon_id = await choose_icon(tx, actor, former, changes["icon_id"])
            for field_name, value in self._cleaned(changes).items():
                setattr(space, field_name, value)
            await restrict_space(tx, space, changes)
            old, new = difference(before, snapshot(space, FIELDS))
            if new:
                tx.record(actor, Change("space_updated", "space", space.id, space.name, old=old, new=new))
                for user_id in await tx.spaces.people(space.id):
                    tx.signal(Signal(f"user:{user_id}", "spaces_changed"))
            if space.icon_id != former:
                await drop_icons(tx, [former])
            tx.signal(Signal(f"space:{space.id}", "space_changed"))
        return await self.get(actor, space_id)

    @staticmethod
    def _cleaned(changes: Mapping[str, Any]) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        if changes.get("name") is not None:
            cleaned["name"] = clean_name(changes["name"])
        if "description" in changes:
            cleaned["description"] = clean_text(changes["description"], "description", DESCRIPTION_LIMIT) or None
        if "data_retention_days" in changes:
            cleaned["data_retention_days"] = retention_days(changes["data_retention_days"])
        return cleaned

    async def delete(self, actor: Actor, space_id: UUID) -> None:
        """Delete a shared space with everything in it."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.SPACE, Action.DELETE)
            if access.space.kind != SpaceKind.SHARED:
                raise Forbidden(N_("This space cannot be deleted."))
            people = await tx.spaces.people(space_id)
            old = snapshot(access.space, FIELDS)
            await remove_space(tx, access.space)
            tx.record(actor, Change("space_deleted", "space", space_id, access.space.name, old=old))
            for user_id in people:
                tx.signal(Signal(f"user:{user_id}", "spaces_changed"))

    async def history(
        self, actor: Actor, space_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[AuditEntry]:
        """Who changed what, newest first, as far back as the audit log reaches; for those who may edit the space."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.SPACE, Action.EDIT)
            wanted = AuditFilter(entity_type="space", entity_id=space_id)
            return await tx.audit.page(wanted, limit=clamp(limit), cursor=cursor, count=False)

    async def members(self, actor: Actor, space_id: UUID) -> list[MemberView]:
        """The members of a shared space, the actor first. Viewers and editors see themselves only."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            rows = await tx.spaces.members(space_id)
        sees_all = Action.READ in access.permissions(actor, Resource.MEMBER)
        views = [MemberView(m, u) for m, u in rows if sees_all or u.id == actor.user_id]
        return sorted(views, key=lambda view: view.user.id != actor.user_id)

    async def add_member(self, actor: Actor, space_id: UUID, user_id: UUID, role: str) -> MemberView:
        """Make a user of the organisation a member."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.ADD)
            user = await tx.get(User, user_id)
            if user is None or user.state not in (UserState.ACTIVE, UserState.INVITED):
                raise NotFound(N_("The user was not found."))
            if await tx.spaces.member(space_id, user_id):
                raise BadRequest(N_("{email} is already a member."), email=user.email)
            member = SpaceMember(tenant_id=actor.tenant_id, space_id=space_id, user_id=user_id, role=_member_role(role))
            await tx.add(member)
            self._member_changed(tx, actor, access.space, user, "space_member_added", {}, {"role": role})
        return MemberView(member, user)

    async def set_role(self, actor: Actor, space_id: UUID, user_id: UUID, role: str) -> MemberView:
        """Give a member another role. One cannot change one's own."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.EDIT)
            member, user = await self._member(tx, space_id, user_id)
            if user_id == actor.user_id:
                raise BadRequest(N_("You cannot change your own role."))
            old, member.role = member.role, _member_role(role)
            self._member_changed(tx, actor, access.space, user, "role_modified", {"role": old}, {"role": role})
        return MemberView(member, user)

    async def remove_member(self, actor: Actor, space_id: UUID, user_id: UUID) -> None:
        """End a membership. One cannot remove oneself, so a space always keeps an administrator."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.REMOVE)
            if user_id == actor.user_id:
                raise BadRequest(N_("You cannot remove yourself."))
            member, user = await self._member(tx, space_id, user_id)
            await tx.remove(member)
            self._member_changed(tx, actor, access.space, user, "space_member_removed", {"role": member.role}, {})

    async def groups(self, actor: Actor, space_id: UUID) -> list[GroupView]:
        """The user groups of a shared space, for those who see all members."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.MEMBER):
                return []
            rows = await tx.spaces.groups(space_id)
            counts = await tx.user_groups.counts([group.id for _, group in rows])
        return [GroupView(member, group, counts.get(group.id, 0)) for member, group in rows]

    async def add_group(self, actor: Actor, space_id: UUID, group_id: UUID, role: str) -> GroupView:
        """Make a user group of the organisation a member."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.ADD)
            group = await tx.get(UserGroup, group_id)
            if group is None:
                raise NotFound(N_("The group was not found."))
            if await tx.spaces.group(space_id, group_id):
                raise BadRequest(N_("{name} is already a member."), name=group.name)
            role = _member_role(role)
            member = SpaceGroup(tenant_id=actor.tenant_id, space_id=space_id, group_id=group_id, role=role)
            await tx.add(member)
            await self._group_changed(tx, actor, access.space, group, "space_member_added", {}, {"role": role})
            counts = await tx.user_groups.counts([group_id])
        return GroupView(member, group, counts.get(group_id, 0))

    async def set_group_role(self, actor: Actor, space_id: UUID, group_id: UUID, role: str) -> GroupView:
        """Give a group another role. The actor must stay an administrator of the space."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.EDIT)
            member, group = await self._group(tx, space_id, group_id)
            old, member.role = member.role, _member_role(role)
            await tx.flush()
            await self._still_administrator(tx, actor, space_id)
            await self._group_changed(tx, actor, access.space, group, "role_modified", {"role": old}, {"role": role})
            counts = await tx.user_groups.counts([group_id])
        return GroupView(member, group, counts.get(group_id, 0))

    async def remove_group(self, actor: Actor, space_id: UUID, group_id: UUID) -> None:
        """End a group's membership. The actor must stay an administrator of the space."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await self._shared(tx, actor, space_id, Action.REMOVE)
            member, group = await self._group(tx, space_id, group_id)
            await tx.remove(member)
            await self._still_administrator(tx, actor, space_id)
            old = {"role": member.role}
            await self._group_changed(tx, actor, access.space, group, "space_member_removed", old, {})

    @staticmethod
    async def _still_administrator(tx: Transaction, actor: Actor, space_id: UUID) -> None:
        if highest(await tx.spaces.roles_in(space_id, actor.user_id)) is not Role.ADMIN:
            raise BadRequest(N_("You would no longer administer the space. Make yourself an administrator first."))

    @staticmethod
    async def _group(tx: Transaction, space_id: UUID, group_id: UUID) -> tuple[SpaceGroup, UserGroup]:
        member, group = await tx.spaces.group(space_id, group_id), await tx.get(UserGroup, group_id)
        if member is None or group is None:
            raise NotFound(N_("The group is not a member of this space."))
        return member, group

    @staticmethod
    async def _group_changed(
        tx: Transaction,
        actor: Actor,
        space: Space,
        group: UserGroup,
        action: str,
        old: dict[str, Any],
        new: dict[str, Any],
    ) -> None:
        tx.record(actor, Change(action, "space", space.id, f"{group.name}, {space.name}", old=old, new=new))
        for user_id in await tx.user_groups.member_ids(group.id):
            tx.signal(Signal(f"user:{user_id}", "spaces_changed"))
        tx.signal(Signal(f"space:{space.id}", "members_changed"))

    async def _shared(self, tx: Transaction, actor: Actor, space_id: UUID, action: Action) -> SpaceAccess:
        access = await space_access(tx, actor, space_id)
        if access.space.kind != SpaceKind.SHARED:
            raise Forbidden(N_("This space has no members."))
        access.require(actor, Resource.MEMBER, action)
        return access

    @staticmethod
    async def _member(tx: Transaction, space_id: UUID, user_id: UUID) -> tuple[SpaceMember, User]:
        member = await tx.spaces.member(space_id, user_id)
        user = await tx.get(User, user_id)
        if member is None or user is None:
            raise NotFound(N_("The user is not a member of this space."))
        return member, user

    @staticmethod
    def _member_changed(
        tx: Transaction, actor: Actor, space: Space, user: User, action: str, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        old, new = ({f"member:{user.id}": role.get("role")} if role else {} for role in (old, new))
        tx.record(actor, Change(action, "space", space.id, f"{user.email}, {space.name}", old=old, new=new))
        tx.signal(Signal(f"user:{user.id}", "spaces_changed"))
        tx.signal(Signal(f"space:{space.id}", "members_changed"))


def created(space: Space) -> Change:
    """The entry of a new space, with everything it is."""
    return Change("space_created", "space", space.id, space.name, new=snapshot(space, FIELDS))


def _member_role(role: str) -> str:
    if role not in MEMBER_ROLES:
        raise Invalid(N_("Choose one of the roles viewer, editor and admin."), field="role")
    return role


def retention_days(value: int | None) -> int | None:
    """Days to keep, from 1 to 2555, or None for ever."""
    if value is not None and not 1 <= value <= 2555:
        raise Invalid(N_("Give a number of days from 1 to 2555."), field="data_retention_days")
    return value
