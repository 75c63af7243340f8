"""Work and accidents: several web processes and workers on one Postgres and one Valkey, killed at random while people work.

    python -m benchmarks.soak [--minutes 3] [--webs 2] [--workers 2] [--people 4] [--kill-every 8]

People upload documents and ask questions through whichever web process answers. Afterwards everything that was promised
(an upload that was accepted, a question that got its id) must be there and ended, and every audit log whole. Exit status
1 if not.
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.support.postgres import OWNER, Postgres, free_port
from tests.support.server import EMAIL, MODEL, PASSWORD, ROOT
from tests.support.valkey import Valkey

SETTLE_SECONDS = 150.0
ENDED = {"done", "failed", "stopped", "interrupted"}


class Program:
    """One process of the product, started again when it was killed."""

    def __init__(self, name: str, words: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name, self._words, self._environment, self._folder = name, words, environment, folder
        self.start()

    def start(self) -> None:
        log = (self._folder / f"{self.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "main.py", *self._words], cwd=ROOT, env=self._environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


class Person:
    """Somebody who uploads and asks, and remembers what was promised."""

    def __init__(self, number: int, urls: list[str], seen: Counter[str]) -> None:
        self._number, self._urls, self._seen = number, urls, seen
        self.documents: list[str] = []
        self.questions: list[tuple[str, str]] = []
        self.refused: list[str] = []
        """What was refused although it was right; nothing may be."""
        self._token = ""

    async def _send(self, method: str, path: str, **more: Any) -> Any:
        """Through any process; tried again at another one when it is gone."""
        for _ in range(60):
            url = random.choice(self._urls)
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            try:
                async with httpx.AsyncClient(timeout=20, trust_env=False, headers=headers) as client:
                    answer = await client.request(method, url + path, **more)
            except httpx.HTTPError as error:
                self._seen[type(error).__name__] += 1
                await asyncio.sleep(0.5)
                continue
            self._seen[f"{answer.status_code}"] += 1
            if answer.status_code < 400:
                return answer.json()
            if answer.status_code < 500:
                self.refused.append(f"{answer.status_code} for {method} {path}: {answer.text[:150]}")
            await asyncio.sleep(0.5)
        raise RuntimeError(f"{method} {path} was never answered")

    async def prepare(self) -> None:
        form = {"username": EMAIL, "password": PASSWORD}
        self._token = (await self._send("POST", "/api/v1/users/login/token/", data=form))["access_token"]
        space = await self._send("POST", "/api/v1/spaces/", json={"name": f"Rum {self._number}"})
        group = {"name": "Handböcker"}
        path = f"/api/v1/spaces/{space['id']}/knowledge/groups/"
        self.collection = (await self._send("POST", path, json=group))["id"]
        path = f"/api/v1/spaces/{space['id']}/applications/assistants/"
        self.assistant = (await self._send("POST", path, json={"name": "Hjälpen"}))["id"]
        await self._send("POST", f"/api/v1/assistants/{self.assistant}/", json={"groups": [{"id": self.collection}]})

    async def work(self, until: float) -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            if turn % 3 == 1:
                text = f"Handbok {self._number}.{turn}: avgiften för altan nummer {turn} är {turn} 300 kronor."
                body = {"info_blobs": [{"text": text, "metadata": {"title": f"Dokument {turn}"}}]}
                made = await self._send("POST", f"/api/v1/groups/{self.collection}/info-blobs/", json=body)
                self.documents += [each["id"] for each in made["items"]]
            else:
                body = {"assistant_id": self.assistant, "question": f"Vad kostar altan nummer {turn - 1}?"}
                asked = await self._send("POST", "/api/v1/conversations/", json={**body, "stream": False})
                self.questions.append((asked["session_id"], asked["id"]))
            await asyncio.sleep(random.uniform(0.05, 0.4))

    async def wrong(self) -> list[str]:
        """What was promised and is not so."""
        found = []
        for each in self.documents:
            state = (await self._send("GET", f"/api/v1/info-blobs/{each}/")).get("state")
            if state != "ready":
                found.append(f"document {each} is {state}")
        for session, message in self.questions:
            told = await self._send("GET", f"/api/v1/conversations/{session}/")
            states = {each["id"]: each.get("state") for each in told["messages"]}
            if states.get(message) not in ENDED:
                found.append(f"answer {message} is {states.get(message)}")
        return found


async def _kill_at_random(programs: list[Program], every: float, until: float) -> Counter[str]:
    killed: Counter[str] = Counter()
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.5, 1.5) * every)
        victim = random.choice(programs)
        victim.kill()
        killed[victim.name.rstrip("0123456789")] += 1
        await asyncio.sleep(random.uniform(0, 2))
        victim.start()
    return killed


async def _ready(urls: list[str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in urls:
            while True:
                try:
                    if (await client.get(f"{url}/readyz", timeout=5)).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.3)


async def soak(chosen: argparse.Namespace, programs: list[Program], urls: list[str]) -> int:
    seen: Counter[str] = Counter()
    await _ready(urls)
    people = [Person(number, urls, seen) for number in range(chosen.people)]
    await asyncio.gather(*(each.prepare() for each in people))
    until = time.monotonic() + chosen.minutes * 60
    killing = asyncio.create_task(_kill_at_random(programs, chosen.kill_every, until))
    await asyncio.gather(*(each.work(until) for each in people))
    killed = await killing
    print(f"killed      {dict(killed)}", flush=True)
    await _ready(urls)
    deadline = time.monotonic() + SETTLE_SECONDS
    while (
        wrong := [line for each in people for line in (*each.refused, *await each.wrong())]
    ) and time.monotonic() < deadline:
        await asyncio.sleep(3)
    print(f"answers     {dict(seen)}")
    documents, questions = (sum(len(getattr(each, name)) for each in people) for name in ("documents", "questions"))
    print(f"promised    {documents} documents, {questions} answers; {len(wrong)} not kept")
    for line in wrong[:20]:
        print(f"            {line}")
    return 1 if wrong else 0


def main() -> int:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--minutes", type=float, default=3)
    told.add_argument("--webs", type=int, default=2)
    told.add_argument("--workers", type=int, default=2)
    told.add_argument("--people", type=int, default=4)
    told.add_argument("--kill-every", type=float, default=8, help="seconds between accidents, on average")
    told.add_argument("--logs", type=Path, help="keep the logs of the processes in this folder")
    chosen = told.parse_args()
    # So that an impatient end still ends the processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    database, redis = Postgres(), Valkey()
    programs: list[Program] = []
    with tempfile.TemporaryDirectory(prefix="samrad-soak-") as name:
        folder = Path(name)
        try:
            asyncio.run(database.execute(f"create role {OWNER} login createrole"))
            asyncio.run(database.create("soak"))
            asyncio.run(database.execute("create extension vector", "soak"))
            shared = {
                **os.environ, "DATA_DIR": str(folder / "data"), "DATABASE_URL": database.url("soak"), "REDIS_URL": redis.url,
                "MODELS_DIR": str(MODEL), "ENCRYPTION_KEY": bytes(range(32)).hex(), "RATE_LIMIT_REQUESTS": "0",
                "RATE_LIMIT_QUESTIONS": "0", "RATE_LIMIT_UPLOADS": "0", "RATE_LIMIT_STRANGERS": "0", "LOG_LEVEL": "warning",
            }  # fmt: skip
            setup = ["setup", "--organisation", "Sundviks kommun", "--email", EMAIL, "--password", PASSWORD]
            subprocess.run([sys.executable, "main.py", *setup], cwd=ROOT, env=shared, check=True, capture_output=True)
            ports = [free_port() for _ in range(chosen.webs)]
            for number, port in enumerate(ports):
                programs.append(Program(f"web{number}", ["serve"], {**shared, "PORT": str(port)}, folder))
            for number in range(chosen.workers):
                programs.append(Program(f"worker{number}", ["worker", "--count", "1"], shared, folder))
            status = asyncio.run(soak(chosen, programs, [f"http://localhost:{port}" for port in ports]))
            audit = subprocess.run([sys.executable, "main.py", "audit", "verify"], cwd=ROOT, env=shared,
                                   capture_output=True, text=True)  # fmt: skip
            print(f"audit log   {audit.stdout.strip()}")
            return status or audit.returncode
        finally:
            for program in programs:
                program.stop()
            if chosen.logs:
                chosen.logs.mkdir(parents=True, exist_ok=True)
                for path in folder.glob("*.log"):
                    path.rename(chosen.logs / path.name)
            redis.stop()
            database.stop()


if __name__ == "__main__":
    sys.exit(main())
