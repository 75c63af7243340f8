"""API keys: use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.api_keys.entities import ApiKey, KeyKind, KeyMakers, KeyPolicy, KeyState, clean_networks, new_secret
from domain.api_keys.removal import key_ended
from domain.api_keys.repository import KeyQuery, KeyRow
from domain.assistants.access import readable_assistant, resource_of
from domain.audit.replay import difference, snapshot
from domain.kernel.access import Action
from domain.kernel.actor import Actor, Permission, Scope
from domain.kernel.clock import now
from domain.kernel.errors import N_, Conflict, Forbidden, Invalid, NotFound
from domain.kernel.events import Change
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.roles.entities import granted
from domain.roles.service import require_not_beyond
from domain.transaction import Transaction, UnitOfWork
from domain.users.checks import one_of
from domain.users.entities import User, UserKind, UserState

FIELDS = ("name", "scopes", "networks", "requests_per_minute", "expires_at")
MAX_KEYS = 50
MAX_RATE = 100_000
MAX_DAYS = 3650
USUAL_DAYS = 365
LONGEST_GRACE = timedelta(days=30)
LEEWAY = timedelta(hours=1)
"""The clock of whoever names the end of a key may be ahead by so much."""
DEFAULT_NAME = "default"
"""The one key that existing clients know of: asking for it makes a new one in place of the one before."""
NOT_FOUND = N_("The API key was not found.")
BY_PEOPLE = N_("An API key cannot make or change API keys. Sign in to do this.")


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """A key to be made. Without `expires_at` it lives as long as keys usually may; `endless` asks for no end at all."""

    name: str
    scopes: Sequence[str] = (Scope.READ, Scope.ASK)
    expires_at: datetime | None = None
    endless: bool = False
    networks: Sequence[str] = ()
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as people see it; `manageable` says that the actor may change and renew it, not only revoke."""

    row: KeyRow
    manageable: bool
    moment: datetime = field(default_factory=now)

    @property
    def key(self) -> ApiKey:
        """The key."""
        return self.row.key

    @property
    def state(self) -> KeyState:
        """Whether it works."""
        return self.key.state(self.moment)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is shown this once."""

    view: KeyView
    secret: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the organisation says about keys, and whether the actor may make some for themselves."""

    makers: str
    longest_days: int | None
    may_make: bool


class ApiKeyService:
    """Use cases of API keys.

    People manage their own, editors of an assistant those of the assistant, administrators those of service accounts;
    administrators see and revoke all. No key makes or changes keys.
    """

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    # The organisation's rules

    async def rules(self, actor: Actor) -> Rules:
        """What holds for keys here."""
        async with self._uow.read(actor.tenant_id) as tx:
            policy = await _policy(tx, actor)
        return Rules(policy.makers, policy.longest_days, _may_make(actor, policy))

    async def set_rules(self, actor: Actor, *, makers: str, longest_days: int | None) -> Rules:
        """Say who may make keys for themselves, and how many days keys live at the most (None: for ever)."""
        actor.require(Permission.ADMIN)
        makers = one_of(makers, tuple(KeyMakers), "makers")
        if longest_days is not None:
            longest_days = _number(longest_days, MAX_DAYS, "longest_days")
        async with self._uow.begin(actor.tenant_id) as tx:
            policy = await tx.api_keys.policy()
            if policy is None:
                policy = await _policy(tx, actor)
                await tx.add(policy)
            before = snapshot(policy, ("makers", "longest_days"))
            policy.makers, policy.longest_days = makers, longest_days
            old, new = difference(before, snapshot(policy, ("makers", "longest_days")))
            if new:
                change = Change("tenant_settings_updated", "tenant_settings", actor.tenant_id, "API keys", old, new)
                tx.record(actor, change)
        return Rules(makers, longest_days, _may_make(actor, policy))

    # Looking

    async def mine(self, actor: Actor, *, limit: int | None = None, cursor: str | None = None) -> Page[KeyView]:
        """The actor's own keys, newest first."""
        return await self._page(actor, KeyQuery(user_id=actor.user_id), limit, cursor, manageable=True)

    async def all(
        self,
        actor: Actor,
        *,
        search: str = "",
        user_id: UUID | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[KeyView]:
        """All keys of the organisation, or of one user or service account, newest first."""
        actor.require(Permission.ADMIN)
        return await self._page(actor, KeyQuery(user_id=user_id, search=search), limit, cursor)

    async def of_assistant(
        self, actor: Actor, assistant_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[KeyView]:
        """The keys of an assistant, for those who may edit it."""
        async with self._uow.read(actor.tenant_id) as tx:
            await _require_editor(tx, actor, assistant_id)
        return await self._page(actor, KeyQuery(assistant_id=assistant_id), limit, cursor, manageable=True)

    async def _page(
        self, actor: Actor, query: KeyQuery, limit: int | None, cursor: str | None, *, manageable: bool = False
    ) -> Page[KeyView]:
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.api_keys.page(query, limit=clamp(limit), cursor=cursor)
        views = [KeyView(row, manageable or _is_theirs(actor, row)) for row in page.items]
        return Page(views, page.next_cursor, page.total)

    async def get(self, actor: Actor, key_id: UUID) -> KeyView:
        """One key that the actor may manage or, as an administrator, revoke."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._view(tx, actor, key_id)

    # Making

    async def create(self, actor: Actor, draft: KeyDraft) -> IssuedKey:
        """A key for oneself."""
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await _owner(tx, actor.user_id)
            return await self._make(tx, actor, draft, user, KeyKind.USER)

    async def create_for_service_account(self, actor: Actor, account_id: UUID, draft: KeyDraft) -> IssuedKey:
        """A key for a service account, by an administrator whose own permissions cover the account's."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            account = await _owner(tx, account_id, UserKind.SERVICE)
            return await self._make(tx, actor, draft, account, KeyKind.SERVICE_ACCOUNT)

    async def create_for_assistant(self, actor: Actor, assistant_id: UUID, draft: KeyDraft) -> IssuedKey:
        """A key that only talks to this assistant."""
        async with self._uow.begin(actor.tenant_id) as tx:
            await _require_editor(tx, actor, assistant_id)
            user = await _owner(tx, actor.user_id)
            return await self._make(tx, actor, draft, user, KeyKind.ASSISTANT, assistant_id)

    async def create_for_new_user(self, actor: Actor, user_id: UUID) -> IssuedKey:
        """The first key of an account that the administrator has just made, for clients that expect one with it."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await _owner(tx, user_id)
            if await tx.api_keys.standing(KeyQuery(user_id=user_id)) or user.last_sign_in_at is not None:
                raise Conflict(N_("People make their keys themselves once they have signed in."))
            return await self._make(tx, actor, KeyDraft(DEFAULT_NAME, await _all_scopes(tx, user)), user, KeyKind.USER)

    async def replace_default(self, actor: Actor, assistant_id: UUID | None = None) -> IssuedKey:
        """A new key named `default` for oneself or an assistant, in place of the one before, as older clients ask for it."""
        async with self._uow.begin(actor.tenant_id) as tx:
            if assistant_id is not None:
                await _require_editor(tx, actor, assistant_id)
            user = await _owner(tx, actor.user_id)
            query = KeyQuery(assistant_id=assistant_id) if assistant_id else KeyQuery(user_id=user.id)
            for key in await tx.api_keys.standing(query):
                if key.name == DEFAULT_NAME:
                    self._revoked(tx, actor, key)
            kind = KeyKind.ASSISTANT if assistant_id else KeyKind.USER
            scopes = (Scope.ASK,) if assistant_id else await _all_scopes(tx, user)
            return await self._make(tx, actor, KeyDraft(DEFAULT_NAME, scopes), user, kind, assistant_id)

    async def _make(
        self,
        tx: Transaction,
        actor: Actor,
        draft: KeyDraft,
        owner: User,
        kind: KeyKind,
        assistant_id: UUID | None = None,
    ) -> IssuedKey:
        policy, moment = await _may_manage(tx, actor), now()
        if kind is KeyKind.USER and not _may_make(actor, policy):
            raise Forbidden(N_("In your organisation administrators alone make API keys."))
        query = KeyQuery(assistant_id=assistant_id) if assistant_id else KeyQuery(user_id=owner.id)
        alive = [key for key in await tx.api_keys.standing(query) if key.state(moment) is KeyState.ACTIVE]
        if len(alive) >= MAX_KEYS:
            raise Conflict(N_("There are {limit} keys already. Revoke one first."), limit=MAX_KEYS)
        scopes = [Scope.ASK] if assistant_id else await _scopes(tx, actor, owner, draft.scopes)
        secret = new_secret(kind)
        key = ApiKey(
            tenant_id=actor.tenant_id,
            user_id=owner.id,
            assistant_id=assistant_id,
            kind=kind,
            name=clean_name(draft.name),
            hash="",
            start="",
            last_four="",
            scopes=list(scopes),
            networks=clean_networks(draft.networks),
            requests_per_minute=_rate(draft.requests_per_minute),
            expires_at=_end(draft.expires_at, draft.endless, policy, moment),
        )
        key.take(secret)
        await tx.add(key)
        told = {**snapshot(key, FIELDS), "kind": kind, "owner": owner.email, "assistant_id": assistant_id}
        tx.record(actor, Change("api_key_generated", "api_key", key.id, key.name, new=told))
        return IssuedKey(await self._view(tx, actor, key.id, made=True), secret)

    # Changing

    async def update(self, actor: Actor, key_id: UUID, changes: Mapping[str, Any]) -> KeyView:
        """Change `name`, `scopes`, `networks`, `requests_per_minute` or `expires_at` (None: no end)."""
        async with self._uow.begin(actor.tenant_id) as tx:
            policy, view = await _may_manage(tx, actor), await self._managed(tx, actor, key_id)
            key, old = view.key, snapshot(view.key, FIELDS)
            if "name" in changes:
                key.name = clean_name(changes["name"])
            if "scopes" in changes and key.assistant_id is None:
                key.scopes = await _scopes(tx, actor, view.row.user, changes["scopes"])
            if "networks" in changes:
                key.networks = clean_networks(changes["networks"] or ())
            if "requests_per_minute" in changes:
                key.requests_per_minute = _rate(changes["requests_per_minute"])
            if "expires_at" in changes:
                end = changes["expires_at"]
                key.expires_at = _end(end, end is None, policy, now())
            before, after = difference(old, snapshot(key, FIELDS))
            if after:
                tx.record(actor, Change("api_key_updated", "api_key", key.id, key.name, before, after))
                key_ended(tx, key)
            await tx.flush()
        return view

    async def rotate(self, actor: Actor, key_id: UUID, grace: timedelta = timedelta()) -> IssuedKey:
        """A new secret for a key; the one before works for `grace` more, any earlier one no longer."""
        if not timedelta() <= grace <= LONGEST_GRACE:
            hours = int(LONGEST_GRACE.total_seconds() // 3600)
            raise Invalid(N_("Give a number from {low} to {high}."), field="grace_hours", low=0, high=hours)
        async with self._uow.begin(actor.tenant_id) as tx:
            await _may_manage(tx, actor)
            view, moment = await self._managed(tx, actor, key_id), now()
            key, secret = view.key, new_secret(view.key.kind)
            key.previous_hash, key.previous_until = (key.hash, moment + grace) if grace else (None, None)
            key.take(secret)
            change = Change("api_key_rotated", "api_key", key.id, key.name, new={"previous_until": key.previous_until})
            tx.record(actor, change)
            key_ended(tx, key)
        return IssuedKey(view, secret)

    async def revoke(self, actor: Actor, key_id: UUID) -> KeyView:
        """End a key at once; what was done with it stays in the audit log."""
        async with self._uow.begin(actor.tenant_id) as tx:
            view = await self._view(tx, actor, key_id)
            if view.key.revoked_at is None:
                self._revoked(tx, actor, view.key)
        return view

    @staticmethod
    def _revoked(tx: Transaction, actor: Actor, key: ApiKey) -> None:
        key.revoked_at = now()
        tx.record(actor, Change("api_key_revoked", "api_key", key.id, key.name))
        key_ended(tx, key)

    # Who may

    async def _managed(self, tx: Transaction, actor: Actor, key_id: UUID) -> KeyView:
        view = await self._view(tx, actor, key_id)
        if not view.manageable:
            raise Forbidden(N_("Only its owner can change or renew this key. You can revoke it."))
        if view.key.kind == KeyKind.SERVICE_ACCOUNT:
            await _require_covers(tx, actor, view.row.user)
        if view.state is not KeyState.ACTIVE:
            raise Conflict(N_("The key no longer works. Make a new one."))
        return view

    @staticmethod
    async def _view(tx: Transaction, actor: Actor, key_id: UUID, *, made: bool = False) -> KeyView:
        row = await tx.api_keys.row(key_id)
        if row is None:
            raise NotFound(NOT_FOUND)
        manageable = made or _is_theirs(actor, row)
        if not manageable and row.key.assistant_id is not None:
            try:
                await _require_editor(tx, actor, row.key.assistant_id)
                manageable = True
            except (NotFound, Forbidden):
                manageable = False
        if not manageable and not actor.is_admin:
            raise NotFound(NOT_FOUND)
        return KeyView(row, manageable)


def _is_theirs(actor: Actor, row: KeyRow) -> bool:
    match row.key.kind:
        case KeyKind.USER:
            return row.key.user_id == actor.user_id
        case KeyKind.SERVICE_ACCOUNT:
            return actor.is_admin
        case _:
            return False


async def _policy(tx: Transaction, actor: Actor) -> KeyPolicy:
    return await tx.api_keys.policy() or KeyPolicy(tenant_id=actor.tenant_id, id=actor.tenant_id)


def _may_make(actor: Actor, policy: KeyPolicy) -> bool:
    return actor.key is None and (policy.makers == KeyMakers.EVERYBODY or actor.is_admin)


async def _may_manage(tx: Transaction, actor: Actor) -> KeyPolicy:
    """The rules, for somebody who has signed in: a key that leaked must not make itself a successor."""
    if actor.key is not None:
        raise Forbidden(BY_PEOPLE)
    return await _policy(tx, actor)


async def _require_editor(tx: Transaction, actor: Actor, assistant_id: UUID) -> None:
    assistant, access = await readable_assistant(tx, actor, assistant_id)
    access.require(actor, resource_of(assistant), Action.EDIT)


async def _owner(tx: Transaction, user_id: UUID, kind: UserKind | None = None) -> User:
    user = await tx.get(User, user_id)
    if user is None or user.state == UserState.DELETED or kind not in (None, user.kind):
        text = N_("The service account was not found.") if kind is UserKind.SERVICE else N_("The user was not found.")
        raise NotFound(text)
    return user


async def _require_covers(tx: Transaction, actor: Actor, owner: User) -> frozenset[Permission]:
    """The owner's permissions, which must not go beyond the actor's: whoever has the secret can use them."""
    permissions = granted((await tx.users.roles([owner.id])).get(owner.id, ()))
    require_not_beyond(actor, permissions)
    return permissions


async def _all_scopes(tx: Transaction, owner: User) -> list[Scope]:
    permissions = granted((await tx.users.roles([owner.id])).get(owner.id, ()))
    return [scope for scope in Scope if scope is not Scope.ADMIN or Permission.ADMIN in permissions]


async def _scopes(tx: Transaction, actor: Actor, owner: User, wanted: Sequence[str]) -> list[str]:
    """The scopes in their usual order; `admin` only for owners who administer, and never alone."""
    permissions = await _require_covers(tx, actor, owner)
    chosen = {one_of(scope, tuple(Scope), "scopes") for scope in wanted or ()}
    if Scope.ADMIN in chosen and Permission.ADMIN not in permissions:
        raise Invalid(N_("The owner of the key does not administer the organisation."), field="scopes")
    if not chosen - {Scope.ADMIN}:
        raise Invalid(N_("Choose at least one of read, ask and write."), field="scopes")
    return [str(scope) for scope in Scope if scope in chosen]


def _number(value: int, high: int, field: str) -> int:
    if not 1 <= value <= high:
        raise Invalid(N_("Give a number from {low} to {high}."), field=field, low=1, high=high)
    return value


def _rate(value: int | None) -> int | None:
    return None if value is None else _number(value, MAX_RATE, "requests_per_minute")


def _end(wanted: datetime | None, endless: bool, policy: KeyPolicy, moment: datetime) -> datetime | None:
    """When a key ends, within the organisation's rules."""
    if endless and policy.longest_days is None:
        return None
    if endless:
        raise Invalid(N_("Keys live {days} days at the most."), field="expires_at", days=policy.longest_days)
    if wanted is None:
        return moment + timedelta(days=min(policy.longest_days or USUAL_DAYS, USUAL_DAYS))
    if wanted.tzinfo is None or wanted <= moment:
        raise Invalid(N_("Give a moment that is still to come, with its time zone."), field="expires_at")
    if policy.longest_days is not None and wanted > moment + timedelta(days=policy.longest_days) + LEEWAY:
        raise Invalid(N_("Keys live {days} days at the most."), field="expires_at", days=policy.longest_days)
    return wanted
