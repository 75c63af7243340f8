"""Proxies that hold answers back or cut them: the doctor says so, and who goes on reading gets the same text."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.api import answers
from app.bootstrap import Runtime
from app.proxy_check import look
from tests.api.test_routing import chain, english, message_of
from tests.support.api import Api
from tests.support.bad_proxy import BadProxy
from tests.support.live import listening
from tests.support.provider import Provider

pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
WORDS = 60
TEXT = "".join(f"w{n} " for n in range(WORDS))
MOST_RESUMED = 40


@dataclass
class Reading:
    """What somebody has read of an answer, and where they are."""

    session: str = ""
    message: str = ""
    text: str = ""
    offset: int = 0
    state: str = ""
    pings: int = 0
    headers: httpx.Headers | None = None

    async def read(self, stream: httpx.Response) -> None:
        """Take in what comes until it ends or is cut."""
        self.headers, event = stream.headers, dict[str, str]()
        async for line in _lines(stream):
            if line.startswith(":"):
                self.pings += 1
            elif line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event:
                self._take(event["event"], json.loads(event["data"]), int(event.get("id", self.offset)))
                event = {}

    def _take(self, name: str, data: dict[str, Any], offset: int) -> None:
        if name == "first_chunk":
            self.session, self.message = data["session_id"], data["id"]
        elif name == "text":
            self.text, self.offset = self.text + data["answer"], offset
        elif name == "done":
            self.state = data["state"]


async def _lines(stream: httpx.Response) -> AsyncIterator[str]:
    """Whole lines only: what was cut in the middle of one is nothing."""
    buffer = ""
    try:
        async for part in stream.aiter_text():
            buffer += part
            *lines, buffer = buffer.split("\r\n")
            for line in lines:
                yield line
    except httpx.TransportError:
        return


async def _asked(client: httpx.AsyncClient, url: str, assistant: str) -> tuple[Reading, httpx.AsyncClient]:
    """A question asked through the proxy, read until its stream ended or was cut."""
    outside = httpx.AsyncClient(base_url=url, headers=client.headers, trust_env=False, timeout=30)
    body, reading = {"assistant_id": assistant, "question": "Vad kostar det?", "stream": True}, Reading()
    async with outside.stream("POST", "/api/v1/conversations/", params={"version": 1}, json=body) as stream:
        await reading.read(stream)
    return reading, outside


async def _read_on(reading: Reading, outside: httpx.AsyncClient) -> int:
    """Go on where the stream was cut, as often as it takes; how often it was."""
    path = f"/api/v1/conversations/{reading.session}/messages/{reading.message}/stream/"
    for times in range(MOST_RESUMED):
        if reading.state:
            return times
        headers = {"Last-Event-ID": str(reading.offset)}
        async with outside.stream("GET", path, params={"version": 1}, headers=headers) as stream:
            await reading.read(stream)
    raise AssertionError("the end was never read")


async def test_an_answer_that_is_held_back_comes_whole_and_the_doctor_says_so(
    api: Api, runtime: Runtime, provider: Provider
) -> None:
    client = await english(api)
    assistant = await chain(client, provider, f"ok:{WORDS}")
    async with listening(api.application) as behind, BadProxy(behind, buffer=4096).listening() as url:
        reading, outside = await _asked(client, url, assistant)
        assert (reading.text, reading.state) == (TEXT, "done")
        found = [found async for found in look(runtime.settings, url)]
        await outside.aclose()
    assert [sentence for good, sentence in found if not good] == [found[1][1]]
    assert "holds answers back" in found[1][1]


async def test_an_answer_that_is_cut_again_and_again_is_read_to_the_same_text(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, f"rate:200:{WORDS}")
    async with listening(api.application) as behind:
        proxy = BadProxy(behind, cut_after=2500)
        async with proxy.listening() as url:
            reading, outside = await _asked(client, url, assistant)
            assert not reading.state
            assert await _read_on(reading, outside) >= 2
            await outside.aclose()
    assert proxy.cuts >= 2
    assert (reading.text, reading.state) == (TEXT, "done")
    assert (await message_of(client, {"session_id": reading.session}))["answer"] == TEXT


async def test_signs_of_life_keep_a_silent_answer_open_where_idle_connections_are_cut(
    api: Api, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PING_SECONDS", 0.3)
    client = await english(api)
    assistant = await chain(client, provider, "slow:3")
    async with listening(api.application) as behind:
        patient = BadProxy(behind, idle=1.5)
        async with patient.listening() as url:
            reading, outside = await _asked(client, url, assistant)
            await outside.aclose()
        assert (reading.state, patient.cuts) == ("done", 0)
        assert reading.pings >= 3
        assert reading.headers is not None
        assert reading.headers["x-accel-buffering"] == "no"
        assert reading.headers["cache-control"] == "no-cache"
        # One that has less patience than the signs are apart cuts, and nothing is lost.
        monkeypatch.setattr(answers, "PING_SECONDS", 30.0)
        hasty = BadProxy(behind, idle=0.8)
        async with hasty.listening() as url:
            reading, outside = await _asked(client, url, assistant)
            assert not reading.state
            assert await _read_on(reading, outside) >= 1
            await outside.aclose()
    assert hasty.cuts >= 1
    assert (reading.text, reading.state) == ("w0 w1 w2 w3 w4 ", "done")


async def test_the_doctor_says_when_websockets_do_not_come_through(api: Api, runtime: Runtime) -> None:
    async with listening(api.application) as behind, BadProxy(behind, upgrades=False).listening() as url:
        found = [found async for found in look(runtime.settings, url)]
    [(good, sentence)] = [each for each in found if "ebsocket" in each[1]]
    assert not good
    assert "Upgrade" in sentence
