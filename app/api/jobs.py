"""Jobs, and the socket on which their news arrive."""

import asyncio
import contextlib
import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter, WebSocket

from app.api import present, wire
from app.api.base import Caller, Use
from app.auth import scopes
from app.auth.caller import Callers, origin_of
from app.bootstrap import Runtime
from app.realtime.access import until_ended
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
socket = APIRouter(prefix="/api/v1")
PROTOCOL = "intric"
TOKEN_PREFIX = "auth_"  # noqa: S105  (the word before the token, not one)


@router.get("/", response_model=wire.PageOfJobPublic)
async def recent(actor: Caller, use: Use) -> Any:
    """One's open jobs and those that ended in the last 24 hours."""
    return present.page([present.job(j, actor.language) for j in await use.jobs.recent(actor)])


@router.get("/{id}/", response_model=wire.JobPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """One of one's jobs."""
    return present.job(await use.jobs.get(actor, id), actor.language)


@router.post("/{id}/cancel/", response_model=wire.JobPublic)
async def cancel(id: UUID, actor: Caller, use: Use) -> Any:
    """Stop a job."""
    return present.job(await use.jobs.cancel(actor, id), actor.language)


@router.post("/{id}/retry/", response_model=wire.JobPublic)
async def retry(id: UUID, actor: Caller, use: Use) -> Any:
    """Put a job that failed back in the queue."""
    return present.job(await use.jobs.retry(actor, id), actor.language)


@socket.websocket("/ws")
async def events(websocket: WebSocket) -> None:
    """News of one's own jobs. The token comes as a sub-protocol, since browsers can send no header here."""
    callers: Callers = websocket.app.state.callers
    runtime: Runtime = websocket.app.state.runtime
    offered = [part.strip() for part in websocket.headers.get("sec-websocket-protocol", "").split(",")]
    token = next((part[len(TOKEN_PREFIX) :] for part in offered if part.startswith(TOKEN_PREFIX)), "")
    try:
        actor = await callers.by_credential(token, origin_of(websocket))
        if actor.key is not None:
            scopes.check(actor.key, websocket)
    except Failure:
        await websocket.close(1008)
        return
    await websocket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    channels: set[str] = set()
    tasks = [
        asyncio.create_task(_forward(websocket, runtime, actor, channels)),
        asyncio.create_task(_receive(websocket, channels)),
        asyncio.create_task(
            until_ended(runtime.bus, actor, lambda: callers.by_credential(token, origin_of(websocket))), name="socket"
        ),
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(RuntimeError):
        await websocket.close()


async def _forward(websocket: WebSocket, runtime: Runtime, actor: Actor, channels: set[str]) -> None:
    async with runtime.bus.subscribe(f"user:{actor.user_id}") as signals:
        async for signal in signals:
            if signal.kind == "job" and channels:
                await websocket.send_json({"type": "job_updates", "data": signal.data})


async def _receive(websocket: WebSocket, channels: set[str]) -> None:
    async for text in websocket.iter_text():
        try:
            message = json.loads(text)
            kind, channel = message["type"], (message.get("data") or {}).get("channel", "")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if kind == "ping":
            await websocket.send_json({"type": "pong"})
        elif kind == "subscribe":
            channels.add(str(channel)[:50])
        elif kind == "unsubscribe":
            channels.discard(str(channel)[:50])
