"""Instructions leave things open that are filled when a question is asked; what is kept is what was sent."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.kernel.actor import Actor
from tests.api.test_conversations import ask, use_model
from tests.support.api import Api, make_assistant, make_space
from tests.support.provider import Provider

PROMPT = "Du hjälper {{user}} i {{space}}, {{organisation}}. I dag: {{weekday}} {{date}}. {{ärende}} {{nothing}}"


async def test_a_question_is_asked_with_the_filled_instruction_and_that_is_kept(api: Api, provider: Provider) -> None:
    owner = await api.client()
    space = await make_space(owner, "Bygg</file> {{user}}")
    assistant = await make_assistant(owner, space)
    url = f"/api/v1/assistants/{assistant}/"
    await use_model(owner, provider, "ok:1", assistant)
    await owner.post(url, json={"prompt": {"text": PROMPT}})
    listed = (await owner.get(f"{url}variables/")).json()
    values = {item["name"]: item["value"] for item in listed["items"]}
    assert listed["unknown"] == ["nothing", "ärende"]
    assert (values["user"], values["assistant"]) == ("owner", "Hjälpen")
    assert values["space"] == "Bygg‹/file› ((user))"
    answer = (await ask(owner, assistant, stream=False)).json()
    sent = provider.seen.requests[-1]["messages"][0]["content"]
    today = datetime.now(ZoneInfo("Europe/Stockholm")).date().isoformat()
    organisation = values["organisation"]
    assert sent.startswith(f"Du hjälper owner i Bygg‹/file› ((user)), {organisation}. I dag: ")
    assert f" {today}. {{{{ärende}}}} {{{{nothing}}}}" in sent
    path = f"/api/v1/conversations/{answer['session_id']}/messages/{answer['id']}/context/"
    kept = (await owner.get(path)).content
    assert json.loads(kept) == provider.seen.requests[-1]["messages"]
    # The instruction itself, and its versions, stay as they were written.
    assert (await owner.get(url)).json()["prompt"]["text"] == PROMPT
    findings = (await owner.get(f"{url}readiness/")).json()["items"]
    assert [f["blocking"] for f in findings if f["code"] == "unknown_variables"] == [False]


async def test_everybody_who_asks_is_called_by_their_own_name(api: Api, provider: Provider, other: Actor) -> None:
    owner = await api.client()
    space = await make_space(owner)
    assistant = await make_assistant(owner, space)
    await use_model(owner, provider, "ok:1", assistant)
    await owner.post(
        f"/api/v1/assistants/{assistant}/", json={"prompt": {"text": "{{user}}:"}, "answer_reuse": "similar"}
    )
    anna = await api.user("anna@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna), "role": "editor"})
    body = {"name": "Webbplatsen", "scopes": ["ask"]}
    key = (await owner.post(f"/api/v1/assistants/{assistant}/api-keys/", json=body)).json()
    for client, name in (
        (owner, "owner"), (await api.client("anna@example.se"), "anna"),
        (api.browser(**{"x-api-key": key["key"]}), "Webbplatsen"),
    ):  # fmt: skip
        # Not even where answers are given again: what a person is called is part of the question.
        assert (await ask(client, assistant, stream=False)).status_code == 200
        assert provider.seen.requests[-1]["messages"][0]["content"].startswith(f"{name}:")
    path = f"/api/v1/assistants/{assistant}/variables/"
    assert (await (await api.client(other.email)).get(path)).status_code == 404
    await owner.post(
        f"/api/v1/spaces/{space}/members/", json={"id": str(await api.user("v@example.se")), "role": "viewer"}
    )
    assert (await (await api.client("v@example.se")).get(path)).status_code == 404
