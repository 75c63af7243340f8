"""The operator's key: what guards /api/v1/sysadmin. It opens nothing else, and no user's credential opens this."""

import hmac
from typing import Annotated
from uuid import NAMESPACE_OID, UUID, uuid5

from fastapi import Depends, Request

from app.auth.caller import origin_of
from app.bootstrap import Runtime
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import Unauthenticated

OPERATOR = uuid5(NAMESPACE_OID, "samrad:operator")
"""Who the audit log names for what was done with the operator's key."""


def check_operator(request: Request) -> None:
    """Raise `Unauthenticated` unless the request carries the operator's key; without a key set, nobody is let in."""
    runtime: Runtime = request.app.state.runtime
    key = runtime.settings.super_api_key
    sent = request.headers.get(runtime.settings.api_key_header_name, "")
    if not key or not hmac.compare_digest(sent.encode(), key.encode()):
        raise Unauthenticated


def operator_in(tenant_id: UUID, request: Request) -> Actor:
    """The operator acting in an organisation."""
    return Actor(
        tenant_id=tenant_id,
        user_id=OPERATOR,
        permissions=frozenset({Permission.ADMIN}),
        kind="system",
        language="en",
        origin=origin_of(request),
    )


Operator = Annotated[None, Depends(check_operator)]
