"""An installation in a temporary folder, started as an operator starts it and measured, and a client for streams."""

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from app.ai.embedding.convert import convert
from tests.support import server


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


def proportional_memory(process: psutil.Process) -> int:
    """The proportional set size of a process, in bytes: shared pages count once among those who share them."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Installation(server.Installation):
    """A single node with an organisation in a folder of its own, stopped and deleted when the block is left."""

    def __init__(self, *, provider_url: str | None = None, model: str = "ok:5", organisation: bool = True) -> None:
        convert(server.MODEL)
        self._folder = Path(tempfile.mkdtemp(prefix="samrad-bench-"))
        # Limits are counted as always, but never reached.
        limits = {f"RATE_LIMIT_{what}": "1000000" for what in ("REQUESTS", "UPLOADS", "QUESTIONS", "STRANGERS")}
        super().__init__(self._folder / "data", LOG_LEVEL="WARNING", **limits)
        self.url = f"http://127.0.0.1:{self.port}"
        self._provider, self._model, self._organisation = provider_url, model, organisation

    def __enter__(self) -> "Installation":
        try:
            if self._organisation:
                self.set_up()
            self.start()
            if self._provider:
                self.add_model(self._provider, self._model)
        except BaseException:
            self.delete()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def delete(self) -> None:
        """End the program and delete its data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """End the program and all that it has started; the data stays."""
        family = self.family()
        super().stop()
        for left in psutil.wait_procs(family, timeout=1)[1]:
            left.kill()

    def family(self) -> list[psutil.Process]:
        """All processes of the installation: the server, its workers, Valkey, the embedding process."""
        if "serve" not in self.processes:
            return []
        main = psutil.Process(self.processes["serve"].pid)
        family = [main, *main.children(recursive=True)]
        known = {process.pid for process in family}
        # The embedding process belongs to the machine: whoever started it is not its parent for long.
        for process in psutil.process_iter(["cmdline"]):
            if process.pid not in known and any(str(self.data) in part for part in process.info["cmdline"] or []):
                family.append(process)
        return family

    def memory(self) -> int:
        """The proportional set size of all processes, in bytes."""
        return sum(proportional_memory(process) for process in self.family())

    def cpu_seconds(self) -> float:
        """The processor time that the server process has used."""
        times = psutil.Process(self.processes["serve"].pid).cpu_times()
        return float(times.user + times.system)


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
