"""Settings that a model does not take are refused with a sentence that names it; what stood there before stays."""

from typing import Any

import httpx
import pytest

from tests.support.api import Api, make_assistant, make_space


async def add_model(client: httpx.AsyncClient, kind: str, **facts: Any) -> str:
    """A model at a provider of a kind; nobody calls it."""
    provider = {
        "name": f"Server {kind} {facts}", "provider_type": kind, "credentials": {"api_key": "sk-1234567890"},
        "config": {"endpoint": "http://127.0.0.1:9/v1"},
    }  # fmt: skip
    added = (await client.post("/api/v1/admin/model-providers/", json=provider)).json()
    model = {"provider_id": added["id"], "name": "m", "display_name": "Modellen", "token_limit": 32_000, **facts}
    made = await client.post("/api/v1/admin/tenant-models/completion/", json=model)
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


@pytest.mark.parametrize(
    ("kind", "reasoning", "taken", "refused"),
    [
        ("openai", False, {"temperature": 2, "presence_penalty": 1}, {"top_k": 5}),
        ("openai", False, {"verbosity": "low"}, {"reasoning_effort": "low"}),
        ("openai", True, {"reasoning_effort": "low"}, {"temperature": 0.2}),
        ("anthropic", True, {"temperature": 1.0, "top_k": 5}, {"temperature": 1.5}),
        ("anthropic", False, {"top_p": 0.5}, {"frequency_penalty": 1}),
        ("openai_compatible", False, {"temperature": 1.5, "top_k": 5}, {"reasoning_effort": "high"}),
        ("openai_compatible", True, {"reasoning_effort": "high"}, {"reasoning_effort": "very"}),
    ],
)
async def test_a_model_is_given_what_it_takes(
    api: Api, kind: str, reasoning: bool, taken: dict[str, Any], refused: dict[str, Any]
) -> None:
    client = await api.client()
    url = f"/api/v1/assistants/{await make_assistant(client, await make_space(client))}/"
    model = await add_model(client, kind, reasoning=reasoning)
    assert (await client.post(url, json={"completion_model": {"id": model}})).status_code == 200
    assert (await client.post(url, json={"completion_model_kwargs": taken})).status_code == 200
    answer = await client.post(url, json={"completion_model_kwargs": {**taken, **refused}})
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(refused)))
    kept = (await client.get(url)).json()["completion_model_kwargs"]
    assert {k: v for k, v in kept.items() if v is not None} == taken


async def test_what_stood_there_before_stays_and_is_pointed_out(api: Api) -> None:
    client = await api.client()
    url = f"/api/v1/assistants/{await make_assistant(client, await make_space(client))}/"
    # The built-in model takes none: they wait until another one is chosen.
    assert (await client.post(url, json={"completion_model_kwargs": {"temperature": 0.5}})).status_code == 200
    model = await add_model(client, "openai", reasoning=True)
    assert (await client.post(url, json={"completion_model": {"id": model}})).status_code == 200
    codes = {f["code"]: f for f in (await client.get(f"{url}readiness/")).json()["items"]}
    assert "temperature" in codes["settings_not_taken"]["message"]
    assert codes["settings_not_taken"]["blocking"] is False
    same = {"name": "Nytt namn", "completion_model_kwargs": {"temperature": 0.5}}
    assert (await client.post(url, json=same)).status_code == 200
    other = {"completion_model_kwargs": {"temperature": 0.6}}
    answer = await client.post(url, json=other)
    assert (answer.status_code, answer.json()["field"]) == (422, "temperature")
    assert "Modellen" in answer.json()["message"]
    assert (await client.post(url, json={"completion_model_kwargs": {}})).status_code == 200
    codes = {f["code"]: f for f in (await client.get(f"{url}readiness/")).json()["items"]}
    assert "settings_not_taken" not in codes
