"""Signing in through a provider: out to it, back from it, and the end of the session on either side."""

import base64
import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.federation.connections import NOT_SET_UP, Connections
from domain.federation.entities import (
    Connection,
    PendingSignIn,
    Proof,
    ProviderSession,
    Purpose,
    SignInRefused,
    StateRefused,
)
from domain.federation.persons import apply_groups, check_domain, email_of, known_person, link, outcome_of, user_for
from domain.identity.service import (
    ADDRESS_THRESHOLD,
    THROTTLE_BLOCK,
    THROTTLE_WINDOW,
    IdentityService,
    SignedIn,
    check_alive,
    hash_token,
)
from domain.kernel.actor import Actor, Origin, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Failure, Invalid, NotFound, TenantSuspended, TooManyRequests
from domain.kernel.events import Change, Signal
from domain.ports import Directory, IdentityProviders, TenantName, Vault, Watch
from domain.tenants.entities import Tenant, TenantState
from domain.transaction import UnitOfWork

log = logging.getLogger(__name__)
NOBODY = UUID(int=0)
UNKNOWN_ORGANISATION = N_("No organisation that signs in this way has that name or address. Check the spelling.")
NAME_ORGANISATION = N_("Name your organisation, or give your e-mail address at work.")
FOREIGN_STATE = N_("This sign-in is not known here, or it is too old. Start again.")
USED_STATE = N_("This sign-in was used already. Start again.")
EXPIRED_STATE = N_("The sign-in took too long. Start again.")
OTHER_BROWSER = N_("This sign-in was begun in another browser. Start again in this one.")
OTHER_SETTINGS = N_("The sign-in settings of your organisation changed meanwhile. Start again.")
DRIFTED = N_("The address of this installation changed meanwhile. Start again.")
DENIED = N_("The identity provider ended the sign-in. Start again, or ask your administrator.")
PROVIDER_ERROR = N_("The identity provider reported an error ({error}). Start again, or ask your administrator.")


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what it must keep: `verifier` is None when the client made its own."""

    url: str
    state: str
    verifier: str | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back from the provider: the parameters of its answer, and the `verifier` that the browser kept."""

    state: str
    code: str
    verifier: str
    issuer: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The outcome of a sign-in; a test opens no session."""

    signed_in: SignedIn | None
    target: str
    client_state: str | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Status:
    """What kinds of sign-in through providers there are."""

    shared: bool
    per_tenant: bool
    tenants: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What the sign-in page offers beside the password: one provider by name, or a choice of organisations."""

    provider: str = ""
    choose: bool = False
    tenants: Sequence[TenantName] = ()


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def masked(email: str) -> str:
    """An address for logs: `a…@example.se`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}…@{domain}"


class ProviderSignInService:
    """Use cases of signing in through a provider."""

    def __init__(
        self,
        uow: UnitOfWork,
        directory: Directory,
        identity: IdentityService,
        connections: Connections,
        providers: IdentityProviders,
        vault: Vault,
        watch: Watch,
    ) -> None:
        self._uow, self._directory, self._identity = uow, directory, identity
        self._connections, self._providers, self._vault, self._watch = connections, providers, vault, watch
        self._rules = connections.rules

    async def status(self) -> Status:
        """What there is to choose from on the sign-in page."""
        return Status(self._rules.shared is not None, self._rules.per_tenant, len(await self._directory.tenant_ids()))

    async def offer(self) -> Offer | None:
        """What the sign-in page shows; None where nobody signs in through a provider."""
        if not self._rules.per_tenant:
            return Offer(self._rules.shared.provider) if self._rules.shared else None
        ids = await self._directory.tenant_ids()
        if len(ids) > 1:
            return Offer(choose=True, tenants=await self.tenants())
        for tenant_id in ids:
            async with self._uow.read(tenant_id) as tx:
                found = await tx.federation.configured()
            if found is not None and found.active:
                return Offer(found.provider)
        return None

    async def tenants(self) -> list[TenantName]:
        """The organisations by name; none unless the operator wants them shown to everybody."""
        return list(await self._directory.tenant_names()) if self._rules.list_tenants else []

    async def begin(
        self,
        word: str | None,
        origin: Origin,
        *,
        base: str | None = None,
        target: str = "/",
        client_state: str | None = None,
        challenge: str | None = None,
    ) -> Begun:
        """Send somebody to the provider of the organisation with this slug or e-mail domain.

        A client that keeps no cookies brings the `challenge` of a verifier of its own.
        """
        tenant_id = await self._tenant(word, origin)
        try:
            connection = await self._connections.of(tenant_id, base)
        except NotFound as failure:
            # One sentence for an organisation that is unknown and one without a provider: neither is told apart.
            raise await self._unknown(origin) if self._rules.per_tenant else failure from None
        return await self._begin(connection, origin, Purpose.SIGN_IN, target, client_state, challenge)

    async def begin_test(self, actor: Actor, *, base: str | None = None) -> Begun:
        """Send an administrator to the provider to see what it says; no session comes of it."""
        actor.require(Permission.ADMIN)
        connection = await self._connections.of(actor.tenant_id, base, also_inactive=True)
        return await self._begin(
            connection, actor.origin, Purpose.TEST, "/admin/sign-in", None, None, user_id=actor.user_id
        )

    async def _begin(
        self,
        connection: Connection,
        origin: Origin,
        purpose: Purpose,
        target: str,
        client_state: str | None,
        challenge: str | None,
        user_id: UUID | None = None,
    ) -> Begun:
        verifier = None if challenge else secrets.token_urlsafe(48)
        challenge = challenge or challenge_of(verifier or "")
        if not 43 <= len(challenge) <= 64 or len(client_state or "") > 2000:
            raise Invalid(field="code_challenge" if len(challenge) != 43 else "state")
        state = f"{connection.tenant_id.hex}.{secrets.token_urlsafe(32)}"
        nonce = secrets.token_urlsafe(24)
        correlation_id = origin.request_id or secrets.token_hex(8)
        url = await self._named(
            correlation_id,
            self._providers.authorization_url(connection, state=state, nonce=nonce, challenge=challenge),
        )
        moment = now()
        async with self._uow.begin(connection.tenant_id) as tx:
            await tx.federation.forget_expired(moment)
            await tx.add(
                PendingSignIn(
                    tenant_id=connection.tenant_id,
                    state_hash=hash_token(state),
                    challenge=challenge,
                    nonce=nonce,
                    redirect_uri=connection.redirect_uri,
                    version=connection.version,
                    correlation_id=correlation_id,
                    expires_at=moment + timedelta(seconds=self._rules.state_seconds),
                    purpose=purpose,
                    target=target[:2000],
                    client_state=client_state,
                    user_id=user_id,
                )
            )
        await self._note(correlation_id, "initiate.sent", tenant=connection.tenant_id, redirect=connection.redirect_uri)
        return Begun(url, state, verifier, correlation_id)

    async def _tenant(self, word: str | None, origin: Origin) -> UUID:
        word = (word or "").strip().lower()
        if not self._rules.per_tenant:
            return await self._only_tenant()
        if not word:
            ids = await self._directory.tenant_ids()
            if len(ids) != 1:
                raise BadRequest(NAME_ORGANISATION, field="organisation")
            return ids[0]
        _, wait = await self._directory.login_attempts(self._address_key(origin), block_seconds=THROTTLE_BLOCK)
        if wait > 0:
            raise TooManyRequests(retry_after=int(wait) + 1)
        found = await self._directory.find_tenant(word.rpartition("@")[2])
        if found is None:
            raise await self._unknown(origin)
        async with self._uow.read(found) as tx:
            tenant = await tx.get(Tenant, found)
        if tenant is None or tenant.state != TenantState.ACTIVE:
            raise TenantSuspended
        return found

    async def _only_tenant(self) -> UUID:
        shared = self._rules.shared
        if shared is None:
            raise NotFound(NOT_SET_UP)
        if shared.tenant_id is not None:
            return shared.tenant_id
        for tenant_id in await self._directory.tenant_ids():
            async with self._uow.read(tenant_id) as tx:
                tenant = await tx.get(Tenant, tenant_id)
            if tenant is not None and tenant.state == TenantState.ACTIVE:
                return tenant_id
        raise NotFound(NOT_SET_UP)

    @staticmethod
    def _address_key(origin: Origin) -> str:
        return hash_token(f"organisation:{origin.ip}")

    async def _unknown(self, origin: Origin) -> NotFound:
        await self._directory.login_failed(
            self._address_key(origin),
            window_seconds=THROTTLE_WINDOW,
            threshold=ADDRESS_THRESHOLD,
            block_seconds=THROTTLE_BLOCK,
        )
        return NotFound(UNKNOWN_ORGANISATION, field="organisation")

    async def complete(
        self, returned: Returned, origin: Origin, *, base: str | None = None, kind: str = "browser"
    ) -> Completed:
        """Finish what `begin` began: check state, browser, settings and proof, then open a session."""
        pending = await self._take(returned, origin)
        try:
            proof, connection = await self._prove(pending, returned, base)
            if pending.purpose == Purpose.TEST:
                await self._report(pending, outcome_of(proof, connection), origin)
                return Completed(None, pending.target, pending.client_state, pending.correlation_id)
            signed_in = await self._admit(connection, proof, origin, kind, pending.correlation_id)
        except Failure as failure:
            failure.reference = pending.correlation_id
            await self._refused(pending, failure, origin)
            raise
        await self._note(pending.correlation_id, "callback.signed_in", user=masked(signed_in.actor.email))
        return Completed(signed_in, pending.target, pending.client_state, pending.correlation_id)

    async def _take(self, returned: Returned, origin: Origin) -> PendingSignIn:
        """The pending sign-in, used up whether it fits or not. A state that is not ours is known to no organisation."""
        try:
            tenant_id = UUID(hex=returned.state.split(".")[0])
        except ValueError:
            raise self._stray() from None
        moment = now()
        async with self._uow.begin(tenant_id) as tx:
            pending = await tx.federation.take(hash_token(returned.state), moment)
        if pending is None:
            raise self._stray()
        for wrong, reason, sentence in (
            (pending.used_at is not None, "state_replayed", USED_STATE),
            (pending.expires_at <= moment, "state_expired", EXPIRED_STATE),
            (
                not secrets.compare_digest(challenge_of(returned.verifier), pending.challenge),
                "other_browser",
                OTHER_BROWSER,
            ),
        ):
            if wrong:
                failure = StateRefused(reason, sentence)
                failure.reference = pending.correlation_id
                await self._record_refusal(tenant_id, pending.correlation_id, failure, origin)
                raise failure
        return pending

    @staticmethod
    def _stray() -> StateRefused:
        log.warning("sign-in through a provider refused: a state that is not ours")
        return StateRefused("state_unknown", FOREIGN_STATE)

    async def _prove(self, pending: PendingSignIn, returned: Returned, base: str | None) -> tuple[Proof, Connection]:
        async with self._uow.read(pending.tenant_id) as tx:
            tenant = await tx.get(Tenant, pending.tenant_id)
        if tenant is None or tenant.state != TenantState.ACTIVE:
            raise TenantSuspended
        connection = await self._connections.of(pending.tenant_id, base, also_inactive=pending.purpose == Purpose.TEST)
        if pending.version != connection.version:
            raise StateRefused("other_settings", OTHER_SETTINGS)
        self._check_drift(pending, connection)
        if returned.error:
            if returned.error == "access_denied":
                raise SignInRefused("denied", DENIED)
            shown = "".join(c for c in returned.error[:60] if c.isalnum() or c in "_-.")
            raise SignInRefused("provider_error", PROVIDER_ERROR, error=shown)
        proof = await self._providers.redeem(
            connection,
            returned.code,
            verifier=returned.verifier,
            nonce=pending.nonce,
            issuer=returned.issuer,
            redirect_uri=pending.redirect_uri,
        )
        return proof, connection

    def _check_drift(self, pending: PendingSignIn, connection: Connection) -> None:
        """An address that changed under way is borne for a short while, so that nobody is caught in between."""
        if pending.redirect_uri == connection.redirect_uri or not self._rules.strict_redirect:
            return
        moment = now()
        grace = timedelta(seconds=self._rules.grace_seconds)
        within = moment - pending.created_at <= min(grace, timedelta(seconds=self._rules.state_seconds))
        changed_since = connection.configured_at > pending.created_at and moment - connection.configured_at <= grace
        if not (within and changed_since):
            raise StateRefused("redirect_drift", DRIFTED)

    async def _admit(
        self, connection: Connection, proof: Proof, origin: Origin, kind: str, correlation_id: str
    ) -> SignedIn:
        email, verified = email_of(proof.claims, connection.trust_email)
        if email:
            check_domain(email, connection)
        sealed = await self._vault.seal(connection.tenant_id, proof.id_token)
        async with self._uow.begin(connection.tenant_id) as tx:
            tenant = await tx.get(Tenant, connection.tenant_id)
            if tenant is None:
                raise NotFound
            identity, user = await known_person(tx, proof)
            if user is None or identity is None:
                user = await user_for(tx, tenant, proof, email, verified, origin)
                identity = await link(tx, user, proof, origin)
            elif not email:
                check_domain(user.email, connection)
            check_alive(tenant, user)
            identity.last_used_at = now()
            await apply_groups(tx, user, connection, proof.claims, origin)
            signed_in = await self._identity.open_session(tx, user, origin, kind)
            session_id = proof.claims.get("sid")
            await tx.add(
                ProviderSession(
                    tenant_id=user.tenant_id,
                    sign_in_id=signed_in.sign_in.id,
                    identity_id=identity.id,
                    provider_session=session_id[:255] if isinstance(session_id, str) else None,
                    id_token=sealed,
                )
            )
        self._identity.tell(signed_in)
        await self._note(correlation_id, "callback.admitted", subject=proof.subject[:8] + "…")
        return signed_in

    async def redeem_directly(
        self,
        code: str,
        verifier: str,
        nonce: str | None,
        client_id: str,
        redirect_uri: str,
        origin: Origin,
        *,
        base: str | None = None,
    ) -> SignedIn:
        """Finish a sign-in that a client began by itself with the installation's own provider.

        The verifier of the client is what binds the code to it; what the provider signs is checked as always.
        """
        if self._rules.per_tenant:
            raise NotFound(NOT_SET_UP)
        tenant_id = await self._only_tenant()
        connection = await self._connections.of(tenant_id, base)
        correlation_id = origin.request_id or secrets.token_hex(8)
        try:
            if client_id != connection.client_id or redirect_uri != connection.redirect_uri:
                raise StateRefused("other_client", OTHER_SETTINGS)
            proof = await self._providers.redeem(
                connection, code, verifier=verifier, nonce=nonce, issuer=None, redirect_uri=redirect_uri
            )
            return await self._admit(connection, proof, origin, "api", correlation_id)
        except Failure as failure:
            failure.reference = correlation_id
            await self._record_refusal(tenant_id, correlation_id, failure, origin)
            raise

    async def _report(self, pending: PendingSignIn, outcome: dict[str, Any], origin: Origin) -> None:
        """Keep the outcome of a test sign-in with the configuration: sentences and the names of claims, no tokens."""
        async with self._uow.begin(pending.tenant_id) as tx:
            found = await tx.federation.configured()
            if found is None:
                return
            found.report = {**outcome, "at": now().isoformat(), "reference": pending.correlation_id}
            actor = Actor(tenant_id=pending.tenant_id, user_id=pending.user_id or NOBODY, origin=origin)
            word = "success" if outcome["ok"] else "failure"
            tx.record(actor, Change("federation_tested", "federation", found.id, found.provider, outcome=word))
            tx.signal(Signal(f"tenant:{pending.tenant_id}", "federation_changed"))

    async def _refused(self, pending: PendingSignIn, failure: Failure, origin: Origin) -> None:
        if pending.purpose == Purpose.TEST:
            report = {"ok": False, "steps": [[failure.message, failure.params, False]]}
            await self._report(pending, report, origin)
        await self._record_refusal(pending.tenant_id, pending.correlation_id, failure, origin)

    async def _record_refusal(self, tenant_id: UUID, correlation_id: str, failure: Failure, origin: Origin) -> None:
        reason = failure.reason if isinstance(failure, SignInRefused) else type(failure).__name__
        log.warning(
            "sign-in through a provider refused: %s (%s), correlation id %s", reason, failure.text(), correlation_id
        )
        await self._note(correlation_id, f"callback.{reason}")
        traced = Origin(origin.ip, origin.user_agent, correlation_id)
        actor = Actor(tenant_id=tenant_id, user_id=NOBODY, kind="anonymous", origin=traced)
        async with self._uow.begin(tenant_id) as tx:
            change = Change("sign_in", "user", None, failure.text(), new={"reason": reason}, outcome="failure")
            tx.record(actor, change)

    async def _named(self, correlation_id: str, work: Any) -> Any:
        """The result of `work`; its failure is logged and carries the reference."""
        try:
            return await work
        except Failure as failure:
            failure.reference = correlation_id
            log.warning("sign-in through a provider not begun: %s, correlation id %s", failure.text(), correlation_id)
            raise

    async def _note(self, correlation_id: str, event: str, **facts: object) -> None:
        """A breadcrumb, while the operator watches. Facts carry no tokens, codes, secrets or whole addresses."""
        if await self._watch.on():
            shown = " ".join(f"{name}={value}" for name, value in facts.items())
            log.info("[OIDC DEBUG] %s correlation id %s %s", event, correlation_id, shown)

    async def sign_out_url(self, actor: Actor, *, base: str | None = None) -> str | None:
        """Where the browser goes after signing out, to end the provider's own session; ask before the session ends."""
        if actor.session_id is None:
            return None
        async with self._uow.read(actor.tenant_id) as tx:
            session = await tx.federation.provider_session(actor.session_id)
            found = await tx.federation.configured()
        if session is None:
            return None
        try:
            connection = await self._connections.of(actor.tenant_id, base)
            hint = await self._vault.unseal(actor.tenant_id, session.id_token)
            target = f"{self._connections.origin(found if self._rules.per_tenant else None, base)}/sign-in"
            return await self._providers.sign_out_url(connection, hint, target)
        except Failure as failure:
            log.warning("the provider's session cannot be ended: %s", failure.text())
            return None

    async def signed_out_elsewhere(self, tenant_id: UUID, logout_token: str, origin: Origin) -> int:
        """Back-channel logout: the provider says that a person's session has ended; how many people it concerned."""
        # Nothing is redirected here, so the address people use does not matter.
        connection = await self._connections.of(tenant_id, "http://localhost")
        ended = await self._providers.ended(connection, logout_token)
        latest = ended.issued_at + timedelta(seconds=self._rules.leeway_seconds)
        async with self._uow.begin(tenant_id) as tx:
            users = await tx.federation.end_sessions(ended.issuer, ended.subject, ended.provider_session, latest, now())
            for user_id in users:
                actor = Actor(tenant_id=tenant_id, user_id=user_id, origin=origin)
                tx.record(actor, Change("sign_out", "user", user_id, "", new={"by": "provider"}))
                tx.signal(Signal(f"user:{user_id}", "signed_out"))
        return len(users)
