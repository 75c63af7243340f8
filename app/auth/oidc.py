"""OpenID Connect as the relying party: calls to providers, and every check of what comes back.

A client of our own over `joserfc`, because each call has to go through the outbound guard and be bounded in size and
time. What does not fit is refused with a sentence of its own.
"""

import asyncio
import base64
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from app.security.outbound import OutboundGuard
from domain.federation.connections import LOCAL_HOSTS
from domain.federation.entities import Connection, Proof, ProviderMetadata, SignInRefused
from domain.federation.persons import MISSING_CLAIM
from domain.federation.service import WELL_KNOWN
from domain.kernel.errors import N_, ProviderFailed
from domain.ports import ConnectionReport, EndedElsewhere

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a private key only: `none` and shared secrets (HS256 …) never prove a provider."""
BODY_LIMIT, TOKEN_LIMIT, KEY_LIMIT = 512 * 1024, 64 * 1024, 200
REMEMBER_SECONDS, REFRESH_PAUSE_SECONDS = 3600, 5
MAX_TOKEN_AGE_SECONDS = 3600
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MADE_UP_CODE = "samrad-sign-in-doctor"
Step = tuple[str, dict[str, Any], bool]

INSECURE = N_("The identity provider's address {url} must begin with https://.")
TOO_SLOW = N_("The identity provider did not answer in time ({url}).")
UNREACHABLE = N_("The identity provider cannot be reached ({url}).")
REDIRECTED = N_("The identity provider answered with a redirect where an answer was due ({url}). It is not followed.")
TOO_LARGE = N_("The answer of the identity provider is too large ({url}).")
GARBAGE = N_("The answer of the identity provider cannot be read ({url}).")
BAD_STATUS = N_("The identity provider answered with the status {status} ({url}).")
INCOMPLETE = N_("The discovery document lacks “{name}”.")
ISSUER_DIFFERS = N_(
    "The discovery document is for the issuer {found}, but it was read for {expected}. The two must be the same."
)
ISSUER_CHANGED = N_("The identity provider now calls itself {found}; it was set up as {expected}.")
NO_CODE_FLOW = N_("The identity provider does not offer the code flow.")
NO_S256 = N_("The identity provider does not offer PKCE with S256.")
NO_AUTH_METHOD = N_("The identity provider accepts a client secret neither in the form nor in the header.")
NO_ALGORITHM = N_("The identity provider signs with no algorithm that is accepted here.")
NO_KEYS = N_("The identity provider has no key that signatures can be checked with.")
MIX_UP = N_("The answer came from another identity provider ({found}) than the one that was asked.")
SECRET_REFUSED = N_("The identity provider refused the client id or the client secret.")
CODE_REFUSED = N_("The identity provider refused the code: it is too old, was used already, or is for another address.")
EXCHANGE_REFUSED = N_("The identity provider refused the exchange of the code ({error}).")
NO_CODE = N_("The identity provider sent no code.")
NO_ID_TOKEN = N_("The identity provider sent no ID token. Check that the scope “openid” is allowed.")
NO_ACCESS_TOKEN = N_("The identity provider sent no access token.")
TOKEN_MALFORMED = N_("The ID token cannot be read.")
WRONG_ALGORITHM = N_("The ID token is signed with {found}, which is not accepted.")
UNKNOWN_KEY = N_("The ID token is signed with a key that the identity provider does not publish.")
WRONG_SIGNATURE = N_("The signature of the ID token is wrong.")
WRONG_ISSUER = N_("The ID token was issued by {found}, not by {expected}.")
WRONG_AUDIENCE = N_("The ID token is meant for somebody else.")
WRONG_PARTY = N_("The ID token was issued to another client (claim “azp”).")
EXPIRED = N_("The ID token has expired. Check the clocks of both servers.")
FROM_THE_FUTURE = N_("The ID token is from the future. Check the clocks of both servers.")
TOO_OLD = N_("The ID token was issued too long ago.")
WRONG_NONCE = N_("The ID token belongs to another sign-in (claim “nonce”).")
WRONG_HASH = N_("The ID token does not belong to the access token (claim “at_hash”).")
BAD_CLAIM = N_("The claim “{claim}” is missing or has the wrong form.")
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


class _Answer:
    """An answer of a provider, read whole."""

    def __init__(self, url: str, response: httpx.Response, body: bytes) -> None:
        self.url, self.status, self.headers, self.body = url, response.status_code, response.headers, body

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise SignInRefused("garbage", GARBAGE, url=self.url)
        return value

    def good(self) -> "_Answer":
        """This answer, if it is one."""
        if self.status != 200:
            raise SignInRefused("bad_status", BAD_STATUS, status=self.status, url=self.url)
        return self

    @property
    def error(self) -> str:
        """The OAuth error it names, or its status."""
        try:
            word = json.loads(self.body).get("error", "")
        except (ValueError, RecursionError, AttributeError):
            word = ""
        return _word(word) or str(self.status)


class OidcClient:
    """See `domain.ports.IdentityProviders`. `timeout` bounds one whole call, `leeway` the difference of clocks (seconds)."""

    def __init__(self, guard: OutboundGuard, *, timeout: float = 10, leeway: int = 120) -> None:
        self._guard, self._timeout, self._leeway = guard, timeout, leeway
        self._documents: dict[str, _Remembered] = {}
        self._keys: dict[str, _Remembered] = {}
        self._refreshed: dict[str, float] = {}

    async def metadata(self, discovery_endpoint: str) -> ProviderMetadata:
        """The discovery document, checked."""
        known = self._documents.get(discovery_endpoint)
        if known is None or not known.fresh:
            found = _metadata(await self._document(discovery_endpoint))
            expected = _issuer_of(discovery_endpoint)
            if found.issuer.rstrip("/") != expected:
                raise SignInRefused("issuer_differs", ISSUER_DIFFERS, found=found.issuer[:300], expected=expected)
            for complaint in _lacks(found):
                raise SignInRefused("unsupported", complaint)
            _remember(self._documents, discovery_endpoint, found)
            return found
        metadata: ProviderMetadata = known.value
        return metadata

    async def _document(self, discovery_endpoint: str) -> dict[str, Any]:
        return (await self._call("GET", discovery_endpoint)).good().json()

    async def authorization_url(self, connection: Connection, *, state: str, nonce: str, challenge: str) -> str:
        """The authorization request, with state, nonce and PKCE."""
        metadata = await self._of(connection)
        return _authorization_url(metadata, connection, state=state, nonce=nonce, challenge=challenge)

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
        answer = await self._token_call(connection, metadata, form)
        if answer.status != 200:
            raise _exchange_refusal(answer)
        tokens = answer.json()
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not id_token:
            raise SignInRefused("no_id_token", NO_ID_TOKEN)
        if not isinstance(access_token, str) or not access_token:
            raise SignInRefused("no_access_token", NO_ACCESS_TOKEN)
        header, claims = await self._verified(metadata, id_token)
        self._check_claims(claims, metadata, connection)
        if claims.get("nonce") != nonce:
            raise SignInRefused("nonce", WRONG_NONCE)
        _check_access_token(header["alg"], claims, access_token)
        claims = await self._completed(connection, metadata, claims, access_token)
        return Proof(metadata.issuer, claims["sub"], claims, id_token)

    async def _of(self, connection: Connection) -> ProviderMetadata:
        metadata = await self.metadata(connection.discovery_endpoint)
        if connection.issuer is not None and connection.issuer != metadata.issuer:
            raise SignInRefused(
                "issuer_changed", ISSUER_CHANGED, found=metadata.issuer[:300], expected=connection.issuer
            )
        return metadata

    async def _token_call(self, connection: Connection, metadata: ProviderMetadata, form: Mapping[str, str]) -> _Answer:
        if "client_secret_post" in metadata.auth_methods:
            data = {**form, "client_id": connection.client_id, "client_secret": connection.secret}
            return await self._call("POST", metadata.token_endpoint, data=data)
        pair = f"{quote(connection.client_id, safe='')}:{quote(connection.secret, safe='')}"
        headers = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return await self._call("POST", metadata.token_endpoint, data=dict(form), headers=headers)

    async def _completed(
        self, connection: Connection, metadata: ProviderMetadata, claims: dict[str, Any], access_token: str
    ) -> dict[str, Any]:
        """The claims, completed from userinfo where the address or the mapped groups are missing."""
        wanted = ["email", *([connection.group_claim] if connection.group_roles else [])]
        if all(name in claims for name in wanted) or metadata.userinfo_endpoint is None:
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        more = (await self._call("GET", metadata.userinfo_endpoint, headers=headers)).good().json()
        if more.get("sub") != claims["sub"]:
            raise SignInRefused("userinfo_subject", OTHER_PERSON)
        return {**more, **claims}

    async def _verified(self, metadata: ProviderMetadata, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that the provider has signed with a key that it publishes."""
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS or (metadata.algorithms and algorithm not in metadata.algorithms):
            raise SignInRefused("algorithm", WRONG_ALGORITHM, found=_word(algorithm) or "–")
        try:
            return header, _decoded(token, algorithm, _fitting(await self._key_set(metadata), header))
        except (_NoSuchKey, BadSignatureError) as first:
            # Perhaps the provider has changed its keys since they were fetched, or even kept the name of the old one.
            if not await self._refresh(metadata):
                raise _key_refusal(first) from None
        try:
            return header, _decoded(token, algorithm, _fitting(await self._key_set(metadata), header))
        except (_NoSuchKey, BadSignatureError) as second:
            raise _key_refusal(second) from None

    async def _key_set(self, metadata: ProviderMetadata) -> Sequence[Any]:
        known = self._keys.get(metadata.jwks_uri)
        if known is None or not known.fresh:
            known = _remember(self._keys, metadata.jwks_uri, await self._fetched_keys(metadata))
        keys: Sequence[Any] = known.value
        return keys

    async def _fetched_keys(self, metadata: ProviderMetadata) -> Sequence[Any]:
        return _keys((await self._call("GET", metadata.jwks_uri)).good().json())

    async def _refresh(self, metadata: ProviderMetadata) -> bool:
        """Fetch the keys anew, unless that was done a moment ago: strangers can send tokens with made-up keys."""
        moment = time.monotonic()
        if moment - self._refreshed.get(metadata.jwks_uri, -REFRESH_PAUSE_SECONDS) < REFRESH_PAUSE_SECONDS:
            return False
        self._refreshed[metadata.jwks_uri] = moment
        _remember(self._keys, metadata.jwks_uri, await self._fetched_keys(metadata))
        return True

    def _check_claims(self, claims: dict[str, Any], metadata: ProviderMetadata, connection: Connection) -> None:
        if claims.get("iss") != metadata.issuer:
            raise SignInRefused("issuer", WRONG_ISSUER, found=str(claims.get("iss"))[:300], expected=metadata.issuer)
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if not isinstance(audiences, list) or connection.client_id not in audiences:
            raise SignInRefused("audience", WRONG_AUDIENCE)
        party = claims.get("azp")
        if (len(audiences) > 1 or party is not None) and party != connection.client_id:
            raise SignInRefused("authorized_party", WRONG_PARTY)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
            raise SignInRefused("subject", BAD_CLAIM, claim="sub")
        self._check_times(claims)

    def _check_times(self, claims: dict[str, Any]) -> None:
        moment = time.time()
        times = {name: claims.get(name) for name in ("exp", "iat", "nbf") if name != "nbf" or "nbf" in claims}
        for name, value in times.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise SignInRefused("times", BAD_CLAIM, claim=name)
        if times["exp"] + self._leeway <= moment:  # type: ignore[operator]
            raise SignInRefused("expired", EXPIRED)
        if max(times["iat"], times.get("nbf", 0)) > moment + self._leeway:  # type: ignore[type-var, operator]
            raise SignInRefused("from_the_future", FROM_THE_FUTURE)
        if times["iat"] < moment - MAX_TOKEN_AGE_SECONDS - self._leeway:  # type: ignore[operator]
            raise SignInRefused("too_old", TOO_OLD)

    async def ended(self, connection: Connection, logout_token: str) -> EndedElsewhere:
        """Check a logout token (OpenID Connect Back-Channel Logout 1.0)."""
        metadata = await self._of(connection)
        _, claims = await self._verified(metadata, logout_token)
        subject, session = claims.get("sub"), claims.get("sid")
        # It may lack a subject, and the ID token rules are otherwise the same.
        self._check_claims({**claims, "sub": subject or "-"}, metadata, connection)
        events = claims.get("events")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
            raise SignInRefused("not_a_logout", NOT_A_LOGOUT)
        if not all(value is None or isinstance(value, str) for value in (subject, session)) or not (subject or session):
            raise SignInRefused("not_a_logout", BAD_CLAIM, claim="sub")
        issued = datetime.fromtimestamp(claims["iat"], UTC)
        return EndedElsewhere(metadata.issuer, subject, session, issued)

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
        return _with_query(metadata.end_session_endpoint, parameters)

    async def examine(self, connection: Connection) -> ConnectionReport:
        """The sign-in doctor: as far as one gets without a person. Nothing that is remembered is believed."""
        steps: list[Step] = []
        try:
            document = await self._document(connection.discovery_endpoint)
            steps.append((N_("The discovery document was read."), {}, True))
            metadata = _metadata(document)
            steps.append(_issuer_step(metadata, connection.discovery_endpoint))
            steps.extend((complaint, {}, False) for complaint in _lacks(metadata))
        except SignInRefused as refusal:
            return ConnectionReport(False, [*steps, _failed(refusal)])
        for examine in (self._examine_keys, self._examine_redirect, self._examine_client):
            try:
                steps.append(await examine(connection, metadata))
            except SignInRefused as refusal:
                steps.append(_failed(refusal))
        steps.extend(_claim_steps(connection, metadata))
        return ConnectionReport(all(passed for _, _, passed in steps), steps)

    async def _examine_keys(self, connection: Connection, metadata: ProviderMetadata) -> Step:
        if not await self._fetched_keys(metadata):
            return NO_KEYS, {}, False
        return N_("The provider publishes the keys it signs with."), {}, True

    async def _examine_redirect(self, connection: Connection, metadata: ProviderMetadata) -> Step:
        """Ask for a sign-in without showing a page: a provider sends only to addresses that it knows."""
        ours = connection.redirect_uri
        url = _authorization_url(metadata, connection, state="doctor", nonce="doctor", challenge="A" * 43)
        answer = await self._call("GET", url + "&prompt=none", redirects=True)
        target = answer.headers.get("location", "")
        text = (answer.body[:20_000].decode(errors="replace") + " " + target).lower()
        if 300 <= answer.status < 400 and target.startswith(ours):
            if "error=unauthorized_client" in target or "error=invalid_client" in target:
                return N_("The provider does not know the client id {client}."), {"client": connection.client_id}, False
            return N_("The provider knows the redirect address {url}."), {"url": ours}, True
        if answer.status >= 400 and ("redirect_uri" in text or "redirect uri" in text):
            return REDIRECT_UNKNOWN, {"url": ours}, False
        if answer.status >= 400 and "client" in text:
            return N_("The provider does not know the client id {client}."), {"client": connection.client_id}, False
        if answer.status >= 400:
            raise SignInRefused("bad_status", BAD_STATUS, status=answer.status, url=_short(answer.url))
        return (
            N_("The provider did not say whether it knows the redirect address {url}. The test sign-in will show it."),
            {"url": ours},
            True,
        )

    async def _examine_client(self, connection: Connection, metadata: ProviderMetadata) -> Step:
        """Send a made-up code: who is refused for the code alone has passed as the client."""
        form = {
            "grant_type": "authorization_code",
            "code": MADE_UP_CODE,
            "redirect_uri": connection.redirect_uri,
            "code_verifier": "A" * 43,
        }
        answer = await self._token_call(connection, metadata, form)
        if answer.error in ("invalid_client", "unauthorized_client") or answer.status == 401:
            return SECRET_REFUSED, {}, False
        if answer.error in ("invalid_grant", "invalid_request"):
            return N_("The provider accepts the client id and the client secret."), {}, True
        raise SignInRefused("bad_status", EXCHANGE_REFUSED, error=answer.error)

    async def _call(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        redirects: bool = False,
    ) -> _Answer:
        """One bounded call through the outbound guard. `redirects` are seen instead of refused; they are never followed."""
        shown = _short(url)
        if not _is_secure(url):
            raise SignInRefused("insecure", INSECURE, url=shown)
        # Compressed answers could unfold beyond any limit.
        sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
        client, body = self._guard.client("oidc"), bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                client.stream(method, url, data=data, headers=sent, timeout=self._timeout) as response,
            ):
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > BODY_LIMIT:
                        raise SignInRefused("too_large", TOO_LARGE, url=shown)
        except (TimeoutError, httpx.TimeoutException):
            raise SignInRefused("too_slow", TOO_SLOW, url=shown) from None
        except ProviderFailed as failure:
            raise SignInRefused("address_refused", failure.message, **failure.params) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise SignInRefused("unreachable", UNREACHABLE, url=shown) from None
        if 300 <= response.status_code < 400 and not redirects:
            raise SignInRefused("redirected", REDIRECTED, url=shown)
        return _Answer(shown, response, bytes(body))


REDIRECT_UNKNOWN = N_("The provider does not know the redirect address. Enter exactly this one there: {url}")


class _NoSuchKey(Exception):
    """No published key fits the header of a token."""


def _remember(store: dict[str, _Remembered], key: str, value: Any) -> _Remembered:
    if len(store) > KEY_LIMIT:
        store.clear()
    store[key] = _Remembered(value)
    return store[key]


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)
    except ValueError:
        return False


def _short(url: str) -> str:
    return url.split("?")[0][:300]


def _word(value: object) -> str:
    """A word that somebody else chose, fit to be shown."""
    return "".join(c for c in str(value or "")[:60] if c.isascii() and (c.isalnum() or c in "_-."))


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def _authorization_url(
    metadata: ProviderMetadata, connection: Connection, *, state: str, nonce: str, challenge: str
) -> str:
    parameters = {
        "response_type": "code",
        "client_id": connection.client_id,
        "redirect_uri": connection.redirect_uri,
        "scope": connection.scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return _with_query(metadata.authorization_endpoint, parameters)


def _issuer_of(discovery_endpoint: str) -> str:
    return discovery_endpoint.removesuffix(WELL_KNOWN).rstrip("/")


def _metadata(document: Mapping[str, Any]) -> ProviderMetadata:
    """The fields that are needed, each of the right form and each address encrypted."""

    def address(name: str, *, needed: bool = True) -> str | None:
        value = document.get(name)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not value or len(value) > 2000:
            raise SignInRefused("incomplete", INCOMPLETE, name=name)
        if not _is_secure(value):
            raise SignInRefused("insecure", INSECURE, url=_short(value))
        return value

    def words(name: str) -> list[str] | None:
        value = document.get(name)
        return [str(word) for word in value[:500]] if isinstance(value, list) else None

    issuer = address("issuer")
    if issuer is not None and len(issuer) > 500:
        raise SignInRefused("incomplete", INCOMPLETE, name="issuer")
    return ProviderMetadata(
        issuer=str(issuer),
        authorization_endpoint=str(address("authorization_endpoint")),
        token_endpoint=str(address("token_endpoint")),
        jwks_uri=str(address("jwks_uri")),
        userinfo_endpoint=address("userinfo_endpoint", needed=False),
        end_session_endpoint=address("end_session_endpoint", needed=False),
        auth_methods=words("token_endpoint_auth_methods_supported") or ["client_secret_basic"],
        algorithms=words("id_token_signing_alg_values_supported") or [],
        response_types=words("response_types_supported") or ["code"],
        challenge_methods=words("code_challenge_methods_supported"),
        claims=words("claims_supported"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _lacks(metadata: ProviderMetadata) -> list[str]:
    """What the provider does not offer and we cannot do without."""
    complaints = []
    if "code" not in metadata.response_types:
        complaints.append(NO_CODE_FLOW)
    if metadata.challenge_methods is not None and "S256" not in metadata.challenge_methods:
        complaints.append(NO_S256)
    if not {"client_secret_post", "client_secret_basic"} & set(metadata.auth_methods):
        complaints.append(NO_AUTH_METHOD)
    if metadata.algorithms and not set(ALGORITHMS) & set(metadata.algorithms):
        complaints.append(NO_ALGORITHM)
    return complaints


def _keys(document: Mapping[str, Any]) -> Sequence[Any]:
    """The public keys for signatures among what the provider publishes; others are passed over."""
    listed = document.get("keys")
    found: list[Any] = []
    for entry in listed[:KEY_LIMIT] if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("kty") in ("RSA", "EC", "OKP") and entry.get("use") != "enc":
            try:
                found.extend(KeySet.import_key_set({"keys": [entry]}).keys)
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return found


def _header(token: str) -> dict[str, Any]:
    try:
        if len(token) > TOKEN_LIMIT:
            raise ValueError
        part, _, _ = token.split(".")
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise SignInRefused("malformed", TOKEN_MALFORMED)
    return header


def _fitting(keys: Sequence[Any], header: Mapping[str, Any]) -> Sequence[Any]:
    """The keys that may have made a signature: those with the name in the header, or all where it names none."""
    kinds = {"E": OKPKey if header["alg"] == "EdDSA" else ECKey}
    kind = kinds.get(header["alg"][0], RSAKey)
    name = header.get("kid")
    return [key for key in keys if isinstance(key, kind) and (name is None or key.kid == name)]


def _decoded(token: str, algorithm: str, keys: Sequence[Any]) -> dict[str, Any]:
    """The claims, if one of the keys has signed them."""
    if not keys:
        raise _NoSuchKey
    failure: Exception = _NoSuchKey()
    for key in keys[:8]:
        try:
            claims = json.loads(jws.deserialize_compact(token, key, algorithms=[algorithm]).payload)
        except BadSignatureError as error:
            failure = error
        except (JoseError, ValueError, TypeError, RecursionError):
            raise SignInRefused("malformed", TOKEN_MALFORMED) from None
        else:
            if not isinstance(claims, dict):
                raise SignInRefused("malformed", TOKEN_MALFORMED)
            return claims
    raise failure


def _key_refusal(failure: Exception) -> SignInRefused:
    if isinstance(failure, _NoSuchKey):
        return SignInRefused("unknown_key", UNKNOWN_KEY)
    return SignInRefused("signature", WRONG_SIGNATURE)


def _check_access_token(algorithm: str, claims: Mapping[str, Any], access_token: str) -> None:
    said = claims.get("at_hash")
    if said is None:
        return
    digest = hashlib.new(
        {"256": "sha256", "384": "sha384"}.get(algorithm[-3:], "sha512"), access_token.encode()
    ).digest()
    if said != base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("="):
        raise SignInRefused("at_hash", WRONG_HASH)


def _exchange_refusal(answer: _Answer) -> SignInRefused:
    error = answer.error
    if error in ("invalid_client", "unauthorized_client") or answer.status == 401:
        return SignInRefused("client_refused", SECRET_REFUSED)
    if error == "invalid_grant":
        return SignInRefused("code_refused", CODE_REFUSED)
    return SignInRefused("exchange_refused", EXCHANGE_REFUSED, error=error)


def _failed(refusal: SignInRefused) -> Step:
    return refusal.message, refusal.params, False


def _issuer_step(metadata: ProviderMetadata, discovery_endpoint: str) -> Step:
    expected = _issuer_of(discovery_endpoint)
    if metadata.issuer.rstrip("/") != expected:
        return ISSUER_DIFFERS, {"found": metadata.issuer[:300], "expected": expected}, False
    return N_("The issuer is {issuer}, as expected."), {"issuer": metadata.issuer}, True


def _claim_steps(connection: Connection, metadata: ProviderMetadata) -> list[Step]:
    """What the provider says of its claims; most say nothing, and then only the test sign-in tells."""
    if metadata.claims is None:
        return []
    wanted = ["email", *([connection.group_claim] if connection.group_roles else [])]
    return [(MISSING_CLAIM, {"claim": name}, False) for name in wanted if name not in metadata.claims]
