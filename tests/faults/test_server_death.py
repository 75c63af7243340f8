"""The server dies or is stopped in the middle of an answer: what had arrived is kept, and the answer can be continued."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page, expect

from app.ai.embedding.client import BuiltinEmbedder
from tests.support.browser import ready, sign_in
from tests.support.programs import children
from tests.support.provider import Provider
from tests.support.server import MODEL, installed

STOP_SECONDS = 30


def begun(client: httpx.Client) -> tuple[str, int]:
    """A conversation with an answer that is being given, and how many words of it have come."""
    assistant = client.get("/api/v1/spaces/type/personal/").json()["default_assistant"]["id"]
    question = {"assistant_id": assistant, "question": "Berätta länge", "stream": True}
    with client.stream("POST", "/api/v1/conversations/", json=question) as stream:
        received = ""
        for line in stream.iter_lines():
            received += line
            if received.count("event: text") > 40:
                break
    return received.split('"session_id": "')[1][:36], received.count("event: text")


def test_who_stops_it_in_order_loses_no_word_and_leaves_no_process(provider: Provider, tmp_path: Path) -> None:
    with installed(tmp_path / "data") as installation:
        installation.add_model(provider.url, "rate:20:200")
        asyncio.run(BuiltinEmbedder(MODEL, installation.data / "run").wake())
        embedding = [psutil.Process(int(number)) for number in children(installation.data / "run" / "embed.sock")]
        assert len(embedding) == 1
        with closing(installation.client()) as client:
            session, words = begun(client)
        serving = installation.processes.pop("serve")
        everybody = [*psutil.Process(serving.pid).children(recursive=True), *embedding]
        serving.terminate()
        assert serving.wait(STOP_SECONDS) == 0
        assert psutil.wait_procs(everybody, STOP_SECONDS)[1] == []
        installation.start()
        with closing(installation.client()) as client:
            [kept] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
        assert kept["state"] == "interrupted"
        assert len(kept["answer"].split()) >= words


def test_the_partial_answer_is_kept_and_continued(page: Page, provider: Provider, tmp_path: Path) -> None:
    with installed(tmp_path / "data") as installation:
        installation.add_model(provider.url, "rate:20:200")
        with closing(installation.client()) as client:
            session, _received = begun(client)
            installation.kill("serve")
        installation.start()
        with closing(installation.client()) as client:

            def message() -> dict[str, str]:
                [found] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
                return dict(found)

            deadline = time.monotonic() + 60
            while (kept := message())["state"] == "running":
                assert time.monotonic() < deadline
                time.sleep(0.5)
            assert kept["state"] == "interrupted"
            assert len(kept["answer"].split()) > 10
            assert kept["error"]
            sign_in(page, installation.url)
            page.goto(f"{installation.url}/conversations/{session}")
            ready(page)
            page.get_by_role("button", name="Continue").click()
            expect(page.get_by_role("log")).to_contain_text("w199", timeout=60_000)
            while (whole := message())["state"] == "running":
                assert time.monotonic() < deadline + 60
                time.sleep(0.1)
            assert whole["state"] == "done"
            assert whole["answer"].startswith(kept["answer"])
            assert len(whole["answer"].split()) >= len(kept["answer"].split()) + 199
