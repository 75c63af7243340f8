"""The policy: every role, every resource, every action."""

from itertools import product
from uuid import uuid4

import pytest

from domain.kernel.access import PERSONAL_NEEDS, Action, Resource, Role, decide, highest, permissions, require
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import Forbidden

LETTERS = {
    "R": Action.READ,
    "C": Action.CREATE,
    "E": Action.EDIT,
    "D": Action.DELETE,
    "P": Action.PUBLISH,
    "V": Action.INSIGHT_VIEW,
    "T": Action.INSIGHT_TOGGLE,
    "A": Action.ADD,
    "M": Action.REMOVE,
}
# Viewer, editor, admin, owner of a personal space who holds every permission.
MATRIX = {
    Resource.ASSISTANT: ("R", "RCEDPV", "RCEDPVT", "RCED"),
    Resource.GROUP_CHAT: ("R", "RCEDPV", "RCEDPVT", "RCED"),
    Resource.APP: ("R", "RCEDP", "RCEDP", "RCED"),
    Resource.SERVICE: ("", "RCEDP", "RCEDP", "RCED"),
    Resource.COLLECTION: ("", "RCED", "RCED", "RCED"),
    Resource.WEBSITE: ("", "RCED", "RCED", "RCED"),
    Resource.INTEGRATION: ("R", "RCED", "RCED", "RCED"),
    Resource.DOCUMENT: ("", "RCD", "RCD", "RCD"),
    Resource.DEFAULT_ASSISTANT: ("R", "R", "RE", "RE"),
    Resource.SPACE: ("R", "R", "RED", "R"),
    Resource.MEMBER: ("", "", "RCEDAM", ""),
}
# Actions that the product adds to those of the public contract.
ADDED = {(Resource.DOCUMENT, Action.EDIT)}
CASES = [
    (role, resource, action)
    for role, resource, action in product(Role, Resource, Action)
    if (resource, action) not in ADDED
]


def person(*held: Permission) -> Actor:
    return Actor(tenant_id=uuid4(), user_id=uuid4(), permissions=frozenset(held))


@pytest.mark.parametrize(("role", "resource", "action"), CASES)
def test_matrix(role: Role, resource: Resource, action: Action) -> None:
    letters = MATRIX[resource][list(Role).index(role)]
    expected = action in {LETTERS[letter] for letter in letters}
    assert decide(person(*Permission), role, resource, action).allowed is expected


@pytest.mark.parametrize(("resource", "action"), sorted(ADDED))
def test_added_actions_are_for_those_who_may_edit_only(resource: Resource, action: Action) -> None:
    for role in Role:
        if decide(person(*Permission), role, resource, action).allowed:
            assert decide(person(*Permission), role, resource, Action.DELETE).allowed


@pytest.mark.parametrize(("resource", "action"), list(product(Resource, Action)))
def test_who_has_no_role_may_do_nothing(resource: Resource, action: Action) -> None:
    decision = decide(person(*Permission), None, resource, action)
    assert not decision.allowed
    assert decision.reason == "You are not a member of this space."


@pytest.mark.parametrize("resource", sorted(PERSONAL_NEEDS))
def test_in_a_personal_space_the_account_needs_the_permission_too(resource: Resource) -> None:
    needed = PERSONAL_NEEDS[resource]
    without = person(*(set(Permission) - {needed}))
    assert permissions(without, Role.OWNER, resource) == [Action.READ]
    assert Action.CREATE in permissions(person(needed), Role.OWNER, resource)
    reason = decide(without, Role.OWNER, resource, Action.CREATE).reason
    assert reason == "Your account lacks the permission for this. Ask your administrator."


@pytest.mark.parametrize("resource", sorted(PERSONAL_NEEDS))
def test_in_a_shared_space_the_role_alone_decides(resource: Resource) -> None:
    assert permissions(person(), Role.EDITOR, resource) == permissions(person(*Permission), Role.EDITOR, resource)


def test_the_permission_list_is_what_is_enforced() -> None:
    for held, role, resource in product((person(), person(*Permission)), [None, *Role], Resource):
        listed = permissions(held, role, resource)
        assert listed == [action for action in Action if action in listed]
        for action in Action:
            if action in listed:
                require(held, role, resource, action)
            else:
                with pytest.raises(Forbidden) as refusal:
                    require(held, role, resource, action)
                assert refusal.value.message == decide(held, role, resource, action).reason


def test_the_strongest_role_counts() -> None:
    assert highest(["viewer", "admin", "editor"]) is Role.ADMIN
    assert highest([Role.EDITOR]) is Role.EDITOR
    assert highest([]) is None
