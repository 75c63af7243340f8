"""Another assistant answers one question of a conversation, with its own knowledge and within everybody's rights."""

import json
from typing import Any

import httpx

from tests.api.test_branches import URL, ask, shown, told
from tests.api.test_classifications import House, house  # noqa: F401
from tests.api.test_conversations import PAGES, use_model, with_documents
from tests.support.api import Api, events_of, make_assistant, make_space
from tests.support.provider import Provider


def at(assistant: str) -> dict[str, Any]:
    """The part of a question's body that mentions an assistant."""
    return {"tools": {"assistants": [{"id": assistant, "handle": "vem"}]}}


async def instructed(client: httpx.AsyncClient, assistant: str, name: str, text: str) -> None:
    body = {"name": name, "prompt": {"text": text}}
    assert (await client.post(f"/api/v1/assistants/{assistant}/", json=body)).status_code == 200


async def test_a_mentioned_assistant_answers_once_and_hears_the_conversation(api: Api, provider: Provider) -> None:
    client = await api.client()
    own = await make_assistant(client, await make_space(client, "Skola"))
    expert = await with_documents(api, client)
    await use_model(client, provider, "ok:3", own)
    await use_model(client, provider, "ok:5", expert)
    await instructed(client, own, "Skolan", "Du hjälper skolan.")
    await instructed(client, expert, "Bygglov", "Du kan bygglov.")
    session = (await ask(client, "Fråga ett?", assistant_id=own))["session_id"]
    body = {"question": "<intric-at-tag: @Bygglov> Vad kostar bygglov för en altan?", "session_id": session}
    answer = await client.post(URL, params={"version": 2}, json={**body, **at(expert), "stream": True})
    first, last = events_of(answer.text)[0]["data"], events_of(answer.text)[-1]["data"]
    assert first["tools"] == {"assistants": [{"id": expert, "handle": "Bygglov"}]}
    assert first["question"] == "Vad kostar bygglov för en altan?"
    sent = provider.seen.requests[-1]
    assert sent["model"] == "ok:5"
    assert "Du kan bygglov." in sent["messages"][0]["content"]
    assert "Du hjälper skolan." not in json.dumps(sent, ensure_ascii=False)
    assert PAGES[1] in sent["messages"][-1]["content"]
    assert told(sent) == ["Fråga ett?", "Vad kostar bygglov för en altan?"]
    await ask(client, "Fråga tre?", session_id=session)
    assert provider.seen.requests[-1]["model"] == "ok:3"
    assert told(provider.seen.requests[-1])[1] == "Vad kostar bygglov för en altan?"
    answerers = [m["tools"]["assistants"][0] for m in await shown(client, session)]
    assert [each["id"] for each in answerers] == [own, expert, own]
    assert [each["handle"] for each in answerers] == ["", "Bygglov", ""]
    assert "Bygglov · " in (await client.get(f"{URL}{session}/export/")).text
    for path in ("regenerate/", "regenerate/?easy_language=true"):
        again = await client.post(f"{URL}{session}/messages/{last['id']}/{path}")
        assert events_of(again.text)[0]["data"]["tools"]["assistants"][0]["id"] == expert
    edited = await ask(client, "I andra ord?", session_id=session, replaces=last["id"])
    assert edited["tools"]["assistants"][0]["id"] == expert
    back = await ask(client, "Och du?", session_id=session, replaces=last["id"], **at(own))
    assert back["tools"]["assistants"] == [{"id": own, "handle": ""}]
    assert provider.seen.requests[-1]["model"] == "ok:3"


async def test_only_assistants_that_one_may_use_are_mentioned(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    hidden = await make_assistant(owner, space)
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    own = await make_assistant(anna, await make_space(anna, "Annas"))
    session = (await ask(anna, "Fråga?", assistant_id=own))["session_id"]
    for body in ({"session_id": session}, {"assistant_id": own}):
        refused = await anna.post(URL, json={"question": "Får jag?", **body, **at(hidden)})
        assert refused.status_code == 404
        assert "Hjälpen" not in refused.text
    assert len(await shown(anna, session)) == 1
    assert (await anna.get(URL)).json()["total_count"] == 1


async def test_a_mentioned_assistant_is_asked_no_more_once_one_may_not(api: Api, provider: Provider) -> None:
    owner = await api.client()
    anna_id = await api.user("anna@example.se")
    expert = await with_documents(api, owner)
    await use_model(owner, provider, "echo", expert)
    space = (await owner.get(f"/api/v1/assistants/{expert}/")).json()["space_id"]
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna_id), "role": "editor"})
    anna = await api.client("anna@example.se")
    own = await make_assistant(anna, await make_space(anna, "Annas"))
    asked = await ask(anna, "Vad kostar bygglov för en altan?", assistant_id=own, **at(expert))
    message = f"{URL}{asked['session_id']}/messages/{asked['id']}/"
    assert (await anna.get(f"{message}sources/1/text/")).status_code == 200
    await owner.delete(f"/api/v1/spaces/{space}/members/{anna_id}/")
    assert (await anna.post(f"{message}regenerate/")).status_code == 404
    edited = {"question": "Hur då?", "session_id": asked["session_id"], "replaces": asked["id"]}
    assert (await anna.post(URL, json=edited)).status_code == 404
    assert (await owner.delete(f"/api/v1/assistants/{expert}/")).status_code == 204
    [left] = await shown(anna, asked["session_id"])
    assert left["tools"]["assistants"][0]["handle"] == "Hjälpen"
    assert (await anna.get(f"{message}sources/1/text/")).status_code == 404
    assert (await ask(anna, "Och nu?", session_id=asked["session_id"]))["tools"]["assistants"][0]["id"] == own


async def test_words_of_a_space_go_to_none_of_a_lower_class(house: House) -> None:  # noqa: F811
    client = house.client
    elsewhere = await make_assistant(client, house.other)
    assert (await house.choose(house.models["Hemlig"])).status_code == 200
    assert (await house.choose(house.models["Öppen"], elsewhere)).status_code == 200
    session = (await ask(client, "Hemligt?", assistant_id=house.assistant))["session_id"]
    assert (await ask(client, "Vad tror du?", session_id=session, **at(elsewhere)))["answer"]
    await house.classified("Intern")
    body = {"question": "Och nu?", "session_id": session, **at(elsewhere)}
    refused = await client.post(URL, json=body)
    assert refused.status_code == 403, refused.text
    assert "högre säkerhetsklass" in refused.json()["message"]
    # In the other direction too: the first assistant hears what the higher one has said.
    upwards = (await ask(client, "Öppet?", assistant_id=elsewhere, **at(house.assistant)))["session_id"]
    assert (await client.post(URL, json={"question": "Och du?", "session_id": upwards})).status_code == 403
    assert (await ask(client, "Utan det?", assistant_id=elsewhere))["answer"]
