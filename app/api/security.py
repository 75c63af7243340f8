"""Who may call, and what was noticed: allowed web sites, suspicious sign-ins."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.api import present, wire
from app.api.base import Caller, Running, Use, moments
from app.auth.sysadmin import Operator, operator_in
from domain.allowed_origins.entities import AllowedOrigin
from domain.identity.alerts import AlertView
from domain.kernel.errors import N_, NotFound
from domain.kernel.paging import MAX_LIMIT

origins = APIRouter(prefix="/api/v1/allowed-origins", tags=["allowed-origins"])
alerts = APIRouter(prefix="/api/v1/admin/sign-in-alerts", tags=["admin"])
operator = APIRouter(prefix="/api/v1/sysadmin/allowed-origins", tags=["sysadmin"])


def origin(found: AllowedOrigin) -> dict[str, Any]:
    """An allowed web site."""
    return {**moments(found), "url": found.url, "tenant_id": found.tenant_id}


def alert(view: AlertView) -> dict[str, Any]:
    """A suspicious sign-in."""
    found = view.alert
    return {
        **moments(found),
        "kind": found.kind,
        "user": present.user_sparse(view.user) if view.user else None,
        "ip": found.ip,
        "user_agent": found.user_agent,
        "times": found.times,
        "last_at": found.last_at,
        "seen_at": found.seen_at,
    }


@origins.get("/", response_model=wire.PageOfAllowedOriginPublic)
async def own_origins(actor: Caller, use: Use) -> Any:
    """The web sites whose pages may call the API for the organisation."""
    return present.page([origin(each) for each in await use.allowed_origins.all(actor)])


@origins.post("/", response_model=wire.AllowedOriginPublic, status_code=201)
async def add_origin(body: wire.AllowedOriginUrl, actor: Caller, use: Use) -> Any:
    """Allow one more."""
    return origin(await use.allowed_origins.add(actor, body.url))


@origins.delete("/{id}/", status_code=204, response_class=Response)
async def delete_origin(id: UUID, actor: Caller, use: Use) -> None:
    """Allow one no longer."""
    await use.allowed_origins.delete(actor, id)


@alerts.get("/", response_model=wire.PageOfSignInAlert)
async def sign_in_alerts(
    actor: Caller,
    use: Use,
    unseen: bool = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Any:
    """Suspicious sign-ins, newest first; `unseen_count` is how many nobody has looked at."""
    page = await use.sign_in_alerts.page(actor, unseen=unseen, limit=limit, cursor=cursor)
    items = [alert(view) for view in page.items]
    return present.page(items, next_cursor=page.next_cursor, unseen_count=page.total or 0)


@alerts.post("/{id}/seen/", status_code=204, response_class=Response)
async def alert_seen(id: UUID, actor: Caller, use: Use) -> None:
    """Note that an administrator has looked at it."""
    await use.sign_in_alerts.seen(actor, id)


@operator.get("/", response_model=wire.PageOfAllowedOriginInDB)
async def all_origins(request: Request, running: Running, _: Operator, tenant_id: UUID | None = None) -> Any:
    """The web sites that an organisation allows, or all of them."""
    tenants = [tenant_id] if tenant_id else await running.directory.tenant_ids()
    service = running.services.allowed_origins
    found = [each for tenant in tenants for each in await service.all(operator_in(tenant, request))]
    return present.page([origin(each) for each in found])


@operator.post("/", response_model=wire.AllowedOriginInDB)
async def allow(body: wire.AllowedOriginCreate, request: Request, running: Running, _: Operator) -> Any:
    """Allow one for an organisation."""
    if body.tenant_id not in await running.directory.tenant_ids():
        raise NotFound(N_("The organisation was not found."))
    return origin(await running.services.allowed_origins.add(operator_in(body.tenant_id, request), body.url))


@operator.delete("/{id}/", status_code=204, response_class=Response)
async def forbid(id: UUID, request: Request, running: Running, _: Operator) -> None:
    """Allow one no longer, whosever it is."""
    service = running.services.allowed_origins
    for tenant in await running.directory.tenant_ids():
        actor = operator_in(tenant, request)
        if any(each.id == id for each in await service.all(actor)):
            await service.delete(actor, id)
            return
    raise NotFound
