"""The product as a user runs it: `python main.py serve` (and `worker`) in processes of their own."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import httpx

from tests.support.postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
MODEL = Path(os.environ.get("SAMRAD_TEST_MODEL", ROOT / ".cache" / "model")).resolve()
"""The built-in model, converted once for all runs of the tests."""
START_SECONDS = 90
KEPT_ELSEWHERE = {"DATABASE_URL", "ENCRYPTION_KEY"}
"""Settings with which an installation is more than its data folder."""
EMAIL, PASSWORD = "anna@sundvik.se", "en lång mening som lösenord"


class Installation:
    """An installation in a folder, with its processes."""

    program: tuple[str, ...] = (sys.executable, "main.py")
    surroundings: Mapping[str, str] = os.environ

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://localhost:{self.port}"
        self.settings = {
            "DATA_DIR": str(data),
            "PORT": str(self.port),
            "MODELS_DIR": str(MODEL),
            "OUTBOUND_ALLOW": "127.0.0.0/8",
            "CRAWL_ALLOW": "127.0.0.0/8",
            "RATE_LIMIT_STRANGERS": "0",
            **settings,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        data.mkdir(parents=True, exist_ok=True)

    def start(self, *commands: str) -> None:
        """Start `serve` (and others, like `worker`) and wait for the first page."""
        for command in commands or ("serve",):
            log = (self.data / f"{command}.log").open("ab")
            self.processes[command] = subprocess.Popen(
                [*self.program, command],
                cwd=ROOT,
                env={**self.surroundings, **self.settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            if command == "serve":
                self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.processes["serve"].poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/livez", timeout=5)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise RuntimeError((self.data / "serve.log").read_text()[-3000:])

    def kill(self, command: str = "serve") -> None:
        """End a process as a power cut would."""
        process = self.processes.pop(command)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything in order."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def set_up(self, *more: str) -> None:
        """Create the organisation from the command line, with `more` arguments."""
        command = [
            "setup",
            "--organisation",
            "Sundviks kommun",
            "--email",
            EMAIL,
            "--password",
            PASSWORD,
            "--language",
            "en",
            *more,
        ]
        self.run(*command)

    def run(self, *command: str) -> str:
        """What a command says; it must succeed."""
        done = subprocess.run(
            [*self.program, *command],
            cwd=ROOT,
            env={**self.surroundings, **self.settings},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def client(self) -> httpx.Client:
        """An API client that is signed in."""
        form = {"username": EMAIL, "password": PASSWORD}
        answer = httpx.post(f"{self.url}/api/v1/users/login/token/", data=form, timeout=60, trust_env=False)
        headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)

    def add_model(self, provider_url: str, name: str, server: str = "Egen server") -> None:
        """Connect a provider as an administrator's program would, and make its model the default."""
        with closing(self.client()) as client:
            body = {"name": server, "provider_type": "openai_compatible", "config": {"endpoint": provider_url}}
            added = client.post("/api/v1/admin/model-providers/", json=body).raise_for_status().json()
            model = {"name": name, "make_default": True}
            client.post(f"/api/v1/admin/model-providers/{added['id']}/models/", json=model).raise_for_status()


@cache
def _set_up_once() -> Path:
    """A data folder with the organisation, made by the program itself. It is copied: making one takes seconds."""
    folder = tempfile.mkdtemp(prefix="samrad-set-up-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Installation(Path(folder) / "data")
    made.set_up()
    return made.data


@contextmanager
def installed(data: Path, **settings: str) -> Iterator[Installation]:
    """An installation with its organisation, running until the block is left."""
    if KEPT_ELSEWHERE & settings.keys():
        made = Installation(data, **settings)
        made.set_up()
    else:
        shutil.copytree(_set_up_once(), data)
        made = Installation(data, **settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()
