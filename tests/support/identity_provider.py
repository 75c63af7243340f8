"""An OpenID provider of our own, honest until it is told to be evil; every lie has a name."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "samrad", "a-secret-of-the-client"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
HUGE = 2_000_000
SLOW_SECONDS = 6.0


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class IdentityProvider:
    """A provider on a port of its own. `evil` names the lie it tells; `person` is who signs in, without asking."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.other_key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.reset()

    def reset(self) -> None:
        """Honest again, with one client and one person."""
        self.evil = ""
        self.clients = {CLIENT: SECRET}
        self.redirect_uris: set[str] | None = None
        self.person: dict[str, Any] = {
            "sub": "anna-1", "email": "anna@sundsvall.se", "email_verified": True, "name": "Anna Ek",
        }  # fmt: skip
        self.document: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.session = "session-1"
        self.asked: list[str] = []

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no longer."""
        self.server.shutdown()
        self.server.server_close()

    def rotate(self, kid: str) -> None:
        """Sign with a new key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        issuer = self.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/logout",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.document,
        }

    def signed(self, claims: dict[str, Any], header: dict[str, Any] | None = None, key: RSAKey | None = None) -> str:
        """A token signed with our key, or with another."""
        return jwt.encode(header or {"alg": "RS256", "kid": self.key.kid}, claims, key or self.key)

    def logout_token(self, **changes: Any) -> str:
        """What this provider tells when a session has ended; a claim of None is left out."""
        moment = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": moment, "exp": moment + 120, "jti": secrets.token_hex(8),
            "sub": self.person["sub"], "sid": self.session, "events": {LOGOUT_EVENT: {}}, **changes,
        }  # fmt: skip
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def id_token(self, grant: dict[str, Any], access_token: str) -> str:
        """The ID token for a code, with whatever lie is told."""
        moment = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": CLIENT, "iat": moment, "exp": moment + 300, "nonce": grant["nonce"],
            "sid": self.session, "at_hash": _b64(hashlib.sha256(access_token.encode()).digest()[:16]),
            **grant["person"],
        }  # fmt: skip
        if self.evil.startswith("userinfo"):
            claims.pop("email", None)
        lie = CLAIM_LIES.get(self.evil, {})
        claims = {name: value for name, value in {**claims, **lie}.items() if value is not None}
        for name, value in claims.items():
            if callable(value):
                claims[name] = value(moment)
        return self._signed_somehow(claims)

    def _signed_somehow(self, claims: dict[str, Any]) -> str:
        if self.evil == "alg_none":
            head, body = (_b64(json.dumps(part).encode()) for part in ({"alg": "none"}, claims))
            return f"{head}.{body}."
        if self.evil in ("hs256_public_key", "hs256_secret"):
            shared = self.key.as_pem(private=False) if self.evil == "hs256_public_key" else SECRET.encode()
            header = {"alg": "HS256", "kid": self.key.kid}
            # Signed by hand: the library refuses to use a public key as a shared secret.
            signing = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
            return f"{signing}.{_b64(hmac.new(shared, signing.encode(), hashlib.sha256).digest())}"
        if self.evil == "unknown_kid":
            return self.signed(claims, {"alg": "RS256", "kid": "nobody"}, self.other_key)
        if self.evil == "wrong_signature":
            return self.signed(claims, key=self.other_key)
        if self.evil == "nan_expiry":
            text = json.dumps(claims).replace(f'"exp": {claims["exp"]}', '"exp": NaN')
            return jws.serialize_compact({"alg": "RS256", "kid": self.key.kid}, text.encode(), self.key)
        if self.evil == "list_as_token":
            return jws.serialize_compact({"alg": "RS256", "kid": self.key.kid}, b"[1]", self.key)
        if self.evil == "garbled_token":
            return "not.a.token"
        return self.signed(claims)


CLAIM_LIES: dict[str, dict[str, Any]] = {
    "wrong_issuer": {"iss": "https://evil.example"},
    "wrong_audience": {"aud": "somebody-else"},
    "no_audience": {"aud": None},
    "audience_of_many": {"aud": [CLIENT, "somebody-else"]},
    "wrong_azp": {"azp": "somebody-else"},
    "foreign_aud_own_azp": {"aud": "somebody-else", "azp": CLIENT},
    "no_nonce": {"nonce": None},
    "wrong_nonce": {"nonce": "made-up"},
    "expired": {"exp": lambda moment: moment - 600, "iat": lambda moment: moment - 900},
    "future_iat": {"iat": lambda moment: moment + 300},
    "future_nbf": {"nbf": lambda moment: moment + 300},
    "ancient": {"iat": lambda moment: moment - 90_000},
    "no_expiry": {"exp": None},
    "expiry_text": {"exp": "tomorrow"},
    "no_subject": {"sub": None},
    "empty_subject": {"sub": ""},
    "wrong_at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers for the provider."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Stay quiet."""

        def _send(self, status: int, body: Any = None, **headers: str) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _broken(self, place: str) -> bool:
            """Whether the lie is a broken answer at this place; it is given then."""
            lie = provider.evil.removeprefix(f"{place}_") if provider.evil.startswith(f"{place}_") else ""
            if lie == "huge":
                self._send(200, b'{"a": "' + b"x" * HUGE + b'"}')
            elif lie == "slow":
                time.sleep(SLOW_SECONDS)
                self._send(200, {})
            elif lie == "garbage":
                self._send(200, b"<html>not json")
            elif lie == "nested":
                self._send(200, b"[" * 100_000)
            elif lie == "redirect":
                self._send(302, b"", Location="http://169.254.169.254/latest/meta-data/")
            elif lie == "broken":
                self._send(500, {"error": "server_error"})
            else:
                return False
            return True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            provider.asked.append(parts.path)
            match parts.path:
                case "/.well-known/openid-configuration":
                    if not self._broken("discovery"):
                        self._send(200, provider.discovery())
                case "/jwks":
                    if not self._broken("jwks"):
                        self._send(200, {"keys": [provider.key.as_dict(private=False)]})
                case "/userinfo":
                    self._userinfo()
                case "/authorize":
                    self._authorize(query)
                case "/logout":
                    self._send(302, b"", Location=query.get("post_logout_redirect_uri", "/"))
                case _:
                    self._send(404, {})

        def _userinfo(self) -> None:
            if self._broken("userinfo"):
                return
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            person = provider.tokens.get(token)
            if person is None:
                self._send(401, {"error": "invalid_token"})
            elif provider.evil == "userinfo_other_person":
                self._send(200, {**person, "sub": "somebody-else"})
            else:
                self._send(200, person)

        def _authorize(self, query: dict[str, str]) -> None:
            target = query.get("redirect_uri", "")
            if query.get("client_id") not in provider.clients:
                self._send(400, b"<h1>invalid_client</h1>", **{"Content-Type": "text/html"})
                return
            if provider.redirect_uris is not None and target not in provider.redirect_uris:
                self._send(400, b"<h1>invalid redirect_uri</h1>", **{"Content-Type": "text/html"})
                return
            answer = {"state": query["state"], "iss": provider.issuer}
            if query.get("prompt") == "none":
                answer["error"] = "login_required"
            else:
                answer["code"] = secrets.token_urlsafe(16)
                provider.codes[answer["code"]] = {**query, "person": dict(provider.person)}
            self._send(302, b"", Location=f"{target}?{urlencode(answer)}")

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            provider.asked.append(self.path)
            if self.path != "/token":
                self._send(404, {})
            elif not self._broken("token"):
                self._token(form)

        def _token(self, form: dict[str, str]) -> None:
            client, _, secret = base64.b64decode(self.headers.get("authorization", "")[6:]).decode().partition(":")
            if provider.clients.get(client) != secret:
                self._send(401, {"error": "invalid_client"})
                return
            grant = provider.codes.pop(form.get("code", ""), None)
            challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if (
                grant is None
                or grant["redirect_uri"] != form.get("redirect_uri")
                or grant["code_challenge"] != challenge
                or grant["code_challenge_method"] != "S256"
            ):
                self._send(400, {"error": "invalid_grant"})
                return
            access_token = secrets.token_urlsafe(16)
            provider.tokens[access_token] = grant["person"]
            answer = {
                "access_token": access_token, "token_type": "Bearer", "expires_in": 300,
                "id_token": provider.id_token(grant, access_token),
            }  # fmt: skip
            answer.pop({"no_id_token": "id_token", "no_access_token": "access_token"}.get(provider.evil, ""), None)
            self._send(200, answer)

    return Handler
