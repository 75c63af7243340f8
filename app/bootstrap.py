"""The wiring: the only place where the parts are put together."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from app.ai.chat import ChatModels
from app.ai.embed import EmbeddingModels
from app.ai.embedding.client import BuiltinEmbedder
from app.config import Settings
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import Limits
from app.jobs import valkey
from app.jobs.lanes import wake
from app.observability.audit_stream import AuditStream
from app.realtime.bus import Bus
from app.security.keys import KeyRing, derived, master_key
from app.security.outbound import OutboundGuard
from app.security.passwords import PasswordHasher
from domain.assistants.service import AssistantService
from domain.audit.chain import Signer
from domain.audit.service import AuditService
from domain.conversations.run import Runs
from domain.conversations.service import ConversationService
from domain.files.service import FileService
from domain.identity.service import IdentityService, SessionRules
from domain.jobs.service import Ended, JobService
from domain.knowledge import ingestion
from domain.knowledge.service import KnowledgeService
from domain.models.service import ModelService
from domain.services import Services
from domain.spaces.service import SpaceService
from domain.tenants.service import SetupService
from domain.users.service import UserService
from storage import migrate
from storage.blobs import BlobStore
from storage.database import Database
from storage.directory import SqlDirectory
from storage.search.analysis import analyse
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex
from storage.unit_of_work import SqlUnitOfWork

log = logging.getLogger(__name__)


def redis_url(settings: Settings) -> str:
    """Where jobs and events go."""
    return settings.redis_url or valkey.url_of(settings.data_dir)


def keys_of(settings: Settings) -> bytes:
    """The master key."""
    return master_key(settings.encryption_key, settings.data_dir / "keys")


def database_path(settings: Settings) -> Path:
    """The database file of a single node."""
    return settings.data_dir / "samrad.db"


async def migrate_database(settings: Settings) -> None:
    """Bring the database to the present schema."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if settings.database_url is None:
        await migrate.migrate_sqlite(database_path(settings))
    else:
        manage = settings.database_app_url is None
        await migrate.migrate_postgres(settings.database_url, keys_of(settings), manage_role=manage)


async def check_database(settings: Settings) -> None:
    """Raise `SchemaError` unless the database is at the present schema."""
    if settings.database_url is None:
        await migrate.check_sqlite(database_path(settings))
    else:
        await migrate.check_postgres(settings.database_url)


def open_database(settings: Settings) -> Database:
    """The database that the settings name."""
    if settings.database_url is None:
        return Database.sqlite(database_path(settings))
    return Database.postgres(settings.database_url, keys_of(settings), program_url=settings.database_app_url)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of a running process."""

    settings: Settings
    services: Services
    database: Database
    directory: SqlDirectory
    bus: Bus
    guard: OutboundGuard
    contents: BlobStore
    parser: DocumentParser
    token_key: bytes
    stream: AuditStream | None = None

    async def close(self) -> None:
        """Let go of everything."""
        await self.services.conversations.runs.shutdown()
        await self.bus.close()
        await self.guard.close()
        await self.database.close()
        if self.stream is not None:
            await asyncio.to_thread(self.stream.close)


async def build(settings: Settings, *, listen: bool = True, worker: bool = False) -> Runtime:
    """Put the parts together. With `listen`, events of other processes are brought in; a `worker` only sends some."""
    master = keys_of(settings)
    database = open_database(settings)
    ring = KeyRing(database, master)
    contents = BlobStore(settings.data_dir / "files", ring)
    # A command that ends at once has nobody to tell.
    bus = Bus(redis_url(settings) if listen or worker else None)
    guard = OutboundGuard(settings.outbound_allow.split(","))
    index = SqliteSearchIndex() if database.dialect == "sqlite" else PostgresSearchIndex()

    async def enqueue(tenant_id: UUID, job_id: UUID, lane: str) -> None:
        await wake(bus)

    signer = Signer(derived(master, "audit"))
    stream = AuditStream(settings.audit_stream_file) if settings.audit_stream_file else None
    uow = SqlUnitOfWork(
        database, index, signer,
        publish=bus.publish, enqueue=enqueue, forget=contents.delete, told=stream.tell if stream else None,
    )  # fmt: skip
    builtin = BuiltinEmbedder(
        settings.models_path, settings.data_dir / "run", idle_seconds=settings.embedding_idle_seconds
    )
    embedder = EmbeddingModels(builtin, guard, ring)
    embedder.attach(uow)
    limits = Limits(memory_bytes=settings.parse_memory_mb * 1024**2, wall_seconds=settings.parse_seconds)
    parser = DocumentParser(builtin, limits)
    directory, passwords = SqlDirectory(database), PasswordHasher()
    ended: dict[str, Ended] = {ingestion.TASK: ingestion.version_ended}
    chat = ChatModels(guard, ring)
    knowledge = KnowledgeService(uow, contents, embedder, max_file_size=settings.upload_max_file_size, ended=ended)
    files = FileService(
        uow, contents, parser,
        max_text=settings.upload_file_to_session_max_size, max_image=settings.upload_image_to_session_max_size,
    )  # fmt: skip
    rules = SessionRules(
        idle=settings.session_idle_minutes * 60,
        absolute=settings.session_max_hours * 3600,
        api=settings.jwt_expiry_time,
    )
    services = Services(
        setup=SetupService(uow, directory, passwords),
        identity=IdentityService(uow, directory, passwords, rules),
        users=UserService(uow, directory, passwords),
        spaces=SpaceService(uow),
        models=ModelService(uow, ring, chat),
        knowledge=knowledge,
        ingestion=ingestion.Ingestion(uow, contents, parser, embedder, analyse),
        assistants=AssistantService(uow),
        conversations=ConversationService(
            uow, directory, knowledge, files, chat, Runs(), max_files=settings.max_in_question
        ),
        files=files,
        jobs=JobService(uow, directory, ended),
        audit=AuditService(uow, directory, contents, signer),
    )
    if listen:
        bus.start()
    token_key = (settings.jwt_secret or derived(master, "jwt").hex()).encode()
    return Runtime(settings, services, database, directory, bus, guard, contents, parser, token_key, stream)


async def sweep_runs(runtime: Runtime) -> None:
    """Close, for ever, the answers whose process has died."""
    while True:
        try:
            await runtime.services.conversations.sweep()
        except Exception as error:
            log.warning("interrupted answers are not closed: %s", error)
        await asyncio.sleep(5)


async def retain_audit(runtime: Runtime) -> None:
    """Remove, for ever, the audit entries that are older than their organisation keeps them."""
    while True:
        try:
            await runtime.services.audit.retain_everywhere()
        except Exception as error:
            log.warning("old audit entries are not removed: %s", error)
        await asyncio.sleep(3600)
