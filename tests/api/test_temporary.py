"""Conversations that stand first, and those that are gone when they are left."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from domain.conversations import kept as kept_conversations
from domain.conversations.entities import Conversation
from domain.kernel.clock import now
from tests.api.test_conversations import with_documents
from tests.conftest import Place
from tests.security.test_walk import MOVES_BY_ITSELF
from tests.support.api import Api
from tests.support.rows import snapshot

URL = "/api/v1/conversations/"
SECRET = "Får hönan Agda bo i tätort?"


async def ask(client: httpx.AsyncClient, assistant: str, question: str, **more: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={"assistant_id": assistant, "question": question, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [each["name"] for each in (await client.get(URL, params=params)).json()["items"]]


async def test_pinned_conversations_have_their_own_list(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_conversations, "MOST_PINNED", 2)
    client = await api.client()
    assistant = await with_documents(api, client)
    sessions = {name: (await ask(client, assistant, name))["session_id"] for name in ("A", "B", "C")}
    for name in ("B", "A"):
        changed = await client.patch(f"{URL}{sessions[name]}/", json={"pinned": True})
        assert changed.json()["pinned"] is True, changed.text
    full = await client.patch(f"{URL}{sessions['C']}/", json={"pinned": True})
    assert (full.status_code, "2" in full.json()["message"]) == (400, True)
    assert await listed(client, pinned=True) == ["B", "A"]
    assert await listed(client, pinned=False) == ["C"]
    assert await listed(client) == ["C", "B", "A"]
    mine = await api.runtime.services.conversations.pinned(api.owner)
    assert [each.name for each in mine] == ["A", "B"]
    renamed = await client.patch(f"{URL}{sessions['A']}/", json={"name": "Altan", "pinned": False})
    assert (renamed.json()["name"], renamed.json()["pinned"]) == ("Altan", False)
    assert (await client.patch(f"{URL}{sessions['A']}/", json={"name": " "})).status_code == 422
    await api.user("anna@example.se")
    stranger = await api.client("anna@example.se")
    assert (await stranger.patch(f"{URL}{sessions['B']}/", json={"pinned": False})).status_code == 404
    actions = [e.action for e in await api.entries(api.owner.tenant_id)]
    assert (actions.count("conversation_pinned"), actions.count("conversation_unpinned")) == (2, 1)


async def test_a_temporary_conversation_leaves_nothing_but_its_row_in_the_ledger(
    api: Api, place: Place, request: pytest.FixtureRequest
) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    switched = await client.post(f"/api/v1/assistants/{assistant}/", json={"insight_enabled": True})
    assert switched.status_code == 200, switched.text

    async def attached(name: str) -> str:
        sent = await client.post("/api/v1/files/", files={"upload_file": (f"{name}.txt", name.encode())})
        return str(sent.json()["id"])

    kept, lost = await attached("Behålls"), await attached("Agda")
    await ask(client, assistant, "Ett vanligt samtal", files=[{"id": kept}])
    owner_url = (
        None
        if place.url is None
        else request.getfixturevalue("postgres").url(place.url.rsplit("/", 1)[1], user="postgres")
    )
    leave_out = {*MOVES_BY_ITSELF, "model_calls", "rate_windows", "files", "blobs"}
    before = await snapshot(api.runtime.database, owner_url, api.owner.tenant_id, leave_out)
    asked = await ask(client, assistant, SECRET, temporary=True, files=[{"id": kept}, {"id": lost}])
    session = f"{URL}{asked['session_id']}/"
    further = await client.post(URL, json={"session_id": asked["session_id"], "question": "Hur många hönor?"})
    assert further.status_code == 200
    assert (await client.get(session)).json()["temporary"] is True
    assert SECRET not in await listed(client)
    assert SECRET not in await listed(client, search="Agda")
    assert (await client.get(f"{URL}search/", params={"query": "Agda"})).json()["items"] == []
    assert (await client.patch(session, json={"pinned": True})).status_code == 400
    calls = (await client.get("/api/v1/usage/calls/")).json()["items"]
    assert (await client.delete(session)).status_code == 204
    assert (await client.get(session)).status_code == 404
    assert (await client.get(f"/api/v1/files/{lost}/")).status_code == 404
    assert (await client.get(f"/api/v1/files/{kept}/")).status_code == 200
    assert await snapshot(api.runtime.database, owner_url, api.owner.tenant_id, leave_out) == before
    assert len((await client.get("/api/v1/usage/calls/")).json()["items"]) == len(calls)
    told = [e for e in await api.entries(api.owner.tenant_id) if str(e.entity_id) == asked["session_id"]]
    assert {e.action for e in told} == {"question_asked", "model_called", "conversation_deleted"}
    assert [e.changes["new"] for e in told if e.action == "question_asked"] == [{"temporary": True}] * 2
    assert all("Agda" not in repr(e.__dict__) for e in told)


async def test_what_nobody_has_left_goes_within_a_day(api: Api) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    sessions = [UUID((await ask(client, assistant, SECRET, temporary=True))["session_id"]) for _ in range(2)]
    ordinary = (await ask(client, assistant, "Ett vanligt samtal"))["session_id"]
    drop = api.runtime.services.temporary.drop_everywhere
    assert await drop() == 0
    async with api.runtime.database.session(api.owner.tenant_id, write=True) as session:
        old = update(Conversation).where(Conversation.id != sessions[1])  # type: ignore[arg-type]
        await session.execute(old.values(last_message_at=now() - timedelta(hours=23)))
        await session.commit()
    assert await drop() == 1
    found = [(await client.get(f"{URL}{each}/")).status_code for each in (*sessions, ordinary)]
    assert found == [404, 200, 200]
    leave = api.runtime.services.temporary.leave
    await leave(api.owner, sessions[1])
    await leave(api.owner, sessions[1])
    assert (await client.get(f"{URL}{sessions[1]}/")).status_code == 404
