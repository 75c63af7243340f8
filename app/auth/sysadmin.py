"""The operator's keys: one guards /api/v1/sysadmin, the other /api/v1/modules. Neither opens anything else.

No user's credential opens what they guard.
"""

import hmac
import logging
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.auth.caller import origin_of
from app.bootstrap import Runtime
from domain.identity.service import ACCOUNT_THRESHOLD, THROTTLE_BLOCK, THROTTLE_WINDOW, hash_token
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, TooManyRequests, Unauthenticated
from domain.ports import Directory
from domain.tenants import operator

log = logging.getLogger(__name__)


def is_key(sent: str, key: str | None) -> bool:
    """Whether the right key was sent; without a key set, none is right."""
    return key is not None and hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), key.encode())


class Door:
    """Lets the operator into the page by the key. Wrong keys are counted as wrong passwords are."""

    def __init__(self, key: str | None, directory: Directory) -> None:
        self._key, self._directory = key, directory

    async def enter(self, sent: str, request: Request) -> operator.Operator:
        """The operator; raises `Invalid`, or `TooManyRequests` after several wrong keys from an address."""
        origin = origin_of(request)
        counted = hash_token(f"operator:{origin.ip or ''}")
        _, wait = await self._directory.login_attempts(counted)
        if wait > 0:
            raise TooManyRequests(retry_after=int(wait) + 1)
        if not is_key(sent, self._key):
            await self._directory.login_failed(
                counted, window_seconds=THROTTLE_WINDOW, threshold=ACCOUNT_THRESHOLD, block_seconds=THROTTLE_BLOCK
            )
            log.warning("a wrong operator's key came from %s", origin.ip)
            raise Invalid(N_("This is not the key."), field="key")
        await self._directory.login_succeeded(counted)
        return operator.Operator(origin)


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


def operator_in(tenant_id: UUID, request: Request) -> Actor:
    """The operator acting in an organisation."""
    return operator.Operator(origin_of(request)).within(tenant_id)


Operator = Annotated[operator.Operator, Depends(check_operator)]
ModuleOperator = Annotated[operator.Operator, Depends(check_module_operator)]
