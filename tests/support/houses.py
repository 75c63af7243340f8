"""The two sizes of an installation, as an operator runs them, and what can happen to each."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from tests.support.postgres import OWNER, Postgres, free_port
from tests.support.programs import Program
from tests.support.server import EMAIL, MODEL, PASSWORD, ROOT
from tests.support.valkey import Valkey

READY_SECONDS = 120.0
AWAY_SECONDS = 3.0
"""The longest time for which something that was killed stays away."""


class House:
    """An installation of one process on SQLite, with everything else its own."""

    def __init__(self, webs: int = 1, workers: int = 0, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="samrad-soak-"))
        self.webs, self.workers = webs, workers
        self.programs: list[Program] = []
        # Servers end with the thread that has started them.
        self.hand = ThreadPoolExecutor(1, "accidents")
        ports = [free_port() for _ in range(webs)]
        self.urls = [f"http://localhost:{port}" for port in ports]
        self.environment = {
            **os.environ, "DATA_DIR": str(self.folder / "data"), "MODELS_DIR": str(MODEL),
            "ENCRYPTION_KEY": bytes(range(32)).hex(), "OUTBOUND_ALLOW": "127.0.0.0/8", "LOG_LEVEL": "warning",
            **{f"RATE_LIMIT_{what}": "0" for what in ("REQUESTS", "QUESTIONS", "UPLOADS", "STRANGERS", "REFUSALS")},
            **self._parts(), **settings,
        }  # fmt: skip
        self.command("setup", "--organisation", "Sundviks kommun", "--email", EMAIL, "--password", PASSWORD)
        for number, port in enumerate(ports):
            self.add(f"web{number}", ["serve"], PORT=str(port))
        for number in range(workers):
            self.add(f"worker{number}", ["worker", "--count", "1"])

    def _parts(self) -> dict[str, str]:
        return {}

    def add(self, name: str, words: list[str], **more: str) -> None:
        """Start one more process."""
        self.programs.append(Program(name, words, {**self.environment, **more}, self.folder))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `main.py` says to the words; raises when it fails, unless it checks the audit log."""
        return subprocess.run(
            [sys.executable, "main.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=words[0] == "setup",
        )

    def accidents(self) -> dict[str, Callable[[], None]]:
        """What can happen, by name; each returns when it is over."""
        kinds = {program.name.rstrip("0123456789") for program in self.programs}
        return {f"{kind} killed": lambda kind=kind: self._kill_one(kind) for kind in sorted(kinds)}  # type: ignore[misc]

    async def ready(self) -> None:
        """Wait until all web processes can serve requests."""
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(READY_SECONDS):
            for url in self.urls:
                while not await _answers(client, url):
                    await asyncio.sleep(0.2)

    def _kill_one(self, kind: str) -> None:
        victim = random.choice([program for program in self.programs if program.name.startswith(kind)])
        victim.kill()
        time.sleep(random.uniform(0, AWAY_SECONDS))
        victim.start()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """All processes by what they are. A job runs in a process of its own, which ends with it."""
        found: dict[str, list[psutil.Process]] = {}
        roots = {program.process.pid: program.name.rstrip("0123456789") for program in self.programs}
        for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
            kind = self._kind(process, roots)
            if kind:
                found.setdefault(kind, []).append(process)
        return found

    def _kind(self, process: psutil.Process, roots: dict[int, str]) -> str:
        words = " ".join(process.info["cmdline"] or [])
        if process.info["pid"] in roots:
            return roots[process.info["pid"]]
        if "app.ai.embedding.server" in words and str(self.folder) in words:
            return "embedding"
        try:
            family = {parent.pid for parent in process.parents()}
        except psutil.NoSuchProcess:
            return ""
        if not family & set(roots):
            return ""
        if "valkey-server" in words:
            return "valkey"
        return "worker" if process.info["ppid"] in roots else "job"

    def close(self, logs: Path | None = None) -> None:
        """End everything and delete its data; the logs may be kept."""
        for program in self.programs:
            program.stop()
        self.hand.shutdown()
        if logs:
            logs.mkdir(parents=True, exist_ok=True)
            for path in (*self.folder.glob("*.log"), *self.folder.glob("data/run/*.log")):
                shutil.copy(path, logs / path.name)
        shutil.rmtree(self.folder, ignore_errors=True)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz", timeout=10)).status_code == 200
    except httpx.HTTPError:
        return False


class ManyHouse(House):
    """Several web processes and workers on one Postgres and one Valkey."""

    def _parts(self) -> dict[str, str]:
        self.database, self.redis = Postgres(durable=True), Valkey()
        # Beside this thread, where the loop of a browser may be running.
        self.hand.submit(asyncio.run, self._make_database()).result()
        return {"DATABASE_URL": self.database.url("soak"), "REDIS_URL": self.redis.url}

    async def _make_database(self) -> None:
        await self.database.execute(f"create role {OWNER} login createrole")
        await self.database.create("soak")
        await self.database.execute("create extension vector", "soak")

    def accidents(self) -> dict[str, Callable[[], None]]:
        return {
            **super().accidents(),
            "Postgres killed": lambda: self._away(self.database),
            "Valkey killed": lambda: self._away(self.redis),
            "Valkey flushed": self.redis.flush,
        }

    def _away(self, server: Postgres | Valkey) -> None:
        server.kill()
        time.sleep(random.uniform(0, AWAY_SECONDS))
        server.start()

    def close(self, logs: Path | None = None) -> None:
        super().close(logs)
        self.redis.stop()
        self.database.stop()
