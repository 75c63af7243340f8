"""Setting up the installation."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from domain.identity.passwords import PasswordPolicy
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Forbidden, Invalid
from domain.kernel.ids import new_id
from domain.kernel.text import clean_name
from domain.ports import Directory, Passwords
from domain.tenants.entities import Tenant
from domain.tenants.founding import found, slug_of
from domain.transaction import UnitOfWork
from domain.users.checks import clean_email
from domain.users.entities import LANGUAGES, ROLE_PERMISSIONS, PredefinedRole, RoleAssignment, User


@dataclass(frozen=True, slots=True)
class Setup:
    """What the set-up page asks for."""

    organisation: str
    email: str
    password: str
    language: str = "sv"
    username: str | None = None


class SetupService:
    """The first organisation of an installation, and its owner."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, passwords: Passwords, policy: PasswordPolicy | None = None
    ) -> None:
        self._uow, self._directory, self._passwords = uow, directory, passwords
        self.policy = policy or PasswordPolicy()
        self._one_at_a_time = asyncio.Lock()

    async def needed(self) -> bool:
        """Whether nobody has set the installation up yet."""
        return not await self._directory.has_tenants()

    async def run(self, setup: Setup) -> Actor:
        """Create the organisation with its owner and the built-in models. Works once, whoever asks at the same moment."""
        async with self._one_at_a_time:
            return await self._run(setup)

    async def _run(self, setup: Setup) -> Actor:
        if not await self.needed():
            raise Forbidden(N_("The installation is already set up. Sign in instead."))
        name, email = clean_name(setup.organisation, "organisation"), clean_email(setup.email)
        self.policy.check(setup.password, email)
        if setup.language not in LANGUAGES:
            raise Invalid(N_("Choose one of the listed values."), field="language")
        hashed = await self._passwords.hash(setup.password)
        tenant_id: UUID = new_id()
        user = User(
            tenant_id=tenant_id,
            email=email,
            username=setup.username or None,
            password_hash=hashed,
            language=setup.language,
        )
        actor = Actor(
            tenant_id=tenant_id,
            user_id=user.id,
            email=email,
            name=user.display_name,
            language=setup.language,
            permissions=ROLE_PERMISSIONS[PredefinedRole.OWNER],
        )
        async with self._uow.begin(tenant_id) as tx:
            tenant = Tenant(tenant_id=tenant_id, id=tenant_id, name=name, slug=slug_of(name), language=setup.language)
            await found(tx, actor, tenant)
            await tx.add(user, RoleAssignment(tenant_id=tenant_id, user_id=user.id, role=PredefinedRole.OWNER))
        return actor
