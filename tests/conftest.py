"""Fixtures for every test: real databases of both kinds, a real Valkey, a real provider over HTTP."""

import asyncio
import gc
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

from app.bootstrap import Runtime, build
from app.config import Settings
from app.security.passwords import Cost, PasswordHasher
from domain.kernel.actor import Actor
from domain.tenants.administration import NewTenant
from domain.tenants.operator import Operator
from domain.tenants.service import Setup
from domain.users.entities import ROLE_PERMISSIONS, PredefinedRole
from storage import migrate
from storage.database import Database
from tests.support import quick_disk
from tests.support.identity_provider import IdentityProvider
from tests.support.postgres import OWNER, TEMPLATE, Postgres
from tests.support.provider import Provider
from tests.support.server import MODEL
from tests.support.valkey import Valkey

quick_disk.use()
pytest_plugins = ["tests.support.api", "tests.support.browser", "tests.support.federation", "tests.support.order"]
MASTER_KEY = bytes(range(32))
PASSWORD = "correct horse battery staple"
OPERATOR_KEY = "operator-key-of-the-tests"
COMPILED = 2000
YOUNG = 10_000
"""So many new objects are worth a collection (usual: 700)."""
BOTH = ("sqlite", "postgres")
# Thousands of passwords are hashed here; unit/test_passwords looks at what the product spends on one.
PasswordHasher.cost = Cost(memory_kib=64, passes=1)
UNLIMITED = tuple(f"rate_limit_{what}" for what in ("requests", "uploads", "questions", "strangers", "refusals"))


Counted = Callable[..., None]


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Counted:
    """Says in the summary how much a test has tried: `counted(cases=160)`."""

    def note(**numbers: int) -> None:
        request.node.user_properties.extend(numbers.items())

    return note


def pytest_collection_finish() -> None:
    """Thousands of collected tests and loaded modules stay: the garbage collector need not go through them each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted."""
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call" and report.user_properties:
            numbers = ", ".join(f"{number} {what}" for what, number in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {numbers}")


_FIRST: dict[type, tuple[Any, LRUCache[Any, Any]]] = {}


@event.listens_for(Engine, "engine_connect")
def _compile_once(connection: Connection) -> None:
    """Every test opens a database of its own; what has been compiled for one is good for all of its kind."""
    dialect = connection.dialect
    connection.dialect, compiled = _FIRST.setdefault(type(dialect), (dialect, LRUCache(COMPILED)))
    connection.execution_options(compiled_cache=compiled)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test keeps its data: a folder and, on Postgres, a database of its own."""

    data: Path
    url: str | None
    program_url: str | None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgres`."""
        return "sqlite" if self.url is None else "postgres"

    def settings(self, **more: object) -> Settings:
        """Settings of an installation here, from nothing but these values."""
        values: dict[str, object] = {
            "data_dir": self.data,
            "database_url": self.url,
            "database_app_url": self.program_url,
            "encryption_key": MASTER_KEY.hex(),
            "models_dir": MODEL,
            "embedding_idle_seconds": 60,
            # Tests do in a second what people do in an hour; those about limits set their own.
            **dict.fromkeys(UNLIMITED, 0),
        }
        return Settings(_env_file=None, **(values | more))  # type: ignore[call-arg]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server; its databases are made from a template at the present schema."""
    server = Postgres()
    try:
        asyncio.run(_template(server))
        yield server
    finally:
        server.stop()


async def _template(server: Postgres) -> None:
    await server.execute(f"create role {OWNER} login createrole")
    await server.create(TEMPLATE)
    # An administrator does this once; a plain owner may not.
    await server.execute("create extension vector", TEMPLATE)
    await migrate.migrate_postgres(server.url(TEMPLATE), MASTER_KEY)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the present schema."""
    path = tmp_path_factory.mktemp("template") / "samrad.db"
    asyncio.run(migrate.migrate_sqlite(path))
    return path


@pytest.fixture(scope="session")
def embedding_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the embedding process of all tests listens: it loads its model once, not for every installation."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def data_folder(tmp_path: Path, embedding_folder: Path) -> Path:
    """An empty data folder, but for the way to the common embedding process."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "run").symlink_to(embedding_folder)
    return data


@pytest.fixture
async def sqlite_place(sqlite_template: Path, data_folder: Path) -> Place:
    """An installation on SQLite."""
    shutil.copyfile(sqlite_template, data_folder / "samrad.db")
    return Place(data_folder, None, None)


@pytest.fixture
async def postgres_place(postgres: Postgres, data_folder: Path) -> AsyncIterator[Place]:
    """An installation on Postgres."""
    name = await postgres.create(template=TEMPLATE)
    yield Place(data_folder, postgres.url(name), postgres.url(name, user="samrad_app"))
    await postgres.drop(name)


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest) -> Place:
    """An installation on each database in turn."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    """The database of `place`, at the present schema and empty."""
    if place.url is None:
        opened = Database.sqlite(place.data / "samrad.db")
    else:
        opened = Database.postgres(place.url, [MASTER_KEY], program_url=place.program_url, pool_size=4)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """One Valkey server for all tests."""
    server = Valkey()
    yield server
    server.stop()


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Valkey:
    """The Valkey server, emptied."""
    from redis import Redis

    with Redis.from_url(shared_valkey.url) as client:
        client.flushall()
    return shared_valkey


@pytest.fixture
async def runtime(place: Place, shared_valkey: Valkey) -> AsyncIterator[Runtime]:
    """All services over an empty installation."""
    more = {
        "redis_url": shared_valkey.url,
        "outbound_allow": "127.0.0.0/8",
        "crawl_allow": "127.0.0.0/8",
        "super_api_key": OPERATOR_KEY,
    }
    running = await build(place.settings(**more))
    yield running
    await running.close()


@pytest.fixture
async def owner(runtime: Runtime) -> Actor:
    """The owner of the first organisation of `runtime`."""
    return await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))


@pytest.fixture
async def other(runtime: Runtime) -> Actor:
    """The owner of another organisation on the same installation."""
    return await found(runtime, "Grannkommunen", "spion@example.org")


async def found(runtime: Runtime, name: str, email: str, **more: object) -> Actor:
    """One more organisation, as the operator founds it, and its owner."""
    operator = Operator()
    made = await runtime.services.tenants.create(operator, NewTenant(name, **more))  # type: ignore[arg-type]
    actor = operator.within(made.tenant.id)
    view = await runtime.services.users.add(actor, email, PASSWORD, role=PredefinedRole.OWNER)
    permissions = ROLE_PERMISSIONS[PredefinedRole.OWNER]
    return Actor(tenant_id=made.tenant.id, user_id=view.user.id, permissions=permissions, email=email)


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Provider]:
    """One OpenAI-compatible provider for all tests."""
    server = Provider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def provider(shared_provider: Provider) -> Provider:
    """The provider, with nothing recorded yet."""
    shared_provider.reset()
    return shared_provider


@pytest.fixture(scope="session")
def shared_identity_provider() -> Iterator[IdentityProvider]:
    """One OpenID provider for all tests."""
    server = IdentityProvider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def identity_provider(shared_identity_provider: IdentityProvider) -> IdentityProvider:
    """The OpenID provider, honest and with one person."""
    shared_identity_provider.reset()
    return shared_identity_provider
