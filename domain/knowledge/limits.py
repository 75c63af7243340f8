"""How many documents and passages there may be, beside their bytes: in the organisation, in a space, by a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, Invalid, NotFound, QuotaExceeded
from domain.kernel.events import Change
from domain.knowledge.repository import Amount
from domain.spaces.entities import Space, SpaceKind
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

MOST = 2_000_000_000


@dataclass(eq=False, kw_only=True)
class KnowledgeLimit(Owned):
    """How many `documents` and `passages` (each of them has a vector) there may be; None for as many as one likes.

    It is that of a space, of a person (in all spaces together), or, where neither is named, of the organisation.
    """

    space_id: UUID | None = None
    user_id: UUID | None = None
    documents: int | None = None
    passages: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What an organisation holds, and its limit."""

    amount: Amount
    limit: KnowledgeLimit | None


async def require_counts(
    tx: Transaction, user_id: UUID | None, space_id: UUID, *, documents: int = 0, passages: int = 0
) -> None:
    """Raise `QuotaExceeded`, which says whose limit it is, unless so many more fit. Callers take turns before.

    Without `user_id` something that is there already moves to the space, and only the space's limit counts.
    """
    limits = await tx.knowledge.limits_for(space_id, user_id) if user_id else await tx.knowledge.limits([space_id], ())
    for limit in limits:
        held = await _held(tx, limit)
        if limit.documents is not None and documents > 0 and held.documents + documents > limit.documents:
            raise QuotaExceeded(_sentence(limit, DOCUMENTS), **await _told(tx, limit, limit.documents))
        if limit.passages is not None and passages > 0 and held.passages + passages > limit.passages:
            raise QuotaExceeded(_sentence(limit, PASSAGES), **await _told(tx, limit, limit.passages))


DOCUMENTS = (
    N_("The organisation may hold {limit} documents, and that many are there. Delete some or ask an administrator."),
    N_("The space “{name}” may hold {limit} documents, and that many are there. Delete some or ask an administrator."),
    N_("You may store {limit} documents, and that many are there. Delete some or ask an administrator."),
)
PASSAGES = (
    N_("The organisation may hold {limit} passages, and this would be more. Delete documents or ask an administrator."),
    N_(
        "The space “{name}” may hold {limit} passages, and this would be more. Delete documents or ask an administrator."
    ),
    N_("You may store {limit} passages, and this would be more. Delete documents or ask an administrator."),
)


def _sentence(limit: KnowledgeLimit, sentences: Sequence[str]) -> str:
    return sentences[1 if limit.space_id else 2 if limit.user_id else 0]


async def _told(tx: Transaction, limit: KnowledgeLimit, most: int) -> dict[str, Any]:
    space = await tx.get(Space, limit.space_id) if limit.space_id else None
    return {"limit": most, **({"name": space.name} if space else {})}


async def _held(tx: Transaction, limit: KnowledgeLimit) -> Amount:
    if limit.space_id is not None:
        return (await tx.spaces.amounts([limit.space_id])).get(limit.space_id, Amount())
    return await tx.knowledge.amount(limit.user_id)


class LimitService:
    """Use cases of administrators."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def organisation(self, actor: Actor) -> Counts:
        """How many documents and passages the organisation holds, and may hold."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            limits = await tx.knowledge.limits((), ())
            return Counts(await tx.knowledge.amount(None), limits[0] if limits else None)

    async def of(self, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, KnowledgeLimit]:
        """The limits of spaces or people, by their ids."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.knowledge.limits(ids, ids)
        return {key: each for each in found if (key := each.space_id or each.user_id) is not None}

    async def set(
        self,
        actor: Actor,
        *,
        space_id: UUID | None = None,
        user_id: UUID | None = None,
        documents: int | None = None,
        passages: int | None = None,
    ) -> None:
        """Set both limits of a space, a person or the organisation. What is there already stays, even where it is more."""
        actor.require(Permission.ADMIN)
        if space_id is not None and user_id is not None:
            raise Invalid(N_("Name a space or a person, not both."), field="user_id")
        async with self._uow.begin(actor.tenant_id) as tx:
            subject, name = await self._subject(tx, actor, space_id, user_id)
            for field, value in (("documents", documents), ("passages", passages)):
                if value is not None and not 0 <= value <= MOST:
                    raise Invalid(N_("Give a number from {low} to {high}."), field=field, low=0, high=MOST)
            await tx.users.take_turns()
            found = await tx.knowledge.limits([space_id] if space_id else (), [user_id] if user_id else ())
            limit = next((e for e in found if (e.space_id, e.user_id) == (space_id, user_id)), None)
            old = {"documents": limit.documents, "passages": limit.passages} if limit else {}
            new = {"documents": documents, "passages": passages}
            if limit is None:
                limit = KnowledgeLimit(tenant_id=actor.tenant_id, space_id=space_id, user_id=user_id)
                await tx.add(limit)
            limit.documents, limit.passages = documents, passages
            key = space_id or user_id or actor.tenant_id
            tx.record(actor, Change("knowledge_limit_set", subject, key, name, old=old, new=new))

    @staticmethod
    async def _subject(tx: Transaction, actor: Actor, space_id: UUID | None, user_id: UUID | None) -> tuple[str, str]:
        if space_id is not None:
            space = await tx.get(Space, space_id)
            if space is None or space.kind == SpaceKind.PERSONAL:
                raise NotFound(N_("The space was not found."))
            return "space", space.name
        if user_id is not None:
            user = await tx.get(User, user_id)
            if user is None:
                raise NotFound(N_("The user was not found."))
            return "user", user.email
        return "tenant_settings", ""
