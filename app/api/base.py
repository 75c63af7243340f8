"""What all routes share: the running services and the calling actor."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from app.auth.caller import Callers, same_origin
from app.bootstrap import Runtime
from app.realtime.access import until_refused
from app.security.rate_limits import RateLimits
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure, Unauthenticated
from domain.ports import Deed
from domain.services import Services

Refused = Callable[[], Coroutine[Any, Any, Failure]]
"""Waits until a right has ended, and says how."""
# Shown in the OpenAPI document; the credential itself is read by `Callers`.
_bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/users/login/token/")


# Coroutines, although they wait for nothing: plain functions would be sent to a thread.
async def runtime_of(request: Request) -> Runtime:
    """The running parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def services_of(request: Request) -> Services:
    """The services."""
    return (await runtime_of(request)).services


async def calling_actor(request: Request, _: Annotated[object, Security(_bearer)] = None) -> Actor:
    """Who is calling; 401 when nobody is."""
    callers: Callers = request.app.state.callers
    limits: RateLimits = request.app.state.runtime.limits
    try:
        actor = await callers.actor(request)
    except Unauthenticated:
        await limits.refused(request.client.host if request.client else None)
        raise
    request.state.actor = actor
    origin = request.headers.get("origin")
    if origin is not None and not same_origin(request, request.app.state.runtime.settings.public_origin):
        await request.app.state.runtime.services.allowed_origins.check(actor, origin)
    request.state.room = await limits.room(Deed.REQUEST, actor)
    return actor


Caller = Annotated[Actor, Depends(calling_actor)]


async def until_caller_refused(request: Request, actor: Caller) -> Refused:
    """For answers that stay open: waits until the caller's credential no longer works."""
    callers: Callers = request.app.state.callers
    bus = request.app.state.runtime.bus

    async def wait() -> Failure:
        return await until_refused(bus, actor, lambda: callers.actor(request))

    return wait


UntilRefused = Annotated[Refused, Depends(until_caller_refused)]
Use = Annotated[Services, Depends(services_of)]
Running = Annotated[Runtime, Depends(runtime_of)]
