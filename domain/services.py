"""All use cases, as the pages, the API and the workers get them."""

from dataclasses import dataclass, fields

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
from domain.audit.service import AuditService
from domain.budgets.service import BudgetService
from domain.classifications.service import ClassificationService
from domain.conversations.looking_back import LookingBackService
from domain.conversations.retention import RetentionService
from domain.conversations.room import RoomService
from domain.conversations.service import ConversationService
from domain.conversations.temporary import TemporaryService
from domain.conversations.transcripts import TranscriptService
from domain.credentials.service import CredentialService
from domain.federation.service import FederationService
from domain.federation.sign_in import ProviderSignInService
from domain.files.service import FileService
from domain.icons.service import IconService
from domain.identity.alerts import SignInAlertService
from domain.identity.links import LinkService
from domain.identity.service import IdentityService
from domain.jobs.service import JobService
from domain.knowledge.chunks import ChunkService
from domain.knowledge.embedding_changes import EmbeddingChangeService
from domain.knowledge.ingestion import Ingestion
from domain.knowledge.limits import LimitService
from domain.knowledge.playground import Playground
from domain.knowledge.reembedding import Reembedding
from domain.knowledge.searching import SearchService
from domain.knowledge.service import KnowledgeService
from domain.knowledge.sharing import SharingService
from domain.knowledge.tagging import TaggingService
from domain.knowledge.unanswered import UnansweredService
from domain.models.catalogue import ModelCatalogue
from domain.models.embedding import EmbeddingService
from domain.models.migration import MigrationService
from domain.models.rerank import RerankModelService
from domain.models.service import ModelService
from domain.models.transcription import TranscriptionModelService
from domain.operations.service import OperationsService
from domain.roles.service import RoleService
from domain.service_accounts.service import ServiceAccountService
from domain.spaces.service import SpaceService
from domain.tenants.administration import TenantService
from domain.tenants.deletion import DeletionService
from domain.tenants.modules import ModuleService
from domain.tenants.own import OrganisationService
from domain.tenants.service import SetupService
from domain.usage.ledger import Ledger
from domain.usage.service import UsageService
from domain.user_groups.service import UserGroupService
from domain.users.bulk import UserBulk
from domain.users.importing import UserImport
from domain.users.service import UserService
from domain.websites.crawling import Crawling
from domain.websites.preview import PreviewService
from domain.websites.service import WebsiteService


@dataclass(frozen=True, kw_only=True)
class PeopleServices:
    """Organisations, people, and how they sign in."""

    setup: SetupService
    tenants: TenantService
    organisation: OrganisationService
    modules: ModuleService
    identity: IdentityService
    sign_in_alerts: SignInAlertService
    allowed_origins: AllowedOriginService
    federation: FederationService
    provider_sign_in: ProviderSignInService
    links: LinkService
    users: UserService
    user_import: UserImport
    user_bulk: UserBulk
    api_keys: ApiKeyService
    key_identity: KeyIdentityService
    service_accounts: ServiceAccountService
    roles: RoleService
    user_groups: UserGroupService
    spaces: SpaceService


@dataclass(frozen=True, kw_only=True)
class ModelServices:
    """AI models, what they cost, and which of them may serve what."""

    models: ModelService
    model_catalogue: ModelCatalogue
    classifications: ClassificationService
    usage: UsageService
    model_migrations: MigrationService
    embeddings: EmbeddingService
    budgets: BudgetService
    ledger: Ledger
    transcription_models: TranscriptionModelService
    rerank_models: RerankModelService
    credentials: CredentialService


@dataclass(frozen=True, kw_only=True)
class KnowledgeServices:
    """Collections and documents: how they are read, kept and searched."""

    knowledge: KnowledgeService
    search: SearchService
    tagging: TaggingService
    limits: LimitService
    ingestion: Ingestion
    chunks: ChunkService
    embedding_changes: EmbeddingChangeService
    reembedding: Reembedding
    sharing: SharingService
    playground: Playground
    unanswered: UnansweredService


@dataclass(frozen=True, kw_only=True)
class WebsiteServices:
    """Websites and their crawls."""

    websites: WebsiteService
    website_preview: PreviewService
    crawling: Crawling


@dataclass(frozen=True, kw_only=True)
class AssistantServices:
    """Assistants, conversations with them, and the files that people attach."""

    assistants: AssistantService
    assistant_history: HistoryService
    prompts: PromptService
    publishing: PublishingService
    moving: MovingService
    variables: VariableService
    transparency: TransparencyService
    retention: RetentionService
    conversations: ConversationService
    transcripts: TranscriptService
    room: RoomService
    looking_back: LookingBackService
    temporary: TemporaryService
    files: FileService
    icons: IconService


@dataclass(frozen=True, kw_only=True)
class OperationServices:
    """What operators and auditors look after."""

    deletion: DeletionService
    jobs: JobService
    audit: AuditService
    operations: OperationsService


@dataclass(frozen=True, kw_only=True)
class Services(PeopleServices, ModelServices, KnowledgeServices, WebsiteServices, AssistantServices, OperationServices):
    """The running services of one process: all of the above."""

    @classmethod
    def of(
        cls,
        people: PeopleServices,
        models: ModelServices,
        knowledge: KnowledgeServices,
        websites: WebsiteServices,
        assistants: AssistantServices,
        operations: OperationServices,
    ) -> "Services":
        """All the parts in one: whoever has the services finds each by its name."""
        parts = (people, models, knowledge, websites, assistants, operations)
        return cls(**{field.name: getattr(part, field.name) for part in parts for field in fields(part)})
