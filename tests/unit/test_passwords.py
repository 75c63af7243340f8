"""Which passwords are refused, and why; what hashing one takes."""

import pytest

from app.security.passwords import RECOMMENDED, PasswordHasher
from domain.identity.passwords import PasswordPolicy
from domain.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("kort", "characters"),
        ("x" * 201, "characters"),
        ("anna.berg@example.se", "e-mail address"),
        ("Anna.Berg2026!", "e-mail address"),
        ("example.se2026", "e-mail address"),
        ("Password123!", "easy to guess"),
        ("Lösenord2026", "easy to guess"),
        ("Sommar2026!!", "easy to guess"),
        ("1234567890", "easy to guess"),
        ("aaaaaaaaaaaa", "easy to guess"),
        ("qwertyuiop12", "easy to guess"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        PasswordPolicy().check(password, "anna.berg@example.se")
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "password", ["en lång mening", "correct horse battery staple", "Tr4fikljus!kväll", "9x&Kp2!vQz"]
)
def test_others_are_taken(password: str) -> None:
    PasswordPolicy().check(password, "anna.berg@example.se")


def test_the_least_length_is_a_setting() -> None:
    PasswordPolicy(8).check("två hästar"[:8], "")
    with pytest.raises(Invalid, match="14 to 200"):
        PasswordPolicy(14).check("en lång sak")


async def test_hashing_takes_what_is_recommended_and_cheaper_hashes_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All other tests hash cheaply (see conftest)."""
    cheap = await PasswordHasher().hash("en lång mening")
    monkeypatch.setattr(PasswordHasher, "cost", RECOMMENDED)
    hasher = PasswordHasher()
    made = await hasher.hash("en lång mening")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not hasher.outdated(made)
    assert hasher.outdated(cheap)
    assert await hasher.verify(cheap, "en lång mening")
    assert not await hasher.verify(made, "en annan mening")
