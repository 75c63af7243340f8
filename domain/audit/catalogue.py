"""Everything that can stand in the audit log: actions, their categories, and which of them cannot be switched off.

The first seven categories with their 74 actions are those that existing clients know; some belong to parts of the product
that are not there yet, and are listed so that a switch set today holds when they come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.kernel.errors import N_


class Category(StrEnum):
    """A group of actions that is switched together."""

    ADMIN = "admin_actions"
    USER = "user_actions"
    SECURITY = "security_events"
    FILES = "file_operations"
    INTEGRATIONS = "integration_events"
    SYSTEM = "system_actions"
    AUDIT = "audit_access"
    ACCESS = "access_events"
    AI = "ai_events"
    CONTENT = "content_actions"


CATEGORY_NAMES: Mapping[Category, str] = {
    Category.ADMIN: N_("Administration: users, roles, keys, settings of the organisation"),
    Category.USER: N_("Work: spaces, assistants, apps, collections, templates"),
    Category.SECURITY: N_("Security classifications"),
    Category.FILES: N_("Files"),
    Category.INTEGRATIONS: N_("Websites, integrations and tool servers"),
    Category.SYSTEM: N_("What the system does by itself"),
    Category.AUDIT: N_("Reading and exporting the audit log"),
    Category.ACCESS: N_("Signing in, refusals, passwords and the settings of this log"),
    Category.AI: N_("Questions, and calls of models"),
    Category.CONTENT: N_("Documents, instructions, AI providers and models"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """An action: its category, its name, and whether it is always recorded."""

    action: str
    category: Category
    name: str
    core: bool = False


def _kinds(category: Category, names: Mapping[str, str], core: str = "") -> dict[str, Kind]:
    always = set(core.split())
    return {action: Kind(action, category, name, action in always) for action, name in names.items()}


CATALOGUE: Mapping[str, Kind] = {
    **_kinds(
        Category.ADMIN,
        {
            "user_created": N_("User added"),
            "user_deleted": N_("User deleted"),
            "user_updated": N_("User changed"),
            "role_created": N_("Role created"),
            "role_modified": N_("Role changed"),
            "role_deleted": N_("Role deleted"),
            "permission_changed": N_("Permissions changed"),
            "api_key_generated": N_("API key created"),
            "tenant_settings_updated": N_("Settings of the organisation changed"),
            "credentials_updated": N_("Key of an AI provider changed"),
            "federation_updated": N_("Sign-in through an identity provider changed"),
            "module_added": N_("Module added"),
            "module_added_to_tenant": N_("Module given to the organisation"),
        },
        core="user_created user_deleted user_updated role_created role_modified role_deleted permission_changed "
        "api_key_generated credentials_updated federation_updated tenant_settings_updated",
    ),
    **_kinds(
        Category.USER,
        {
            "assistant_created": N_("Assistant created"),
            "assistant_updated": N_("Assistant changed"),
            "assistant_deleted": N_("Assistant deleted"),
            "assistant_transferred": N_("Assistant moved"),
            "assistant_published": N_("Assistant published or withdrawn"),
            "space_created": N_("Space created"),
            "space_updated": N_("Space changed"),
            "space_deleted": N_("Space deleted"),
            "space_member_added": N_("Member added"),
            "space_member_removed": N_("Member removed"),
            "app_created": N_("App created"),
            "app_deleted": N_("App deleted"),
            "app_updated": N_("App changed"),
            "app_executed": N_("App run"),
            "app_published": N_("App published"),
            "app_run_deleted": N_("Run of an app deleted"),
            "collection_created": N_("Collection created"),
            "collection_updated": N_("Collection changed"),
            "collection_deleted": N_("Collection deleted"),
            "template_created": N_("Template created"),
            "template_updated": N_("Template changed"),
            "template_deleted": N_("Template deleted"),
            "group_chat_created": N_("Group chat created"),
            "session_started": N_("Conversation started"),
            "session_ended": N_("Conversation ended"),
            "completion_model_updated": N_("Completion model changed"),
            "embedding_model_updated": N_("Embedding model changed"),
            "transcription_model_updated": N_("Transcription model changed"),
        },
        # The history of a space and of an assistant is told from these.
        core="assistant_created assistant_updated assistant_published assistant_transferred space_created space_updated "
        "space_member_added space_member_removed",
    ),
    **_kinds(
        Category.SECURITY,
        {
            "security_classification_created": N_("Security class created"),
            "security_classification_updated": N_("Security class changed"),
            "security_classification_deleted": N_("Security class deleted"),
            "security_classification_levels_updated": N_("Order of security classes changed"),
            "security_classification_enabled": N_("Security classes switched on"),
            "security_classification_disabled": N_("Security classes switched off"),
        },
        core="security_classification_disabled security_classification_deleted",
    ),
    **_kinds(Category.FILES, {"file_uploaded": N_("File uploaded"), "file_deleted": N_("File deleted")}),
    **_kinds(
        Category.ACCESS,
        {
            "file_refused": N_("File refused by the virus scanner"),
            "file_not_screened": N_("File taken in without the virus scanner"),
        },
        core="file_refused file_not_screened",
    ),
    **_kinds(
        Category.INTEGRATIONS,
        {
            "integration_added": N_("Integration added"),
            "integration_removed": N_("Integration removed"),
            "integration_connected": N_("Integration connected"),
            "integration_disconnected": N_("Integration disconnected"),
            "integration_knowledge_created": N_("Knowledge of an integration added"),
            "integration_knowledge_deleted": N_("Knowledge of an integration deleted"),
            "integration_knowledge_synced": N_("Knowledge of an integration synchronised"),
            "website_created": N_("Website added"),
            "website_updated": N_("Website changed"),
            "website_deleted": N_("Website deleted"),
            "website_crawled": N_("Website read"),
            "website_transferred": N_("Website moved"),
            "mcp_server_created": N_("Tool server added"),
            "mcp_server_updated": N_("Tool server changed"),
            "mcp_server_deleted": N_("Tool server deleted"),
            "mcp_server_enabled": N_("Tool server switched on"),
            "mcp_server_disabled": N_("Tool server switched off"),
            "mcp_server_tool_enabled": N_("Tool switched on"),
            "mcp_server_tool_disabled": N_("Tool switched off"),
        },
    ),
    **_kinds(
        Category.SYSTEM,
        {
            "retention_policy_applied": N_("Old entries removed"),
            "encryption_key_rotated": N_("Encryption key changed"),
            "system_maintenance": N_("Maintenance"),
        },
        core="retention_policy_applied encryption_key_rotated system_maintenance",
    ),
    **_kinds(
        Category.AUDIT,
        {
            "audit_session_created": N_("Access to the audit log justified"),
            "audit_log_viewed": N_("Audit log read"),
            "audit_log_exported": N_("Audit log exported"),
        },
        core="audit_session_created audit_log_viewed audit_log_exported",
    ),
    **_kinds(
        Category.ACCESS,
        {
            "sign_in": N_("Sign-in"),
            "sign_out": N_("Sign-out"),
            "sign_out_everywhere": N_("Sign-out everywhere"),
            "password_changed": N_("Password changed"),
            "access_denied": N_("Refused"),
            "audit_settings_updated": N_("Settings of the audit log changed"),
            "user_deactivated": N_("User deactivated"),
            "user_reactivated": N_("User reactivated"),
            "user_restored": N_("Deleted user restored"),
            "users_imported": N_("Users imported"),
            "user_group_created": N_("User group created"),
            "user_group_updated": N_("User group changed"),
            "user_group_deleted": N_("User group deleted"),
            "invitation_renewed": N_("Invitation renewed"),
            "invitation_accepted": N_("Invitation accepted"),
            "password_reset_requested": N_("New password requested"),
            "password_reset": N_("New password chosen by link"),
            "identity_linked": N_("Account tied to an identity provider"),
            "federation_tested": N_("Sign-in through an identity provider tested"),
            "sign_in_alert": N_("Suspicious sign-in noticed"),
            "sign_in_alert_seen": N_("Suspicious sign-in looked at"),
            "allowed_origin_added": N_("Web site allowed to call the API"),
            "allowed_origin_removed": N_("Web site no longer allowed to call the API"),
            "tenant_created": N_("Organisation created"),
            "tenant_imported": N_("Organisation brought in from another installation"),
            "tenant_suspended": N_("Organisation suspended"),
            "tenant_deletion_begun": N_("Deletion of the organisation begun"),
            "tenant_reactivated": N_("Organisation reactivated"),
            "api_key_revoked": N_("API key revoked"),
            "api_key_rotated": N_("API key renewed"),
            "api_key_updated": N_("API key changed"),
            "api_key_refused": N_("API key refused"),
            "service_account_created": N_("Service account created"),
            "service_account_updated": N_("Service account changed"),
            "service_account_deleted": N_("Service account deleted"),
        },
        core="sign_in sign_out sign_out_everywhere password_changed access_denied audit_settings_updated "
        "user_deactivated user_reactivated user_restored users_imported user_group_created user_group_updated "
        "user_group_deleted invitation_renewed invitation_accepted password_reset_requested password_reset identity_linked "
        "federation_tested sign_in_alert sign_in_alert_seen allowed_origin_added allowed_origin_removed "
        "tenant_created tenant_imported tenant_suspended tenant_reactivated tenant_deletion_begun "
        "api_key_revoked api_key_rotated api_key_updated api_key_refused service_account_created "
        "service_account_updated service_account_deleted",
    ),
    **_kinds(
        Category.AI,
        {
            "question_asked": N_("Question asked"),
            "model_called": N_("Model called"),
            "usage_exported": N_("Use of the models exported"),
            "conversation_exported": N_("Conversation exported"),
            "conversation_pinned": N_("Conversation pinned"),
            "conversation_unpinned": N_("Conversation unpinned"),
            "conversation_renamed": N_("Conversation renamed"),
            "conversation_deleted": N_("Conversation deleted"),
            "answer_rated": N_("Answer rated"),
        },
    ),
    **_kinds(
        Category.CONTENT,
        {
            "document_uploaded": N_("Document added"),
            "document_replaced": N_("New version of a document"),
            "document_updated": N_("Document changed"),
            "document_deleted": N_("Document deleted"),
            "document_indexed": N_("Document indexed after a look at its passages"),
            "chunk_updated": N_("Passage of a document changed"),
            "collection_reindexed": N_("Collection cut anew"),
            "collection_transferred": N_("Collection moved to another space"),
            "collection_shared": N_("Collection shared with another space"),
            "collection_unshared": N_("Share of a collection ended"),
            "embedding_model_change_started": N_("Change of embedding model begun"),
            "knowledge_limit_set": N_("Limit of documents and passages set"),
            "embedding_model_change_given_up": N_("Failed change of embedding model given up"),
            "rerank_model_updated": N_("Rerank model changed"),
            "embedding_model_changed": N_("Embedding model of a collection changed"),
            "unanswered_question_deleted": N_("Question without an answer deleted"),
            "job_cancelled": N_("Job stopped"),
            "job_retried": N_("Job started again"),
            "prompt_updated": N_("Version of an instruction described"),
            "prompt_deleted": N_("Version of an instruction deleted"),
            "model_provider_created": N_("AI provider added"),
            "model_provider_updated": N_("AI provider changed"),
            "model_provider_deleted": N_("AI provider deleted"),
            "model_created": N_("Model added"),
            "model_deleted": N_("Model deleted"),
            "model_price_added": N_("Price of a model added"),
            "model_price_deleted": N_("Price of a model deleted"),
            "model_migrated": N_("Everything that used a model moved to another"),
            "budget_created": N_("Budget set"),
            "budget_updated": N_("Budget changed"),
            "budget_deleted": N_("Budget deleted"),
            "budget_nearly_used": N_("Budget nearly used up"),
        },
        core="model_provider_created model_provider_updated model_provider_deleted",
    ),
}
"""Every action by its word."""

ENTITY_TYPES = (
    "user", "assistant", "space", "app", "file", "website", "tenant_settings", "credential", "federation_config", "api_key",
    "role", "module", "template", "group_chat", "collection", "app_run", "security_classification", "integration",
    "integration_knowledge", "completion_model", "embedding_model", "transcription_model", "rerank_model", "audit_log",
    "mcp_server", "mcp_server_tool", "conversation", "document", "job", "prompt", "model_provider", "tenant",
    "service_account", "budget", "request", "federation", "user_group",
)  # fmt: skip
"""What an entry can be about: the words that existing clients know, then ours."""


def kind_of(action: str) -> Kind:
    """The action's place in the catalogue; one that is not listed counts as work, and is always recorded."""
    return CATALOGUE.get(action) or Kind(action, Category.USER, action, core=True)


def recorded(action: str, enabled: bool, categories: Mapping[str, bool], actions: Mapping[str, bool]) -> bool:
    """Whether the switches let an action into the log: core always; else its own switch, its category's, or yes."""
    kind = kind_of(action)
    if kind.core:
        return True
    return enabled and actions.get(action, categories.get(kind.category, True))
