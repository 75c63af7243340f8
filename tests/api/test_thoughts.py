"""What a model thinks before it answers: kept apart from the answer, streamed, counted, and void with its call."""

from uuid import UUID

import pytest

from domain.conversations.views import Question
from tests.api.test_conversations import ask
from tests.api.test_routing import chain, done, english, message_of
from tests.support.api import Api, events_of
from tests.support.provider import Provider

WORDS = "w0 w1 w2 "


@pytest.mark.parametrize(("model", "thought"), [("think:4:3", "t0 t1 t2 t3 "), ("marks:3", "t0 t1 </tht2")])
async def test_thoughts_stand_beside_the_answer(api: Api, provider: Provider, model: str, thought: str) -> None:
    client = await english(api)
    assistant = await chain(client, provider, model)
    events = events_of((await ask(client, assistant, version=1)).text)
    thoughts = [e["data"] for e in events if e["event"] == "thought"]
    assert [t["from"] for t in thoughts] == [sum(len(u["thought"]) for u in thoughts[:n]) for n in range(len(thoughts))]
    assert "".join(t["thought"] for t in thoughts) == thought
    assert "".join(e["data"]["answer"] for e in events if e["event"] == "text") == WORDS
    message = await message_of(client, {"session_id": events[0]["data"]["session_id"]})
    assert (message["thought"], message["answer"], message["state"]) == (thought, WORDS, "done")

    # Who comes later reads the same; the next question does not tell the model what was thought.
    path = f"/api/v1/conversations/{events[0]['data']['session_id']}/messages/{message['id']}/stream/"
    again = events_of((await client.get(path, params={"version": 1})).text)
    assert "".join(e["data"]["thought"] for e in again if e["event"] == "thought") == thought
    body = {"session_id": events[0]["data"]["session_id"], "question": "Och sedan?"}
    assert (await client.post("/api/v1/conversations/", json=body)).json()["thought"] == thought
    sent = provider.seen.bodies[-1].decode()
    assert WORDS.strip() in sent
    assert thought.strip() not in sent


async def test_thoughts_of_a_call_that_failed_are_void(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "thinkcut:3", "think:2:3")
    answer = await done(client, assistant)
    message = await message_of(client, answer)
    assert (answer["text"], message["thought"]) == (WORDS, "t0 t1 ")
    assert [a["trouble"] for a in answer["attempts"]] == ["cut"]


async def test_thoughts_without_an_answer_end_in_a_sentence(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "think:3:0")
    message = await message_of(client, await done(client, assistant))
    assert (message["state"], message["answer"], message["thought"]) == ("failed", "", "t0 t1 t2 ")
    assert "did not come to an answer" in message["error"]


async def test_a_model_that_thinks_can_be_stopped(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "think:400:3:20")
    first = (
        await api.runtime.services.conversations.ask(api.owner, Question("Hej?", None, UUID(assistant)))
    ).message.id
    follower = api.runtime.services.conversations.follow(api.owner, first)
    assert (await anext(follower)).thought.startswith("t0 ")
    await api.runtime.services.conversations.stop(api.owner, first)
    async for _ in follower:
        continue
    message = (await api.runtime.services.conversations.message(api.owner, first)).message
    assert (message.state, message.answer) == ("stopped", "")
    assert message.thought.startswith("t0 ")
    assert len(message.thought.split()) < 400
    assert message.tokens_answer > 0


async def test_programs_read_thoughts_where_they_know_them(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "think:2:3")
    body = {"model": assistant, "messages": [{"role": "user", "content": "Hej"}]}
    whole = (await client.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]
    assert (whole["content"], whole["reasoning_content"]) == (WORDS, "t0 t1 ")
    streamed = (await client.post("/v1/chat/completions", json=body | {"stream": True})).text
    assert '"reasoning_content":"t0 ' in streamed.replace(": ", ":")
