"""What a sentence states: its words, and what must agree to the letter: numbers with units, dates, names, negations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MONTHS = (
    "januari january jan", "februari february feb", "mars march mar", "april apr", "maj may", "juni june jun",
    "juli july jul", "augusti august aug", "september sept sep", "oktober october okt oct", "november nov", "december dec",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_NUMBER_WORDS = (
    "två two", "tre three", "fyra four", "fem five", "sex six", "sju seven", "åtta eight", "nio nine", "tio ten",
    "elva eleven", "tolv twelve",
)  # fmt: skip
NUMBER_WORDS = {word: str(value) for value, words in enumerate(_NUMBER_WORDS, 2) for word in words.split()} | {
    "tjugo": "20", "twenty": "20", "trettio": "30", "thirty": "30", "hundra": "100", "hundred": "100",
    "tusen": "1000", "thousand": "1000",
}  # fmt: skip
_UNITS = (
    "% procent percent", "kr kronor krona sek crowns kronors", "euro euros eur €", "dag dagar dagen dagars day days",
    "vecka veckor veckan veckors week weeks", "månad månader månaden månaders month months", "år året års year years",
    "timme timmar timmen hour hours h", "minut minuter minutes minute min", "meter m metres metre meters",
    "kilometer km kilometres", "centimeter cm centimetres", "kvadratmeter kvm m² m2", "liter l litres", "kilo kg kilogram",
    "ton tonnes", "miljon miljoner million millions mkr", "miljard miljarder billion billions",
    "arbetsdag arbetsdagar workdays", "person personer people persons", "grad grader degrees",
)  # fmt: skip
UNITS = {word: words.split()[0] for words in _UNITS for word in words.split()}
NEGATIONS = frozenset(
    "inte ej icke aldrig ingen inget inga ingenting utan varken nej knappast not no never none nothing without neither nor "
    "cannot cant dont doesnt isnt arent wasnt werent wont shouldnt mustnt didnt hasnt havent".split()
)
_OPPOSITES = (
    "högst minst", "innan efter", "stängs öppnas", "stängs öppnar", "stänger öppnar", "stänger öppnas",
    "closes opens", "högst lägst", "maximalt minimalt", "max min", "mer mindre", "fler färre", "över under",
    "före efter", "ökar minskar", "öka minska", "ökade minskade", "höjs sänks", "höja sänka", "höjdes sänktes",
    "tillåtet förbjudet", "tillåten förbjuden", "tillåtna förbjudna", "öppet stängt", "öppen stängd",
    "obligatoriskt frivilligt", "gratis avgiftsbelagt", "beviljas avslås", "beviljades avslogs",
    "godkänns underkänns", "högre lägre", "längre kortare", "tidigast senast", "dyrare billigare", "första sista",
    "inom utanför", "maximum minimum", "more less", "more fewer", "above below", "over under", "before after",
    "increase decrease", "increases decreases", "increased decreased", "rises falls", "raised lowered",
    "allowed forbidden", "allowed prohibited", "permitted prohibited", "open closed", "mandatory voluntary",
    "mandatory optional", "compulsory voluntary", "granted refused", "approved rejected", "higher lower",
    "longer shorter", "earliest latest", "inside outside", "first last", "most least",
)  # fmt: skip
OPPOSITES: dict[str, set[str]] = {}
for _pair in _OPPOSITES:
    _a, _b = _pair.split()
    OPPOSITES.setdefault(_a, set()).add(_b)
    OPPOSITES.setdefault(_b, set()).add(_a)
IDLE = frozenset(
    "och att det som en ett på är av för med till den de har om ett han hon man vi ni du jag men var från vid kan ska "
    "eller så nu där här hur vad vem när vilka vilken vilket varför i dig dem er din ditt dina sin sitt sina deras dess "
    "denna detta dessa också även bara samt då alla allt varje skall måste får blir bli vara varit hade vilket ha gör göra "
    "enligt anges framgår står underlaget källan källorna dokumentet passagen säger "
    "the of and to in is that it for was on are as with his they be at this have from or had by but what who how when "
    "which why a an do does can you we your their its our my must may shall will would should has been being were also "
    "only all each every there these those then than so if into according states says source document passage "
    "inte ej icke utan not no".split()
)
"""Words that say nothing by themselves."""

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th|:[ae])?\.?\s+(?:of\s+)?({_MONTH})\b(?:,?\s+(\d{{4}}))?", re.I)
_MONTH_DAY = re.compile(rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}}))?", re.I)
_LONE_MONTH = "|".join(name for name in sorted(MONTHS, key=len, reverse=True) if len(name) > 3 and name != "march")
_MONTH_ALONE = re.compile(rf"\b(?:{_LONE_MONTH}|maj)\b", re.IGNORECASE)
"""A month without a day; “may” and “march” are words of another kind too often."""
_SPAN = re.compile(r"\d{1,2}[.:]\d{2}-\d{1,2}[.:]\d{2}")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_NUMBER = re.compile(r"(?<![\w])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:,\d+)?(?!\d)|\d+(?:[.,:/-]\d+)*")
_OF_MONTH = re.compile(r"^(?:\d{4}|-)?-(\d{2})(?:-\d{2})?$")
_RATE = re.compile(
    r"\b(?:per|om|i|a|an|each|every|varje)\s+"
    r"(dag|dagen|vecka|veckan|månad|månaden|år|året|timme|timmen|day|week|month|year|hour)\b",
    re.IGNORECASE,
)
"""How often: 190 kronor i månaden, three times a week."""
_MEASURE = re.compile(rf"({_NUMBER.pattern})(?:[ \u00a0\u202f]?(%|€|m²|[^\W\d_]+))?")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_FULL_NAME = re.compile(r"[A-ZÅÄÖ][a-zåäöé]+ [A-ZÅÄÖ][a-zåäöé]+")
_CLAUSE = re.compile(
    r"[,;:()–—]\s*|\b(?:men|but|medan|while|dock|however|although|fast)\b|(?<!till )(?<!- )\b(?:och|and|samt)\b",
    re.IGNORECASE,
)
PRONOUNS = frozenset(
    "den det de dem denna detta dessa han hon hans hennes dess deras där då it its they them their he she his her this "
    "these that those there".split()
)
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,]\d{3})+")


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, `unit` empty where none that we know follows, or a date as `year-month-day` (year empty where unsaid)."""

    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence: its words in lower case, all of them in `said`, and its facts."""

    words: Sequence[str]
    said: frozenset[str]
    facts: Sequence[Fact]
    negations: int


@dataclass(frozen=True, slots=True)
class Text:
    """What a text states."""

    words: Sequence[str]
    facts: Sequence[Fact]
    names: Sequence[str]
    clauses: Sequence[Clause]


def read(text: str) -> Text:
    """The words, facts, names and clauses of a text."""
    words, facts = _words_and_facts(text)
    clauses: list[Clause] = []
    for part in _CLAUSE.split(_unnumbered_commas(text)):
        inner, inner_facts = _words_and_facts(part.replace("\x00", ","))
        said = [w.casefold().replace("'", "").replace("’", "") for w in _WORD.findall(part)]
        if said and not inner and clauses:
            # “between 3 and 5” is one thing.
            last = clauses[-1]
            clauses[-1] = Clause(last.words, last.said | set(said), [*last.facts, *inner_facts], last.negations)
        elif said:
            clauses.append(Clause(inner, frozenset(said), inner_facts, sum(w in NEGATIONS for w in said)))
    return Text(words, facts, _names(text), clauses)


def _unnumbered_commas(text: str) -> str:
    # 1,5 and 12:30 are not two clauses.
    text = re.sub(r"(?<=\d),(?=\d)", "\x00", text)
    return re.sub(r"(?<=\d)[:–](?=\d)", "\x01", text).replace("\x01", "-")


def _words_and_facts(text: str) -> tuple[list[str], list[Fact]]:
    facts: list[Fact] = []

    def date(year: str | None, month: int, day: str) -> str:
        facts.append(Fact(f"{year or ''}-{month:02}-{int(day):02}"))
        return " "

    text = _ISO.sub(lambda m: date(m[1], int(m[2]), m[3]), text)
    text = _DAY_MONTH.sub(lambda m: date(m[3], MONTHS[m[2].casefold()], m[1]), text)
    text = _MONTH_DAY.sub(lambda m: date(m[3], MONTHS[m[1].casefold()], m[2]), text)

    def month(match: re.Match[str]) -> str:
        facts.append(Fact(f"--{MONTHS[match[0].casefold()]:02}"))
        return " "

    text = _MONTH_ALONE.sub(month, text)

    def number(match: re.Match[str]) -> str:
        if _SPAN.fullmatch(match[1]):
            facts.extend(Fact(_plain(part)) for part in match[1].split("-"))
            return f" {match[2] or ''}"
        unit = UNITS.get((match[2] or "").casefold(), "")
        facts.append(Fact(_plain(match[1]), unit))
        return " " if unit else f" {match[2] or ''}"

    def rate(match: re.Match[str]) -> str:
        facts.append(Fact("per", UNITS[match[1].casefold()]))
        return " "

    text = _RATE.sub(rate, text)
    rest = _MEASURE.sub(number, text)
    words: list[str] = []
    found = [word.casefold() for word in _WORD.findall(rest)]
    for index, word in enumerate(found):
        if word in NUMBER_WORDS:
            following = found[index + 1] if index + 1 < len(found) else ""
            facts.append(Fact(NUMBER_WORDS[word], UNITS.get(following, "")))
        elif index and found[index - 1] in NUMBER_WORDS and word in UNITS:
            continue
        elif word not in IDLE and word not in NEGATIONS and len(word) > 1 and UNITS.get(word) != "%":
            words.append(word)
    return words, facts


def _plain(number: str) -> str:
    """4 300, 4.300 and 4,300 are 4300; 1,50 is 1.5; codes stay as they are."""
    number = re.sub(r"[ \u00a0\u202f]", "", number).replace("–", "-")
    if _THOUSANDS.fullmatch(number):
        return re.sub(r"[.,]", "", number)
    if _CLOCK.fullmatch(number):
        number = number.replace(":", ".")
    if re.fullmatch(r"\d+,\d+", number):
        number = number.replace(",", ".")
    if re.fullmatch(r"\d+\.\d+", number):
        number = number.rstrip("0").rstrip(".").lstrip("0") or "0"
    return number.lstrip("0") or "0" if number.isdigit() else number


def _names(text: str) -> list[str]:
    """Words written with a capital where no sentence begins, and abbreviations in capitals."""
    names = []
    for match in _WORD.finditer(text):
        word = match[0]
        before = text[: match.start()].rstrip(" \t*_\"“”'(")
        begins = not before or before[-1] in ".!?:\n•|-"
        capitals = len(word) > 1 and word.isupper()
        if begins and before[-1:] != "-":
            # The first word of a sentence is a name when another name follows it.
            begins = not _FULL_NAME.match(text, match.start())
        lower = word.casefold()
        if lower in IDLE or lower in MONTHS or lower in UNITS or word.isdigit():
            continue
        if capitals or (word[0].isupper() and len(word) > 1 and not begins):
            names.append(lower)
    return names


LEAST_STATED = 2


def agree(fact: Fact, others: Sequence[Fact]) -> bool:
    """Whether one of `others` says the same; a unit or a year that is not told agrees with any."""
    return any(_same(fact, other) for other in others)


def _same(a: Fact, b: Fact) -> bool:
    if a.value == b.value:
        return not a.unit or not b.unit or a.unit == b.unit
    months = [m[1] for m in (_OF_MONTH.search(a.value), _OF_MONTH.search(b.value)) if m]
    if len(months) == 2 and "--" in (a.value[:2], b.value[:2]) and min(len(a.value), len(b.value)) == 4:
        return months[0] == months[1]
    if a.value[1:].count("-") == b.value[1:].count("-") and a.value[-6:] == b.value[-6:] and a.value[-6:-5] == "-":
        return "" in (a.value[:-6], b.value[:-6])
    return False


def alike(a: Fact, b: Fact) -> bool:
    """Whether both are of one kind: of one unit, or both dates or months."""
    if a.unit or b.unit:
        return a.unit == b.unit
    return bool(_OF_MONTH.match(a.value)) and bool(_OF_MONTH.match(b.value))


def split(text: str) -> list[str]:
    """The parts of a statement that state something by themselves; the whole where that is not clear."""
    parts = [p.replace("\x00", ",") for p in _CLAUSE.split(_unnumbered_commas(text)) if _WORD.search(p)]
    stated = [read(part) for part in parts]
    if all(len(each.words) + 2 * len(each.facts) >= LEAST_STATED for each in stated):
        return parts
    return [text]


def negated(clause: Clause) -> bool:
    """Whether the clause says that something is not so."""
    return clause.negations % 2 == 1


def opposed(claim: Text, about: Sequence[Clause]) -> bool:
    """Whether the claim has a word whose opposite alone stands on the other side."""
    said = frozenset().union(*(clause.said for clause in claim.clauses))
    there = frozenset().union(*(clause.said for clause in about))
    return any(word not in there and OPPOSITES[word] & there for word in said & OPPOSITES.keys())
