"""What all routes share: the running services and the calling actor."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from app.auth.caller import Callers
from app.bootstrap import Runtime
from domain.kernel.actor import Actor
from domain.services import Services

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
    actor = await callers.actor(request)
    request.state.actor = actor
    return actor


Caller = Annotated[Actor, Depends(calling_actor)]
Use = Annotated[Services, Depends(services_of)]
Running = Annotated[Runtime, Depends(runtime_of)]
