"""What is sought for a question within a conversation."""

import pytest

from domain.conversations.rewriting import leans, sought


@pytest.mark.parametrize(
    "question",
    [
        "Och hur länge gäller det?", "Hur länge?", "Vad kostar den?", "Varför?", "And how long is it valid?", "Why?",
        "Where does one apply for it?", "Men för barn under sju år?", "",
    ],
)  # fmt: skip
def test_a_question_that_leans_on_the_one_before_brings_its_words(question: str) -> None:
    found = sought(question, ["Vad gäller för parkeringstillstånd?", "Vad kostar det?"])
    assert found.startswith(question)
    assert "parkeringstillstånd" in found


@pytest.mark.parametrize(
    "question",
    [
        "Hur ansöker jag om bygglov för en altan?", "Vilka öppettider har biblioteket på lördagar?",
        "How do I appeal a decision of the building committee?",
    ],
)  # fmt: skip
def test_a_question_that_stands_for_itself_is_sought_as_it_is(question: str) -> None:
    assert not leans(question)
    assert sought(question, ["Vad gäller för parkeringstillstånd?"]) == question


def test_the_first_question_is_sought_as_it_is() -> None:
    assert sought("Vad kostar det?", []) == "Vad kostar det?"


def test_an_earlier_question_is_bounded() -> None:
    assert len(sought("Varför?", ["parkering " * 1_000])) < 600
