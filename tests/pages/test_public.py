"""The pages for people who are not signed in."""

import pytest

from pages.public import safe_next


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/conversations/1", "/conversations/1"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in?next=/", "/"),
        ("/auth/sign-out", "/"),
        ("/a\r\nb", "/ab"),
        ("", "/"),
    ],
)
def test_only_paths_of_this_site_are_gone_on_to(target: str, safe: str) -> None:
    assert safe_next(target) == safe
