"""The operator's keys: one guards /api/v1/sysadmin, the other /api/v1/modules. Neither opens anything else.

No user's credential opens what they guard.
"""

import hmac
import logging
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from app.auth.caller import origin_of
from app.bootstrap import Runtime
from app.security.rate_limits import network_of
from domain.identity.service import ACCOUNT_THRESHOLD, THROTTLE_BLOCK, THROTTLE_WINDOW, hash_token
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, TooManyRequests, Unauthenticated
from domain.tenants import operator

log = logging.getLogger(__name__)


def is_key(sent: str, key: str | None) -> bool:
    """Whether the right key was sent; without a key set, none is right."""
    return key is not None and hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), key.encode())


async def check_operator(request: Request) -> operator.Operator:
    """The operator, when the request carries the key; raises `Unauthenticated`."""
    return await _proven(request, request.app.state.runtime.settings.super_api_key)


async def check_module_operator(request: Request) -> operator.Operator:
    """The operator, when the request carries the key of modules, which is another one."""
    return await _proven(request, request.app.state.runtime.settings.super_duper_api_key)


async def _proven(request: Request, key: str | None) -> operator.Operator:
    runtime: Runtime = request.app.state.runtime
    sent = request.headers.get(runtime.settings.api_key_header_name, "")
    if not is_key(sent, key):
        await runtime.limits.refused(request.client.host if request.client else None)
        raise Unauthenticated
    return operator.Operator(origin_of(request))


async def admit(
    runtime: Runtime, sent: str, key: str | None, connection: HTTPConnection, *, what: str = "operator"
) -> operator.Operator:
    """The operator, when a person has typed `key`. Who guesses is held back as at sign-in, by network address.

    Each key, told apart by `what`, has its own count: the right one of one key begins no new count for the other.
    """
    origin = origin_of(connection)
    name = hash_token(f"{what}:{network_of(origin.ip or '')}")
    _, wait = await runtime.directory.login_attempts(name, block_seconds=THROTTLE_BLOCK)
    if wait > 0:
        raise TooManyRequests(retry_after=int(wait) + 1)
    if not is_key(sent, key):
        log.warning("a wrong operator's key was refused, from %s", origin.ip)
        await runtime.directory.login_failed(
            name, window_seconds=THROTTLE_WINDOW, threshold=ACCOUNT_THRESHOLD, block_seconds=THROTTLE_BLOCK
        )
        raise Unauthenticated(N_("The key is wrong."))
    await runtime.directory.login_succeeded(name)
    return operator.Operator(origin)


def operator_in(tenant_id: UUID, request: Request) -> Actor:
    """The operator acting in an organisation."""
    return operator.Operator(origin_of(request)).within(tenant_id)


Operator = Annotated[operator.Operator, Depends(check_operator)]
ModuleOperator = Annotated[operator.Operator, Depends(check_module_operator)]
