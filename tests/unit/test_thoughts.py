"""Thoughts of a model are told from its answer, however the pieces are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conversations.thoughts import Thoughts
from domain.ports import ChatDelta


def sorted_out(pieces: list[str]) -> tuple[str, str]:
    thoughts = Thoughts()
    deltas = [thoughts.sort(ChatDelta(piece)) for piece in pieces] + [thoughts.rest()]
    return "".join(d.thought for d in deltas), "".join(d.text for d in deltas)


CASES = [
    ("<think>Hm.</think>\n\nSvar.", ("Hm.", "Svar.")),
    ("\n <think>a < b </thin k></think>Svar", ("a < b </thin k>", "Svar")),
    ("Svar med <think>märken</think> i.", ("", "Svar med <think>märken</think> i.")),
    ("<think>Aldrig färdig", ("Aldrig färdig", "")),
    ("<think>Aldrig färdig </thi", ("Aldrig färdig </thi", "")),
    ("<thi", ("", "<thi")),
    ("<thing>är ett ord</thing>", ("", "<thing>är ett ord</thing>")),
    ("<think></think>", ("", "")),
    ("<think>a</think>b</think>c", ("a", "b</think>c")),
    (" fortsätter så", ("", " fortsätter så")),
    ("", ("", "")),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
@given(data=st.data())
def test_wherever_it_is_cut(text: str, expected: tuple[str, str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    edges = [0, *cuts, len(text)]
    assert sorted_out([text[a:b] for a, b in pairwise(edges)]) == expected


def test_what_comes_beside_the_answer_stays_beside_it() -> None:
    thoughts = Thoughts()
    assert thoughts.sort(ChatDelta("", "Hm.")) == ChatDelta("", "Hm.")
    assert thoughts.sort(ChatDelta("Svar", tokens_answer=3)) == ChatDelta("Svar", tokens_answer=3)
    assert thoughts.rest() == ChatDelta()
