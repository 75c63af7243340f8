"""Signed tokens: JWT for API clients, signed addresses for file downloads, CSRF tokens for browsers."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OctKey

from domain.identity.entities import SignIn
from domain.kernel.errors import N_, Forbidden, Unauthenticated

ALGORITHM = "HS256"
CLOCK_SKEW_SECONDS = 2
NOT_VALID = N_("The access token is not valid, or no longer. Sign in anew, or send an API key.")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """How API tokens are made and checked; `lifetime` in seconds."""

    key: bytes
    issuer: str
    audience: str
    lifetime: int
    former: tuple[bytes, ...] = ()
    """What earlier master keys gave: tokens signed with it are still read."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """Whom a valid token names."""

    tenant_id: UUID
    user_id: UUID
    session_id: UUID


def issue(rules: TokenRules, sign_in: SignIn) -> str:
    """A JWT for a sign-in session: it works only as long as the session does."""
    moment = int(time.time())
    claims = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": str(sign_in.user_id),
        "tenant_id": str(sign_in.tenant_id),
        "sid": str(sign_in.id),
        "iat": moment - CLOCK_SKEW_SECONDS,
        "exp": moment + rules.lifetime,
    }
    return jwt.encode({"alg": ALGORITHM}, claims, OctKey.import_key(rules.key))


def read(rules: TokenRules, token: str) -> TokenClaims:
    """The claims of a token; `Unauthenticated` when it is not ours, altered or too old."""
    try:
        claims = _claims(rules, token)
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        # When it was issued decides nothing: a token is no worse since the clock was set back.
        registry.validate({name: value for name, value in claims.items() if name != "iat"})
        return TokenClaims(UUID(claims["tenant_id"]), UUID(claims["sub"]), UUID(claims["sid"]))
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        raise Unauthenticated(NOT_VALID) from None


def _claims(rules: TokenRules, token: str) -> dict[str, Any]:
    try:
        return _signed_claims(rules.key, token)
    except BadSignatureError:
        for key in rules.former:
            with contextlib.suppress(BadSignatureError):
                return _signed_claims(key, token)
        raise


@lru_cache(maxsize=4096)
def _signed_claims(key: bytes, token: str) -> dict[str, Any]:
    """The claims of a token with a good signature: the same token comes with every request of a client."""
    return jwt.decode(token, OctKey.import_key(key), algorithms=[ALGORITHM]).claims


def csrf_token(key: bytes, session_id: UUID) -> str:
    """What a browser must send in `X-CSRF-Token` with every request that changes something."""
    return hmac.new(key, b"csrf:" + session_id.bytes, hashlib.sha256).hexdigest()


def sign_file(key: bytes, tenant_id: UUID, file_id: UUID, seconds: int, disposition: str) -> tuple[str, int]:
    """A token that lets anybody download one file until it expires; and that moment (Unix seconds)."""
    expires = int(time.time()) + seconds
    body = json.dumps({"t": tenant_id.hex, "f": file_id.hex, "e": expires, "d": disposition}).encode()
    return f"{_b64(body)}.{_b64(_mac(key, body))}", expires


def read_file_token(key: bytes, token: str, file_id: UUID) -> tuple[UUID, str]:
    """Tenant and disposition of a valid token for this file; `Unauthenticated` or `Forbidden` otherwise."""
    invalid = Unauthenticated(N_("The link is not valid any more. Ask for a new one."))
    try:
        body, mac = (_unb64(part) for part in token.split("."))
        if not hmac.compare_digest(mac, _mac(key, body)):
            raise invalid
        grant = json.loads(body)
    except (ValueError, TypeError):
        raise invalid from None
    if grant["e"] < time.time():
        raise invalid
    if grant["f"] != file_id.hex:
        raise Forbidden
    return UUID(grant["t"]), str(grant["d"])


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"file:" + body, hashlib.sha256).digest()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
