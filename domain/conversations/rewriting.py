"""What is sought for a question that leans on the ones before it: "och hur länge gäller det?". A pure function.

The latest question leads: its words come first, and those of the earlier question it leans on follow. No model is asked: it
would cost a second before every answer, and could quietly seek something else.
"""

import re
from collections.abc import Sequence

POINTING = frozenset(
    "den det de dem dessa denna detta denne där dit då honom henne han hon hans hennes deras dess samma sådan sådana sådant "
    "it its that this these those they them their there then he she him her his same such one ones".split()
)
"""Words that point to something said before."""
JOINING = frozenset("och men eller samt annars också and but or also otherwise".split())
"""A question that begins with one goes on from the one before."""
SMALL = (
    POINTING
    | JOINING
    | frozenset(
        "hur vad vem när var vilka vilken vilket varför är en ett att i på av för med om till som inte kan ska får vi du "
        "how what who when where which why is are a an the to in on of for with if as not can may do does i we you".split()
    )
)
FEW_WORDS = 2
EARLIER_LIMIT = 500
_WORD = re.compile(r"[^\W_]+")


def leans(question: str) -> bool:
    """Whether a question needs the one before it to be understood."""
    words = _WORD.findall(question.casefold())
    telling = [word for word in words if word not in SMALL]
    if not words or words[0] in JOINING or not telling:
        return True
    return len(telling) <= FEW_WORDS and (len(words) <= FEW_WORDS or bool(POINTING.intersection(words)))


def sought(question: str, earlier: Sequence[str]) -> str:
    """The words to search by, given the earlier questions of the conversation, oldest first."""
    if not earlier or not leans(question):
        return question
    before = next((each for each in reversed(earlier) if not leans(each)), earlier[-1])
    return f"{question}\n{before[:EARLIER_LIMIT]}".strip()
