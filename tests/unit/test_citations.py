"""Cited sentences and the passages they cite: what is called supported is, and lies are not."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from domain.conversations.citations import Citation, Matcher, Verdict, check, claims
from domain.conversations.facts import read
from storage.search.analysis import stems
from tests.conftest import Counted
from tests.support.claims import pairs

PASSAGE = (
    "Handbok för sökande. Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet. "
    "Beslutet kan överklagas inom tre veckor hos länsstyrelsen."
)


@dataclass
class Source:
    number: int
    text: str
    title: str = "Handbok.pdf"
    heading_path: list[str] = field(default_factory=list)


def test_what_is_called_supported_is_true(counted: Counted) -> None:
    matcher, outcomes = Matcher(stems), Counter[tuple[bool, Verdict]]()
    for statement, passage, true in pairs():
        outcomes[true, matcher.match(statement, passage)[0]] += 1
    good, bad = outcomes[True, Verdict.SUPPORTED], outcomes[False, Verdict.SUPPORTED]
    wanted = sum(count for (true, _), count in outcomes.items() if true)
    counted(claims=sum(outcomes.values()), supported_and_true=good, supported_but_false=bad)
    assert sum(outcomes.values()) >= 300
    assert good / (good + bad) >= 0.95
    assert good / wanted >= 0.8


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("Avgiften är 4300 kr.", Verdict.SUPPORTED),
        ("Avgiften är 3 400 kronor.", Verdict.NOT_FOUND),
        ("Beslutet kan inte överklagas.", Verdict.NOT_FOUND),
        ("Beslutet överklagas hos länsstyrelsen, och överklagandet skickas med brev till Sollefteå.", Verdict.PARTLY),
        ("Vägarna plogas varje morgon.", Verdict.NOT_FOUND),
        ("Ja.", Verdict.NOT_FOUND),
    ],
)
def test_verdicts(statement: str, verdict: Verdict) -> None:
    found, span = Matcher(stems).match(statement, PASSAGE)
    assert found == verdict
    assert (span is None) == (verdict is Verdict.NOT_FOUND)


def test_the_span_is_the_sentence_that_says_it() -> None:
    _, span = Matcher(stems).match("Man överklagar hos länsstyrelsen inom 3 veckor.", PASSAGE)
    assert span is not None
    assert PASSAGE[slice(*span)] == "Beslutet kan överklagas inom tre veckor hos länsstyrelsen."


@pytest.mark.parametrize(
    ("answer", "statements"),
    [
        ("Det kostar 4 300 kr. [1] Man överklagar inom tre veckor [2].",
         ["Det kostar 4 300 kr.", "Man överklagar inom tre veckor"]),
        ("- **Avgift:** 4 300 kr [1]\n- Tid: tre veckor [2][3]", ["Avgift:** 4 300 kr", "Tid: tre veckor"]),
        ("Det gäller t.ex. altaner, bl.a. stora [1].", ["Det gäller t.ex. altaner, bl.a. stora"]),
        ("Avgiften är 4 300 kr [1], och tiden är tre veckor [2].", ["Avgiften är 4 300 kr", "och tiden är tre veckor"]),
        ("Enligt [1] är avgiften 4 300 kr. Mer finns inte.", ["Enligt [1] är avgiften 4 300 kr."]),
        ("`kod[1]` och ```\nmer kod [2]\n``` och [1](https://example.se)", []),
        ("Så:\n\n> Det kostar 4 300 kr. Man betalar i förväg. [1]\n>\n> *Taxan*\n\nDet är allt. Tiden är tre veckor [2].",
         ["Det kostar 4 300 kr. Man betalar i förväg.", "Tiden är tre veckor"]),
        ("Inget citat alls.", []),
    ],
)  # fmt: skip
def test_the_statement_of_each_marker(answer: str, statements: list[str]) -> None:
    assert [answer[c.start : c.end] for c in claims(answer)] == statements


def test_what_is_quoted_is_found_whole() -> None:
    (found,) = check(f"> {PASSAGE} [1]", [Source(1, PASSAGE)], stems)
    assert (found.verdict, found.source_start, found.source_end) == ("supported", 0, len(PASSAGE))
    (changed,) = check(f"> {PASSAGE} Vägarna plogas varje morgon. [1]", [Source(1, PASSAGE)], stems)
    assert changed.verdict == "partly"


def test_each_marker_is_checked_against_its_own_passage() -> None:
    other = "Vägarna i kommunen plogas när tio centimeter snö har fallit."
    answer = "Bygglovet för altanen kostar 4 300 kronor i avgift [1][2]. Vägarna plogas vid tio centimeter snö [2, 9]."
    found = check(answer, [Source(1, PASSAGE), Source(2, other)], stems)
    assert [(c.number, c.verdict) for c in found] == [(1, "supported"), (2, "not_found"), (2, "supported")]
    assert Citation.of(found[0].to_dict()) == found[0]
    assert other[found[2].source_start : found[2].source_end] == other


def test_names_may_stand_in_the_title() -> None:
    source = Source(1, "Öppet måndag till fredag.", "Simhallen i Ånge")
    [found] = check("Simhallen i Ånge har öppet måndag till fredag [1].", [source], stems)
    assert found.verdict == Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4 300 kronor", "4300 kr"), ("4,50 kr", "4,5 kronor"), ("1 mars 2026", "2026-03-01"),
        ("March 1, 2026", "den 1 mars 2026"),
        ("tre veckor", "3 weeks"), ("18 procent", "18 %"), ("kl. 06:30", "06.30"), ("15 kvadratmeter", "15 m²"),
    ],
)  # fmt: skip
def test_the_same_written_differently(one: str, other: str) -> None:
    assert read(one).facts == read(other).facts


def test_long_answers_are_checked_in_bounded_time() -> None:
    answer = "Avgiften är 4 300 kronor [1]. " * 3_000
    assert len(check(answer, [Source(1, PASSAGE * 8)], stems)) > 1_000
