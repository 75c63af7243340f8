"""Scripted conversations with the running product: by OpenAI's own client, and by nothing but httpx and events."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.support.provider import Provider
from tests.support.server import Installation, installed

SCRIPT = ("Hej!", "Vad kostar ett bygglov?", "Och för en altan?")


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The program in a process of its own."""
    with installed(tmp_path_factory.mktemp("openai") / "data", WORKERS="0") as made:
        yield made


def program(installation: Installation, provider: Provider) -> tuple[str, str]:
    """An assistant that answers by the provider, and an API key to ask it."""
    installation.add_model(provider.url, "ok:8")
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).raise_for_status().json()["id"]
        key = client.post("/api/v1/api-keys/", json={"name": "Program", "scopes": ["ask"]}).raise_for_status().json()
    return assistant, key["key"]


def test_conversations_by_both_kinds_of_client(installation: Installation, provider: Provider) -> None:
    assistant, key = program(installation, provider)
    spoken = by_the_official_client(installation, assistant, key) + by_events(installation, assistant, key)
    assert spoken == ["".join(f"w{n} " for n in range(8))] * 6
    assert len(provider.seen.requests) == 6
    with installation.client() as client:
        total = client.get("/api/v1/usage/").json()["total"]
        assert (total["calls"], total["tokens_in"], total["tokens_out"]) == (6, 6 * 11, 6 * 8)
        assert client.get("/api/v1/conversations/").json()["items"] == []


def by_the_official_client(installation: Installation, assistant: str, key: str) -> list[str]:
    http = httpx.Client(trust_env=False)
    said: list[str] = []
    with OpenAI(base_url=f"{installation.url}/v1", api_key=key, http_client=http, max_retries=0) as client:
        assert assistant in [model.id for model in client.models.list()]
        messages: list[Any] = []
        for text in SCRIPT:
            messages.append({"role": "user", "content": text})
            with client.chat.completions.create(model=assistant, messages=messages, stream=True) as stream:
                said.append("".join(chunk.choices[0].delta.content or "" for chunk in stream))
            messages.append({"role": "assistant", "content": said[-1]})
    return said


def by_events(installation: Installation, assistant: str, key: str) -> list[str]:
    said: list[str] = []
    messages: list[dict[str, str]] = []
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=installation.url, headers=headers, trust_env=False, timeout=60) as client:
        for text in SCRIPT:
            messages.append({"role": "user", "content": text})
            body = {"model": assistant, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                events = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
            assert events[-1] == "[DONE]"
            chunks = [json.loads(event) for event in events[:-1]]
            assert chunks[-1]["usage"] == {"prompt_tokens": 11, "completion_tokens": 8, "total_tokens": 19}
            assert chunks[-2]["samrad"]["sources"] == []
            said.append("".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]))
            messages.append({"role": "assistant", "content": said[-1]})
    return said
