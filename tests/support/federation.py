"""An installation whose organisations have identity providers, and people who sign in through them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from app.bootstrap import Runtime, build
from app.server import create_api
from domain.audit.entities import AuditEntry
from domain.federation.entities import Identity
from domain.identity.entities import SignIn
from domain.kernel.actor import Actor
from domain.tenants.entities import Tenant
from domain.tenants.service import Setup
from domain.users.entities import ROLE_PERMISSIONS, PredefinedRole, User
from storage.tables.audit import audit_entries
from tests.conftest import PASSWORD, Place, found
from tests.support.api import Api
from tests.support.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.support.valkey import Valkey

OPERATOR_KEY = "the-key-of-the-operator"
TIMEOUT_SECONDS = 6.0
SLUG = "sundsvalls-kommun"


@dataclass(slots=True)
class Federated(Api):
    """An installation with an identity provider beside it."""

    provider: IdentityProvider

    def operator(self) -> httpx.AsyncClient:
        """The operator's client; errors come in English."""
        return self.browser(**{"x-api-key": OPERATOR_KEY, "accept-language": "en"})

    def path(self, tenant_id: UUID | None = None) -> str:
        """Where an organisation's provider is set up."""
        return f"/api/v1/sysadmin/tenants/{tenant_id or self.owner.tenant_id}/federation"

    async def configure(self, tenant_id: UUID | None = None, **changes: Any) -> httpx.Response:
        """Set up the provider for an organisation."""
        body = {
            "provider": "Inloggning", "discovery_endpoint": self.provider.issuer, "client_id": CLIENT,
            "client_secret": SECRET, **changes,
        }  # fmt: skip
        return await self.operator().put(self.path(tenant_id), json=body)

    async def provisioning(self, allowed: bool = True, **changes: Any) -> None:
        """Let accounts be made at the first sign-in, or not; change other fields of the organisation."""
        async with self.runtime.database.session(self.owner.tenant_id) as session:
            tenant = await session.get(Tenant, self.owner.tenant_id)
            assert tenant is not None
            for name, value in {"provisioning": allowed, **changes}.items():
                setattr(tenant, name, value)
            await session.commit()

    async def initiate(self, client: httpx.AsyncClient, tenant: str | None = SLUG, **more: str) -> httpx.Response:
        """Begin a sign-in; the client keeps the cookie as a browser does."""
        answer = await client.get("/api/v1/auth/initiate", params={"tenant": tenant or "", **more})
        # Over plain HTTP the client would not send a cookie that is meant for secure connections.
        kept = [header.split(";")[0] for header in answer.headers.get_list("set-cookie")]
        client.headers["cookie"] = "; ".join([*filter(None, [client.headers.get("cookie")]), *kept])
        return answer

    async def at_provider(self, url: str) -> dict[str, str]:
        """Go to the provider, and what it sends back."""
        async with httpx.AsyncClient(trust_env=False) as outside:
            answer = await outside.get(url)
        assert answer.status_code == 302, answer.text
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def sign_in(
        self, client: httpx.AsyncClient | None = None, *, tenant: str | None = SLUG, **changes: Any
    ) -> httpx.Response:
        """The whole way; `changes` are made to what is handed back."""
        client = client or self.browser(**{"accept-language": "en"})
        begun = await self.initiate(client, tenant)
        if begun.status_code != 200:
            return begun
        returned = await self.at_provider(begun.json()["authorization_url"])
        return await client.post("/api/v1/auth/callback", json={**returned, **changes})

    async def counts(self) -> tuple[int, int, int]:
        """How many users, sessions and links the organisation has."""
        async with self.runtime.database.session(self.owner.tenant_id, write=False) as session:
            found = [await session.scalar(select(func.count()).select_from(kind)) for kind in (User, SignIn, Identity)]
        return found[0] or 0, found[1] or 0, found[2] or 0

    async def audit(self, action: str) -> list[AuditEntry]:
        """Audit entries of the organisation, the oldest first."""
        async with self.runtime.database.session(self.owner.tenant_id, write=False) as session:
            statement = select(AuditEntry).where(audit_entries.c.action == action).order_by(audit_entries.c.id)
            return list(await session.scalars(statement))

    async def neighbour(self, email: str = "chef@grannkommunen.se") -> UUID:
        """Another organisation with an owner."""
        return (await found(self.runtime, "Grannkommunen", email)).tenant_id

    def admin_of(self, tenant_id: UUID) -> Actor:
        """An administrator of an organisation."""
        permissions = ROLE_PERMISSIONS[PredefinedRole.OWNER]
        return Actor(tenant_id=tenant_id, user_id=self.owner.user_id, permissions=permissions, language="en")


async def federated_over(
    place: Place, valkey: Valkey, provider: IdentityProvider, **settings: object
) -> AsyncIterator[Federated]:
    """An installation with these settings, until the test is over."""
    runtime: Runtime = await build(
        place.settings(
            redis_url=valkey.url, outbound_allow="127.0.0.0/8", super_api_key=OPERATOR_KEY,
            oidc_timeout_seconds=TIMEOUT_SECONDS, **settings,
        )
    )  # fmt: skip
    owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    yield Federated(runtime, create_api(runtime), owner, provider)
    await runtime.close()


@pytest.fixture
async def federated(
    place: Place, shared_valkey: Valkey, identity_provider: IdentityProvider
) -> AsyncIterator[Federated]:
    """Organisations have providers of their own; ours has one, and accounts are made at the first sign-in."""
    async for made in federated_over(place, shared_valkey, identity_provider, federation_per_tenant_enabled=True):
        await made.provisioning()
        assert (await made.configure()).status_code == 200
        yield made


@pytest.fixture
async def shared_federation(
    place: Place, shared_valkey: Valkey, identity_provider: IdentityProvider
) -> AsyncIterator[Federated]:
    """One provider for the whole installation, from the settings; nothing has been asked of it yet."""
    async for made in federated_over(
        place, shared_valkey, identity_provider,
        oidc_discovery_endpoint=identity_provider.issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET,
    ):  # fmt: skip
        await made.provisioning()
        yield made
