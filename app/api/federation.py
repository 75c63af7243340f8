"""Signing in through identity providers: for API clients, for browsers, and its set-up by the operator."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from app.api import wire
from app.api.base import Caller, Running, Use
from app.api.errors import language_of
from app.auth import tokens
from app.auth.caller import is_secure, origin_of, same_origin, set_session
from app.auth.sysadmin import Operator, operator_in
from app.observability.oidc_watch import WatchState
from domain.federation.entities import GROUP_CLAIM, SCOPES, Federation, StateRefused
from domain.federation.service import FederationDraft
from domain.federation.sign_in import FOREIGN_STATE, Begun, Returned
from domain.identity.service import hash_token
from domain.kernel.errors import N_, Failure, Forbidden
from pages.i18n import translate

public = APIRouter(prefix="/api/v1/auth", tags=["authentication"])
legacy = APIRouter(prefix="/api/v1/users", tags=["users"])
browser = APIRouter(include_in_schema=False)
operator = APIRouter(prefix="/api/v1/sysadmin", tags=["sysadmin"])
KEPT_SECONDS = 3600
FORM_LIMIT = 100_000
DEFAULT_MINUTES = 30


def _base(request: Request) -> str:
    """The address that the request was made to, as it claims itself."""
    return f"{request.url.scheme}://{request.url.netloc}"


def _cookie(request: Request, state: str) -> str:
    """The cookie that keeps the verifier of one sign-in; several may be under way in a browser."""
    return f"{'__Host-' if is_secure(request) else ''}samrad-oidc-{hash_token(state)[:12]}"


def _keep(response: Response, request: Request, begun: Begun) -> None:
    """Leave the verifier with the browser, which binds the sign-in to it."""
    response.headers["X-Correlation-ID"] = begun.correlation_id
    if begun.verifier is not None:
        response.set_cookie(
            _cookie(request, begun.state), begun.verifier, max_age=KEPT_SECONDS, path="/", secure=is_secure(request),
            httponly=True, samesite="lax",
        )  # fmt: skip


def _forget(response: Response, request: Request, state: str) -> None:
    response.delete_cookie(_cookie(request, state), path="/", secure=is_secure(request), httponly=True, samesite="lax")


@public.get("/federation-status", response_model=wire.FederationStatusResponse)
async def federation_status(use: Use) -> Any:
    """What kinds of sign-in through identity providers there are."""
    status = await use.provider_sign_in.status()
    return {
        "has_single_tenant_federation": status.shared and not status.per_tenant,
        "has_multi_tenant_federation": status.per_tenant,
        "has_global_oidc_config": status.shared,
        "tenant_count": status.tenants,
    }


@public.get("/tenants", response_model=wire.TenantListResponse)
async def tenants(use: Use) -> Any:
    """The organisations by name; empty unless the operator has FEDERATION_LIST_TENANTS switched on."""
    found = await use.provider_sign_in.tenants()
    return {"tenants": [{"slug": t.slug, "name": t.name, "display_name": t.display_name} for t in found]}


@public.get("/initiate", response_model=wire.InitiateAuthResponse)
async def initiate(
    request: Request,
    response: Response,
    use: Use,
    tenant: Annotated[str | None, Query(max_length=300)] = None,
    state: Annotated[str | None, Query(max_length=2000)] = None,
    code_challenge: Annotated[str | None, Query(max_length=64)] = None,
) -> Any:
    """Begin a sign-in. `state` comes back with the token.

    What binds the sign-in to its browser is a cookie, or the verifier of the `code_challenge` (S256) that a client
    without cookies brings; the callback demands it.
    """
    begun = await use.provider_sign_in.begin(
        tenant, origin_of(request), base=_base(request), client_state=state, challenge=code_challenge
    )
    _keep(response, request, begun)
    return {"authorization_url": begun.url, "state": begun.state}


@public.post("/callback", response_model=wire.CallbackResponse)
async def callback(body: wire.CallbackRequest, request: Request, response: Response, running: Running) -> Any:
    """Finish a sign-in: exchange what the provider sent for a token."""
    verifier = body.code_verifier or request.cookies.get(_cookie(request, body.state), "")
    completed = await running.services.provider_sign_in.complete(
        Returned(body.state, body.code, verifier, body.iss, body.error),
        origin_of(request),
        base=_base(request),
        kind="api",
    )
    if completed.signed_in is None:
        raise StateRefused("test_only", FOREIGN_STATE)
    response.headers["X-Correlation-ID"] = completed.correlation_id
    _forget(response, request, body.state)
    token = tokens.issue(request.app.state.token_rules, completed.signed_in.sign_in)
    return {"access_token": token, "token_type": "bearer", "state": completed.client_state}


@legacy.post("/login/openid-connect/mobilityguard/", response_model=wire.AccessToken)
async def redeem_directly(body: wire.OpenIdConnectLogin, request: Request, running: Running) -> Any:
    """Exchange a code that the client obtained by itself from the installation's own provider."""
    signed_in = await running.services.provider_sign_in.redeem_directly(
        body.code, body.code_verifier, body.nonce, body.client_id, body.redirect_uri, origin_of(request),
        base=_base(request),
    )  # fmt: skip
    return {"access_token": tokens.issue(request.app.state.token_rules, signed_in.sign_in), "token_type": "bearer"}


class Start(BaseModel):
    """Who wants to sign in, and where to go on to."""

    organisation: str = Field("", max_length=400)
    next: str = Field("/", max_length=2000)


@browser.post("/auth/oidc/start")
async def start(body: Start, request: Request, running: Running) -> Response:
    """Begin a sign-in from the sign-in page."""
    from pages.public import safe_next

    if not same_origin(request, running.settings.public_origin):
        raise Forbidden
    begun = await running.services.provider_sign_in.begin(
        body.organisation, origin_of(request), base=_base(request), target=safe_next(body.next)
    )
    response = JSONResponse({"url": begun.url})
    _keep(response, request, begun)
    return response


@browser.post("/auth/oidc/test")
async def start_test(actor: Caller, request: Request, use: Use) -> Response:
    """Begin a test sign-in from the administration."""
    begun = await use.provider_sign_in.begin_test(actor, base=_base(request))
    response = JSONResponse({"url": begun.url})
    _keep(response, request, begun)
    return response


@browser.get("/login/callback")
async def returned(
    request: Request,
    running: Running,
    state: Annotated[str, Query(max_length=2000)] = "",
    code: Annotated[str, Query(max_length=8000)] = "",
    iss: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Where the provider sends people back to."""
    from pages.public import sign_in_failed

    verifier = request.cookies.get(_cookie(request, state), "")
    response: Response
    try:
        completed = await running.services.provider_sign_in.complete(
            Returned(state, code, verifier, iss, error), origin_of(request), base=_base(request)
        )
    except Failure as failure:
        reference = failure.reference or str(request.state.request_id)
        response = sign_in_failed(request, failure, reference)
        response.headers["X-Correlation-ID"] = reference
    else:
        response = RedirectResponse(completed.target, 303)
        response.headers["X-Correlation-ID"] = completed.correlation_id
        if completed.signed_in is not None:
            set_session(response, request, completed.signed_in.token, running.settings.session_max_hours * 3600)
    _forget(response, request, state)
    return response


@browser.post("/auth/oidc/logout/{tenant_id}")
async def signed_out_elsewhere(tenant_id: UUID, request: Request, use: Use) -> Response:
    """Back-channel logout: the provider ends the sessions that it opened."""
    body = await request.body()
    token = parse_qs(body[:FORM_LIMIT].decode(errors="replace")).get("logout_token", [""])[0]
    headers = {"Cache-Control": "no-store"}
    try:
        await use.provider_sign_in.signed_out_elsewhere(tenant_id, token, origin_of(request))
    except Failure as failure:
        error = {"error": "invalid_request", "error_description": failure.text()}
        return JSONResponse(error, 400, headers)
    return Response(status_code=200, headers=headers)


def _masked(found: Federation) -> str:
    return f"***{found.secret_tail or ''}"


@operator.put("/tenants/{tenant_id}/federation", response_model=wire.SetFederationResponse)
async def set_federation(
    tenant_id: UUID, body: wire.SetFederationRequest, _: Operator, request: Request, use: Use
) -> Any:
    """Set up an organisation's identity provider and switch it on."""
    actor = operator_in(tenant_id, request)
    await use.users.tenant(actor)
    draft = FederationDraft(
        provider=body.provider,
        discovery_endpoint=body.discovery_endpoint,
        client_id=body.client_id,
        client_secret=body.client_secret,
        allowed_domains=body.allowed_domains,
        canonical_public_origin=body.canonical_public_origin,
        redirect_path=body.redirect_path,
        scopes=body.scopes or SCOPES,
        trust_email=body.trust_email,
        group_claim=body.group_claim or GROUP_CLAIM,
        group_roles=[{"group": entry.group, "role": entry.role} for entry in body.group_roles],
    )
    if body.password_sign_in is True and await use.federation.find(actor):
        await use.federation.set_passwords(actor, True)
    found = await use.federation.save(actor, draft, base=_base(request), activate=True)
    if body.password_sign_in is False:
        found = await use.federation.set_passwords(actor, False)
    message = translate(N_("Sign-in through {provider} is set up."), language_of(request), provider=found.provider)
    return {
        "tenant_id": tenant_id, "provider": found.provider, "masked_secret": _masked(found), "message": message
    }  # fmt: skip


@operator.get("/tenants/{tenant_id}/federation", response_model=wire.FederationInfo)
async def federation(tenant_id: UUID, _: Operator, request: Request, use: Use) -> Any:
    """An organisation's identity provider, without its secret."""
    found = await use.federation.get(operator_in(tenant_id, request))
    return {
        "provider": found.provider,
        "client_id": found.client_id,
        "masked_secret": _masked(found),
        "issuer": found.issuer,
        "allowed_domains": found.allowed_domains,
        "configured_at": found.configured_at,
        "encryption_status": "encrypted",
        "discovery_endpoint": found.discovery_endpoint,
        "canonical_public_origin": found.canonical_public_origin,
        "redirect_path": found.redirect_path,
        "scopes": found.scopes,
        "is_active": found.active,
        "password_sign_in": found.passwords,
        "trust_email": found.trust_email,
        "group_claim": found.group_claim,
        "group_roles": found.group_roles,
    }


@operator.delete("/tenants/{tenant_id}/federation", response_model=wire.DeleteFederationResponse)
async def delete_federation(tenant_id: UUID, _: Operator, request: Request, use: Use) -> Any:
    """Remove an organisation's identity provider, unless it is the last way in."""
    await use.federation.delete(operator_in(tenant_id, request))
    message = translate(N_("The identity provider was removed."), language_of(request))
    return {"tenant_id": tenant_id, "message": message}


@operator.post("/tenants/{tenant_id}/federation/test", response_model=wire.FederationExamination)
async def examine_federation(tenant_id: UUID, _: Operator, request: Request, use: Use) -> Any:
    """The sign-in doctor: each step from the discovery document on, and what the last test sign-in found."""
    actor = operator_in(tenant_id, request)
    found = await use.federation.get(actor)
    report = await use.federation.examine(actor, base=_base(request))
    last = dict(found.report) or None
    if last is not None:
        last["steps"] = _steps(last.get("steps", []), language_of(request))
    return {"success": report.ok, "steps": _steps(report.steps, language_of(request)), "last_test_sign_in": last}


def _steps(steps: Iterable[Sequence[Any]], language: str) -> list[dict[str, Any]]:
    return [{"message": translate(m, language, **params), "passed": passed} for m, params, passed in steps]


@operator.get("/observability/oidc-debug/", response_model=wire.OIDCDebugToggleResponse)
async def oidc_debug(_: Operator, running: Running) -> Any:
    """Whether sign-ins through identity providers are logged step by step."""
    return _watch(await running.watch.state())


@operator.post("/observability/oidc-debug/", response_model=wire.OIDCDebugToggleResponse)
async def set_oidc_debug(body: wire.OIDCDebugToggleRequest, _: Operator, running: Running) -> Any:
    """Log such sign-ins step by step for a while, or no longer."""
    if not body.enabled:
        return _watch(await running.watch.stop())
    return _watch(await running.watch.start(body.duration_minutes or DEFAULT_MINUTES, body.reason))


def _watch(state: WatchState) -> dict[str, Any]:
    return {
        "enabled": state.enabled,
        "enabled_at": state.enabled_at,
        "enabled_by": state.enabled_by,
        "expires_at": state.expires_at,
        "reason": state.reason,
        "backend": "database",
    }
