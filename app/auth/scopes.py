"""What an API key must be allowed for each route: the one place where scopes are enforced.

A route is known by its method and its path as it is declared. Whether the owner of the key may do what the route does is
decided behind it, as for everybody; the scope `admin` works there, since without it the key has no such permission.
"""

from typing import Final
from uuid import UUID

from starlette.requests import HTTPConnection

from domain.kernel.actor import KeyUse, Scope
from domain.kernel.errors import N_, Forbidden, Unauthenticated

API = "/api/v1"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ASKING: Final = (f"{API}/conversations/", f"{API}/files/", f"{API}/assistants/{{id}}/sessions/", "/v1/")
"""Where asking happens: whoever may ask also looks there, at conversations and files of their own."""
LOOKING: Final = frozenset({("POST", f"{API}/search/"), ("POST", f"{API}/spaces/{{id}}/searches/")})
"""Routes that change nothing although their method says so."""
FOR_ALL: Final = frozenset({("GET", f"{API}/users/me/"), ("GET", f"{API}/settings/"), ("GET", "/version")})
OPENAI: Final = "/v1"
ESTIMATE: Final = ("POST", f"{API}/assistants/{{id}}/token-estimate")
OF_ASSISTANT: Final = frozenset(
    {
        ESTIMATE,
        ("GET", f"{API}/settings/"),
        ("POST", f"{API}/files/"),
        ("PUT", f"{API}/files/"),
        ("GET", f"{API}/files/{{id}}/"),
        ("DELETE", f"{API}/files/{{id}}/"),
        ("GET", f"{API}/assistants/{{id}}/sessions/"),
        ("POST", f"{API}/assistants/{{id}}/sessions/"),
        ("GET", f"{API}/assistants/{{id}}/sessions/{{session_id}}/"),
        ("POST", f"{API}/assistants/{{id}}/sessions/{{session_id}}/"),
        ("DELETE", f"{API}/assistants/{{id}}/sessions/{{session_id}}/"),
        ("POST", f"{API}/assistants/{{id}}/sessions/{{session_id}}/feedback/"),
        ("GET", f"{API}/conversations/"),
        ("POST", f"{API}/conversations/"),
        ("GET", f"{API}/conversations/{{session_id}}/"),
        ("DELETE", f"{API}/conversations/{{session_id}}/"),
        ("POST", f"{API}/conversations/{{session_id}}/feedback/"),
        ("POST", f"{API}/conversations/{{session_id}}/title/"),
        ("GET", f"{API}/conversations/{{session_id}}/messages/{{message_id}}/stream/"),
        ("POST", f"{API}/conversations/{{session_id}}/messages/{{message_id}}/stop/"),
        ("GET", f"{API}/conversations/{{session_id}}/messages/{{message_id}}/sources/{{number}}/page/"),
        ("GET", f"{API}/conversations/{{session_id}}/messages/{{message_id}}/sources/{{number}}/text/"),
        ("GET", f"{OPENAI}/models"),
        ("GET", f"{OPENAI}/models/{{model}}"),
        ("POST", f"{OPENAI}/chat/completions"),
    }
)
"""All that the key of an assistant opens."""
LACKS = N_("This API key may not do this. It lacks the scope “{scope}”.")
ELSEWHERE = N_("This API key is for asking one assistant only.")


def needed(method: str, path: str) -> tuple[Scope, ...]:
    """The scopes of which a key must have one; none for what every key may do."""
    route = (method, path)
    if route in FOR_ALL:
        return ()
    looks = method in SAFE_METHODS or route in LOOKING
    if path.startswith(ASKING) or route == ESTIMATE:
        return (Scope.ASK, Scope.READ) if looks or route == ESTIMATE else (Scope.ASK,)
    return (Scope.READ,) if looks else (Scope.WRITE,)


def check(key: KeyUse, connection: HTTPConnection) -> None:
    """Raise unless the key is for the route that is called: `Forbidden`, and `Unauthenticated` for an assistant's key."""
    method = connection.scope.get("method", "GET")
    path = str(getattr(connection.scope.get("route"), "path", connection.scope["path"]))
    if key.assistant_id is not None:
        _check_assistant(key.assistant_id, method, path, connection.path_params)
        return
    scopes = needed(method, path)
    if scopes and not key.scopes.intersection(scopes):
        raise Forbidden(LACKS, scope=scopes[0])


def _check_assistant(assistant_id: UUID, method: str, path: str, params: dict[str, str]) -> None:
    if (method, path) not in OF_ASSISTANT:
        raise Unauthenticated(ELSEWHERE)
    if path.startswith(f"{API}/assistants/") and str(params.get("id", "")).lower() != str(assistant_id):
        raise Unauthenticated(ELSEWHERE)
