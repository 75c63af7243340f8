"""User groups: use cases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Conflict, NotFound, NotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.transaction import Transaction, UnitOfWork
from domain.user_groups.entities import UserGroup
from domain.users.entities import User, UserKind, UserState


@dataclass(frozen=True, slots=True)
class UserGroupView:
    """A group with its members (where they were asked for) and how many there are."""

    group: UserGroup
    count: int
    members: Sequence[User] = ()


class UserGroupService:
    """Use cases of user groups. Who is in a group decides who sees spaces, so every change is in the audit log."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def search(self, actor: Actor, text: str = "", *, limit: int | None = None) -> Page[UserGroupView]:
        """Groups whose name contains `text`, for sharing spaces with them; without their members."""
        return await self._page(actor, text, limit, None, members=False)

    async def page(
        self,
        actor: Actor,
        *,
        search: str = "",
        limit: int | None = None,
        cursor: str | None = None,
        members: bool = False,
    ) -> Page[UserGroupView]:
        """All groups in order of name, for administrators."""
        actor.require(Permission.ADMIN)
        return await self._page(actor, search, limit, cursor, members=members)

    async def _page(
        self, actor: Actor, search: str, limit: int | None, cursor: str | None, *, members: bool
    ) -> Page[UserGroupView]:
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.user_groups.page(search=search.strip(), limit=clamp(limit), cursor=cursor)
            ids = [group.id for group in page.items]
            counts = await tx.user_groups.counts(ids)
            people = await tx.user_groups.members(ids) if members else {}
        views = [UserGroupView(g, counts.get(g.id, 0), people.get(g.id, ())) for g in page.items]
        return Page(views, page.next_cursor, page.total)

    async def get(self, actor: Actor, group_id: UUID) -> UserGroupView:
        """One group with its members."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._view(tx, await self._group(tx, group_id))

    async def create(self, actor: Actor, name: str) -> UserGroupView:
        """A new group without members."""
        actor.require(Permission.ADMIN)
        group = UserGroup(tenant_id=actor.tenant_id, name=clean_name(name))
        async with self._uow.begin(actor.tenant_id) as tx:
            await self._name_is_free(tx, group)
            await tx.add(group)
            tx.record(actor, Change("user_group_created", "user_group", group.id, group.name))
        return UserGroupView(group, 0)

    async def update(
        self, actor: Actor, group_id: UUID, *, name: str | None = None, user_ids: Sequence[UUID] | None = None
    ) -> UserGroupView:
        """Change the name, or replace the members."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            group = await self._group(tx, group_id)
            if name is not None and clean_name(name) != group.name:
                old, group.name = group.name, clean_name(name)
                await self._name_is_free(tx, group)
                renamed = Change("user_group_updated", "user_group", group.id, group.name)
                tx.record(actor, replace(renamed, old={"name": old}, new={"name": group.name}))
            if user_ids is not None:
                present, wanted = set(await tx.user_groups.member_ids(group_id)), set(user_ids)
                await self._put(tx, actor, group, wanted - present)
                await self._drop(tx, actor, group, present - wanted)
            await tx.flush()
            return await self._view(tx, group)

    async def add_member(self, actor: Actor, group_id: UUID, user_id: UUID) -> UserGroupView:
        """Make a user a member; nothing happens when they are one."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            group = await self._group(tx, group_id)
            await self._put(tx, actor, group, {user_id} - set(await tx.user_groups.member_ids(group_id)))
            return await self._view(tx, group)

    async def remove_member(self, actor: Actor, group_id: UUID, user_id: UUID) -> UserGroupView:
        """End a membership."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            group = await self._group(tx, group_id)
            if user_id not in await tx.user_groups.member_ids(group_id):
                raise NotFound(N_("The user was not found."))
            await self._drop(tx, actor, group, {user_id})
            return await self._view(tx, group)

    async def delete(self, actor: Actor, group_id: UUID) -> UserGroupView:
        """Delete a group that no space uses."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            group = await self._group(tx, group_id)
            view = await self._view(tx, group)
            spaces = await tx.user_groups.in_spaces(group_id)
            if spaces:
                raise Conflict(N_("The group is a member of {n} spaces. Remove it there first."), n=spaces)
            await tx.remove(group)
            old = {"name": group.name, "members": [user.email for user in view.members]}
            tx.record(actor, Change("user_group_deleted", "user_group", group_id, group.name, old=old))
        return view

    @staticmethod
    async def _group(tx: Transaction, group_id: UUID) -> UserGroup:
        group = await tx.get(UserGroup, group_id)
        if group is None:
            raise NotFound(N_("The group was not found."))
        return group

    @staticmethod
    async def _view(tx: Transaction, group: UserGroup) -> UserGroupView:
        members = (await tx.user_groups.members([group.id])).get(group.id, ())
        return UserGroupView(group, len(members), members)

    @staticmethod
    async def _name_is_free(tx: Transaction, group: UserGroup) -> None:
        other = await tx.user_groups.named(group.name)
        if other is not None and other.id != group.id:
            raise NotUnique(N_("Another group has this name."), field="name")

    @staticmethod
    async def _put(tx: Transaction, actor: Actor, group: UserGroup, user_ids: set[UUID]) -> None:
        people = await tx.users.many(list(user_ids))
        if len([u for u in people.values() if u.state != UserState.DELETED and u.kind == UserKind.PERSON]) != len(
            user_ids
        ):
            raise NotFound(N_("The user was not found."))
        await tx.user_groups.put(group.id, list(user_ids))
        members_changed(tx, actor, group, people.values(), added=True)

    @staticmethod
    async def _drop(tx: Transaction, actor: Actor, group: UserGroup, user_ids: set[UUID]) -> None:
        people = await tx.users.many(list(user_ids))
        await tx.user_groups.drop(group.id, list(user_ids))
        members_changed(tx, actor, group, people.values(), added=False)


def members_changed(tx: Transaction, actor: Actor, group: UserGroup, people: Iterable[User], *, added: bool) -> None:
    """An entry for each person, since it may open or close spaces to them; and news for their open pages."""
    action, when = ("user_group_member_added", "new") if added else ("user_group_member_removed", "old")
    for user in people:
        change = Change(action, "user_group", group.id, f"{user.email}, {group.name}")
        values: dict[str, Any] = {when: {"user_id": str(user.id), "email": user.email}}
        tx.record(actor, replace(change, **values))
        tx.signal(Signal(f"user:{user.id}", "spaces_changed"))
