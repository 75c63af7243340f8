"""The server dies in the middle of an answer: what had arrived is kept, and the answer can be continued."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.provider import Provider
from tests.support.server import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation with its organisation."""
    made = Installation(tmp_path / "data")
    made.set_up()
    made.start()
    yield made
    made.stop()


def test_the_partial_answer_is_kept_and_continued(installation: Installation, provider: Provider) -> None:
    with closing(installation.client()) as client:
        body = {"name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=body).json()
        model = {"name": "rate:20:2000", "make_default": True}
        client.post(f"/api/v1/admin/model-providers/{added['id']}/models/", json=model)
        space = client.get("/api/v1/spaces/type/personal/").json()["id"]
        assistant = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Hjälpen"}).json()[
            "id"
        ]
        question = {"assistant_id": assistant, "question": "Berätta länge", "stream": True}
        with client.stream("POST", "/api/v1/conversations/", json=question) as stream:
            received = ""
            for line in stream.iter_lines():
                received += line
                if received.count("event: text") > 40:
                    break
        session = received.split('"session_id": "')[1][:36]
        installation.kill("serve")
    installation.start()
    with closing(installation.client()) as client:
        deadline = time.monotonic() + 60
        while (message := client.get(f"/api/v1/conversations/{session}/").json()["messages"][0])["state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert message["state"] == "interrupted"
        assert len(message["answer"].split()) > 10
        assert message["error"]
