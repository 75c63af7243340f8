"""The product as a user runs it: `python main.py serve` (and `worker`) in processes of their own."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx

from tests.support.postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
MODEL = Path(os.environ.get("SAMRAD_TEST_MODEL", ROOT / ".cache" / "model"))
START_SECONDS = 90
EMAIL, PASSWORD = "anna@sundvik.se", "en lång mening som lösenord"


class Installation:
    """An installation in a folder, with its processes."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://localhost:{self.port}"
        self.settings = {
            "DATA_DIR": str(data),
            "PORT": str(self.port),
            "MODELS_DIR": str(MODEL),
            "OUTBOUND_ALLOW": "127.0.0.0/8",
            **settings,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        data.mkdir(parents=True, exist_ok=True)

    def start(self, *commands: str) -> None:
        """Start `serve` (and others, like `worker`) and wait for the first page."""
        for command in commands or ("serve",):
            log = (self.data / f"{command}.log").open("ab")
            self.processes[command] = subprocess.Popen(
                [sys.executable, "main.py", command],
                cwd=ROOT,
                env={**os.environ, **self.settings},
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
                time.sleep(0.05)
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

    def set_up(self) -> None:
        """Create the organisation from the command line."""
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
        ]
        subprocess.run(
            [sys.executable, "main.py", *command],
            cwd=ROOT,
            env={**os.environ, **self.settings},
            check=True,
            capture_output=True,
        )

    def client(self) -> httpx.Client:
        """An API client that is signed in."""
        client = httpx.Client(base_url=self.url, timeout=60)
        answer = client.post("/api/v1/users/login/token/", data={"username": EMAIL, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client


def wait_ready(client: httpx.Client, collection_id: str, seconds: float = 120) -> list[dict[str, object]]:
    """The documents of a collection once none of them is being read any more."""
    deadline = time.monotonic() + seconds
    while True:
        items: list[dict[str, object]] = client.get(f"/api/v1/groups/{collection_id}/info-blobs/").json()["items"]
        busy = [item for item in items if item["state"] in ("queued", "parsing", "indexing")]
        if items and not busy:
            return items
        assert time.monotonic() < deadline, f"still being read: {busy}"
        time.sleep(0.2)
