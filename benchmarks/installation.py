"""A whole installation in a temporary folder, started as an operator starts it, and a small client for it."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
EMAIL, PASSWORD = "owner@example.se", "correct horse battery staple"
START_SECONDS = 120.0


def arguments(description: str | None, **numbers: tuple[int, int]) -> argparse.Namespace:
    """The command line: `--small`, and each of `numbers` with its value and its small value."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--small", action="store_true", help="a quick run that shows that the benchmark works")
    for name, (usual, small) in numbers.items():
        parser.add_argument(f"--{name}", type=int, help=f"default {usual}, with --small {small}")
    chosen = parser.parse_args()
    for name, (usual, small) in numbers.items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, small if chosen.small else usual)
    return chosen


def row(name: str, **values: object) -> None:
    """Print one row of a Markdown table: what was measured, and each value with its name."""
    shown = [
        f"{key.replace('_', ' ')} {round(value, 2) if isinstance(value, float) else value}"
        for key, value in values.items()
    ]
    print(f"| {name} | {' | '.join(shown)} |", flush=True)


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` (0–1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def model_folder() -> Path:
    """The files of the built-in model; they are made there when they are missing."""
    from app.ai.embedding.convert import convert

    folder = Path(os.environ.get("SAMRAD_TEST_MODEL", ROOT / ".cache" / "model")).resolve()
    convert(folder)
    return folder


def proportional_memory(process: psutil.Process) -> int:
    """The proportional set size of a process, in bytes: shared pages count once among those who share them."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Installation:
    """A single node with an organisation, stopped and deleted when the block is left."""

    def __init__(self, *, provider_url: str | None = None, model: str | None = None, set_up: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="samrad-bench-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._provider, self._model, self._set_up = provider_url, model, set_up
        self.process: subprocess.Popen[bytes] | None = None

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.port),
            "MODELS_DIR": str(model_folder()),
            "OUTBOUND_ALLOW": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
        }

    def __enter__(self) -> "Installation":
        try:
            if self._set_up:
                self._run_set_up()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run_set_up(self) -> None:
        command = [sys.executable, "main.py", "setup", "--organisation", "Kommun"]
        command += ["--email", EMAIL, "--password", PASSWORD]
        if self._provider:
            command += ["--provider", "openai_compatible", "--base-url", self._provider, "--key", "sk-benchmark"]
            command += ["--model", self._model or "ok:5"]
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run(command, cwd=ROOT, env=self._environment(), check=False, stdout=log, stderr=log)
        if done.returncode:
            raise RuntimeError((self.folder / "log").read_text())

    def start(self, path: str = "/livez") -> float:
        """Start the program; the seconds until `path` answers 200 (after redirects)."""
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", "serve"], cwd=ROOT, env=self._environment(), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        with httpx.Client(follow_redirects=True, trust_env=False) as client:
            while time.monotonic() - began < START_SECONDS:
                if self.process.poll() is not None:
                    break
                try:
                    if client.get(self.url + path).status_code == 200:
                        return time.monotonic() - began
                except httpx.TransportError:
                    time.sleep(0.01)
        raise RuntimeError((self.folder / "log").read_text())

    def halt(self) -> None:
        """Stop the program and wait for its processes; the data stays."""
        if self.process is None:
            return
        family = self.processes()
        self.process.send_signal(signal.SIGTERM)
        for left in psutil.wait_procs(family, timeout=15)[1]:
            left.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """Stop the program and delete its data."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """All processes of the installation: the server, its workers, Valkey, the embedding process."""
        if self.process is None:
            return []
        main = psutil.Process(self.process.pid)
        family = [main, *main.children(recursive=True)]
        known = {process.pid for process in family}
        # The embedding process belongs to the machine: whoever started it is not its parent for long.
        data = str(self.folder / "data")
        for process in psutil.process_iter(["cmdline"]):
            if process.pid not in known and any(data in part for part in process.info["cmdline"] or []):
                family.append(process)
        return family

    def memory(self) -> int:
        """The proportional set size of all processes, in bytes."""
        return sum(proportional_memory(process) for process in self.processes())

    def cpu_seconds(self) -> float:
        """The processor time that the server process has used."""
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def client(self) -> httpx.Client:
        """A client that is signed in as the owner."""
        form = {"username": EMAIL, "password": PASSWORD}
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as visitor:
            answer = visitor.post("/api/v1/users/login/token/", data=form)
        answer.raise_for_status()
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)


def assistant_of(client: httpx.Client) -> str:
    """The id of the default assistant of the owner's personal space."""
    space = client.get("/api/v1/spaces/type/personal/")
    space.raise_for_status()
    return str(space.json()["default_assistant"]["id"])


async def stream_times(
    url: str, headers: dict[str, str], body: dict[str, Any], marker: bytes
) -> tuple[float, float, bytes]:
    """POST over a plain socket: seconds until `marker` was read, seconds until the end, and all that was read."""
    host = httpx.URL(url)
    data = json.dumps(body).encode()
    lines = [f"POST {host.raw_path.decode()} HTTP/1.1", f"Host: {host.netloc.decode()}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: application/json", f"Content-Length: {len(data)}", "", ""]
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(host.host, host.port, limit=1 << 20)
    try:
        writer.write("\r\n".join(lines).encode() + data)
        first, seen = None, bytearray()
        while not seen.endswith(b"0\r\n\r\n") and (part := await reader.read(65_536)):
            seen += part
            if first is None and marker in seen:
                first = time.perf_counter() - began
    finally:
        writer.close()
    if first is None:
        raise RuntimeError(f"no answer: {bytes(seen[:500])!r}")
    return first, time.perf_counter() - began, bytes(seen)
