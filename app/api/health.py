"""Whether the process lives, can work, and how it is doing. Nothing of any organisation is in these answers."""

import asyncio
import hmac
import ipaddress
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from app import __version__
from app.api.base import Caller
from app.auth.sysadmin import Operator
from app.bootstrap import Runtime
from app.observability.metrics import CONTENT_TYPE
from app.observability.status import lines_of
from domain.kernel.clock import now
from domain.kernel.errors import Unauthenticated
from domain.operations.entities import Status

HEALTHY, DEGRADED, UNHEALTHY = "HEALTHY", "DEGRADED", "UNHEALTHY"
PULSES, PULSE_SECONDS = 4, 0.25
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


def install(api: FastAPI) -> None:
    """Put the routes on the application."""

    @api.get("/version", tags=["health"])
    async def version(actor: Caller) -> Any:
        """The version that runs."""
        return {"version": __version__}

    @api.get("/api/healthz", tags=["health"])
    async def healthz(request: Request) -> Any:
        """Whether database and workers do their work; 503 when not."""
        status = await _runtime(request).watcher.gather()
        worker = UNHEALTHY if status.waits_in_vain or not status.redis else HEALTHY
        backend = HEALTHY if status.database else UNHEALTHY
        whole = HEALTHY if backend == worker == HEALTHY else UNHEALTHY
        detail = {
            "status": whole, "timestamp": now(), "backend": {"status": backend}, "worker": {"status": worker},
        }  # fmt: skip
        return _answer({"status": whole, "detail": detail}, whole == HEALTHY)

    @api.get("/api/healthz/crawler", tags=["health"])
    async def crawler(request: Request, _: Operator, include_all: bool = False) -> Any:
        """The same of the jobs in detail, for the operator."""
        status = await _runtime(request).watcher.gather()
        return _answer(_crawler(status, include_all), status.database)

    @api.get("/livez", include_in_schema=False)
    async def livez() -> Any:
        """Whether the process answers."""
        return {"status": "ok"}

    @api.get("/livez/stream", include_in_schema=False)
    async def stream() -> Any:
        """A few lines, one after another, for who wants to know whether a proxy holds answers back."""
        return StreamingResponse(_pulses(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @api.get("/readyz", include_in_schema=False)
    async def readyz(request: Request) -> Any:
        """Whether requests can be served: 503 without database or Redis."""
        watcher = _runtime(request).watcher
        database, redis = await asyncio.gather(watcher.database_answers(), watcher.redis_answers())
        return _answer({"database": database, "redis": redis}, database and redis)

    @api.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Any:
        """For Prometheus."""
        runtime = _runtime(request)
        _admit(request, runtime.settings.metrics_token)
        status = await runtime.watcher.gather()
        lines = [*runtime.metrics.lines(), *lines_of(status), ""]
        return PlainTextResponse("\n".join(lines), media_type=CONTENT_TYPE)


def _runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found


def _answer(content: Any, good: bool) -> JSONResponse:
    from fastapi.encoders import jsonable_encoder

    return JSONResponse(jsonable_encoder(content), 200 if good else 503, headers={"cache-control": "no-store"})


def _admit(request: Request, token: str | None) -> None:
    """The bearer of the token; without one set, this machine itself and nobody who comes through a proxy."""
    if token is not None:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode()):
            return
        raise Unauthenticated
    host = request.client.host if request.client else ""
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near or any(name in request.headers for name in FORWARDED):
        raise Unauthenticated


async def _pulses() -> AsyncIterator[str]:
    for number in range(PULSES):
        yield f"data: {number}\n\n"
        if number + 1 < PULSES:
            await asyncio.sleep(PULSE_SECONDS)


def _crawler(status: Status, whole: bool) -> dict[str, Any]:
    flags = [flag for flag, on in (("database", not status.database), ("redis", not status.redis),
                                   ("no_worker", status.waits_in_vain)) if on]  # fmt: skip
    lanes = {lane.lane: lane for lane in status.lanes}
    found: dict[str, Any] = {
        "status": UNHEALTHY if "database" in flags else DEGRADED if flags else HEALTHY,
        "status_flags": flags,
        "response_timestamp_utc": status.moment,
        "crawler_activity": {"db_in_progress": sum(lane.running for lane in status.lanes)},
        "arq": {"workers": status.workers, "queued": sum(lane.waiting for lane in status.lanes)},
        "pending": {name: lane.waiting for name, lane in lanes.items()},
        "thresholds": {},
    }
    if whole:
        oldest = {name: round(lane.oldest_seconds, 1) for name, lane in lanes.items()}
        found["debug"] = {"oldest_seconds": oldest, "streams": status.streams, "version": status.version}
    return found
