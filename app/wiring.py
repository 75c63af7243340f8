"""How the parts are put together: first the ground that everything stands on, then what reaches outside, then the services.

Each function wires one field and takes what stands below it; each service has the name that it has in `Services`.
"""

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from app.ai.board import RedisBoard
from app.ai.chat import ChatModels
from app.ai.embed import EmbeddingModels
from app.ai.places import RedisPlaces
from app.ai.rerank import RerankModels
from app.ai.transcribe import TranscriptionModels
from app.auth.oidc.client import OidcClient
from app.config import Settings
from app.databases import open_database
from app.from_settings import (
    builtin_embedder,
    federation_rules,
    fernet_keys,
    installation_keys,
    keys_of,
    origins_everywhere,
    rate_limits,
    redis_url,
    session_rules,
)
from app.ingestion.crawl.browser import find_browser
from app.ingestion.crawl.fetch import HttpWeb
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import Limits
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
from app.security.rate_limits import RateLimits
from domain.allowed_origins.service import AllowedOriginService
from domain.api_keys.identity import KeyIdentityService
from domain.api_keys.service import ApiKeyService
from domain.assistants.history import HistoryService
from domain.assistants.moving import MovingService
from domain.assistants.prompts import PromptService
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
from domain.credentials.service import CredentialService
from domain.federation.connections import Connections
from domain.federation.service import FederationService
from domain.federation.sign_in import ProviderSignInService
from domain.files.screening import Screening
from domain.files.service import FileService
from domain.icons.service import IconService
from domain.identity.alerts import SignInAlertService
from domain.identity.links import LinkService
from domain.identity.passwords import PasswordPolicy
from domain.identity.service import IdentityService
from domain.jobs.service import Ended, JobService
from domain.knowledge import ingestion, intake, reembedding
from domain.knowledge.archives import Archives
from domain.knowledge.chunks import ChunkService
from domain.knowledge.embedding_changes import EmbeddingChangeService
from domain.knowledge.limits import LimitService
from domain.knowledge.playground import Playground
from domain.knowledge.reranking import Reranking
from domain.knowledge.searching import SearchService
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
from domain.models.turns import Turns
from domain.operations.service import OperationsService
from domain.roles.service import RoleService
from domain.service_accounts.service import ServiceAccountService
from domain.services import (
    AssistantServices,
    KnowledgeServices,
    ModelServices,
    OperationServices,
    PeopleServices,
    Services,
    WebsiteServices,
)
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
from storage.blobs import BlobStore
from storage.database import Database
from storage.deletion import SqlEraser
from storage.directory import SqlDirectory
from storage.repositories.tenants import SqlModuleCatalogue
from storage.search.analysis import analyse, stems
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex
from storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything stands on: the database with its keys, stored files, and the way to other processes."""

    settings: Settings
    masters: MasterKeys
    database: Database
    index: SqliteSearchIndex | PostgresSearchIndex
    signer: Signer
    certificates: CertificateSigner
    ring: KeyRing
    contents: BlobStore
    bus: Bus
    guard: OutboundGuard
    uow: SqlUnitOfWork
    directory: SqlDirectory
    zone: ZoneInfo
    stream: AuditStream | None
    told: bool


def ground_of(settings: Settings, *, told: bool) -> Ground:
    """The ground; when nobody is `told`, as in a command that ends at once, no news go to other processes."""
    masters, database = keys_of(settings), open_database(settings)
    signer = Signer(*masters.derived("audit"))
    certificates = CertificateSigner(*masters.derived("deletion-certificates"))

    def renewed(masters: MasterKeys) -> None:
        signer.renew(*masters.derived("audit"))
        certificates.renew(*masters.derived("deletion-certificates"))

    ring = KeyRing(database, masters, fernet=fernet_keys(settings), renewed=renewed)
    contents = BlobStore(settings.data_dir / "files", ring)
    bus = Bus(redis_url(settings) if told else None)
    index = SqliteSearchIndex() if database.dialect == "sqlite" else PostgresSearchIndex()

    async def enqueue(tenant_id: UUID, job_id: UUID, lane: str) -> None:
        await wake(bus)

    stream = AuditStream(settings.audit_stream_file) if settings.audit_stream_file else None
    uow = SqlUnitOfWork(
        database, index, signer, ring,
        publish=bus.publish, enqueue=enqueue, forget=contents.delete, told=stream.tell if stream else None,
    )  # fmt: skip
    return Ground(
        settings, masters, database, index, signer, certificates, ring, contents, bus,
        OutboundGuard(settings.outbound_allow.split(",")), uow, SqlDirectory(database), ZoneInfo(settings.time_zone),
        stream, told,
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


def share(settings: Settings, bus: Bus, *, told: bool) -> Shared:
    """In Redis, since several processes run: on a single node the workers beside the web process. A command is alone."""
    if settings.redis_url is None and not told:
        return Shared(Health(), Capacity())
    url = redis_url(settings)
    board, places = RedisBoard(url), RedisPlaces(url, bus)
    return Shared(Health(board=board), Capacity(places=places), board, places)


@dataclass(frozen=True, slots=True)
class Reach:
    """What reaches outside, or works beside the program: models, parsers, scanners, mail."""

    credentials: CredentialService
    ledger: Ledger
    embedder: EmbeddingModels
    chat: MeasuredChat
    parser: DocumentParser
    screening: Screening
    transcriber: TranscriptionModels
    reranking: Reranking
    web: HttpWeb
    oidc: OidcClient
    watch: OidcWatch
    mailer: SmtpMailer
    limits: RateLimits
    metrics: Metrics
    runs: Runs
    shared: Shared


def reach_of(ground: Ground) -> Reach:
    """What reaches outside, all of it through the guard."""
    settings, uow, guard = ground.settings, ground.uow, ground.guard
    keys = installation_keys(settings)
    credentials = CredentialService(uow, ground.ring, keys, enabled=settings.tenant_credentials_enabled)
    ledger = Ledger(uow, ground.directory, ground.zone)
    builtin = builtin_embedder(settings)
    metrics, shared = Metrics(), share(settings, ground.bus, told=ground.told)
    turns = Turns(shared.health, shared.capacity)
    embedder = EmbeddingModels(builtin, guard, credentials, turns)
    embedder.attach(uow, ledger)
    bounds = Limits(memory_bytes=settings.parse_memory_mb * 1024**2, wall_seconds=settings.parse_seconds)
    scanner = Clamd(settings.clamav_address) if settings.clamav_address else None
    reranker = RerankModels(guard, credentials, ledger, turns, seconds=settings.rerank_seconds)
    transcriber = TranscriptionModels(
        guard, credentials, ledger, turns, bounds, limit=settings.transcription_max_file_size
    )
    return Reach(
        credentials=credentials,
        ledger=ledger,
        embedder=embedder,
        chat=MeasuredChat(ChatModels(guard, credentials), metrics),
        parser=DocumentParser(builtin, bounds, ocr_pages=settings.ocr_max_pages),
        screening=Screening(uow, ground.contents, scanner, required=settings.clamav_required),
        transcriber=transcriber,
        reranking=Reranking(reranker),
        web=web_of(settings),
        oidc=OidcClient(guard, timeout=settings.oidc_timeout_seconds, leeway=settings.oidc_clock_leeway_seconds),
        watch=OidcWatch(ground.directory),
        mailer=SmtpMailer(settings),
        limits=rate_limits(settings),
        metrics=metrics,
        runs=Runs(),
        shared=shared,
    )


def web_of(settings: Settings) -> HttpWeb:
    """The way to websites. What anybody's crawl may read is another matter than where the operator's own models are."""
    return HttpWeb(
        OutboundGuard(settings.crawl_allow.split(",")),
        limit=settings.crawl_max_download,
        origin=settings.public_origin,
        browser=find_browser(settings.crawl_browser),
    )


def services_of(ground: Ground, reach: Reach, watcher: Watcher) -> Services:
    """All of them."""
    ended: dict[str, Ended] = {
        intake.TASK: ingestion.version_ended,
        crawling.TASK: run_ended(ground.zone),
        reembedding.TASK: reembedding.change_ended,
    }
    knowledge = knowledge_of(ground, reach, ended)
    return Services.of(
        people_of(ground, reach),
        models_of(ground, reach),
        knowledge,
        websites_of(ground, reach, knowledge.ingestion, ended),
        assistants_of(ground, reach, knowledge.knowledge, knowledge.search),
        operations_of(ground, watcher, ended),
    )


def people_of(ground: Ground, reach: Reach) -> PeopleServices:
    """Organisations, people, and how they sign in."""
    settings, uow, directory = ground.settings, ground.uow, ground.directory
    passwords, policy, mailer = PasswordHasher(), PasswordPolicy(settings.password_min_length), reach.mailer
    identity = IdentityService(uow, directory, passwords, session_rules(settings), policy, mailer)
    users = UserService(uow, directory, passwords, policy, mailer)
    connections = Connections(uow, ground.ring, federation_rules(settings))
    return PeopleServices(
        setup=SetupService(uow, directory, passwords, policy),
        tenants=TenantService(uow, directory, users),
        organisation=OrganisationService(uow),
        modules=ModuleService(uow, SqlModuleCatalogue(ground.database)),
        identity=identity,
        sign_in_alerts=SignInAlertService(uow),
        allowed_origins=AllowedOriginService(uow, origins_everywhere(settings)),
        federation=FederationService(uow, connections, reach.oidc, ground.ring),
        provider_sign_in=ProviderSignInService(
            uow, directory, identity, connections, reach.oidc, ground.ring, reach.watch
        ),
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
    )


def models_of(ground: Ground, reach: Reach) -> ModelServices:
    """AI models, what they cost, and which of them may serve what."""
    uow = ground.uow
    return ModelServices(
        models=ModelService(uow, ground.ring, reach.chat, reach.credentials),
        model_catalogue=ModelCatalogue(uow),
        classifications=ClassificationService(uow),
        usage=UsageService(uow, ground.zone),
        model_migrations=MigrationService(uow),
        embeddings=EmbeddingService(reach.embedder, reach.limits),
        budgets=BudgetService(uow, ground.zone),
        ledger=reach.ledger,
        transcription_models=TranscriptionModelService(uow),
        rerank_models=RerankModelService(uow),
        credentials=reach.credentials,
    )


def knowledge_of(ground: Ground, reach: Reach, ended: dict[str, Ended]) -> KnowledgeServices:
    """Collections and documents: how they are read, kept and searched."""
    uow, contents, parser, screening = ground.uow, ground.contents, reach.parser, reach.screening
    largest = ground.settings.upload_max_file_size
    knowledge = KnowledgeService(uow, contents, reach.limits, screening, max_file_size=largest, ended=ended)
    search = SearchService(uow, reach.embedder, reach.reranking)
    archives = Archives(uow, contents, parser, screening, max_file_size=largest, ended=ended)
    transcripts = Transcripts(uow, reach.transcriber)
    return KnowledgeServices(
        knowledge=knowledge,
        search=search,
        tagging=TaggingService(uow),
        limits=LimitService(uow),
        ingestion=ingestion.Ingestion(uow, contents, parser, reach.embedder, analyse, archives, transcripts),
        chunks=ChunkService(uow, contents, parser, reach.embedder, analyse),
        embedding_changes=EmbeddingChangeService(uow, reach.embedder),
        reembedding=reembedding.Reembedding(uow, reach.embedder),
        sharing=SharingService(uow),
        playground=Playground(uow, search),
        unanswered=UnansweredService(uow, ground.directory),
    )


def websites_of(ground: Ground, reach: Reach, ingest: ingestion.Ingestion, ended: dict[str, Ended]) -> WebsiteServices:
    """Websites and their crawls."""
    uow, web = ground.uow, reach.web
    taking = Intake(uow, ground.contents, ingest, reach.screening)
    return WebsiteServices(
        websites=WebsiteService(uow, ground.directory, ground.ring, web, ground.zone, ended),
        website_preview=PreviewService(uow, web, reach.limits),
        crawling=crawling.Crawling(uow, web, taking, ground.ring, ground.zone),
    )


def assistants_of(
    ground: Ground, reach: Reach, knowledge: KnowledgeService, search: SearchService
) -> AssistantServices:
    """Assistants, conversations with them, and the files that people attach."""
    settings, uow, directory, runs = ground.settings, ground.uow, ground.directory, reach.runs
    files = FileService(
        uow, ground.contents, reach.parser, reach.limits, reach.screening,
        transcripts=Transcripts(uow, reach.transcriber), max_text=settings.upload_file_to_session_max_size,
        max_image=settings.upload_image_to_session_max_size, max_recording=settings.transcription_max_file_size,
    )  # fmt: skip
    conversations = ConversationService(
        uow, directory, knowledge, search, files, reach.chat, runs, reach.limits, stems, reach.ledger, reach.shared.health,
        reach.shared.capacity, max_files=settings.max_in_question, zone=ground.zone,
    )  # fmt: skip
    assistants = AssistantService(uow)
    return AssistantServices(
        assistants=assistants,
        assistant_history=HistoryService(uow, assistants),
        prompts=PromptService(uow),
        publishing=PublishingService(uow),
        moving=MovingService(uow),
        variables=VariableService(uow, ground.zone),
        transparency=TransparencyService(uow),
        retention=RetentionService(uow, directory),
        conversations=conversations,
        transcripts=TranscriptService(uow, conversations, ground.zone),
        room=RoomService(uow),
        looking_back=LookingBackService(uow),
        temporary=TemporaryService(uow, directory, runs),
        files=files,
        icons=IconService(uow, directory, ground.contents, reach.parser, reach.limits, reach.screening),
    )


def operations_of(ground: Ground, watcher: Watcher, ended: dict[str, Ended]) -> OperationServices:
    """What operators and auditors look after."""
    uow, directory, contents = ground.uow, ground.directory, ground.contents
    eraser = SqlEraser(ground.database, ground.index, ground.signer)
    return OperationServices(
        deletion=DeletionService(uow, directory, eraser, contents, ground.certificates),
        jobs=JobService(uow, directory, ended),
        audit=AuditService(uow, directory, contents, ground.signer),
        operations=OperationsService(watcher.gather, directory, thresholds(ground.settings), ground.bus.publish),
    )
