"""Signed tokens: their keys, their signature, and what they claim."""

import base64
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from domain.federation.entities import Connection, ProviderMetadata, SignInRefused
from domain.kernel.errors import N_

TOKEN_LIMIT, KEY_LIMIT = 64 * 1024, 200
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a private key only: `none` and shared secrets (HS256 …) never prove a provider."""
MAX_TOKEN_AGE_SECONDS = 3600

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
WRONG_HASH = N_("The ID token does not belong to the access token (claim “at_hash”).")
BAD_CLAIM = N_("The claim “{claim}” is missing or has the wrong form.")


class NoSuchKey(Exception):
    """No published key fits the header of a token."""


def keys_of(document: Mapping[str, Any]) -> Sequence[Any]:
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


def header_of(token: str) -> dict[str, Any]:
    """The header of a token, not yet believed."""
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


def fitting(keys: Sequence[Any], header: Mapping[str, Any]) -> Sequence[Any]:
    """The keys that may have made a signature: those with the name in the header, or all where it names none."""
    kinds = {"E": OKPKey if header["alg"] == "EdDSA" else ECKey}
    kind = kinds.get(header["alg"][0], RSAKey)
    name = header.get("kid")
    return [key for key in keys if isinstance(key, kind) and (name is None or key.kid == name)]


def decoded(token: str, algorithm: str, keys: Sequence[Any]) -> dict[str, Any]:
    """The claims, if one of the keys has signed them."""
    if not keys:
        raise NoSuchKey
    failure: Exception = NoSuchKey()
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


def key_refusal(failure: Exception) -> SignInRefused:
    """Why no key has proved a token."""
    if isinstance(failure, NoSuchKey):
        return SignInRefused("unknown_key", UNKNOWN_KEY)
    return SignInRefused("signature", WRONG_SIGNATURE)


def check_claims(claims: dict[str, Any], metadata: ProviderMetadata, connection: Connection, leeway: int) -> None:
    """Who issued the token, for whom, about whom and when; `leeway` is the difference of clocks (seconds)."""
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
    _check_times(claims, leeway)


def _check_times(claims: dict[str, Any], leeway: int) -> None:
    moment = time.time()
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf") if name != "nbf" or "nbf" in claims}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SignInRefused("times", BAD_CLAIM, claim=name)
    if times["exp"] + leeway <= moment:  # type: ignore[operator]
        raise SignInRefused("expired", EXPIRED)
    if max(times["iat"], times.get("nbf", 0)) > moment + leeway:  # type: ignore[type-var, operator]
        raise SignInRefused("from_the_future", FROM_THE_FUTURE)
    if times["iat"] < moment - MAX_TOKEN_AGE_SECONDS - leeway:  # type: ignore[operator]
        raise SignInRefused("too_old", TOO_OLD)


def check_access_token(algorithm: str, claims: Mapping[str, Any], access_token: str) -> None:
    """The ID token belongs to the access token that came with it, where it says so."""
    said = claims.get("at_hash")
    if said is None:
        return
    digest = hashlib.new(
        {"256": "sha256", "384": "sha384"}.get(algorithm[-3:], "sha512"), access_token.encode()
    ).digest()
    if said != base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("="):
        raise SignInRefused("at_hash", WRONG_HASH)
