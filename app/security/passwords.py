"""Password hashing: argon2id; bcrypt hashes brought from elsewhere are accepted and replaced at the next sign-in."""

import asyncio
import os
from typing import ClassVar, NamedTuple


class Cost(NamedTuple):
    """What each hash takes."""

    memory_kib: int
    passes: int
    lanes: int = 1


# RFC 9106 with the parameters OWASP recommends for interactive sign-in.
RECOMMENDED = Cost(memory_kib=19_456, passes=2)
BCRYPT = ("$2a$", "$2b$", "$2y$")


class PasswordHasher:
    """See `domain.ports.Passwords`. At most one hash per core at a time, in threads."""

    cost: ClassVar[Cost] = RECOMMENDED

    def __init__(self) -> None:
        from argon2 import PasswordHasher as Argon2

        memory, passes, lanes = self.cost
        self._argon2 = Argon2(time_cost=passes, memory_cost=memory, parallelism=lanes)
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """A new argon2id hash."""
        async with self._turns:
            return await asyncio.to_thread(self._argon2.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it matches; does the same work when nothing is stored."""
        if stored is None:
            self._nobody = self._nobody or await self.hash(os.urandom(16).hex())
        async with self._turns:
            good = await asyncio.to_thread(self._verify, stored or self._nobody or "", password)
        return good and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        if stored.startswith(BCRYPT):
            import bcrypt

            return bcrypt.checkpw(password.encode()[:72], stored.encode())
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, stored: str) -> bool:
        """Whether the hash is of another kind or has other parameters."""
        return stored.startswith(BCRYPT) or self._argon2.check_needs_rehash(stored)
