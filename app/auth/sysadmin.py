"""The operator's key: what guards /api/v1/sysadmin. It opens nothing else, and no user's credential opens this."""

import hmac
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.auth.caller import origin_of
from app.bootstrap import Runtime
from domain.kernel.actor import Actor
from domain.kernel.errors import Unauthenticated
from domain.tenants import operator


def is_key(sent: str, key: str | None) -> bool:
    """Whether the right key was sent; without a key set, none is right."""
    return key is not None and hmac.compare_digest(sent.encode(), key.encode())


async def check_operator(request: Request) -> operator.Operator:
    """The operator, when the request carries the key; raises `Unauthenticated`."""
    runtime: Runtime = request.app.state.runtime
    sent = request.headers.get(runtime.settings.api_key_header_name, "")
    if not is_key(sent, runtime.settings.super_api_key):
        await runtime.limits.refused(request.client.host if request.client else None)
        raise Unauthenticated
    return operator.Operator(origin_of(request))


def operator_in(tenant_id: UUID, request: Request) -> Actor:
    """The operator acting in an organisation."""
    return operator.Operator(origin_of(request)).within(tenant_id)


Operator = Annotated[operator.Operator, Depends(check_operator)]
