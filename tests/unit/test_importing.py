"""Lists of people, as spreadsheets save them."""

import pytest

from domain.kernel.errors import Invalid
from domain.users.importing import MAX_LINES, safe_cell, table_of


@pytest.mark.parametrize(
    "text",
    [
        "email;name\nanna@example.se;Anna\n",
        "\ufeffE-post,Namn\r\nanna@example.se,Anna\r\n\r\n",
        'namn\tepost\n"Anna"\tanna@example.se',
    ],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    [(number, row)] = table_of(text)
    assert number == 2
    assert row == {"email": "anna@example.se", "username": "Anna"}


@pytest.mark.parametrize("text", ["", "\n", "name;role\nAnna;User", "anna@example.se\nbo@example.se"])
def test_a_list_without_headings_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="first line"):
        table_of(text)


def test_too_long_a_list_is_refused() -> None:
    with pytest.raises(Invalid, match=str(MAX_LINES)):
        table_of("email\n" + "".join(f"p{n}@example.se\n" for n in range(MAX_LINES + 1)))


@pytest.mark.parametrize("value", ["=1+1", "+46", "-2", "@x", "\t=1"])
def test_no_cell_becomes_a_formula(value: str) -> None:
    assert safe_cell(value) == f"'{value}"
    assert safe_cell("Anna") == "Anna"
