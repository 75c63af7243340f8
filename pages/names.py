"""How things are called on pages."""

from domain.assistants.entities import Assistant
from domain.kernel.actor import Permission
from domain.kernel.errors import N_
from domain.models.entities import CompletionModel
from domain.roles.entities import HeldRole
from domain.roles.service import DESCRIPTIONS
from domain.spaces.entities import Space, SpaceKind
from domain.users.entities import PredefinedRole, UserState
from pages.i18n import _

SPACE_ROLES = {"viewer": N_("Viewer"), "editor": N_("Editor"), "admin": N_("Administrator"), "owner": N_("Owner")}
USER_ROLES = {
    PredefinedRole.USER: N_("User"),
    PredefinedRole.AI_CONFIGURATOR: N_("AI configurator"),
    PredefinedRole.OWNER: N_("Organisation owner"),
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


def role_name(role: str) -> str:
    """A role in a space."""
    return _(SPACE_ROLES.get(role, role))


def user_role_name(role: HeldRole) -> str:
    """A role in the organisation; the predefined ones have names in every language."""
    return _(USER_ROLES[PredefinedRole(role.key)]) if role.predefined else role.name


def permission_name(permission: Permission) -> str:
    """What a permission allows, in words."""
    return _(DESCRIPTIONS[permission])
