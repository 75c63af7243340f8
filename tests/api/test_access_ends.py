"""A suspended organisation and a deactivated person lose what they have open at once, not at their next request."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.realtime.access import RECHECK_SECONDS
from domain.tenants.operator import Operator
from tests.api.test_conversations import use_model, with_documents
from tests.conftest import PASSWORD
from tests.support.api import Api, make_collection, make_space, upload
from tests.support.live import listening
from tests.support.provider import Provider

SOON = RECHECK_SECONDS / 2
"""In seconds: long before it would be noticed without being told, even on a busy machine."""
"""Seconds in which access ends."""
EMAIL = "anna@example.se"
End = Callable[[Api], Awaitable[Any]]


async def suspended(api: Api) -> None:
    await api.runtime.services.tenants.suspend(Operator(), api.owner.tenant_id)


async def deactivated(api: Api) -> None:
    await api.runtime.services.users.deactivate(api.owner, await api.runtime.services.users.find(api.owner, EMAIL))


ENDS = pytest.mark.parametrize(("end", "code"), [(suspended, 9025), (deactivated, 9019)])


@pytest.fixture
async def anna(api: Api) -> httpx.AsyncClient:
    """A colleague with an API token, who may do everything."""
    await api.user(EMAIL, role="Owner")
    return await api.client(EMAIL)


@asynccontextmanager
async def news(anna: httpx.AsyncClient, address: str) -> AsyncIterator[ClientConnection]:
    """The socket of Anna's jobs."""
    token = anna.headers["authorization"].split()[1]
    protocols = [Subprotocol("intric"), Subprotocol(f"auth_{token}")]
    async with connect(f"ws://{address}/api/v1/ws", subprotocols=protocols, proxy=None) as socket:
        await socket.send('{"type": "ping"}')
        assert "pong" in str(await socket.recv())
        yield socket


@ENDS
async def test_an_answer_that_is_streamed_ends(
    api: Api, anna: httpx.AsyncClient, provider: Provider, end: End, code: int
) -> None:
    assistant_id = await with_documents(api, anna)
    await use_model(anna, provider, "rate:20:2000", assistant_id)
    question = {"assistant_id": assistant_id, "question": "Berätta länge", "stream": True}
    async with (
        listening(api.application) as address,
        httpx.AsyncClient(headers=anna.headers, trust_env=False) as client,
    ):
        async with client.stream("POST", f"http://{address}/api/v1/conversations/", json=question) as answer:
            pieces = answer.aiter_text()
            async with asyncio.timeout(20):
                while "event: text" not in await anext(pieces):
                    continue
            await end(api)
            begun = time.monotonic()
            async with asyncio.timeout(10):
                rest = [piece async for piece in pieces]
            assert time.monotonic() - begun < SOON
            assert "event: done" not in "".join(rest)
        refused = await client.post(f"http://{address}/api/v1/conversations/", json=question)
        assert (refused.status_code, refused.json()["code"]) in ((403, code), (401, 9005))


@ENDS
async def test_an_answer_that_is_waited_for_is_refused(
    api: Api, anna: httpx.AsyncClient, provider: Provider, end: End, code: int
) -> None:
    assistant_id = await with_documents(api, anna)
    await use_model(anna, provider, "hang:5", assistant_id)
    question = {"assistant_id": assistant_id, "question": "Berätta"}
    asking = asyncio.create_task(anna.post("/api/v1/conversations/", json=question))
    assert await asyncio.to_thread(provider.wait_for_question)
    await end(api)
    begun = time.monotonic()
    async with asyncio.timeout(10):
        answer = await asking
    assert time.monotonic() - begun < SOON
    assert (answer.status_code, answer.json()["code"]) in ((403, code), (401, 9005))


@ENDS
async def test_the_socket_of_jobs_ends(api: Api, anna: httpx.AsyncClient, end: End, code: int) -> None:
    async with listening(api.application) as address, news(anna, address) as socket:
        await end(api)
        begun = time.monotonic()
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(10):
                await socket.recv()
        assert time.monotonic() - begun < SOON


async def test_others_keep_what_they_have_open(api: Api, anna: httpx.AsyncClient) -> None:
    async with listening(api.application) as address, news(anna, address) as socket:
        await api.user("bo@example.se")
        bo = await api.runtime.services.users.find(api.owner, "bo@example.se")
        await api.runtime.services.users.deactivate(api.owner, bo)
        await socket.send('{"type": "ping"}')
        assert "pong" in str(await socket.recv())


async def test_tokens_and_signed_addresses_stop_and_work_again(api: Api, anna: httpx.AsyncClient) -> None:
    file = (await anna.post("/api/v1/files/", files={"upload_file": ("b.txt", b"Hemligt")})).json()["id"]
    signed = (await anna.post(f"/api/v1/files/{file}/signed-url/", json={})).json()["url"]
    assert (await api.browser().get(signed)).text == "Hemligt"
    key = (await anna.post("/api/v1/api-keys/", json={"name": "Nyckel"})).json()["key"]
    program = api.browser(**{"x-api-key": key})
    assert (await program.get("/api/v1/users/me/")).status_code == 200
    await suspended(api)
    for client, url in ((anna, "/api/v1/users/me/"), (program, "/api/v1/users/me/"), (api.browser(), signed)):
        answer = await client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (403, 9025)
    form = {"username": EMAIL, "password": PASSWORD}
    answer = await api.browser().post("/api/v1/users/login/token/", data=form)
    assert (answer.status_code, answer.json()["code"]) == (403, 9025)
    await api.runtime.services.tenants.reactivate(Operator(), api.owner.tenant_id)
    assert (await anna.get("/api/v1/users/me/")).status_code == 200
    assert (await program.get("/api/v1/users/me/")).status_code == 200
    assert (await api.browser().get(signed)).text == "Hemligt"


async def test_jobs_of_a_suspended_organisation_wait(api: Api, anna: httpx.AsyncClient) -> None:
    collection = await make_collection(anna, await make_space(anna))
    job = (await upload(anna, collection, "a.txt", b"Hej")).json()["id"]
    await suspended(api)
    assert [lane for lane in ("interactive", "ingest") if await api.runtime.directory.due_jobs(lane, 9)] == []
    # One that stood in a lane already is not taken either.
    assert await api.runtime.services.jobs.claim(api.owner.tenant_id, UUID(job)) is None
    await api.runtime.services.tenants.reactivate(Operator(), api.owner.tenant_id)
    await api.work()
    assert (await anna.get(f"/api/v1/jobs/{job}/")).json()["state"] == "done"
