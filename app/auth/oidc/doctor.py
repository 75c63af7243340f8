"""The sign-in doctor: as far as one gets with a provider without a person."""

from typing import Any

from app.auth.oidc.calls import BAD_STATUS, EXCHANGE_REFUSED, SECRET_REFUSED, ProviderCalls, short
from app.auth.oidc.discovery import ISSUER_DIFFERS, authorization_url, issuer_of, lacks, metadata_of
from domain.federation.entities import Connection, ProviderMetadata, SignInRefused
from domain.federation.persons import MISSING_CLAIM
from domain.kernel.errors import N_
from domain.ports import ConnectionReport

MADE_UP_CODE = "samrad-sign-in-doctor"
Step = tuple[str, dict[str, Any], bool]
NO_KEYS = N_("The identity provider has no key that signatures can be checked with.")
REDIRECT_UNKNOWN = N_("The provider does not know the redirect address. Enter exactly this one there: {url}")


async def examine(calls: ProviderCalls, connection: Connection) -> ConnectionReport:
    """Go as far as one gets without a person. Nothing that is remembered is believed."""
    steps: list[Step] = []
    try:
        document = await calls.document(connection.discovery_endpoint)
        steps.append((N_("The discovery document was read."), {}, True))
        metadata = metadata_of(document)
        steps.append(_issuer_step(metadata, connection.discovery_endpoint))
        steps.extend((complaint, {}, False) for complaint in lacks(metadata))
    except SignInRefused as refusal:
        return ConnectionReport(False, [*steps, _failed(refusal)])
    for step in (_examine_keys, _examine_redirect, _examine_client):
        try:
            steps.append(await step(calls, connection, metadata))
        except SignInRefused as refusal:
            steps.append(_failed(refusal))
    steps.extend(_claim_steps(connection, metadata))
    return ConnectionReport(all(passed for _, _, passed in steps), steps)


async def _examine_keys(calls: ProviderCalls, connection: Connection, metadata: ProviderMetadata) -> Step:
    if not await calls.keys(metadata):
        return NO_KEYS, {}, False
    return N_("The provider publishes the keys it signs with."), {}, True


async def _examine_redirect(calls: ProviderCalls, connection: Connection, metadata: ProviderMetadata) -> Step:
    """Ask for a sign-in without showing a page: a provider sends only to addresses that it knows."""
    ours = connection.redirect_uri
    url = authorization_url(metadata, connection, state="doctor", nonce="doctor", challenge="A" * 43)
    answer = await calls.call("GET", url + "&prompt=none", redirects=True)
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
        raise SignInRefused("bad_status", BAD_STATUS, status=answer.status, url=short(answer.url))
    return (
        N_("The provider did not say whether it knows the redirect address {url}. The test sign-in will show it."),
        {"url": ours},
        True,
    )


async def _examine_client(calls: ProviderCalls, connection: Connection, metadata: ProviderMetadata) -> Step:
    """Send a made-up code: who is refused for the code alone has passed as the client."""
    form = {
        "grant_type": "authorization_code",
        "code": MADE_UP_CODE,
        "redirect_uri": connection.redirect_uri,
        "code_verifier": "A" * 43,
    }
    answer = await calls.token(connection, metadata, form)
    if answer.error in ("invalid_client", "unauthorized_client") or answer.status == 401:
        return SECRET_REFUSED, {}, False
    if answer.error in ("invalid_grant", "invalid_request"):
        return N_("The provider accepts the client id and the client secret."), {}, True
    raise SignInRefused("bad_status", EXCHANGE_REFUSED, error=answer.error)


def _failed(refusal: SignInRefused) -> Step:
    return refusal.message, refusal.params, False


def _issuer_step(metadata: ProviderMetadata, discovery_endpoint: str) -> Step:
    expected = issuer_of(discovery_endpoint)
    if metadata.issuer.rstrip("/") != expected:
        return ISSUER_DIFFERS, {"found": metadata.issuer[:300], "expected": expected}, False
    return N_("The issuer is {issuer}, as expected."), {"issuer": metadata.issuer}, True


def _claim_steps(connection: Connection, metadata: ProviderMetadata) -> list[Step]:
    """What the provider says of its claims; most say nothing, and then only the test sign-in tells."""
    if metadata.claims is None:
        return []
    wanted = ["email", *([connection.group_claim] if connection.group_roles else [])]
    return [(MISSING_CLAIM, {"claim": name}, False) for name in wanted if name not in metadata.claims]
