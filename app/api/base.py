"""What all routes share: the running services and the calling actor."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from app.auth.caller import Callers, same_origin
from app.bootstrap import Runtime
from app.realtime.access import until_ended
from domain.kernel.actor import Actor
from domain.kernel.errors import Unauthenticated
from domain.ports import Deed
from domain.services import Services

Ending = Callable[[], Awaitable[None]]
# Shown in the OpenAPI document; the credential itself is read by `Callers`.
_bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/users/login/token/, or an API key")
_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key; `api-key` is understood too")


# Coroutines, although they wait for nothing: plain functions would be sent to a thread.
async def runtime_of(request: Request) -> Runtime:
    """The running parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def services_of(request: Request) -> Services:
    """The services."""
    return (await runtime_of(request)).services


async def calling_actor(
    request: Request,
    _: Annotated[object, Security(_bearer)] = None,
    __: Annotated[object, Security(_key)] = None,
) -> Actor:
    """Who is calling; 401 when nobody is."""
    callers: Callers = request.app.state.callers
    runtime: Runtime = request.app.state.runtime
    try:
        actor = await callers.actor(request)
    except Unauthenticated:
        await runtime.limits.refused(request.client.host if request.client else None)
        raise
    request.state.actor = actor
    origin = request.headers.get("origin")
    if origin is not None and not same_origin(request, runtime.settings.public_origin):
        await runtime.services.allowed_origins.check(actor, origin)
    request.state.room = await runtime.limits.room(Deed.REQUEST, actor)
    return actor


async def end_of_access(request: Request, actor: Annotated[Actor, Depends(calling_actor)]) -> Ending:
    """What to wait for beside a long answer: it returns when the caller's right to it has ended."""
    callers: Callers = request.app.state.callers
    runtime: Runtime = request.app.state.runtime
    return partial(until_ended, runtime.bus, actor, partial(callers.resolve, request))


async def on_own_page(request: Request, actor: Annotated[Actor, Depends(calling_actor)]) -> Actor:
    """For a GET that changes something: a browser's must come from our own pages, like every other change."""
    callers: Callers = request.app.state.callers
    callers.require_own_page(request, actor)
    return actor


Caller = Annotated[Actor, Depends(calling_actor)]
CallerOnOwnPage = Annotated[Actor, Depends(on_own_page)]
AccessEnd = Annotated[Ending, Depends(end_of_access)]
Use = Annotated[Services, Depends(services_of)]
Running = Annotated[Runtime, Depends(runtime_of)]


def moments(entity: Any) -> dict[str, Any]:
    """Creation and change."""
    return {"id": entity.id, "created_at": entity.created_at, "updated_at": entity.updated_at}
