"""All use cases, as the pages, the API and the workers get them."""

from dataclasses import dataclass

from domain.assistants.service import AssistantService
from domain.audit.service import AuditService
from domain.conversations.service import ConversationService
from domain.files.service import FileService
from domain.identity.service import IdentityService
from domain.jobs.service import JobService
from domain.knowledge.ingestion import Ingestion
from domain.knowledge.service import KnowledgeService
from domain.models.service import ModelService
from domain.spaces.service import SpaceService
from domain.tenants.service import SetupService
from domain.users.service import UserService


@dataclass(frozen=True, slots=True)
class Services:
    """The running services of one process."""

    setup: SetupService
    identity: IdentityService
    users: UserService
    spaces: SpaceService
    models: ModelService
    knowledge: KnowledgeService
    ingestion: Ingestion
    assistants: AssistantService
    conversations: ConversationService
    files: FileService
    jobs: JobService
    audit: AuditService
