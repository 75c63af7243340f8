"""How words become index terms, and what a question finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.search.analysis import analyse, fold, query_terms


def matching(question: str, text: str, language: str = "sv") -> set[str]:
    """The terms of the question that match terms of the text, as both databases match them."""
    terms = analyse(text, language).split()
    found = set()
    for wanted in query_terms(question):
        stem = wanted.removesuffix("*")
        if any(term == stem or (stem != wanted and term.startswith(stem)) for term in terms):
            found.add(wanted)
    return found


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("bygglov", "Ansök hos en bygglovshandläggare."),
        ("handläggning av bygglov", "Bygglovshandläggaren tar emot ärendet."),
        ("handläggning", "Handläggaren svarar inom tio veckor."),
        ("bidrag", "Barnbidraget betalas ut den 20:e."),
        ("bidrag", "Alla barnbidrag höjs."),
        ("BYGGLOV", "Bygglov krävs för altanen."),
        ("kommunernas avgifter", "Kommunens avgift är låg."),
        ("cafe", "Ett café på torget."),
    ],
)
def test_swedish_questions_find_inflections_and_parts_of_compounds(question: str, text: str) -> None:
    assert matching(question, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("far", "Ett får betar."),
        ("får", "Min far kom hem."),
        ("hal", "Ett hål i vägen."),
        ("bygglov", "Barnbidraget betalas ut i juni."),
        ("tak", "Intaktlös text om taktik."),
    ],
)
def test_words_that_only_look_alike_do_not_meet(question: str, text: str) -> None:
    assert not matching(question, text)


@pytest.mark.parametrize("code", ["2026-114", "2010:900", "KS-2024/0123", "1.2.3", "SFS2017:725"])
def test_codes_are_found_whole(code: str) -> None:
    whole = query_terms(code)[-1]
    assert whole in analyse(f"Se ärende {code}, daterat i mars.", "sv").split()
    assert whole not in analyse("Se ärende 2026-115 och 2010:901, KS-2024/0124, 1.2.4 och SFS2017:726.", "sv").split()


def test_the_same_word_in_a_language_that_is_not_known_is_found_by_both_stems() -> None:
    assert matching("applications", "All applications are handled.", "")
    assert matching("ansökningar", "Alla ansökningar hanteras.", "")


def test_an_english_text_is_found_by_its_inflections() -> None:
    assert matching("building permits", "The building permit was granted.", "en")


def test_small_words_are_left_out_of_a_question_unless_there_are_no_others() -> None:
    assert query_terms("hur är det med bygglov") == query_terms("bygglov")
    assert query_terms("att vara eller inte")
    assert query_terms("vad är det") != []


def test_a_question_is_bounded_and_may_be_empty() -> None:
    assert query_terms("?!  …") == []
    many = " ".join(f"ord{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}x" for n in range(100))
    assert len(query_terms(many)) <= 64 * 4


def test_folding_keeps_swedish_letters_and_no_other_signs() -> None:
    assert fold("ÅÄÖ É ü Ø") == "åäö e u ø"
    assert fold("A\u030angstro\u0308m") == "ångström"


@given(st.text(max_size=300), st.sampled_from(["sv", "en", ""]))
def test_terms_are_words_that_no_search_syntax_can_hide_in(text: str, language: str) -> None:
    for term in analyse(text, language).split():
        assert all(c.isalnum() or c == "_" for c in term), term
    for term in query_terms(text):
        body = term.removesuffix("*")
        assert body
        assert all(c.isalnum() or c == "_" for c in body), term


@given(st.text(max_size=200), st.sampled_from(["sv", "en", ""]))
def test_every_text_is_found_by_its_own_words(text: str, language: str) -> None:
    if query_terms(text):
        assert matching(text, text, language)
