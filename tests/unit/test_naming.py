"""Names of files."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.files.naming import LIMIT, clean_filename


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("plan.pdf", "plan.pdf"),
        ("Översiktsplan å ä ö.docx", "Översiktsplan å ä ö.docx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\anna\\bilaga.pdf", "bilaga.pdf"),
        ("a\x00b\nc.txt", "a_b_c.txt"),
        ('fråga?"*.md', "fråga___.md"),
        ("faktura\u202efdp.exe", "fakturafdp.exe"),
        ("A\u030ass.txt", "Åss.txt"),
        ("..", "file"),
        ("", "file"),
        ("mapp/", "file"),
        (" . ", "file"),
    ],
)
def test_names_are_made_harmless(given_name: str, kept: str) -> None:
    assert clean_filename(given_name) == kept


def test_a_long_name_keeps_its_extension() -> None:
    name = clean_filename("å" * 400 + ".pdf")
    assert len(name) == LIMIT
    assert name.endswith("å.pdf")


def test_what_only_looks_like_an_extension_is_cut_too() -> None:
    name = clean_filename("a" * 300 + "." + "b" * 20)
    assert len(name) == LIMIT
    assert set(name) == {"a"}


@given(st.text(max_size=600))
def test_no_name_can_leave_its_folder_or_hide_signs(name: str) -> None:
    clean = clean_filename(name)
    assert 1 <= len(clean) <= LIMIT
    assert not set(clean) & set('/\\<>:"|?*')
    assert clean not in (".", "..")
    assert not clean.startswith(".")
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in clean)
