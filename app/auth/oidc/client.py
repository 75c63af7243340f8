"""The client: sign-in by a code, ID tokens checked, ends of sessions, and what a provider published, remembered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import BadSignatureError

from app.auth.oidc.calls import EXCHANGE_REFUSED, SECRET_REFUSED, Answer, ProviderCalls, plain_word, with_query
from app.auth.oidc.discovery import ISSUER_DIFFERS, authorization_url, issuer_of, lacks, metadata_of
from app.auth.oidc.doctor import examine
from app.auth.oidc.tokens import (
    ALGORITHMS,
    BAD_CLAIM,
    KEY_LIMIT,
    WRONG_ALGORITHM,
    NoSuchKey,
    check_access_token,
    check_claims,
    decoded,
    fitting,
    header_of,
    key_refusal,
)
from app.security.outbound import OutboundGuard
from domain.federation.entities import Connection, Proof, ProviderMetadata, SignInRefused
from domain.kernel.errors import N_
from domain.ports import ConnectionReport, EndedElsewhere

REMEMBER_SECONDS, REFRESH_PAUSE_SECONDS = 3600, 5
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

ISSUER_CHANGED = N_("The identity provider now calls itself {found}; it was set up as {expected}.")
MIX_UP = N_("The answer came from another identity provider ({found}) than the one that was asked.")
CODE_REFUSED = N_("The identity provider refused the code: it is too old, was used already, or is for another address.")
NO_CODE = N_("The identity provider sent no code.")
NO_ID_TOKEN = N_("The identity provider sent no ID token. Check that the scope “openid” is allowed.")
NO_ACCESS_TOKEN = N_("The identity provider sent no access token.")
WRONG_NONCE = N_("The ID token belongs to another sign-in (claim “nonce”).")
OTHER_PERSON = N_("The identity provider's userinfo is about another person than the ID token.")
NOT_A_LOGOUT = N_("This is not a logout token.")


@dataclass(slots=True)
class _Remembered:
    """Something a provider published, and when it was fetched (monotonic seconds)."""

    value: Any
    at: float = field(default_factory=time.monotonic)

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.at < REMEMBER_SECONDS


class OidcClient:
    """See `domain.ports.IdentityProviders`. `timeout` bounds one whole call, `leeway` the difference of clocks (seconds)."""

    def __init__(self, guard: OutboundGuard, *, timeout: float = 10, leeway: int = 120) -> None:
        self._calls, self._leeway = ProviderCalls(guard, timeout), leeway
        self._documents: dict[str, _Remembered] = {}
        self._keys: dict[str, _Remembered] = {}
        self._refreshed: dict[str, float] = {}

    async def metadata(self, discovery_endpoint: str) -> ProviderMetadata:
        """The discovery document, checked."""
        known = self._documents.get(discovery_endpoint)
        if known is None or not known.fresh:
            found = metadata_of(await self._calls.document(discovery_endpoint))
            expected = issuer_of(discovery_endpoint)
            if found.issuer.rstrip("/") != expected:
                raise SignInRefused("issuer_differs", ISSUER_DIFFERS, found=found.issuer[:300], expected=expected)
            for complaint in lacks(found):
                raise SignInRefused("unsupported", complaint)
            _remember(self._documents, discovery_endpoint, found)
            return found
        metadata: ProviderMetadata = known.value
        return metadata

    async def authorization_url(self, connection: Connection, *, state: str, nonce: str, challenge: str) -> str:
        """The authorization request, with state, nonce and PKCE."""
        metadata = await self._of(connection)
        return authorization_url(metadata, connection, state=state, nonce=nonce, challenge=challenge)

    async def redeem(
        self,
        connection: Connection,
        code: str,
        *,
        verifier: str,
        nonce: str | None,
        issuer: str | None,
        redirect_uri: str | None = None,
    ) -> Proof:
        """Exchange the code, check the ID token, and ask userinfo for what it lacks."""
        metadata = await self._of(connection)
        # RFC 9207: without this, a malicious provider could have our code for another one sent to itself.
        if (issuer is not None or metadata.names_itself) and issuer != metadata.issuer:
            raise SignInRefused("mix_up", MIX_UP, found=(issuer or "–")[:300])
        if not code:
            raise SignInRefused("no_code", NO_CODE)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri or connection.redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._calls.token(connection, metadata, form)
        if answer.status != 200:
            raise _exchange_refusal(answer)
        tokens = answer.json()
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not id_token:
            raise SignInRefused("no_id_token", NO_ID_TOKEN)
        if not isinstance(access_token, str) or not access_token:
            raise SignInRefused("no_access_token", NO_ACCESS_TOKEN)
        header, claims = await self._verified(metadata, id_token)
        check_claims(claims, metadata, connection, self._leeway)
        if claims.get("nonce") != nonce:
            raise SignInRefused("nonce", WRONG_NONCE)
        check_access_token(header["alg"], claims, access_token)
        claims = await self._completed(connection, metadata, claims, access_token)
        return Proof(metadata.issuer, claims["sub"], claims, id_token)

    async def _of(self, connection: Connection) -> ProviderMetadata:
        metadata = await self.metadata(connection.discovery_endpoint)
        if connection.issuer is not None and connection.issuer != metadata.issuer:
            raise SignInRefused(
                "issuer_changed", ISSUER_CHANGED, found=metadata.issuer[:300], expected=connection.issuer
            )
        return metadata

    async def _completed(
        self, connection: Connection, metadata: ProviderMetadata, claims: dict[str, Any], access_token: str
    ) -> dict[str, Any]:
        """The claims, completed from userinfo where the address or the mapped groups are missing."""
        wanted = ["email", *([connection.group_claim] if connection.group_roles else [])]
        if all(name in claims for name in wanted) or metadata.userinfo_endpoint is None:
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        more = (await self._calls.call("GET", metadata.userinfo_endpoint, headers=headers)).good().json()
        if more.get("sub") != claims["sub"]:
            raise SignInRefused("userinfo_subject", OTHER_PERSON)
        return {**more, **claims}

    async def _verified(self, metadata: ProviderMetadata, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that the provider has signed with a key that it publishes."""
        header = header_of(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS or (metadata.algorithms and algorithm not in metadata.algorithms):
            raise SignInRefused("algorithm", WRONG_ALGORITHM, found=plain_word(algorithm) or "–")
        try:
            return header, decoded(token, algorithm, fitting(await self._key_set(metadata), header))
        except (NoSuchKey, BadSignatureError) as first:
            # Perhaps the provider has changed its keys since they were fetched, or even kept the name of the old one.
            if not await self._refresh(metadata):
                raise key_refusal(first) from None
        try:
            return header, decoded(token, algorithm, fitting(await self._key_set(metadata), header))
        except (NoSuchKey, BadSignatureError) as second:
            raise key_refusal(second) from None

    async def _key_set(self, metadata: ProviderMetadata) -> Sequence[Any]:
        known = self._keys.get(metadata.jwks_uri)
        if known is None or not known.fresh:
            known = _remember(self._keys, metadata.jwks_uri, await self._calls.keys(metadata))
        keys: Sequence[Any] = known.value
        return keys

    async def _refresh(self, metadata: ProviderMetadata) -> bool:
        """Fetch the keys anew, unless that was done a moment ago: strangers can send tokens with made-up keys."""
        moment = time.monotonic()
        if moment - self._refreshed.get(metadata.jwks_uri, -REFRESH_PAUSE_SECONDS) < REFRESH_PAUSE_SECONDS:
            return False
        self._refreshed[metadata.jwks_uri] = moment
        _remember(self._keys, metadata.jwks_uri, await self._calls.keys(metadata))
        return True

    async def ended(self, connection: Connection, logout_token: str) -> EndedElsewhere:
        """Check a logout token (OpenID Connect Back-Channel Logout 1.0)."""
        metadata = await self._of(connection)
        _, claims = await self._verified(metadata, logout_token)
        subject, session = claims.get("sub"), claims.get("sid")
        # It may lack a subject, and the ID token rules are otherwise the same.
        check_claims({**claims, "sub": subject or "-"}, metadata, connection, self._leeway)
        events = claims.get("events")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
            raise SignInRefused("not_a_logout", NOT_A_LOGOUT)
        if not all(value is None or isinstance(value, str) for value in (subject, session)) or not (subject or session):
            raise SignInRefused("not_a_logout", BAD_CLAIM, claim="sub")
        issued = datetime.fromtimestamp(claims["iat"], UTC)
        return EndedElsewhere(metadata.issuer, subject, session, issued)

    async def examine(self, connection: Connection) -> ConnectionReport:
        """See `doctor.examine`."""
        return await examine(self._calls, connection)

    async def sign_out_url(self, connection: Connection, id_token: str, target: str) -> str | None:
        """Where the provider ends its own session (RP-initiated logout)."""
        metadata = await self._of(connection)
        if metadata.end_session_endpoint is None:
            return None
        parameters = {
            "id_token_hint": id_token,
            "client_id": connection.client_id,
            "post_logout_redirect_uri": target,
        }
        return with_query(metadata.end_session_endpoint, parameters)


def _remember(store: dict[str, _Remembered], key: str, value: Any) -> _Remembered:
    if len(store) > KEY_LIMIT:
        store.clear()
    store[key] = _Remembered(value)
    return store[key]


def _exchange_refusal(answer: Answer) -> SignInRefused:
    error = answer.error
    if error in ("invalid_client", "unauthorized_client") or answer.status == 401:
        return SignInRefused("client_refused", SECRET_REFUSED)
    if error == "invalid_grant":
        return SignInRefused("code_refused", CODE_REFUSED)
    return SignInRefused("exchange_refused", EXCHANGE_REFUSED, error=error)
