"""How words become index terms, and what a question finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.search import words
from storage.search.analysis import analyse, codes, fold, meant, stop_share


def found(question: str, *texts: tuple[str, str]) -> list[int]:
    """Which of the texts, given with their languages, a question finds, best first: as both databases find them."""
    held = [analyse(text, language) for text, language in texts]
    exact = words.tally(held)
    asked = words.asked(question)
    longer = [
        (part, word, count)
        for part in words.expandable(asked)
        for word, (count, _) in exact.items()
        if word != part and (word.startswith(part) or word.endswith(part))
    ]
    known = words.Vocabulary.of({w: exact[w] for w in words.needed(asked) if w in exact}, longer)
    unknown = words.misspelt(asked, known)
    parts = words.halves(unknown)
    halved = [(p, w, n) for p in parts for w, (n, _) in exact.items() if w.startswith(p) or w.endswith(p)]
    known = words.spelled(unknown, known, halved)
    wanted = words.concepts(asked, known)
    groups = words.groups(wanted, known)
    worth = [sum(group.worth for group in groups if set(group.terms) & set(words.prominent(terms))) for terms in held]
    keys = sorted((key for key, value in enumerate(worth) if value), key=lambda key: (-worth[key], key))
    keys = keys[: words.CANDIDATES]
    return [hit.key for hit in words.rank([(key, held[key]) for key in keys], wanted, known, 100)]


def matching(question: str, text: str, language: str = "sv") -> bool:
    """Whether a question finds a text."""
    return bool(found(question, (text, language)))


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
    [whole] = codes(fold(code))
    assert whole in analyse(f"Se ärende {code}, daterat i mars.", "sv").split()
    assert whole not in analyse("Se ärende 2026-115 och 2010:901, KS-2024/0124, 1.2.4 och SFS2017:726.", "sv").split()
    other = "Se ärende 2026-115 och 2010:901, KS-2024/0124, 1.2.4 och SFS2017:726."
    assert found(code, (other, "sv"), (f"Se ärende {code}, daterat i mars.", "sv"))[0] == 1


def test_the_same_word_in_a_language_that_is_not_known_is_found_by_both_stems() -> None:
    assert matching("applications", "All applications are handled.", "")
    assert matching("ansökningar", "Alla ansökningar hanteras.", "")


def test_an_english_text_is_found_by_its_inflections() -> None:
    assert matching("building permits", "The building permit was granted.", "en")


def test_small_words_are_left_out_of_a_question_unless_there_are_no_others() -> None:
    assert meant("hur är det med bygglov") == meant("bygglov")
    assert meant("att vara eller inte") == ["vara"]
    assert meant("vad är det") == ["vad", "är", "det"]
    assert stop_share("Hur är det med bygglov?") == 0.8
    assert stop_share("bygglov altan") == stop_share("") == 0


def test_a_question_is_bounded_and_may_be_empty() -> None:
    assert words.asked("?!  …") == []
    many = " ".join(f"ord{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}x" for n in range(100))
    assert len(words.asked(many)) == words.MOST_WORDS


def test_a_number_counts_more_than_the_words_around_it() -> None:
    texts = [("Vad som gäller i ett ärende om avgifter.", "sv")] * 3 + [("Diarienummer KS 2024/118. Snöröjning.", "sv")]
    assert found("vad gäller i ärende KS 2024/118", *texts)[0] == 3


def test_a_compound_nobody_wrote_is_taken_apart() -> None:
    texts = ("Kommunens bygglov prövas här.", "sv"), ("Kontakta en handläggare.", "sv"), ("Badet är öppet.", "sv")
    assert sorted(found("bygglovshandläggare", *texts)) == [0, 1]


@pytest.mark.parametrize("question", ["förksola", "förskoola", "förskla", "förskota", "KOMUMNENS förksola"])
def test_a_misspelt_word_finds_the_one_it_differs_from_by_a_letter(question: str) -> None:
    assert matching(question, "Sök plats i en förskola senast i mars.")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("hansson", "Ring Jansson på kontoret."),
        ("vågen", "Vägen är lång."),
        ("trafikerad", "Grafiken ritas om."),
        ("KS2024114", "Se KS2024115 i diariet."),
    ],
)
def test_what_is_not_a_misspelling_is_not_taken_for_one(question: str, text: str) -> None:
    assert not matching(question, text)


def test_a_word_that_is_known_is_not_taken_for_another() -> None:
    texts = ("Förskolan har öppet.", "sv"), ("Förskotan är ett segel.", "sv")
    assert found("förskola", *texts) == [0]


def test_in_very_many_chunks_nothing_is_taken_for_misspelt() -> None:
    few, many = (words.Vocabulary(chunks, 1.0, {}, {}) for chunks in (words.SPELLED_CHUNKS, words.SPELLED_CHUNKS + 1))
    assert words.misspelt(words.asked("förskla"), few)
    assert not words.misspelt(words.asked("förskla"), many)


LETTERS = st.text("abc", max_size=6)


@given(LETTERS, LETTERS)
def test_words_are_alike_when_a_letter_or_the_order_of_two_makes_the_one_of_the_other(first: str, second: str) -> None:
    """Beside all words that one change can make."""
    places = range(len(first) + 1)
    made = {first}
    made |= {first[:at] + first[at + 1 :] for at in places}
    made |= {first[:at] + letter + first[at + more :] for at in places for letter in "abc" for more in (0, 1)}
    made |= {first[:at] + first[at : at + 2][::-1] + first[at + 2 :] for at in places}
    assert words.alike(first, second) == (second in made)


def test_the_word_itself_comes_before_words_that_hold_it() -> None:
    texts = ("Barnbidrag betalas ut.", "sv"), ("Bidrag betalas ut.", "sv"), ("Avgift betalas in.", "sv")
    assert found("bidrag", *texts) == [1, 0]


def test_rare_words_count_more_and_more_words_count_more() -> None:
    texts = [("Kommunen svarar om avgiften.", "sv")] * 8 + [("Kommunen svarar om radon.", "sv")]
    assert found("kommunen radon", *texts)[0] == 8
    assert found("kommunen avgiften svarar", *texts)[:8] == list(range(8))


def test_the_best_of_very_many_is_found_by_a_word_that_is_everywhere() -> None:
    filler = "Kommunen har skrivit en text. " + "Den handlar om andra saker än den som man söker efter just nu. " * 9
    texts = [(filler, "sv")] * 9_000 + [("Kommunen, kommunen och kommunen.", "sv")]
    assert found("kommunen", *texts)[0] == 9_000


def test_words_that_are_everywhere_rank_but_do_not_collect_where_rarer_ones_do() -> None:
    known = words.Vocabulary(200_000, 100.0, {"kommun": 190_000, "radon": 400, "trafik": 30_000}, {})

    def collecting(question: str) -> set[str]:
        wanted = words.concepts(words.asked(question), known)
        assert {term for concept in wanted for term in concept.terms} >= set(question.split())
        return {term.removeprefix(words.PROMINENT) for group in words.groups(wanted, known) for term in group.terms}

    assert collecting("radon kommun") == {"radon"}
    assert collecting("radon trafik kommun") == {"radon", "trafik"}
    assert collecting("kommun") == {"kommun"}


def test_folding_keeps_swedish_letters_and_no_other_signs() -> None:
    assert fold("ÅÄÖ É ü Ø") == "åäö e u ø"
    assert fold("A\u030angstro\u0308m") == "ångström"


@given(st.text(max_size=300), st.sampled_from(["sv", "en", ""]))
def test_terms_are_words_that_no_search_syntax_can_hide_in(text: str, language: str) -> None:
    for term in analyse(text, language).split():
        assert all(c.isalnum() or c == "_" for c in term), term
    for term in words.needed(words.asked(text))[1:] + words.prominent(analyse(text, "")):
        assert term
        assert all(c.isalnum() or c == "_" for c in term), term


@given(st.text(max_size=200), st.sampled_from(["sv", "en", ""]))
def test_every_text_is_found_by_its_own_words(text: str, language: str) -> None:
    if words.asked(text):
        assert matching(text, text, language)
