"""What the built-in model quotes."""

import pytest

from app.ai.extractive import quote
from domain.ports import ContextPassage


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Avgifter\nAvgiften för lov är 4 300 kronor.\nDen betalas i förväg.",
         "Avgiften för lov är 4 300 kronor. Den betalas i förväg."),
        ("Vad avgiften är beslutas av nämnden, som också prövar om\nSundviks taxa gäller.",
         "Vad avgiften är beslutas av nämnden, som också prövar om Sundviks taxa gäller."),
        ("Avgift 4 300 kronor", "Avgift 4 300 kronor"),
    ],
)  # fmt: skip
def test_a_quotation_is_whole_sentences_without_the_heading_above_them(text: str, quoted: str) -> None:
    passage = ContextPassage(number=1, title="Taxa", text=text, page=1, vector_score=0.9)
    assert quote(passage, "Vad är avgiften?") == quoted
