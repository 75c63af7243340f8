"""What an assistant tells those who do not know how to begin, or whom to ask: questions and a contact."""

from collections.abc import Sequence

from domain.kernel.errors import N_, Invalid
from domain.kernel.text import clean_text

MOST_STARTERS = 6
STARTER_LENGTH = 200
CONTACT_LENGTH = 255


def starter_questions(texts: Sequence[str]) -> list[str]:
    """The questions, each on one line, without empty ones and repetitions; raises `Invalid` when there are too many."""
    cleaned = (" ".join(clean_text(text, "starter_questions", STARTER_LENGTH).split()) for text in texts)
    found = list(dict.fromkeys(text for text in cleaned if text))
    if len(found) > MOST_STARTERS:
        raise Invalid(N_("Give at most {limit} questions."), field="starter_questions", limit=MOST_STARTERS)
    return found


def clean_contact(text: str | None) -> str | None:
    """Who can be asked about the assistant, on one line; None where nobody is named."""
    return " ".join(clean_text(text, "contact", CONTACT_LENGTH).split()) or None
