"""How things are called on pages."""

from domain.assistants.entities import Assistant
from domain.audit import service as audit
from domain.jobs.entities import JobState, Lane
from domain.kernel.actor import Permission
from domain.kernel.errors import N_
from domain.knowledge import chunks, intake, reembedding
from domain.models.choice import AnyChoice
from domain.models.entities import CompletionModel, ModelPrice, ProviderType
from domain.models.money import to_decimal
from domain.roles.entities import HeldRole
from domain.roles.service import DESCRIPTIONS
from domain.spaces.entities import Space, SpaceKind
from domain.users.entities import PredefinedRole, UserState
from domain.websites import crawling
from pages.i18n import _, date_text, money, number

SPACE_ROLES = {"viewer": N_("Viewer"), "editor": N_("Editor"), "admin": N_("Administrator"), "owner": N_("Owner")}
USER_ROLES = {
    PredefinedRole.USER: N_("User"),
    PredefinedRole.AI_CONFIGURATOR: N_("AI configurator"),
    PredefinedRole.OWNER: N_("Organisation owner"),
}
HOSTINGS = {
    "swe": N_("Sweden"), "eu": N_("the EU"), "usa": N_("the USA"), "gbr": N_("Great Britain"), "fra": N_("France"),
    "deu": N_("Germany"), "can": N_("Canada"), "chn": N_("China"), "isr": N_("Israel"), "kor": N_("South Korea"),
    "jpn": N_("Japan"),
}  # fmt: skip
"""Where models run, by the words of the public interface."""
PROVIDERS = {
    ProviderType.BUILTIN: N_("Built in"),
    ProviderType.COMPATIBLE: N_("OpenAI-compatible"),
    ProviderType.MISTRAL: "Mistral",
    ProviderType.OPENAI: "OpenAI",
    ProviderType.AZURE: "Azure OpenAI",
    ProviderType.ANTHROPIC: "Anthropic",
    ProviderType.GEMINI: "Google Gemini",
    ProviderType.COHERE: "Cohere",
}
TASKS = {
    intake.TASK: N_("Reading documents"),
    chunks.TASK: N_("Indexing passages"),
    reembedding.TASK: N_("Changing the embedding model"),
    crawling.TASK: N_("Reading websites"),
    audit.TASK: N_("Exporting the audit log"),
}
"""What jobs do."""
JOB_STATES = {
    JobState.QUEUED: N_("Waiting"),
    JobState.RUNNING: N_("Working"),
    JobState.DONE: N_("Done"),
    JobState.FAILED: N_("Failed"),
    JobState.DEAD: N_("Failed"),
    JobState.CANCELLED: N_("Cancelled"),
}
LANES = {
    Lane.INTERACTIVE: N_("What somebody waits for"),
    Lane.INGEST: N_("Documents and websites"),
    Lane.MAINTENANCE: N_("Maintenance"),
}
USER_STATES = {
    UserState.ACTIVE: N_("Active"),
    UserState.INVITED: N_("Invited"),
    UserState.INACTIVE: N_("Deactivated"),
    UserState.DELETED: N_("Deleted"),
}


def space_name(space: Space) -> str:
    """The name of a space; the personal one is simply that."""
    if space.kind == SpaceKind.PERSONAL:
        return _("Personal")
    return _("Organisation") if space.kind == SpaceKind.ORGANIZATION else space.name


def space_icon(space: Space) -> str:
    """The icon of a space."""
    return {SpaceKind.PERSONAL: "person", SpaceKind.ORGANIZATION: "account_balance"}.get(
        SpaceKind(space.kind), "groups"
    )


def assistant_name(assistant: Assistant, space: Space | None = None) -> str:
    """The name of an assistant; the one that each space has by itself is named after its space."""
    if not assistant.is_default:
        return assistant.name
    if space is None or space.kind == SpaceKind.PERSONAL:
        return _("Personal assistant")
    return _("Assistant of {space}", space=space_name(space))


def model_name(model: CompletionModel) -> str:
    """The name of a model; that of the built-in one is translated."""
    return _(model.nickname)


def hosting_name(hosting: str) -> str:
    """Where a model runs."""
    return _(HOSTINGS.get(hosting, hosting))


def price_text(price: ModelPrice) -> str:
    """What a model costs, in a few words."""
    if price.transcription_id is not None:
        return _("{amount} a minute", amount=money(to_decimal(price.minute), price.currency))
    amounts = [money(to_decimal(price.input), price.currency)]
    if price.completion_id is not None:
        amounts.append(money(to_decimal(price.output), price.currency))
    return _("{amounts} a million tokens", amounts=" / ".join(amounts))


def facts_of(choice: AnyChoice) -> list[str]:
    """What is worth knowing before one chooses a model."""
    model = choice.model
    facts = [_("Runs in {place}", place=hosting_name(model.hosting))]
    if isinstance(model, CompletionModel):
        facts.append(_("{tokens} tokens of context", tokens=number(model.token_limit)))
        facts += [_("Sees pictures")] if model.vision else []
        facts += [_("Reasons")] if model.reasoning else []
    facts += [part for part in (model.org, model.license) if part]
    facts += [_("Security class {name}", name=choice.classification.name)] if choice.classification else []
    facts += [price_text(choice.price)] if choice.price else []
    if model.retires_on is not None:
        facts.append(_("Is used until {day}", day=date_text(model.retires_on)))
    return facts


def role_name(role: str) -> str:
    """A role in a space."""
    return _(SPACE_ROLES.get(role, role))


def user_role_name(role: HeldRole) -> str:
    """A role in the organisation; the predefined ones have names in every language."""
    return _(USER_ROLES[PredefinedRole(role.key)]) if role.predefined else role.name


def permission_name(permission: Permission) -> str:
    """What a permission allows, in words."""
    return _(DESCRIPTIONS[permission])
