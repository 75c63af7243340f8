"""Calls to identity providers: each goes through the outbound guard, bounded in size and time."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx

from app.auth.oidc.tokens import keys_of
from app.security.outbound import OutboundGuard
from domain.federation.connections import LOCAL_HOSTS
from domain.federation.entities import Connection, ProviderMetadata, SignInRefused
from domain.kernel.errors import N_, ProviderFailed

BODY_LIMIT = 512 * 1024

INSECURE = N_("The identity provider's address {url} must begin with https://.")
TOO_SLOW = N_("The identity provider did not answer in time ({url}).")
UNREACHABLE = N_("The identity provider cannot be reached ({url}).")
REDIRECTED = N_("The identity provider answered with a redirect where an answer was due ({url}). It is not followed.")
TOO_LARGE = N_("The answer of the identity provider is too large ({url}).")
GARBAGE = N_("The answer of the identity provider cannot be read ({url}).")
BAD_STATUS = N_("The identity provider answered with the status {status} ({url}).")
SECRET_REFUSED = N_("The identity provider refused the client id or the client secret.")
EXCHANGE_REFUSED = N_("The identity provider refused the exchange of the code ({error}).")


class Answer:
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

    def good(self) -> "Answer":
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
        return plain_word(word) or str(self.status)


class ProviderCalls:
    """The calls that are made to a provider. `timeout` bounds one whole call (seconds)."""

    def __init__(self, guard: OutboundGuard, timeout: float) -> None:
        self._guard, self._timeout = guard, timeout

    async def document(self, discovery_endpoint: str) -> dict[str, Any]:
        """The discovery document, as it is."""
        return (await self.call("GET", discovery_endpoint)).good().json()

    async def keys(self, metadata: ProviderMetadata) -> Sequence[Any]:
        """The keys that the provider publishes now."""
        return keys_of((await self.call("GET", metadata.jwks_uri)).good().json())

    async def token(self, connection: Connection, metadata: ProviderMetadata, form: Mapping[str, str]) -> Answer:
        """What the token endpoint answers to a form, sent as the client."""
        if "client_secret_post" in metadata.auth_methods:
            data = {**form, "client_id": connection.client_id, "client_secret": connection.secret}
            return await self.call("POST", metadata.token_endpoint, data=data)
        pair = f"{quote(connection.client_id, safe='')}:{quote(connection.secret, safe='')}"
        headers = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return await self.call("POST", metadata.token_endpoint, data=dict(form), headers=headers)

    async def call(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        redirects: bool = False,
    ) -> Answer:
        """One bounded call through the outbound guard. `redirects` are seen instead of refused; they are never followed."""
        shown = short(url)
        if not is_secure(url):
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
        return Answer(shown, response, bytes(body))


def is_secure(url: str) -> bool:
    """Whether what is sent to the address is encrypted, or stays on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)
    except ValueError:
        return False


def short(url: str) -> str:
    """An address fit to be shown."""
    return url.split("?")[0][:300]


def plain_word(value: object) -> str:
    """A word that somebody else chose, fit to be shown."""
    return "".join(c for c in str(value or "")[:60] if c.isascii() and (c.isalnum() or c in "_-."))


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """The address with more parameters."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
