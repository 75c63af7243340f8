"""Who comes with an API key: checked anew at every request."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.api_keys.entities import NOT_VALID, digest_of, looks_like_key
from domain.api_keys.repository import KeyBearer
from domain.identity.service import actor_of, check_alive
from domain.kernel.actor import Actor, KeyUse, Origin, Permission
from domain.kernel.clock import now
from domain.kernel.errors import Unauthenticated
from domain.kernel.events import Change
from domain.ports import Directory, Located
from domain.transaction import UnitOfWork

log = logging.getLogger(__name__)
NOTED_EVERY = timedelta(minutes=1)
PLACES = 10_000


class KeyIdentityService:
    """Resolves keys to actors.

    Where a digest belongs never changes, so it is remembered; whether the key opens anything is looked up every time, in
    one statement inside its own tenant.
    """

    def __init__(self, uow: UnitOfWork, directory: Directory) -> None:
        self._uow, self._directory = uow, directory
        self._places: dict[str, Located] = {}
        self._noting: dict[UUID, asyncio.Task[None]] = {}

    async def by_key(self, secret: str, origin: Origin) -> Actor:
        """The actor of a key; `Unauthenticated` when it does not, or no longer, open anything."""
        bearer, digest = await self._bearer(secret)
        moment = now()
        actor = acting(bearer, origin)
        check_alive(bearer.tenant, bearer.user)
        refusal = bearer.key.refusal(digest, origin.ip, moment)
        if refusal is not None:
            await self._record_refusal(actor, bearer, refusal, moment)
            raise Unauthenticated(refusal)
        used = bearer.key.last_used_at
        if used is None or moment - used > NOTED_EVERY:
            self._note(bearer, moment)
        return actor

    async def _bearer(self, secret: str) -> tuple[KeyBearer, str]:
        if not looks_like_key(secret):
            raise Unauthenticated(NOT_VALID)
        digest = digest_of(secret)
        place = self._places.get(digest) or await self._directory.api_key(digest)
        if place is None:
            raise Unauthenticated(NOT_VALID)
        async with self._uow.read(place.tenant_id) as tx:
            bearer = await tx.api_keys.bearer(place.id)
        if bearer is None or digest not in (bearer.key.hash, bearer.key.previous_hash):
            self._places.pop(digest, None)
            raise Unauthenticated(NOT_VALID)
        if len(self._places) >= PLACES:
            self._places.clear()
        self._places[digest] = place
        return bearer, digest

    def _note(self, bearer: KeyBearer, moment: datetime) -> None:
        """Write down, beside the request, that the key is in use."""
        key_id = bearer.key.id
        if key_id in self._noting:
            return

        async def note() -> None:
            try:
                async with self._uow.begin(bearer.key.tenant_id) as tx:
                    await tx.api_keys.touch(key_id, moment)
            except Exception as error:
                log.warning("the use of an API key is not noted: %s", error)

        task = self._noting[key_id] = asyncio.create_task(note(), name=f"use of key {key_id}")
        task.add_done_callback(lambda _: self._noting.pop(key_id, None))

    async def settle(self) -> None:
        """Wait until everything is written down."""
        await asyncio.gather(*self._noting.values())

    async def _record_refusal(self, actor: Actor, bearer: KeyBearer, refusal: str, moment: datetime) -> None:
        """In the audit log, at most once a minute for each key: a program that keeps trying must not fill it."""
        key = bearer.key
        if key.last_refused_at is not None and moment - key.last_refused_at <= NOTED_EVERY:
            return
        async with self._uow.begin(key.tenant_id) as tx:
            if await tx.api_keys.refused(key.id, moment, moment - NOTED_EVERY):
                change = Change("api_key_refused", "api_key", key.id, key.name, outcome="failure", error=refusal)
                tx.record(actor, change)


def acting(bearer: KeyBearer, origin: Origin) -> Actor:
    """The actor behind a key: never more than its owner; an assistant's key has no permissions at all."""
    key, actor = bearer.key, actor_of(bearer.user, bearer.roles, None, origin)
    permissions = actor.permissions if key.has_admin else actor.permissions - {Permission.ADMIN}
    return replace(
        actor,
        permissions=permissions if key.assistant_id is None else frozenset(),
        kind="api_key",
        key=KeyUse(key.id, key.name, frozenset(key.scopes), key.assistant_id, key.requests_per_minute),
    )
