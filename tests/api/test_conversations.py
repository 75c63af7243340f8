"""Asking over REST: events, citations, resuming, stopping, and every way a provider can fail."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.conversations.entities import Message
from domain.kernel.errors import Conflict
from tests.conftest import Counted
from tests.support import documents
from tests.support.api import Api, events_of, make_assistant, make_collection, make_space, upload
from tests.support.provider import Provider

QUESTION = "Vad kostar bygglov för en altan?"
PAGES = ["Handbok om bygglov.", "Avgiften för bygglov för en altan är 4 300 kronor.", "Beslutet kan överklagas."]


async def with_documents(api: Api, client: httpx.AsyncClient) -> str:
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    await upload(client, collection_id, "Handbok.pdf", documents.pdf(PAGES))
    await api.work()
    return await make_assistant(client, space_id, collection_id)


async def use_model(client: httpx.AsyncClient, provider: Provider, name: str, assistant_id: str) -> None:
    body = {"name": f"Server {name}", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
    added = (await client.post("/api/v1/admin/model-providers/", json=body)).json()
    model = await client.post(f"/api/v1/admin/model-providers/{added['id']}/models/", json={"name": name})
    assert model.status_code == 201, model.text
    changed = await client.post(
        f"/api/v1/assistants/{assistant_id}/", json={"completion_model": {"id": model.json()["id"]}}
    )
    assert changed.status_code == 200, changed.text


async def ask(client: httpx.AsyncClient, assistant_id: str, *, version: int = 2, **more: Any) -> httpx.Response:
    body = {"assistant_id": assistant_id, "question": QUESTION, "stream": True, **more}
    return await client.post("/api/v1/conversations/", params={"version": version}, json=body)


async def test_a_streamed_answer_with_its_sources(api: Api) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    answer = await ask(client, assistant_id)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    events = events_of(answer.text)
    assert [events[0]["event"], events[-1]["event"]] == ["first_chunk", "done"]
    assert {e["event"] for e in events[1:-1]} == {"text"}
    whole = "".join(e["data"]["answer"] for e in events if e["event"] == "text")
    [reference] = events[-1]["data"]["references"]
    assert f'<inref id="{reference["id"].replace("-", "")[:8]}"/>' in whole
    assert "4 300 kronor" in whole
    ids = [int(e["id"]) for e in events]
    assert ids == sorted(ids)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", reference["created_at"])
    session = (await client.get(f"/api/v1/conversations/{events[0]['data']['session_id']}/")).json()
    [message] = session["messages"]
    assert message["answer"] == whole
    assert message["references"][0]["metadata"]["title"] == "Handbok.pdf"
    picture = await client.get(f"/api/v1/conversations/{session['id']}/messages/{message['id']}/sources/1/page/")
    assert picture.content.startswith(b"\x89PNG")


async def test_the_same_answer_at_once(api: Api) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    body = {"assistant_id": assistant_id, "question": QUESTION}
    answer = (await client.post("/api/v1/conversations/", json=body)).json()
    assert "4 300 kronor" in answer["answer"]
    assert "[1]" in answer["answer"]
    assert answer["references"][0]["page"] in (1, 2)
    assert answer["model"]["name"] == "extractive"


async def test_a_stream_resumes_at_every_character_with_the_identical_text(
    api: Api, provider: Provider, counted: Counted
) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    provider.script = (
        "Åtgärden kräver bygglov. Avgiften är 4\u00a0300\u202fkr \U0001f3e1 – för en altan: e\u0301n gång.\n\n"
        "**Klart** \U0001f469\u200d\U0001f467 a\u030a\u0308."
    )
    await use_model(client, provider, "script:25", assistant_id)
    conversations = api.runtime.services.conversations
    asking = asyncio.create_task(ask(client, assistant_id, version=1))
    assert await asyncio.to_thread(provider.wait_for_question)
    [run] = conversations.runs._runs.values()
    view = await conversations.message(api.owner, run.message_id)
    url = f"/api/v1/conversations/{view.message.conversation_id}/messages/{run.message_id}/stream/"

    async def resumed(offset: int) -> str:
        answer = await client.get(url, params={"version": 1}, headers={"last-event-id": str(offset)})
        return "".join(e["data"]["answer"] for e in events_of(answer.text) if e["event"] == "text")

    # While it comes: a reader at every character, also at those that are not there yet. And again when it is there.
    length = len(provider.script)
    during = await asyncio.gather(*map(resumed, range(length + 1)))
    whole = "".join(e["data"]["answer"] for e in events_of((await asking).text) if e["event"] == "text")
    after = await asyncio.gather(*map(resumed, range(length + 1)))
    assert whole == provider.script
    assert [whole[:offset] + rest for offset, rest in enumerate(during)] == [whole] * (length + 1)
    assert after == during
    assert len(provider.seen.requests) == 1
    counted(readers=2 * (length + 1))


async def test_stop_keeps_what_has_arrived_and_reaches_the_provider(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    await use_model(client, provider, "hang:5", assistant_id)
    asking = asyncio.create_task(ask(client, assistant_id, version=1))
    conversations = api.runtime.services.conversations
    async with asyncio.timeout(20):
        while not conversations.runs._runs or not next(iter(conversations.runs._runs.values())).text.count(" ") >= 4:
            await asyncio.sleep(0.02)
    run = next(iter(conversations.runs._runs.values()))
    view = await conversations.message(api.owner, run.message_id)
    stop = f"/api/v1/conversations/{view.message.conversation_id}/messages/{run.message_id}/stop/"
    assert (await client.post(stop)).status_code == 204
    events = events_of((await asking).text)
    assert events[-1]["data"]["state"] == "stopped"
    kept = (await conversations.message(api.owner, run.message_id)).message
    assert (kept.state, kept.answer.strip() != "") == ("stopped", True)
    assert await asyncio.to_thread(provider.wait_for_disconnect)


@pytest.mark.parametrize(
    ("model", "sentence", "keeps"),
    [
        ("err:401", "refused the key", False),
        ("err:404", "does not know the model", False),
        ("err:429", "too much to do", False),
        ("err:500", "problem of its own", False),
        ("ctx", "too long for this model", False),
        ("garbage:2", "not an answer", False),
        ("cut:6", "broke off", True),
        ("cuterr:6", "problem of its own", True),
        ("spoil:6", "not an answer", True),
        ("tool", "ended without an answer", False),
    ],
)
async def test_whatever_a_provider_does_ends_in_a_sentence(
    api: Api, provider: Provider, model: str, sentence: str, keeps: bool
) -> None:
    client = await api.client()
    await api.runtime.services.users.update_me(api.owner, {"language": "en"})
    assistant_id = await with_documents(api, client)
    await use_model(client, provider, model, assistant_id)
    events = events_of((await ask(client, assistant_id, version=1)).text)
    assert events[-1]["data"]["state"] == "failed"
    [error] = [e for e in events if e["event"] == "error"]
    assert sentence in error["data"]["error"]
    text = "".join(e["data"]["answer"] for e in events if e["event"] == "text")
    assert bool(text) is keeps
    session = (await client.get(f"/api/v1/conversations/{events[0]['data']['session_id']}/")).json()
    assert (session["messages"][0]["answer"], session["messages"][0]["error"]) == (text, error["data"]["error"])
    await api.runtime.services.users.update_me(api.owner, {"language": "sv"})
    session = (await client.get(f"/api/v1/conversations/{events[0]['data']['session_id']}/")).json()
    assert session["messages"][0]["error"].startswith(("AI-", "Frågan ", "Anslutningen "))
    assert "{" not in session["messages"][0]["error"]


async def test_a_provider_that_cannot_be_reached(api: Api, provider: Provider) -> None:
    client = await api.client()
    body = {"name": "Borta", "provider_type": "openai_compatible", "config": {"endpoint": "http://127.0.0.1:9/v1"}}
    report = (await client.post("/api/v1/admin/model-providers/test/", json=body)).json()
    assert report["success"] is False
    assert report["steps"][-1]["passed"] is False
    good = body | {"config": {"endpoint": provider.url}}
    report = (await client.post("/api/v1/admin/model-providers/test/", json=good)).json()
    assert (report["success"], report["models"]) == (True, ["ok:5"])


async def test_a_stored_key_never_goes_to_another_address(api: Api, provider: Provider) -> None:
    client = await api.client()
    body = {
        "name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": provider.url},
        "credentials": {"api_key": "sk-very-secret-key"},
    }  # fmt: skip
    added = (await client.post("/api/v1/admin/model-providers/", json=body)).json()
    assert added["masked_api_key"] == "…-key"
    assert "secret" not in str(added)
    moved = {"config": {"endpoint": "http://127.0.0.1:9/v1"}}
    assert (await client.put(f"/api/v1/admin/model-providers/{added['id']}/", json=moved)).status_code == 422


async def test_conversations_are_their_authors_alone(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    user_id = await api.user("admin@example.se")
    await owner.post(f"/api/v1/spaces/{space_id}/members/", json={"id": str(user_id), "role": "admin"})
    other = await api.client("admin@example.se")
    assistant_id = await make_assistant(owner, space_id)
    first = events_of((await ask(owner, assistant_id)).text)[0]["data"]
    session = f"/api/v1/conversations/{first['session_id']}/"
    message = f"{session}messages/{first['id']}/"
    for method, path in (
        ("GET", session), ("DELETE", session), ("GET", f"{message}stream/"), ("POST", f"{message}stop/"),
        ("GET", f"{message}sources/1/page/"), ("POST", f"{session}title/"),
    ):  # fmt: skip
        assert (await other.request(method, path)).status_code == 404, path
    further = {"session_id": first["session_id"], "question": QUESTION}
    assert (await other.post("/api/v1/conversations/", json=further)).status_code == 404
    assert (await other.get("/api/v1/conversations/")).json()["total_count"] == 0


async def test_follow_up_feedback_and_deletion(api: Api) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    session_id = events_of((await ask(client, assistant_id)).text)[0]["data"]["session_id"]
    body = {"session_id": session_id, "question": "Kan det överklagas?"}
    assert (await client.post("/api/v1/conversations/", json=body)).status_code == 200
    rated = await client.post(f"/api/v1/conversations/{session_id}/feedback/", json={"value": 1, "text": "Bra"})
    assert rated.json()["feedback"] == {"value": 1, "text": "Bra"}
    assert len(rated.json()["messages"]) == 2
    listed = (await client.get("/api/v1/conversations/", params={"assistant_id": assistant_id})).json()
    assert listed["items"][0]["name"] == QUESTION
    assert (await client.delete(f"/api/v1/conversations/{session_id}/")).status_code == 204
    assert (await client.get(f"/api/v1/conversations/{session_id}/")).status_code == 404


async def test_a_question_without_a_target_or_text(api: Api) -> None:
    client = await api.client()
    assert (await client.post("/api/v1/conversations/", json={"question": "Hej"})).status_code == 422
    assistant_id = await make_assistant(client, await make_space(client))
    assert (await ask(client, assistant_id, question="  ")).status_code == 422


async def test_a_model_is_told_when_the_sources_hardly_fit(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant_id = await with_documents(api, client)
    await use_model(client, provider, "ok:3", assistant_id)
    said = []
    for question in ("What is the boiling point of tungsten?", "Vad kostar bygglov?"):
        await client.post("/api/v1/conversations/", json={"assistant_id": assistant_id, "question": question})
        system = provider.seen.requests[-1]["messages"][0]["content"]
        said.append("not sure that these passages are about the question" in system)
    assert said == [True, False]


async def test_an_assistant_may_be_given_whole_documents(api: Api, provider: Provider) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    words = "Lekplatsen vid torget sköts av parkenheten och städas varje vecka. " * 20
    parts = [f"# Avsnitt {number}\n\nKapitel {number} handlar om del {number}. {words}" for number in range(30)]
    parts.append("# Sist\n\nAvgiften för bygglov är 4 300 kronor.")
    await upload(client, collection_id, "handbok.md", "\n\n".join(parts).encode())
    await upload(client, collection_id, "annat.md", "Bygglov söks hos kommunen.".encode())
    await api.work()
    assistant_id = await make_assistant(client, space_id, collection_id)
    await use_model(client, provider, "ok:3", assistant_id)
    sent = []
    for whole in (False, True):
        changed = await client.post(f"/api/v1/assistants/{assistant_id}/", json={"whole_documents": whole})
        assert changed.json()["whole_documents"] is whole
        body = {"assistant_id": assistant_id, "question": "Vad är avgiften för bygglov?"}
        answer = (await client.post("/api/v1/conversations/", json=body)).json()
        sent.append(provider.seen.requests[-1]["messages"][-1]["content"])
        assert answer["references"]
    missing = [number for number in range(30) if f"Kapitel {number} handlar" not in sent[0]]
    assert missing, "passages alone do not hold everything"
    assert [number for number in range(30) if f"Kapitel {number} handlar" not in sent[1]] == []
    at = [sent[1].index(f"Kapitel {number} handlar") for number in range(30)]
    assert at == sorted(at), "a whole document is in the order of its text"
    assert "Bygglov söks hos kommunen" in sent[1]


async def test_what_was_deleted_in_the_same_moment_is_told_as_such(api: Api) -> None:
    message = Message(tenant_id=api.owner.tenant_id, conversation_id=uuid4(), assistant_id=uuid4(), question="Hej?")
    with pytest.raises(Conflict, match="in the same moment"):
        async with api.runtime.services.users._uow.begin(api.owner.tenant_id) as tx:
            await tx.add(message)


async def test_half_a_character_breaks_nothing(api: Api) -> None:
    client = await api.client()
    assistant_id = await make_assistant(client, await make_space(client))
    headers = {"content-type": "application/json"}
    question = f'{{"assistant_id": "{assistant_id}", "question": "H\\ud83dns?"}}'
    asked = await client.post("/api/v1/conversations/", content=question, headers=headers)
    assert (asked.status_code, asked.json()["question"]) == (200, "H?ns?")
    words = '{"description": "\\ude00", "prompt": {"text": "Svara \\ud83d"}}'
    changed = await client.post(f"/api/v1/assistants/{assistant_id}/", content=words, headers=headers)
    assert (changed.status_code, changed.json()["prompt"]["text"]) == (200, "Svara ?")
