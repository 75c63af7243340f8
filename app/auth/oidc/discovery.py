"""What a provider says of itself: its discovery document."""

from collections.abc import Mapping
from typing import Any

from app.auth.oidc.calls import INSECURE, is_secure, short, with_query
from app.auth.oidc.tokens import ALGORITHMS
from domain.federation.entities import Connection, ProviderMetadata, SignInRefused
from domain.federation.service import WELL_KNOWN
from domain.kernel.errors import N_

INCOMPLETE = N_("The discovery document lacks “{name}”.")
ISSUER_DIFFERS = N_(
    "The discovery document is for the issuer {found}, but it was read for {expected}. The two must be the same."
)
NO_CODE_FLOW = N_("The identity provider does not offer the code flow.")
NO_S256 = N_("The identity provider does not offer PKCE with S256.")
NO_AUTH_METHOD = N_("The identity provider accepts a client secret neither in the form nor in the header.")
NO_ALGORITHM = N_("The identity provider signs with no algorithm that is accepted here.")


def metadata_of(document: Mapping[str, Any]) -> ProviderMetadata:
    """The fields that are needed, each of the right form and each address encrypted."""

    def address(name: str, *, needed: bool = True) -> str | None:
        value = document.get(name)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not value or len(value) > 2000:
            raise SignInRefused("incomplete", INCOMPLETE, name=name)
        if not is_secure(value):
            raise SignInRefused("insecure", INSECURE, url=short(value))
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


def lacks(metadata: ProviderMetadata) -> list[str]:
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


def issuer_of(discovery_endpoint: str) -> str:
    """The issuer that a discovery address is for."""
    return discovery_endpoint.removesuffix(WELL_KNOWN).rstrip("/")


def authorization_url(
    metadata: ProviderMetadata, connection: Connection, *, state: str, nonce: str, challenge: str
) -> str:
    """The authorization request."""
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
    return with_query(metadata.authorization_endpoint, parameters)
