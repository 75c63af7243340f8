"""Which passwords are good enough: long, not the address, not one of those that are tried first (NIST SP 800-63B)."""

import re
from dataclasses import dataclass

from domain.kernel.errors import N_, Invalid

MIN_PASSWORD, MAX_PASSWORD = 10, 200
_TAIL = re.compile(r"[\d\W_]+")
COMMON = frozenset(
    """
    password passw0rd p@ssword p@ssw0rd passwort motdepasse contrasena lösenord losenord lösenordet hemligt hemlighet
    qwerty qwertyuiop qwertyuiopå qwertz qazwsx qazwsxedc asdfgh asdfghjkl asdfghjklö zxcvbnm abcdefgh abcdefghij
    iloveyou jagälskardig jagalskardig letmein letmeinplease welcome välkommen valkommen administrator administratör
    admin changeme changemenow sommar vinter summer winter spring autumn september november december fotboll football
    baseball basketball superman batman starwars princess sunshine monkey dragon shadow master trustno1 whatever
    computer internet samsung liverpool arsenal hammarby djurgården sverige sweden stockholm göteborg malmö kommun
    kommunen sundsvall samråd samrad välkommentill testtest test guest gäst default secret supersecret passphrase
    aaaaaaaa abcabc abc asd qwe qweasd qweasdzxc qwertyasdf password1password mypassword mittlösenord nyttlösenord
    """.split()
)
"""Beginnings of the passwords that are found most often in leaks, without the figures and signs that people add."""


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a new password has to be; `minimum` is its least number of characters."""

    minimum: int = MIN_PASSWORD

    def check(self, password: str, email: str = "", field: str = "password") -> None:
        """Raise `Invalid` with the reason unless the password may be used."""
        if not self.minimum <= len(password) <= MAX_PASSWORD:
            raise Invalid(
                N_("Use a password of {low} to {high} characters."), field=field, low=self.minimum, high=MAX_PASSWORD
            )
        plain = password.casefold()
        address, _, host = email.casefold().partition("@")
        if email and _TAIL.sub("", plain) in {_TAIL.sub("", each) for each in (address, email.casefold(), host)}:
            raise Invalid(N_("The password must not be the e-mail address."), field=field)
        if is_common(plain):
            raise Invalid(N_("This password is too easy to guess. A sentence of your own is better."), field=field)


def is_common(password: str) -> bool:
    """Whether a password (in lower case) is one of the commonest, or figures or one sign repeated only."""
    letters = _TAIL.sub("", password)
    repeated = len(set(password)) <= 2
    return repeated or letters in COMMON or not letters or password.strip("0123456789!?.-_ ") in COMMON
