"""Questions that are edited and answers that are made again: the former ones are kept, each with its own history."""

import asyncio
import json
from typing import Any

import httpx

from tests.api.test_conversations import use_model, with_documents
from tests.support.api import Api, events_of
from tests.support.provider import Provider

URL = "/api/v1/conversations/"


async def ask(client: httpx.AsyncClient, question: str, **more: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={"question": question, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown(client: httpx.AsyncClient, session: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{URL}{session}/")).json()["messages"]
    return found


def told(request: dict[str, Any]) -> list[str]:
    """The questions that the model was sent."""
    return [m["content"].rsplit("\n\n", 1)[-1] for m in request["messages"] if m["role"] == "user"]


async def test_an_edited_question_begins_a_branch_with_its_own_history(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    await use_model(client, provider, "ok:5", assistant)
    first = await ask(client, "Fråga ett?", assistant_id=assistant)
    session = first["session_id"]
    second = await ask(client, "Fråga två?", session_id=session)
    await ask(client, "Fråga tre?", session_id=session)
    edited = await ask(client, "Fråga två i andra ord?", session_id=session, replaces=second["id"])
    await ask(client, "Fråga fyra?", session_id=session)
    assert told(provider.seen.requests[-1]) == ["Fråga ett?", "Fråga två i andra ord?", "Fråga fyra?"]
    messages = await shown(client, session)
    assert [m["question"] for m in messages] == ["Fråga ett?", "Fråga två i andra ord?", "Fråga fyra?"]
    assert messages[1]["versions"] == [second["id"], edited["id"]]
    chosen = await client.put(f"{URL}{session}/branch/", json={"message_id": second["id"]})
    former = ["Fråga ett?", "Fråga två?", "Fråga tre?"]
    assert [m["question"] for m in chosen.json()["messages"]] == former
    await ask(client, "Fråga fem?", session_id=session)
    assert told(provider.seen.requests[-1]) == [*former, "Fråga fem?"]
    found = (await client.get(f"{URL}search/", params={"query": "andra ord"})).json()["items"]
    assert [item["message_id"] for item in found] == [edited["id"]]
    export = f"{URL}{session}/export/"
    assert "andra ord" not in (await client.get(export)).text
    whole = (await client.get(export, params={"all_branches": True})).text
    assert "andra ord" in whole
    assert "Version 2 av 2" in whole
    program = (await client.get(export, params={"all_branches": True, "format": "json"})).text
    assert [m["follows"] for m in json.loads(program)["messages"]].count(first["id"]) == 2


async def test_an_answer_made_again_keeps_the_former_one(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    await use_model(client, provider, "hang:3", assistant)
    asking = asyncio.create_task(client.post(URL, json={"question": "Ett?", "assistant_id": assistant}))
    assert await asyncio.to_thread(provider.wait_for_question)
    [run] = api.runtime.services.conversations.runs._runs.values()
    message = (await api.runtime.services.conversations.message(api.owner, run.message_id)).message
    session, former = str(message.conversation_id), str(message.id)
    again = f"{URL}{session}/messages/{former}/regenerate/"
    assert (await client.post(again)).status_code == 400
    async with asyncio.timeout(20):
        while not run.text:
            await asyncio.sleep(0.01)
    assert (await client.post(f"{URL}{session}/messages/{former}/stop/")).status_code == 204
    await asking
    await use_model(client, provider, "ok:5", assistant)
    events = events_of((await client.post(again)).text)
    assert (events[0]["event"], events[-1]["data"]["state"]) == ("first_chunk", "done")
    [now] = await shown(client, session)
    assert now["versions"] == [former, events[0]["data"]["id"]]
    # The former branch can be gone on with.
    await client.put(f"{URL}{session}/branch/", json={"message_id": former})
    resumed = events_of((await client.post(f"{URL}{session}/messages/{former}/continue/")).text)
    assert resumed[-1]["data"]["state"] == "done"
    [before] = await shown(client, session)
    assert (before["id"], before["state"], before["answer"].startswith(run.text)) == (former, "done", True)


async def test_a_question_without_an_answer_leaves_no_version_when_it_is_asked_again(
    api: Api, provider: Provider
) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    await use_model(client, provider, "err:401", assistant)
    asked = {"question": "Ett?", "assistant_id": assistant, "stream": True}
    done = events_of((await client.post(URL, json=asked)).text)[-1]["data"]
    await use_model(client, provider, "ok:5", assistant)
    await client.post(f"{URL}{done['session_id']}/messages/{done['id']}/regenerate/")
    [message] = await shown(client, done["session_id"])
    assert len(message["versions"]) == 1
    assert message["id"] != done["id"]


async def test_only_messages_of_ones_own_conversation_are_replaced_or_shown(api: Api) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    one = await ask(client, "Ett?", assistant_id=assistant)
    two = await ask(client, "Två?", assistant_id=assistant)
    for body in (
        {"question": "Tre?", "session_id": one["session_id"], "replaces": two["id"]},
        {"question": "Tre?", "assistant_id": assistant, "replaces": two["id"]},
    ):
        assert (await client.post(URL, json=body)).status_code == 404
    wrong = await client.put(f"{URL}{one['session_id']}/branch/", json={"message_id": two["id"]})
    assert wrong.status_code == 404
    assert [m["id"] for m in await shown(client, one["session_id"])] == [one["id"]]


async def test_questions_asked_at_once_come_one_after_the_other(api: Api) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    session = (await ask(client, "Ett?", assistant_id=assistant))["session_id"]
    await asyncio.gather(*(ask(client, f"Fråga {n}?", session_id=session) for n in range(4)))
    messages = await shown(client, session)
    assert len(messages) == 5
    assert all(len(m["versions"]) == 1 for m in messages)


async def test_an_answer_in_easy_language_stands_beside_the_former_one(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    await use_model(client, provider, "ok:5", assistant)
    first = await ask(client, "Ett?", assistant_id=assistant)
    again = f"{URL}{first['session_id']}/messages/{{}}/regenerate/"
    made = events_of((await client.post(again.format(first["id"]), params={"easy_language": True})).text)
    easy = made[0]["data"]["id"]
    assert "easy language" not in provider.seen.requests[0]["messages"][0]["content"]
    assert "easy language" in provider.seen.requests[1]["messages"][0]["content"]
    [message] = await shown(client, first["session_id"])
    assert (message["easy_language"], message["versions"]) == (True, [first["id"], easy])
    # What is made again from it stays easy; the former answer is as it was.
    await client.post(again.format(easy))
    assert "easy language" in provider.seen.requests[2]["messages"][0]["content"]
    await client.put(f"{URL}{first['session_id']}/branch/", json={"message_id": first["id"]})
    [message] = await shown(client, first["session_id"])
    assert (message["easy_language"], message["answer"]) == (False, first["answer"])
    whole = (await client.get(f"{URL}{first['session_id']}/export/", params={"all_branches": True})).text
    assert whole.count("Lättläst") == 2
    entries = await api.entries(api.owner.tenant_id)
    told_of = [e.changes.get("new", {}) for e in entries if e.action == "question_asked"]
    assert told_of == [{}, {"easy_language": True}, {"easy_language": True}]
    await api.user("anna@example.se")
    stranger = await api.client("anna@example.se")
    assert (await stranger.post(again.format(easy))).status_code == 404
