"""What is open for long, answers and sockets, ends with the key that opened it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.realtime.access import RECHECK_SECONDS
from domain.kernel.events import Signal
from domain.tenants.entities import Tenant, TenantState
from tests.api.test_api_keys import holder, make_key
from tests.api.test_conversations import use_model
from tests.support.api import Api, events_of, make_assistant, make_space, publish
from tests.support.provider import Provider


async def end_by_revoking(api: Api, key: dict[str, Any], user_id: UUID) -> None:
    await api.runtime.services.api_keys.revoke(api.owner, UUID(key["id"]))


async def end_by_deactivating(api: Api, key: dict[str, Any], user_id: UUID) -> None:
    await api.runtime.services.users.deactivate(api.owner, user_id)


async def end_by_suspending(api: Api, key: dict[str, Any], user_id: UUID) -> None:
    async with api.runtime.services.users._uow.begin(api.owner.tenant_id) as tx:
        tenant = await tx.get(Tenant, api.owner.tenant_id)
        assert tenant is not None
        tenant.state = TenantState.SUSPENDED
        tx.signal(Signal(f"tenant:{tenant.id}", "suspended"))


SOON = RECHECK_SECONDS / 2
"""In seconds: long before it would be noticed without being told, even on a busy machine."""
ENDS = [end_by_revoking, end_by_deactivating, end_by_suspending]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("end", ENDS)
async def test_an_answer_breaks_off_soon_when_its_key_ends(
    api: Api, provider: Provider, end: Any, stream: bool
) -> None:
    owner = await api.client()
    anna_id = await api.user("anna@example.se")
    space = await make_space(owner)
    assistant = await make_assistant(owner, space)
    await publish(owner, assistant)
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna_id), "role": "viewer"})
    await use_model(owner, provider, "hang:5", assistant)
    key = await make_key(await api.client("anna@example.se"), "ask")
    program = holder(api, key["key"])
    body = {"assistant_id": assistant, "question": "Hej?", "stream": stream}
    asking = asyncio.create_task(program.post("/api/v1/conversations/", json=body))
    await until(lambda: bool(provider.seen.requests))
    await listening(api, key)
    await end(api, key, anna_id)
    async with asyncio.timeout(SOON):
        answer = await asking
    if stream:
        assert "done" not in [event["event"] for event in events_of(answer.text)]
    else:
        assert answer.status_code == 401


class Socket:
    """A client of the socket, as the server sees it."""

    def __init__(self, api: Api, credential: str) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard.put_nowait({"type": "websocket.connect"})
        protocols = ["intric", f"auth_{credential}"]
        scope = {
            "type": "websocket", "path": "/api/v1/ws", "raw_path": b"/api/v1/ws", "query_string": b"", "scheme": "ws",
            "server": ("localhost", 80), "client": ("127.0.0.1", 5), "subprotocols": protocols, "root_path": "",
            "headers": [(b"host", b"localhost"), (b"sec-websocket-protocol", ", ".join(protocols).encode())],
        }  # fmt: skip
        self.task = asyncio.create_task(api.application(scope, self._heard.get, self.said.put))

    async def event(self) -> str:
        """What the server does next, and how it closes."""
        async with asyncio.timeout(SOON):
            said = await self.said.get()
        return f"{said['type']} {said.get('code', '')}".strip()


@pytest.mark.parametrize("end", ENDS)
async def test_a_socket_closes_soon_when_its_key_ends(api: Api, end: Any) -> None:
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    no_reader, key = await make_key(anna, "ask"), await make_key(anna, "read")
    assert await Socket(api, no_reader["key"]).event() == "websocket.close 1008"
    socket = Socket(api, key["key"])
    assert await socket.event() == "websocket.accept"
    await listening(api, key)
    await end(api, key, anna_id)
    assert await socket.event() == "websocket.close 1000"
    await socket.task
    assert await Socket(api, key["key"]).event() == "websocket.close 1008"


async def listening(api: Api, key: dict[str, Any]) -> None:
    """Whatever is open with the key has begun to wait for its end."""
    await until(lambda: f"api_key:{key['id']}" in api.runtime.bus._listeners)


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
