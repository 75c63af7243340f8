"""The unit of work: one transaction in one tenant, with every repository and what follows its commit."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar
from uuid import UUID

from domain.allowed_origins.repository import AllowedOriginRepository
from domain.api_keys.repository import ApiKeyRepository
from domain.assistants.repository import AssistantRepository
from domain.audit.repository import AuditRepository
from domain.budgets.repository import BudgetRepository
from domain.classifications.repository import ClassificationRepository
from domain.conversations.repository import ConversationRepository
from domain.credentials.repository import CredentialRepository
from domain.federation.repository import FederationRepository
from domain.files.repository import FileRepository
from domain.icons.repository import IconRepository
from domain.identity.repository import SignInRepository
from domain.jobs.entities import Job
from domain.jobs.repository import JobRepository
from domain.kernel.actor import Actor
from domain.kernel.entity import Owned
from domain.kernel.events import Change, Signal
from domain.knowledge.repository import KnowledgeRepository, VectorRepository
from domain.models.repository import ModelRepository
from domain.roles.repository import RoleRepository
from domain.secrets.repository import SecretRepository
from domain.spaces.repository import SpaceRepository
from domain.tenants.repository import TenantRepository
from domain.usage.repository import UsageRepository
from domain.user_groups.repository import UserGroupRepository
from domain.users.repository import UserRepository
from domain.websites.repository import WebsiteRepository

E = TypeVar("E", bound=Owned)


class Transaction(Protocol):
    """An open transaction. Leaving it normally commits; an exception rolls everything back."""

    @property
    def users(self) -> UserRepository:
        """The repository of users."""

    @property
    def api_keys(self) -> ApiKeyRepository:
        """The repository of API keys."""

    @property
    def roles(self) -> RoleRepository:
        """The repository of roles."""

    @property
    def user_groups(self) -> UserGroupRepository:
        """The repository of user groups."""

    @property
    def tenants(self) -> TenantRepository:
        """The repository of the organisation itself."""

    @property
    def sign_ins(self) -> SignInRepository:
        """The repository of sign ins."""

    @property
    def federation(self) -> FederationRepository:
        """The repository of identity providers."""

    @property
    def allowed_origins(self) -> AllowedOriginRepository:
        """The repository of allowed origins."""

    @property
    def spaces(self) -> SpaceRepository:
        """The repository of spaces."""

    @property
    def models(self) -> ModelRepository:
        """The repository of models."""

    @property
    def usage(self) -> UsageRepository:
        """The repository of the usage ledger."""

    @property
    def budgets(self) -> BudgetRepository:
        """The repository of budgets."""

    @property
    def classifications(self) -> ClassificationRepository:
        """The repository of security classifications."""

    @property
    def files(self) -> FileRepository:
        """The repository of files."""

    @property
    def icons(self) -> IconRepository:
        """The repository of pictures of assistants and spaces."""

    @property
    def knowledge(self) -> KnowledgeRepository:
        """The repository of knowledge."""

    @property
    def vectors(self) -> VectorRepository:
        """The repository of vectors and of changes of embedding model."""

    @property
    def websites(self) -> WebsiteRepository:
        """The repository of websites."""

    @property
    def assistants(self) -> AssistantRepository:
        """The repository of assistants."""

    @property
    def conversations(self) -> ConversationRepository:
        """The repository of conversations."""

    @property
    def jobs(self) -> JobRepository:
        """The repository of jobs."""

    @property
    def audit(self) -> AuditRepository:
        """The repository of the audit log."""

    @property
    def credentials(self) -> CredentialRepository:
        """The repository of keys at AI providers."""

    @property
    def secrets(self) -> SecretRepository:
        """The repository of data keys and encrypted values."""

    async def add(self, *entities: Owned) -> None:
        """Write new entities, in this order."""

    async def write(self, *entities: Owned) -> None:
        """Write new entities that this transaction does not look at again, before what else it has changed.

        It does not come to know them, which costs less than `add`; they may be written again when it fails.
        """

    async def get(self, kind: type[E], entity_id: UUID) -> E | None:
        """The entity with this id, or None."""

    async def flush(self) -> None:
        """Write what has changed so far."""

    async def remove(self, entity: Owned) -> None:
        """Delete an entity, and with it what belongs to it."""

    def record(self, actor: Actor, change: Change) -> None:
        """Put an entry at the end of the audit log, in this transaction."""

    def signal(self, signal: Signal) -> None:
        """Publish news after the commit."""

    def enqueue(self, job: Job) -> None:
        """Put a job, added in this transaction, on its lane after the commit."""

    def forget_content(self, name: str) -> None:
        """Delete a content from the file store after the commit."""


class UnitOfWork(Protocol):
    """Opens transactions."""

    def begin(self, tenant_id: UUID) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that writes."""

    def read(
        self, tenant_id: UUID, *, frozen: bool = False, report: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that only reads; `frozen`: all its statements see the same moment.

        A `report` reads much and may be a few seconds behind: where there is a copy of the database, it is asked.
        """
