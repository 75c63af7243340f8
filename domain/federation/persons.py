"""Who a person is here that a provider has proved: an account with the address, a new one, and the roles of groups."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.federation.entities import (
    Connection,
    Identity,
    PersonRefused,
    Proof,
    SignInRefused,
    groups_in,
    maps_roles,
    roles_for,
    user_groups_for,
)
from domain.kernel.actor import Actor, Origin, Permission
from domain.kernel.errors import N_, Invalid
from domain.kernel.events import Change
from domain.kernel.text import clean_name
from domain.roles.entities import PREDEFINED, granted
from domain.roles.service import roles_of
from domain.tenants.entities import Tenant
from domain.transaction import Transaction
from domain.user_groups.entities import UserGroup
from domain.user_groups.service import members_changed
from domain.users.checks import clean_email
from domain.users.entities import PredefinedRole, RoleAssignment, User, UserState

NO_EMAIL = N_(
    "The identity provider did not say your e-mail address. Your administrator must release the claim “email”."
)
BAD_EMAIL = N_("The identity provider gave an e-mail address that is none.")
UNVERIFIED = N_("The identity provider has not verified your e-mail address. Verify it there, then start again.")
NOT_SAID_VERIFIED = N_(
    "The identity provider does not say whether your e-mail address is verified. Your administrator can decide to trust "
    "its addresses."
)
FOREIGN_DOMAIN = N_("Addresses of {domain} may not sign in here.")
NO_ACCOUNT = N_("There is no account for you here. Ask your administrator.")
LINKED_ELSEWHERE = N_(
    "The account with your address belongs to another person at the identity provider. Ask your administrator."
)
MISSING_CLAIM = N_("The claim “{claim}” is missing. Let the provider release it, or give another name for the claim.")


async def known_person(tx: Transaction, proof: Proof) -> tuple[Identity | None, User | None]:
    """The person whom the provider proved before; the link of a deleted account is removed."""
    identity = await tx.federation.identity(proof.issuer, proof.subject)
    if identity is None:
        return None, None
    user = await tx.get(User, identity.user_id)
    if user is None or user.state == UserState.DELETED:
        await tx.remove(identity)
        return None, None
    return identity, user


async def user_for(
    tx: Transaction, tenant: Tenant, proof: Proof, email: str | None, verified: str | None, origin: Origin
) -> User:
    """The user whom a person without a link is: the one with the address, or a new one."""
    if email is None:
        raise SignInRefused("email_missing", NO_EMAIL)
    if verified is not None:
        raise PersonRefused("email_unverified", verified)
    user = await tx.users.by_email(email)
    if user is None and tenant.provisioning:
        user = await _provision(tx, tenant, email, proof.claims, origin) or await tx.users.by_email(email)
    if user is None:
        raise PersonRefused("no_account", NO_ACCOUNT)
    return user


async def _provision(
    tx: Transaction, tenant: Tenant, email: str, claims: Mapping[str, Any], origin: Origin
) -> User | None:
    name = claims.get("name")
    user = User(
        tenant_id=tenant.id,
        email=email,
        username=clean_name(name[:200], "username") if isinstance(name, str) and name.strip() else None,
        language=tenant.language,
        email_verified=True,
    )
    if not await tx.federation.add_unless_taken(user):
        return None
    await tx.add(RoleAssignment(tenant_id=tenant.id, user_id=user.id, role=PredefinedRole.USER))
    actor = Actor(tenant_id=tenant.id, user_id=user.id, email=email, origin=origin)
    change = Change("user_created", "user", user.id, email, new={"role": PredefinedRole.USER, "by": "provider"})
    tx.record(actor, change)
    return user


async def link(tx: Transaction, user: User, proof: Proof, origin: Origin) -> Identity:
    """Let the account belong to the person at the provider; raises `PersonRefused` when it belongs to another."""
    # An address may be given to a new person; the account of the former one must not go with it.
    if await tx.federation.identities_of(user.id, proof.issuer):
        raise PersonRefused("linked_elsewhere", LINKED_ELSEWHERE)
    identity = Identity(tenant_id=user.tenant_id, user_id=user.id, issuer=proof.issuer, subject=proof.subject)
    if not await tx.federation.add_unless_taken(identity):
        winner = await tx.federation.identity(proof.issuer, proof.subject)
        if winner is None or winner.user_id != user.id:
            raise PersonRefused("linked_elsewhere", LINKED_ELSEWHERE)
        return winner
    actor = Actor(tenant_id=user.tenant_id, user_id=user.id, email=user.email, origin=origin)
    tx.record(actor, Change("identity_linked", "user", user.id, user.email, new={"issuer": proof.issuer}))
    return identity


async def apply_groups(
    tx: Transaction, user: User, connection: Connection, claims: Mapping[str, Any], origin: Origin
) -> None:
    """Give the roles of the provider's groups, where groups are mapped and the provider has said some."""
    groups = groups_in(claims, connection.group_claim)
    if not connection.group_roles or groups is None:
        return
    actor = Actor(tenant_id=user.tenant_id, user_id=user.id, email=user.email, origin=origin)
    await _join_groups(tx, actor, user, *user_groups_for(connection.group_roles, groups))
    if not maps_roles(connection.group_roles):
        return
    known = await roles_of(tx)
    # A role that is gone since gives nothing.
    wanted = [known[key] for key in roles_for(connection.group_roles, groups) if key in known]
    wanted = wanted or [PREDEFINED[PredefinedRole.USER]]
    held = list((await tx.users.roles([user.id])).get(user.id, ()))
    if {role.key for role in held} == {role.key for role in wanted}:
        return
    await tx.users.take_turns()
    administers = [role for role in held if Permission.ADMIN in role.permissions]
    if administers and Permission.ADMIN not in granted(wanted) and await tx.users.count_administrators() <= 1:
        # The provider may not leave the organisation without an administrator.
        wanted += administers
    await tx.users.set_roles(user.id, wanted)
    old, new = [role.name for role in held], [role.name for role in wanted]
    change = Change("user_updated", "user", user.id, user.email, old={"roles": old}, new={"roles": new})
    tx.record(actor, change)


def email_of(claims: Mapping[str, Any], trusted: bool) -> tuple[str | None, str | None]:
    """The address in the claims, and the sentence that keeps it from being believed (None: it may be)."""
    value = claims.get("email")
    if value is None:
        return None, None
    if not isinstance(value, str):
        raise SignInRefused("email_invalid", BAD_EMAIL)
    try:
        name, _, domain = value.strip().rpartition("@")
        email = clean_email(f"{name}@{domain_of(domain)}")
    except Invalid:
        raise SignInRefused("email_invalid", BAD_EMAIL) from None
    verified = claims.get("email_verified")
    if verified in (True, "true"):
        return email, None
    if verified is None:
        return email, None if trusted else NOT_SAID_VERIFIED
    return email, UNVERIFIED


def domain_of(domain: str) -> str:
    """A domain in the form that it is compared in: lower case, IDNA."""
    try:
        return domain.strip().rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        raise Invalid(N_("Give a valid domain name."), field="allowed_domains") from None


def check_domain(email: str, connection: Connection) -> None:
    """Raise `PersonRefused` for addresses of a domain that may not sign in here."""
    domain = email.rpartition("@")[2]
    if connection.allowed_domains and domain_of(domain) not in connection.allowed_domains:
        raise PersonRefused("foreign_domain", FOREIGN_DOMAIN, domain=domain)


async def _join_groups(tx: Transaction, actor: Actor, user: User, joined: set[UUID], governed: set[UUID]) -> None:
    """Put somebody into these user groups, and out of the others whose members follow from the provider's groups."""
    if not governed:
        return
    present = {group.id for group in (await tx.user_groups.of_users([user.id])).get(user.id, ())}
    for group_id in sorted((joined - present) | ((governed - joined) & present)):
        group, added = await tx.get(UserGroup, group_id), group_id in joined
        if group is None:
            continue
        await (tx.user_groups.put if added else tx.user_groups.drop)(group_id, [user.id])
        members_changed(tx, actor, group, [user], added=added)


def outcome_of(proof: Proof, connection: Connection) -> dict[str, Any]:
    """What a test sign-in shows: the claims that were found or lack, the groups, and the roles they would give."""
    steps: list[list[Any]] = [[N_("The provider signed an ID token that passes every check."), {}, True]]
    ok = True
    try:
        email, doubt = email_of(proof.claims, connection.trust_email)
        if email is None:
            raise SignInRefused("email_missing", NO_EMAIL)
        check_domain(email, connection)
        if doubt is not None:
            raise PersonRefused("email_unverified", doubt)
        steps.append([N_("The e-mail address is {email}."), {"email": email}, True])
    except SignInRefused as refusal:
        ok = False
        steps.append([refusal.message, refusal.params, False])
    groups, mapping = groups_in(proof.claims, connection.group_claim), connection.group_roles
    if mapping and groups is None:
        ok = False
        steps.append([MISSING_CLAIM, {"claim": connection.group_claim}, False])
    return {
        "ok": ok,
        "steps": steps,
        "claims": sorted(str(name)[:60] for name in proof.claims)[:60],
        "groups": [group[:200] for group in groups or ()][:200],
        "roles": roles_for(connection.group_roles, groups)
        if maps_roles(connection.group_roles) and groups is not None
        else [],
    }
