"""What the operator does with organisations and their people."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from app.api import present, wire
from app.api.base import Running
from app.api.users import PLAIN, invitation, role_keys
from app.auth.sysadmin import Operator
from app.bootstrap import Runtime
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.paging import MAX_LIMIT
from domain.ports import Located
from domain.tenants.administration import NewTenant, TenantView
from domain.tenants.deletion import DeletionCertificate
from domain.tenants.entities import DEFAULT_QUOTA, Tenant, TenantQuery
from domain.users.entities import ROLE_PERMISSIONS, PredefinedRole
from domain.users.service import NewUser, UserView

tenants = APIRouter(prefix="/api/v1/sysadmin/tenants", tags=["sysadmin"])
people = APIRouter(prefix="/api/v1/sysadmin", tags=["sysadmin"])
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def tenant(view: TenantView) -> dict[str, Any]:
    """An organisation with what it uses."""
    return {**present.tenant(view.tenant), "quota_used": view.use.bytes, "user_count": view.use.people}


def person(view: UserView, of: Tenant) -> dict[str, Any]:
    """A user as the operator sees them."""
    return {
        **present.user_admin(view),
        "tenant_id": of.id,
        "tenant": present.tenant(of),
        "deleted_at": view.user.deleted_at,
        "permissions": view.permissions,
        "user_groups_ids": [group.id for group in view.groups],
    }


@tenants.get("/", response_model=wire.PageOfTenantWithMaskedCredentials)
async def all_tenants(
    running: Running,
    operator: Operator,
    domain: str | None = None,
    search: str = "",
    limit: Limit = MAX_LIMIT,
    cursor: str | None = None,
) -> Any:
    """The organisations in order of name; `search` looks in names, domains and slugs."""
    query = TenantQuery(search, domain or "")
    page = await running.services.tenants.page(operator, query, limit=limit, cursor=cursor)
    items = [tenant(view) for view in page.items]
    return present.page(items, total_count=page.total or 0, next_cursor=page.next_cursor)


@tenants.post("/", response_model=wire.TenantWithMaskedCredentials)
async def create_tenant(body: wire.TenantBase, request: Request, running: Running, operator: Operator) -> Any:
    """Found an organisation; with `owner_email` the answer holds the owner's one-time link."""
    new = NewTenant(
        body.name,
        body.language,
        body.state,
        DEFAULT_QUOTA if body.quota_limit is None else body.quota_limit,
        body.display_name,
        body.domain,
        body.zitadel_org_id,
        body.provisioning,
        body.security_enabled,
        body.owner_email,
    )
    made = await running.services.tenants.create(operator, new)
    return {**present.tenant(made.tenant), **invitation(request, running, made.link)}


@tenants.get("/{id}/", response_model=wire.TenantWithMaskedCredentials)
async def get_tenant(id: UUID, running: Running, operator: Operator) -> Any:
    """An organisation with what it uses."""
    return tenant(await running.services.tenants.get(operator, id))


@tenants.post("/{id}/", response_model=wire.TenantWithMaskedCredentials)
async def update_tenant(id: UUID, body: wire.TenantUpdatePublic, running: Running, operator: Operator) -> Any:
    """Change an organisation; with `state` suspend it or let it work again. What is not named stays."""
    changes = {name: getattr(body, name) for name in body.model_fields_set & set(wire.TenantUpdatePublic.model_fields)}
    if "zitadel_org_id" in changes:
        changes["external_id"] = changes.pop("zitadel_org_id")
    return tenant(await running.services.tenants.update(operator, id, changes))


@tenants.get("/{id}/deletion-preview/", response_model=wire.DeletionPreview)
async def deletion_preview(id: UUID, running: Running, operator: Operator) -> Any:
    """What a deletion would take."""
    found = await running.services.deletion.preview(operator, id)
    return {**present.tenant(found.tenant), "counts": found.counts}


@tenants.delete("/{id}/", response_model=wire.TenantWithMaskedCredentials)
async def delete_tenant(id: UUID, running: Running, operator: Operator) -> Any:
    """Delete an organisation for good: access ends at once, the data go in the background, a certificate stays."""
    return present.tenant(await running.services.deletion.begin(operator, id))


@people.get("/deletion-certificates/", response_model=wire.PageOfDeletionCertificate)
async def certificates(running: Running, operator: Operator, limit: Limit = 50, cursor: str | None = None) -> Any:
    """What was deleted, and what is being deleted, newest first."""
    service = running.services.deletion
    page = await service.certificates(operator, limit=limit, cursor=cursor)
    items = [certificate(each, service.signer.holds(each)) for each in page.items]
    return present.page(items, total_count=page.total or 0, next_cursor=page.next_cursor)


def certificate(found: DeletionCertificate, valid: bool) -> dict[str, Any]:
    """A certificate with its signature, and whether that holds."""
    return {**found.content(), "signature": found.signature, "valid": valid}


@people.get("/predefined-roles/", response_model=list[wire.PredefinedRoleInDB])
async def predefined_roles(_: Operator) -> Any:
    """The roles that every organisation has."""
    return [{"id": r.id, "name": r.value, "permissions": sorted(ROLE_PERMISSIONS[r])} for r in PredefinedRole]


@people.get("/users/", response_model=wire.PageOfUserInDB)
async def all_users(running: Running, operator: Operator, limit: Limit = MAX_LIMIT, cursor: str | None = None) -> Any:
    """The people of all organisations, one organisation after another."""
    last = await _seen(running, cursor) if cursor else None
    found = await running.directory.users_after(last, limit + 1)
    shown = found[:limit]
    items: list[dict[str, Any]] = []
    for tenant_id in dict.fromkeys(located.tenant_id for located in shown):
        actor = operator.within(tenant_id)
        of = await running.services.users.tenant(actor)
        ids = [located.id for located in shown if located.tenant_id == tenant_id]
        items += [person(view, of) for view in await running.services.users.many(actor, ids)]
    return present.page(items, next_cursor=str(shown[-1].id) if len(found) > limit else None)


@people.post("/users/", response_model=wire.UserCreated)
async def create_user(body: wire.UserAddSuperAdmin, request: Request, running: Running, operator: Operator) -> Any:
    """Add a user to an organisation; without a password the answer holds an invitation."""
    actor = operator.within(body.tenant_id)
    of = await running.services.users.tenant(actor)
    roles = [r.id for r in (*body.roles, *body.predefined_roles)]
    new = NewUser(body.email, body.username, body.password, roles, of.language, body.quota_limit)
    made = await running.services.users.create(actor, new)
    return {**person(made.view, of), **invitation(request, running, made.link)}


@people.get("/users/{user_id}/", response_model=wire.UserInDB)
async def get_user(user_id: UUID, running: Running, operator: Operator) -> Any:
    """A user, of whichever organisation."""
    actor = operator.within(await _tenant_of(running, user_id))
    return person(await running.services.users.get(actor, user_id), await running.services.users.tenant(actor))


@people.post("/users/{user_id}/", response_model=wire.UserInDB)
async def update_user(user_id: UUID, body: wire.UserUpdatePublic, running: Running, operator: Operator) -> Any:
    """Change a user, of whichever organisation. What is not named stays."""
    actor, use = operator.within(await _tenant_of(running, user_id)), running.services.users
    changes = {name: getattr(body, name) for name in PLAIN if name in body.model_fields_set}
    roles = role_keys(body, (await use.get(actor, user_id)).roles)
    if roles is not None:
        changes["roles"] = roles
    return person(await use.update(actor, user_id, changes), await use.tenant(actor))


@people.delete("/users/{user_id}/", response_model=wire.DeleteResponse)
async def delete_user(user_id: UUID, running: Running, operator: Operator) -> Any:
    """Delete a user's account; an administrator of the organisation can restore it for 30 days."""
    await running.services.users.delete(operator.within(await _tenant_of(running, user_id)), user_id)
    return {"success": True}


async def _tenant_of(running: Runtime, user_id: UUID) -> UUID:
    found = await running.directory.user_tenant(user_id)
    if found is None:
        raise NotFound(N_("The user was not found."))
    return found


async def _seen(running: Runtime, cursor: str) -> Located:
    """The last user of the page before."""
    try:
        user_id = UUID(cursor)
    except ValueError:
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor") from None
    return Located(await _tenant_of(running, user_id), user_id)
