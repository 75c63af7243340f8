"""What has changed between two texts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.changes import MOST_LINES, MOST_WORDS, Kind, Part, changes


def said(old: str, new: str) -> str:
    """The changes in one line: what was taken out in brackets, what was put in between plus signs."""
    marks = {Kind.SAME: "{}", Kind.REMOVED: "[{}]", Kind.ADDED: "+{}+"}
    return "".join(marks[kind].format(text) for kind, text in changes(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("Svara kort.", "Svara kort.", "Svara kort."),
        ("", "Svara kort.", "+Svara kort.+"),
        ("Svara kort.", "", "[Svara kort.]"),
        ("Svara kort.", "Svara alltid kort.", "Svara +alltid +kort."),
        ("Svara kort.", "Svara långt.", "Svara [kort]+långt+."),
        ("Ett\nTvå\nTre\n", "Ett\nTre\nFyra\n", "Ett\n[Två\n]Tre\n+Fyra\n+"),
        ("Du är Å.\nSvara kort.", "Du är Ö.\nSvara kort.", "Du är [Å]+Ö+.\nSvara kort."),
    ],
)
def test_what_was_taken_out_and_put_in(old: str, new: str, told: str) -> None:
    assert said(old, new) == told


TEXTS = st.text(alphabet="ab \n.å", max_size=60)


@given(TEXTS, TEXTS)
def test_both_texts_are_in_it(old: str, new: str) -> None:
    parts = changes(old, new)
    assert "".join(part.text for part in parts if part.kind != Kind.ADDED) == old
    assert "".join(part.text for part in parts if part.kind != Kind.REMOVED) == new
    assert all(one.kind != other.kind for one, other in pairwise(parts))


@pytest.mark.parametrize("piece", ["a\n" * (MOST_LINES + 1), "a b " * MOST_WORDS])
def test_what_is_very_long_is_told_as_a_whole(piece: str) -> None:
    assert changes(piece, piece + "b") == [Part(Kind.REMOVED, piece), Part(Kind.ADDED, piece + "b")]
