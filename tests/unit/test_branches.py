"""A conversation is a tree of messages; one path through it is shown."""

from domain.conversations.branches import Branches, Link
from domain.kernel.ids import new_id

A, B, C, B2, D, A2 = (new_id() for _ in range(6))
TREE = Branches([Link(D, B2), Link(A, None), Link(C, B), Link(B, A), Link(B2, A), Link(A2, None)])


def test_the_chosen_message_leads_to_its_newest_end() -> None:
    assert TREE.shown(None) == [A2]
    assert TREE.shown(A) == [A, B2, D]
    assert TREE.shown(B) == [A, B, C]
    assert TREE.shown(C) == [A, B, C]
    assert TREE.shown(new_id()) == [A2]
    assert Branches([]).shown(None) == []


def test_what_stands_in_one_place_are_versions() -> None:
    assert TREE.versions(B2) == (B, B2)
    assert TREE.versions(A2) == (A, A2)
    assert TREE.versions(C) == (C,)
    assert (TREE.parent(B2), TREE.parent(A2), TREE.followed(C), TREE.followed(B)) == (A, None, False, True)
    assert TREE.all == [A, B, C, B2, D, A2]


def test_what_follows_a_message_that_is_gone_begins_anew() -> None:
    broken = Branches([Link(B, A), Link(C, B)])
    assert broken.path(C) == [B, C]
    assert broken.parent(B) is None
