"""People who work through whichever web process answers, and remember what they were promised."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.provider import Provider
from tests.support.server import EMAIL, PASSWORD

TRIES = 120
AGAIN_SECONDS = 0.5
AWAY = "does not answer at the moment"
"""What an answer says that could not be begun since the database was away."""
ENDED = {"done", "failed", "stopped", "interrupted"}
SILENCE_SECONDS = 40
"""A stream says something (a word, or that it is there) more often than this."""

KEPT_SECONDS = 2
"""Connections are used again for less long than the server keeps them."""


@dataclass
class Record:
    """What people saw, all together."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds that each kind of action took, from the moment it was tried first."""
    trouble: Counter[str] = field(default_factory=Counter)
    """Refusals, broken connections and cut streams: no harm where processes are killed, and none may be elsewhere."""
    wrong: list[str] = field(default_factory=list)
    """What may never be."""
    resumed: int = 0
    """Streams that broke and were read to their end from where they had been."""


@dataclass
class Answer:
    """A question that was promised an answer, and what was read of it."""

    session: str
    id: str
    text: str = ""
    offset: int = 0
    state: str = ""


class Broken(Exception):
    """The other side is not there, or says that it cannot now."""


class Person:
    """Somebody with a space, an assistant and a collection of their own."""

    def __init__(self, number: int, urls: list[str], record: Record) -> None:
        self.number, self.urls, self.record = number, urls, record
        self.waiting: dict[str, float] = {}
        """Documents that were taken in and are not ready yet, with the moment."""
        self.known: list[int] = []
        """Numbers of the documents that are ready."""
        self.numbers: dict[str, int] = {}
        self.answers: list[Answer] = []
        self._token = ""
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._next = 0

    def _client(self, url: str) -> httpx.AsyncClient:
        if url not in self._clients:
            timeout = httpx.Timeout(SILENCE_SECONDS, connect=5)
            limits = httpx.Limits(keepalive_expiry=KEPT_SECONDS)
            self._clients[url] = httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, trust_env=False)
        client = self._clients[url]
        if self._token:
            client.headers["Authorization"] = f"Bearer {self._token}"
        return client

    async def leave(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))
        self._clients.clear()

    async def send(self, method: str, path: str, *, at: str | None = None, **more: Any) -> Any:
        """Ask any process (or the one `at` this address), and another one as long as none answers."""
        for _ in range(TRIES):
            try:
                answer = await self._client(at or random.choice(self.urls)).request(method, path, **more)
                self._look_at(answer.status_code, f"{method} {path}", answer.text)
                return answer.json()
            except (httpx.HTTPError, Broken) as error:
                self._note(error)
                await asyncio.sleep(AGAIN_SECONDS)
        raise RuntimeError(f"{method} {path} was never answered: {dict(self.record.trouble)}")

    def _look_at(self, status: int, what: str, body: str) -> None:
        if status < 400:
            return
        if status in (502, 503):
            raise Broken(str(status))
        self.record.wrong.append(f"{status} for {what}: {body[:200]}")
        raise Broken(str(status))

    def _note(self, error: Exception) -> None:
        self.record.trouble[str(error) if isinstance(error, Broken) else type(error).__name__] += 1

    @asynccontextmanager
    async def _timed(self, kind: str) -> AsyncIterator[None]:
        began = time.perf_counter()
        yield
        self.record.taken[kind].append(time.perf_counter() - began)

    async def prepare(self, model: str | None = None) -> None:
        """Sign in, and make space, collection and assistant; the assistant uses `model` (an id), or the default."""
        form = {"username": EMAIL, "password": PASSWORD}
        self._token = (await self.send("POST", "/api/v1/users/login/token/", data=form))["access_token"]
        self.space = (await self.send("POST", "/api/v1/spaces/", json={"name": f"Rum {self.number}"}))["id"]
        path = f"/api/v1/spaces/{self.space}/knowledge/groups/"
        self.collection = (await self.send("POST", path, json={"name": "Handböcker"}))["id"]
        path = f"/api/v1/spaces/{self.space}/applications/assistants/"
        self.assistant = (await self.send("POST", path, json={"name": "Hjälpen"}))["id"]
        change: dict[str, Any] = {"groups": [{"id": self.collection}]}
        if model:
            change["completion_model"] = {"id": model}
        await self.send("POST", f"/api/v1/assistants/{self.assistant}/", json=change)

    # What they do

    async def upload(self) -> None:
        """Add a document, as a file or as a text."""
        self._next += 1
        number = self._next
        text = self._text(number)
        async with self._timed("upload a document"):
            if number % 2:
                path = f"/api/v1/groups/{self.collection}/documents/"
                name = {"name": f"handbok-{number}.txt"}
                made = (await self.send("PUT", path, params=name, content=text.encode()))["id"]
            else:
                body = {"info_blobs": [{"text": text, "metadata": {"title": f"Dokument {number}"}}]}
                path = f"/api/v1/groups/{self.collection}/info-blobs/"
                made = (await self.send("POST", path, json=body))["items"][0]["id"]
        self.numbers[made] = number
        self.waiting[made] = time.perf_counter()

    def _text(self, number: int) -> str:
        sentences = [f"Handbok {self.number}.{number}. Avgiften för altan {self._code(number)} är {number} 300 kronor."]
        sentences += [f"Avsnitt {part} i handbok {number} handlar om bygglov och tillsyn." for part in range(20)]
        return "\n\n".join(sentences)

    def _code(self, number: int) -> str:
        return f"ärende{self.number}x{number}"

    async def look_at_document(self) -> None:
        """Look whether the oldest document that is being read is ready."""
        document, since = next(iter(self.waiting.items()))
        async with self._timed("look at a document"):
            state = (await self.send("GET", f"/api/v1/info-blobs/{document}/"))["state"]
        if state == "ready":
            self.record.taken["upload until searchable"].append(time.perf_counter() - since)
            del self.waiting[document]
            self.known.append(self.numbers[document])
        elif state in ("failed", "cancelled"):
            del self.waiting[document]
            self.record.wrong.append(f"document {document} is {state}")

    async def search(self) -> None:
        """Search for the code of a document that is ready; it must be found."""
        code = self._code(random.choice(self.known))
        body = {"query": code, "collection_ids": [self.collection], "limit": 10}
        async with self._timed("search"):
            found = (await self.send("POST", "/api/v1/search/", json=body))["items"]
        if not any(f"{code} " in each["text"] for each in found):
            self.record.wrong.append(f"{code} is not found")

    async def ask(self) -> None:
        """Ask, and read the answer as it is written, to its end; at another process when the stream breaks."""
        question = f"Vad kostar altan {self._code(random.choice(self.known))}?"
        async with self._timed("question until the end of the answer"):
            answer = await self.begin(question)
            await self.read_on(answer)

    async def begin(self, question: str, *, at: str | None = None, words: int | None = None) -> Answer:
        """Ask until a question is promised an answer, and read what is written, or `words` pieces of it."""
        body = {"assistant_id": self.assistant, "question": question, "stream": True}
        began = time.perf_counter()
        for _ in range(TRIES):
            answer: Answer | None = None
            try:
                url = at or random.choice(self.urls)
                async for name, data, offset in self.events("POST", "/api/v1/conversations/?version=2", url, json=body):
                    if answer is None and name == "first_chunk":
                        self.record.taken["question until it is taken"].append(time.perf_counter() - began)
                        answer = Answer(data["session_id"], data["id"])
                        self.answers.append(answer)
                    if answer is not None and self.heard(answer, name, data, offset, words):
                        return answer
                raise Broken("cut stream")
            except (httpx.HTTPError, Broken) as error:
                self._note(error)
                if answer is not None:
                    return answer
                await asyncio.sleep(AGAIN_SECONDS)
        raise RuntimeError("the question was never taken")

    async def read_on(self, answer: Answer, *, at: str | None = None) -> None:
        """Read the rest of an answer, from where it was read to."""
        path = f"/api/v1/conversations/{answer.session}/messages/{answer.id}/stream/"
        for attempt in range(TRIES):
            if answer.state:
                self.record.resumed += attempt > 0
                return
            try:
                url = at or random.choice(self.urls)
                position = {"Last-Event-ID": str(answer.offset)}
                async for name, data, offset in self.events("GET", path, url, headers=position):
                    if self.heard(answer, name, data, offset, None):
                        break
                else:
                    raise Broken("cut stream")
            except (httpx.HTTPError, Broken) as error:
                self._note(error)
                await asyncio.sleep(AGAIN_SECONDS)
        if not answer.state:
            self.record.wrong.append(f"answer {answer.id} could not be read to its end")

    def heard(self, answer: Answer, name: str, data: dict[str, Any], offset: int, words: int | None) -> bool:
        """Whether that was the last that one wanted to hear."""
        match name:
            case "text":
                answer.text += data["answer"]
                answer.offset = offset
                return words is not None and len(answer.text.split()) >= words
            case "error":
                self.record.trouble[data["error"]] += 1
            case "done":
                answer.state = data["state"]
        return bool(answer.state)

    async def events(
        self, method: str, path: str, url: str, **more: Any
    ) -> AsyncIterator[tuple[str, dict[str, Any], int]]:
        """Server-sent events: name, data, position."""
        async with self._client(url).stream(method, path, **more) as stream:
            if stream.status_code >= 400:
                await stream.aread()
                self._look_at(stream.status_code, f"{method} {path}", stream.text)
            told: dict[str, str] = {}
            async for line in stream.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    told[name] = value
                elif "event" in told:
                    yield told["event"], json.loads(told["data"]), int(told.get("id", 0))
                    told = {}

    async def work(self, until: float, pause: float) -> None:
        """Do this and that until the moment, with about `pause` seconds between."""
        while time.monotonic() < until:
            if self.known:
                [action] = random.choices((self.upload, self.search, self.ask), (1, 1, 2))
                await action()
            elif not self.waiting:
                await self.upload()
            if self.waiting:
                await self.look_at_document()
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)

    # What they were promised

    async def settle(self, seconds: float) -> None:
        """Look after all that was promised; what is not so after `seconds` is wrong."""
        deadline = time.monotonic() + seconds
        while self.waiting and time.monotonic() < deadline:
            await self.look_at_document()
            await asyncio.sleep(0.2)
        self.record.wrong += [f"document {each} is not ready" for each in self.waiting]
        for answer in self.answers:
            while (told := await self._told(answer))["state"] not in ENDED and time.monotonic() < deadline:
                await asyncio.sleep(0.5)
            self._compare(answer, told)

    async def _told(self, answer: Answer) -> dict[str, Any]:
        conversation = await self.send("GET", f"/api/v1/conversations/{answer.session}/")
        return next(each for each in conversation["messages"] if each["id"] == answer.id)

    def _compare(self, answer: Answer, told: dict[str, Any]) -> None:
        state, text = told["state"], told["answer"]
        if state not in ENDED:
            self.record.wrong.append(f"answer {answer.id} is {state}")
        elif state == "done" and answer.text != text:
            self.record.wrong.append(
                f"answer {answer.id} was read otherwise: {answer.text[-80:]!r}, not {text[-80:]!r}"
            )
        elif state == "interrupted" and not (answer.text.startswith(text) or text.startswith(answer.text)):
            self.record.wrong.append(f"answer {answer.id} was interrupted and has another text")
        elif state == "stopped" or (state == "failed" and AWAY not in str(told.get("error"))):
            self.record.wrong.append(f"answer {answer.id} is {state}: {told.get('error')}")


async def add_model(url: str, provider: Provider, name: str, **limits: int) -> str:
    """Connect the scripted provider with one model, and what it may be given at most; the model's id."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        form = {"username": EMAIL, "password": PASSWORD}
        token = (await client.post("/api/v1/users/login/token/", data=form)).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        body = {
            "name": f"Egen {name}",
            "provider_type": "openai_compatible",
            "config": {"endpoint": provider.url, **limits},
        }
        made = (await client.post("/api/v1/admin/model-providers/", json=body)).raise_for_status().json()
        path = f"/api/v1/admin/model-providers/{made['id']}/models/"
        return str((await client.post(path, json={"name": name})).raise_for_status().json()["id"])
