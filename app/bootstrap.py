"""The wiring: the only place where the parts are put together."""

import asyncio
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from app.ai.board import RedisBoard
from app.ai.chat import ChatModels
from app.ai.embed import EmbeddingModels
from app.ai.embedding.client import BuiltinEmbedder
from app.ai.places import RedisPlaces
from app.ai.rerank import RerankModels
from app.ai.transcribe import TranscriptionModels
from app.auth.oidc import OidcClient
from app.config import Settings
from app.ingestion.crawl.browser import find_browser
from app.ingestion.crawl.fetch import HttpWeb
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import Limits
from app.jobs import valkey
from app.jobs.lanes import wake
from app.mail import SmtpMailer
from app.observability.alerts import thresholds
from app.observability.audit_stream import AuditStream
from app.observability.measured import MeasuredChat
from app.observability.metrics import Metrics
from app.observability.oidc_watch import OidcWatch
from app.observability.status import Watcher
from app.realtime.bus import Bus
from app.security.clamd import Clamd
from app.security.keys import KeyRing, MasterKeys
from app.security.outbound import OutboundGuard
from app.security.passwords import PasswordHasher
from app.security.rate_limits import RateLimits, Rates
from app.security.rotation import Rotation
from domain.allowed_origins.service import AllowedOriginService
from domain.api_keys.identity import KeyIdentityService
from domain.api_keys.service import ApiKeyService
from domain.assistants.moving import MovingService
from domain.assistants.publishing import PublishingService
from domain.assistants.service import AssistantService
from domain.assistants.transparency import TransparencyService
from domain.assistants.variables import VariableService
from domain.audit.chain import Signer
from domain.audit.service import AuditService
from domain.budgets.service import BudgetService
from domain.classifications.service import ClassificationService
from domain.conversations.looking_back import LookingBackService
from domain.conversations.retention import RetentionService
from domain.conversations.room import RoomService
from domain.conversations.run import Runs
from domain.conversations.service import ConversationService
from domain.conversations.temporary import TemporaryService
from domain.conversations.transcripts import TranscriptService
from domain.credentials.resolver import Key
from domain.credentials.service import CredentialService
from domain.federation.connections import Connections, FederationRules, SharedProvider
from domain.federation.service import FederationService, clean_discovery
from domain.federation.sign_in import ProviderSignInService, domain_of
from domain.files.screening import Screening
from domain.files.service import FileService
from domain.icons.service import IconService
from domain.identity.alerts import SignInAlertService
from domain.identity.links import LinkService
from domain.identity.passwords import PasswordPolicy
from domain.identity.service import IdentityService, SessionRules
from domain.jobs.service import Ended, JobService
from domain.kernel import tracing
from domain.knowledge import ingestion, intake, reembedding
from domain.knowledge.archives import Archives
from domain.knowledge.chunks import ChunkService
from domain.knowledge.embedding_changes import EmbeddingChangeService
from domain.knowledge.limits import LimitService
from domain.knowledge.playground import Playground
from domain.knowledge.reranking import Reranking
from domain.knowledge.service import KnowledgeService
from domain.knowledge.sharing import SharingService
from domain.knowledge.tagging import TaggingService
from domain.knowledge.transcripts import Transcripts
from domain.knowledge.unanswered import UnansweredService
from domain.models.capacity import Capacity
from domain.models.catalogue import ModelCatalogue
from domain.models.embedding import EmbeddingService
from domain.models.health import Health
from domain.models.migration import MigrationService
from domain.models.rerank import RerankModelService
from domain.models.service import ModelService
from domain.models.transcription import TranscriptionModelService
from domain.operations.service import OperationsService
from domain.roles.service import RoleService
from domain.service_accounts.service import ServiceAccountService
from domain.services import Services
from domain.spaces.service import SpaceService
from domain.tenants.administration import TenantService
from domain.tenants.deletion import CertificateSigner, DeletionService
from domain.tenants.modules import ModuleService
from domain.tenants.own import OrganisationService
from domain.tenants.service import SetupService
from domain.usage.ledger import Ledger
from domain.usage.service import UsageService
from domain.user_groups.service import UserGroupService
from domain.users.bulk import UserBulk
from domain.users.importing import UserImport
from domain.users.service import UserService
from domain.websites import crawling
from domain.websites.ending import run_ended
from domain.websites.preview import PreviewService
from domain.websites.service import WebsiteService
from domain.websites.taking import Intake
from storage import migrate
from storage.blobs import BlobStore
from storage.database import Database
from storage.deletion import SqlEraser
from storage.directory import SqlDirectory
from storage.repositories.tenants import SqlModuleCatalogue
from storage.search.analysis import analyse, stems
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex
from storage.slow import tell_slow
from storage.unit_of_work import SqlUnitOfWork

if TYPE_CHECKING:
    from app.observability.traces import Traces

log = logging.getLogger(__name__)


def fernet_keys(settings: Settings) -> list[str]:
    """Keys of encrypted values that were brought along."""
    return [key for part in settings.fernet_keys.split(",") if (key := part.strip())]


def installation_keys(settings: Settings) -> list[Key]:
    """The installation's own keys at AI providers."""
    found = [
        Key("openai", settings.openai_api_key or ""),
        Key("azure", settings.azure_api_key or "", settings.azure_endpoint, settings.azure_api_version),
        Key("anthropic", settings.anthropic_api_key or ""),
        Key("mistral", settings.mistral_api_key or ""),
        Key("gemini", settings.gemini_api_key or ""),
        Key("cohere", settings.cohere_api_key or ""),
        Key("hosted_vllm", settings.vllm_api_key or "", settings.vllm_endpoint),
    ]
    return [key for key in found if key.secret]


def redis_url(settings: Settings) -> str:
    """Where jobs and events go."""
    return settings.redis_url or valkey.url_of(settings.data_dir)


def keys_of(settings: Settings) -> MasterKeys:
    """The master keys."""
    return MasterKeys.of(settings.encryption_key, settings.data_dir / "keys")


def database_path(settings: Settings) -> Path:
    """The database file of a single node."""
    return settings.data_dir / "samrad.db"


class DataFolderError(RuntimeError):
    """Nothing can be kept in the data folder; the message says so."""


def make_data_folder(folder: Path) -> None:
    """Make the data folder, and try whether it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"samrad")
    except OSError as error:
        raise DataFolderError(
            f"The data folder {folder} cannot be written: {error.strerror}. Give the program's user the right to write"
            " there, make room, or name another folder in DATA_DIR."
        ) from error


async def migrate_database(settings: Settings, watch: migrate.Watcher | None = None) -> None:
    """Bring the database to the present schema, or leave it as it is; `watch` looks at it before and after."""
    make_data_folder(settings.data_dir)
    if settings.database_url is None:
        await migrate.migrate_sqlite(database_path(settings), watch)
    else:
        manage = settings.database_app_url is None
        await migrate.migrate_postgres(settings.database_url, keys_of(settings).oldest, watch, manage_role=manage)


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
    return Database.postgres(
        settings.database_url, keys_of(settings).keys, program_url=settings.database_app_url,
        pool_size=settings.database_connections, reader_url=settings.database_reader_url,
        most_lag=settings.database_reader_lag,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shared:
    """What holds for all processes together: which models rest, and how much providers can take."""

    health: Health
    capacity: Capacity
    board: RedisBoard | None = None
    places: RedisPlaces | None = None

    async def close(self) -> None:
        """Give back what this process has, and disconnect."""
        await self.capacity.settle()
        for each in (self.board, self.places):
            if each is not None:
                await each.close()


def share(settings: Settings, bus: Bus) -> Shared:
    """In Redis where several processes run. The web process of a single node needs nobody else."""
    if settings.redis_url is None:
        return Shared(Health(), Capacity())
    board, places = RedisBoard(settings.redis_url), RedisPlaces(settings.redis_url, bus)
    return Shared(Health(board=board), Capacity(places=places), board, places)


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
    former_token_keys: tuple[bytes, ...]
    rotation: Rotation
    ring: KeyRing
    watch: OidcWatch
    limits: RateLimits
    metrics: Metrics
    watcher: Watcher
    mailer: SmtpMailer
    shared: Shared
    stream: AuditStream | None = None
    traces: "Traces | None" = None

    async def close(self) -> None:
        """Let go of everything."""
        await self.services.conversations.runs.shutdown()
        await self.services.key_identity.settle()
        await self.shared.close()
        await self.bus.close()
        await self.guard.close()
        await self.database.close()
        if self.stream is not None:
            await asyncio.to_thread(self.stream.close)
        if self.traces is not None:
            tracing.listen(None)
            await self.traces.close()


async def build(settings: Settings, *, listen: bool = True, worker: bool = False) -> Runtime:
    """Put the parts together. With `listen`, events of other processes are brought in; a `worker` only sends some."""
    masters = keys_of(settings)
    database = open_database(settings)
    signer = Signer(*masters.derived("audit"))

    certificates = CertificateSigner(*masters.derived("deletion-certificates"))

    def renewed(masters: MasterKeys) -> None:
        signer.renew(*masters.derived("audit"))
        certificates.renew(*masters.derived("deletion-certificates"))

    ring = KeyRing(database, masters, fernet=fernet_keys(settings), renewed=renewed)
    contents = BlobStore(settings.data_dir / "files", ring)
    # A command that ends at once has nobody to tell.
    bus = Bus(redis_url(settings) if listen or worker else None)
    guard = OutboundGuard(settings.outbound_allow.split(","))
    index = SqliteSearchIndex() if database.dialect == "sqlite" else PostgresSearchIndex()

    async def enqueue(tenant_id: UUID, job_id: UUID, lane: str) -> None:
        await wake(bus)

    stream = AuditStream(settings.audit_stream_file) if settings.audit_stream_file else None
    uow = SqlUnitOfWork(
        database, index, signer, ring,
        publish=bus.publish, enqueue=enqueue, forget=contents.delete, told=stream.tell if stream else None,
    )  # fmt: skip
    builtin = BuiltinEmbedder(
        settings.models_path, settings.data_dir / "run", idle_seconds=settings.embedding_idle_seconds
    )
    credentials = CredentialService(uow, ring, installation_keys(settings), enabled=settings.tenant_credentials_enabled)
    embedder = EmbeddingModels(builtin, guard, credentials)
    directory, zone = SqlDirectory(database), ZoneInfo(settings.time_zone)
    ledger = Ledger(uow, directory, zone)
    embedder.attach(uow, ledger)
    bounds = Limits(memory_bytes=settings.parse_memory_mb * 1024**2, wall_seconds=settings.parse_seconds)
    parser = DocumentParser(builtin, bounds, ocr_pages=settings.ocr_max_pages)
    scanner = Clamd(settings.clamav_address) if settings.clamav_address else None
    screening = Screening(uow, contents, scanner, required=settings.clamav_required)
    transcriber = TranscriptionModels(guard, credentials, ledger, bounds, limit=settings.transcription_max_file_size)
    passwords = PasswordHasher()
    ended: dict[str, Ended] = {
        intake.TASK: ingestion.version_ended,
        crawling.TASK: run_ended(zone),
        reembedding.TASK: reembedding.change_ended,
    }
    # What may be read by anybody's crawl is another matter than what the operator's own models may be reached at.
    web = HttpWeb(
        OutboundGuard(settings.crawl_allow.split(",")),
        limit=settings.crawl_max_download,
        origin=settings.public_origin,
        browser=find_browser(settings.crawl_browser),
    )
    ingest = ingestion.Ingestion(
        uow,
        contents,
        parser,
        embedder,
        analyse,
        Archives(uow, contents, parser, screening, max_file_size=settings.upload_max_file_size, ended=ended),
        Transcripts(uow, transcriber),
    )
    metrics, runs = Metrics(), Runs()
    chat = MeasuredChat(ChatModels(guard, credentials), metrics)
    limits = rate_limits(settings)
    shared = share(settings, bus)
    reranking = Reranking(RerankModels(guard, credentials, ledger, seconds=settings.rerank_seconds), shared.health)
    knowledge = KnowledgeService(
        uow, contents, embedder, limits, screening, reranking, max_file_size=settings.upload_max_file_size, ended=ended
    )
    files = FileService(
        uow, contents, parser, limits, screening,
        max_text=settings.upload_file_to_session_max_size, max_image=settings.upload_image_to_session_max_size,
    )  # fmt: skip
    rules = SessionRules(
        idle=settings.session_idle_minutes * 60,
        absolute=settings.session_max_hours * 3600,
        api=settings.jwt_expiry_time,
        federated=settings.federation_per_tenant_enabled,
    )
    policy, mailer = PasswordPolicy(settings.password_min_length), SmtpMailer(settings)
    identity = IdentityService(uow, directory, passwords, rules, policy, mailer)
    users = UserService(uow, directory, passwords, policy, mailer)
    connections = Connections(uow, ring, federation_rules(settings))
    oidc = OidcClient(guard, timeout=settings.oidc_timeout_seconds, leeway=settings.oidc_clock_leeway_seconds)
    watch = OidcWatch(directory)
    watcher = Watcher(settings, database, directory, metrics, redis_url(settings), lambda: len(runs))
    conversations = ConversationService(
        uow,
        directory,
        knowledge,
        files,
        chat,
        runs,
        limits,
        stems,
        ledger,
        shared.health,
        shared.capacity,
        max_files=settings.max_in_question,
        zone=zone,
    )
    services = Services(
        setup=SetupService(uow, directory, passwords, policy),
        tenants=TenantService(uow, directory, users),
        organisation=OrganisationService(uow),
        modules=ModuleService(uow, SqlModuleCatalogue(database)),
        deletion=DeletionService(
            uow,
            directory,
            SqlEraser(database, index, signer),
            contents,
            certificates,
        ),
        identity=identity,
        sign_in_alerts=SignInAlertService(uow),
        allowed_origins=AllowedOriginService(uow, origins_everywhere(settings)),
        federation=FederationService(uow, connections, oidc, ring),
        provider_sign_in=ProviderSignInService(uow, directory, identity, connections, oidc, ring, watch),
        links=LinkService(uow, directory, passwords, policy, mailer),
        users=users,
        user_import=UserImport(uow, directory, users),
        user_bulk=UserBulk(users),
        api_keys=ApiKeyService(uow),
        key_identity=KeyIdentityService(uow, directory),
        service_accounts=ServiceAccountService(uow),
        roles=RoleService(uow),
        user_groups=UserGroupService(uow),
        spaces=SpaceService(uow),
        models=ModelService(uow, ring, chat, credentials),
        model_catalogue=ModelCatalogue(uow),
        classifications=ClassificationService(uow),
        usage=UsageService(uow, zone),
        model_migrations=MigrationService(uow),
        embeddings=EmbeddingService(embedder, limits),
        budgets=BudgetService(uow, zone),
        ledger=ledger,
        transcription_models=TranscriptionModelService(uow),
        rerank_models=RerankModelService(uow),
        credentials=credentials,
        knowledge=knowledge,
        tagging=TaggingService(uow),
        limits=LimitService(uow),
        ingestion=ingest,
        chunks=ChunkService(uow, contents, parser, embedder, analyse),
        embedding_changes=EmbeddingChangeService(uow, embedder),
        reembedding=reembedding.Reembedding(uow, embedder),
        sharing=SharingService(uow),
        playground=Playground(uow, knowledge),
        unanswered=UnansweredService(uow, directory),
        websites=WebsiteService(uow, directory, ring, web, zone, ended),
        website_preview=PreviewService(uow, web, limits),
        crawling=crawling.Crawling(uow, web, Intake(uow, contents, ingest, screening), ring, zone),
        assistants=AssistantService(uow),
        publishing=PublishingService(uow),
        moving=MovingService(uow),
        variables=VariableService(uow, zone),
        transparency=TransparencyService(uow),
        retention=RetentionService(uow, directory),
        conversations=conversations,
        transcripts=TranscriptService(uow, conversations),
        room=RoomService(uow),
        looking_back=LookingBackService(uow),
        temporary=TemporaryService(uow, directory, runs),
        files=files,
        icons=IconService(uow, directory, contents, parser, limits, screening),
        jobs=JobService(uow, directory, ended),
        audit=AuditService(uow, directory, contents, signer),
        operations=OperationsService(watcher.gather, directory, thresholds(settings), bus.publish),
    )
    if listen:
        bus.start()
    secrets = [settings.jwt_secret] if settings.jwt_secret else [key.hex() for key in masters.derived("jwt")]
    token_key, *former = (secret.encode() for secret in secrets)
    rotation = Rotation(uow, directory, ring, contents, signer)
    return Runtime(
        settings,
        services,
        database,
        directory,
        bus,
        guard,
        contents,
        parser,
        token_key,
        tuple(former),
        rotation,
        ring,
        watch,
        limits,
        metrics,
        watcher,
        mailer,
        shared,
        stream,
        collect_traces(settings, database),
    )


def collect_traces(settings: Settings, database: Database) -> "Traces | None":
    """Begin to tell a collector what is done, where one is set; without, nothing of it is even loaded."""
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from app.observability.traces import Traces

    traces = Traces(settings)
    tracing.listen(traces)
    for engine in {database.writer, database.reader}:
        tell_slow(engine)
    return traces


def origins_everywhere(settings: Settings) -> frozenset[str]:
    """Web sites whose pages may call the API for every organisation."""
    return frozenset(part.strip().rstrip("/") for part in settings.allowed_origins.split(",") if part.strip())


def rate_limits(settings: Settings) -> RateLimits:
    """What the settings say about doing too much. The web process of a single node counts alone."""
    rates = Rates(
        api=settings.rate_limit_requests,
        uploads=settings.rate_limit_uploads,
        questions=settings.rate_limit_questions,
        tenant_factor=settings.rate_limit_tenant_factor,
        strangers=settings.rate_limit_strangers,
        refusals=settings.rate_limit_refusals,
    )
    return RateLimits(rates, settings.redis_url)


def federation_rules(settings: Settings) -> FederationRules:
    """What the settings say about identity providers."""
    shared = None
    if settings.oidc_discovery_endpoint and settings.oidc_client_id and settings.oidc_client_secret:
        domains = (part.strip() for part in settings.oidc_allowed_domains.split(","))
        shared = SharedProvider(
            clean_discovery(settings.oidc_discovery_endpoint),
            settings.oidc_client_id,
            settings.oidc_client_secret,
            settings.oidc_tenant_id,
            settings.oidc_provider_name,
            settings.oidc_scopes,
            tuple(domain_of(domain) for domain in domains if domain),
            settings.oidc_trust_email,
        )
    return FederationRules(
        per_tenant=settings.federation_per_tenant_enabled,
        shared=shared,
        public_origin=(settings.public_origin or "").removesuffix(settings.path_prefix) or None,
        path_prefix=settings.path_prefix,
        list_tenants=settings.federation_list_tenants,
        state_seconds=settings.oidc_state_ttl_seconds,
        grace_seconds=settings.oidc_redirect_grace_period_seconds,
        leeway_seconds=settings.oidc_clock_leeway_seconds,
        strict_redirect=settings.strict_oidc_redirect_validation,
    )
