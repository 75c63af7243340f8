"""Walking the interface as its own description tells it: every operation, every place an id can stand in.

A route whose parameters are not known here fails the walk, so that a new one cannot escape it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

METHODS = ("get", "post", "put", "patch", "delete")
PLACES: dict[str, str] = {
    # the segment before a path parameter, or the parameter's own name where that tells more
    "spaces": "space", "groups": "collection", "info-blobs": "document", "jobs": "job", "assistants": "assistant",
    "prompts": "prompt", "conversations": "conversation", "sessions": "conversation", "messages": "message",
    "sources": "number", "files": "file", "model-providers": "provider", "completion-models": "completion_model",
    "embedding-models": "embedding_model",
    "transcription-models": "transcription_model", "transcription": "transcription_model",
    "rerank-models": "rerank_model", "rerank": "rerank_model",
    "completion": "completion_model", "embedding": "embedding_model", "models": "completion_model",
    "model-prices": "price", "budgets": "budget", "migration-history": "migration",
    "roles": "role", "user-groups": "user_group", "users": "user",
    "members": "user", "group-members": "user_group", "history": "history", "user": "user", "export": "export",
    "allowed-origins": "origin", "sign-in-alerts": "alert", "tenants": "tenant", "modules": "tenant", "admin": "user",
    "api-keys": "api_key", "service-accounts": "service_account",
    "credentials": "credential", "websites": "website", "crawl-runs": "crawl_run",
    "security-classifications": "classification", "security_classification": "classification",
    "icons": "icon", "logging": "message", "chunks": "chunk", "unanswered-questions": "unanswered", "shares": "space",
}  # fmt: skip
NAMES: dict[str, str] = {
    # the field or query parameter that holds an id
    "role": "role", "roles[].id": "role", "predefined_role.id": "role", "predefined_roles[].id": "role",
    "user_groups[].id": "user_group", "users[].id": "user",
    "embedding_model.id": "embedding_model", "completion_model.id": "completion_model", "space_id": "space",
    "groups[].id": "collection", "attachments[].id": "file", "files[].id": "file", "file_ids[]": "file",
    "session_id": "conversation", "replaces": "message", "message_id": "message", "assistant_id": "assistant",
    "tools.assistants[].id": "assistant",
    "collection_ids[]": "collection", "info_blob_ids[]": "document",
    "actor_id": "user", "entity_id": "space", "user_id": "user",
    "tenant_id": "tenant", "ids[]": "user", "user_groups[]": "user_group", "roles[]": "role", "owner_id": "user",
    "[].id": "module", "websites[].id": "website", "website_ids[]": "website", "target_space_id": "space",
    "icon_id": "icon", "provider_id": "provider", "model_id": "completion_model", "to_model_id": "completion_model",
    "fallback_model_id": "completion_model",
    "embedding_models[].id": "embedding_model", "completion_models[].id": "completion_model",
    "transcription_models[].id": "transcription_model", "rerank_models[].id": "rerank_model",
    "security_classification.id": "classification", "security_classifications[].id": "classification",
    "replacement_id": "completion_model", "stand_ins[]": "completion_model", "embedding_model_id": "embedding_model",
}  # fmt: skip
NOT_SERVED = {
    # names of the contract for what the product does not have yet: the value is not looked at
    "mcp_servers[].id", "mcp_tools[].tool_id",
    "from_template.id", "integration_knowledge_list[].id",
    "group_chat_id",
}  # fmt: skip
BESIDE: dict[str, dict[str, Any]] = {"assistants[].id": {"handle": "Hjälpen"}}
"""What an object in a body must have beside its id."""
TOGETHER: dict[str, str] = {"POST /api/v1/conversations/": "body:assistant_id"}
"""What a request must name beside a foreign id, to mean anything: one's own."""
SAMPLES: dict[str, Any] = {
    "email": "ny@example.se", "question": "Vad är hemligheten?", "query": "hemlighet", "search_string": "hemlighet",
    "name": "Nytt namn", "role": "viewer", "permissions": ["assistants"], "url": "https://site.example.se", "value": 1,
    "justification": "Granskning av loggen", "category": "investigation", "description": "Granskning av ärende 4711",
    "expires_in": 60, "content_disposition": "inline", "provider_type": "openai_compatible", "text": "Svara kort.",
    "credentials": {"api_key": "sk-1234567890"}, "config": {"endpoint": "http://127.0.0.1:9/v1"},
    "retention_days": 365, "enabled": True, "model_name": "m", "display_name": "m", "model_type": "completion",
    "format": "csv", "action": "file_uploaded", "token_limit": 8000, "chunk_tokens": 200, "info_blobs": [{"text": "Text"}],
    "valid_from": "2026-01-01", "tokens": 1_000_000_000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, with the places that ids can stand in: `path:…`, `query:…`, `body:…`."""

    method: str
    path: str
    places: Mapping[str, str]
    body: Mapping[str, Any] | None
    media: str
    spec: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.method} {self.path}"


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Everything in an OpenAPI document."""
    found = []
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                found.append(_operation(document, method.upper(), path, item[method]))
    return found


def _operation(document: Mapping[str, Any], method: str, path: str, spec: Mapping[str, Any]) -> Operation:
    places: dict[str, str] = {}
    parts = path.split("/")
    for before, part in zip(["", *parts], parts, strict=False):
        if part.startswith("{"):
            places[f"path:{part[1:-1]}"] = kind_of(path, part[1:-1], before)
    for parameter in spec.get("parameters", ()):
        if parameter["in"] == "query" and _is_id(parameter["schema"]) and parameter["name"] not in NOT_SERVED:
            places[f"query:{parameter['name']}"] = NAMES[parameter["name"]]
    content = spec.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    schema = content[media]["schema"] if media else None
    if media == "application/json":
        for where in _ids(document, schema, ""):
            if where not in NOT_SERVED:
                kind = NAMES.get(where) or (_member_kind(path) if where == "id" else None)
                assert kind, f"{method} {path}: say in tests/support/walk.py what {where} is"
                places[f"body:{where}"] = kind
    return Operation(method, path, places, schema, media, spec)


def kind_of(path: str, name: str, before: str) -> str:
    """What a path parameter stands for."""
    if name == "username":
        return "username"
    if before in ("users", "members", "admin") or name == "user_id":
        return "user"
    assert before in PLACES, f"{path}: say in tests/support/walk.py what {{{name}}} is"
    return PLACES[before]


def _member_kind(path: str) -> str | None:
    return {"members": "user", "group-members": "user_group"}.get(path.rstrip("/").rpartition("/")[2])


def _is_id(schema: Mapping[str, Any]) -> bool:
    return "uuid" in json.dumps(schema)


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _ids(document: Mapping[str, Any], schema: Any, where: str) -> Iterator[str]:
    """Where ids stand in a body: `space_id`, `groups[].id`, `tools.assistants[].id`."""
    schema = _resolved(document, schema)
    for key in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(key, ()):
            yield from _ids(document, each, where)
    if schema.get("format") == "uuid":
        yield where
    if schema.get("type") == "array":
        yield from _ids(document, schema.get("items", {}), f"{where}[]")
    for name, each in schema.get("properties", {}).items():
        yield from _ids(document, each, f"{where}.{name}" if where else name)


def sample(document: Mapping[str, Any], schema: Any, name: str = "") -> Any:
    """The least that a schema accepts, in words that mean something where the name is known."""
    schema = _resolved(document, schema)
    if name in SAMPLES and SAMPLES[name] in schema.get("enum", [SAMPLES[name]]):
        return SAMPLES[name]
    for key in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(key, ()):
            if _resolved(document, each).get("type") != "null":
                return sample(document, each, name)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {
                key: sample(document, properties[key], key) for key in schema.get("required", ()) if key in properties
            }
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return str(uuid4()) if schema.get("format") == "uuid" else "text"


def put(body: Any, where: str, value: str) -> Any:
    """The body with `value` at a place; what else an object there must have is beside it."""
    head, _, rest = where.partition(".")
    listed = head.endswith("[]")
    key = head.removesuffix("[]")
    inner = put(BESIDE.get(where, {}), rest, value) if rest else value
    if not key:
        return [inner]
    return {**body, key: [inner] if listed else inner}


@dataclass(frozen=True, slots=True)
class Case:
    """One request: an operation with foreign ids in some places."""

    operation: Operation
    foreign: tuple[str, ...]
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.operation.name} with foreign {', '.join(self.foreign) or 'nothing'}"

    async def send(self, client: httpx.AsyncClient, document: Mapping[str, Any]) -> httpx.Response:
        """Send it."""
        operation = self.operation
        path = operation.path
        query: dict[str, str] = {}
        for parameter in operation.spec.get("parameters", ()):
            if parameter["in"] == "query" and parameter.get("required"):
                query[parameter["name"]] = str(sample(document, parameter["schema"], parameter["name"]))
        body = sample(document, operation.body) if operation.media == "application/json" else {}
        for place, value in self.values.items():
            kind, _, where = place.partition(":")
            if kind == "path":
                path = path.replace(f"{{{where}}}", value)
            elif kind == "query":
                query[where] = value
            else:
                body = put(body, where, value)
        extra: dict[str, Any] = {}
        if operation.media == "application/json":
            extra["json"] = body
        elif operation.media == "multipart/form-data":
            name = next(iter(_resolved(document, operation.body or {}).get("properties", {"file": 1})))
            extra["files"] = {name: ("a.txt", b"Text")}
        elif operation.method == "PUT" and "name" in query:
            extra["content"], query["name"] = b"Text", "a.txt"
        return await client.request(operation.method, path, params=query, **extra)


def cases(
    operation: Operation, own: Mapping[str, str], foreign: Mapping[str, str], skip: frozenset[str]
) -> Iterator[Case]:
    """The operation with a foreign id in each place in turn, and in all of its path at once.

    `own` and `foreign` are ids by kind; kinds in `skip` are everybody's in the organisation.
    """
    paths = tuple(place for place, kind in operation.places.items() if place.startswith("path:"))
    base = {place: own.get(kind, str(uuid4())) for place, kind in operation.places.items()}
    sets = [(place,) for place, kind in operation.places.items() if kind not in skip and kind != "number"]
    wanted = tuple(place for place in paths if operation.places[place] != "number")
    if len(wanted) > 1 and not all(operation.places[place] in skip for place in wanted):
        sets.append(wanted)
    for places in dict.fromkeys(sets):
        values = {**base, **{place: foreign[operation.places[place]] for place in places}}
        beside = TOGETHER.get(operation.name) if places != ("body:session_id",) else None
        queries = {place for place in base if place.startswith(("query:", "body:"))} - {*places, beside}
        yield Case(operation, places, {place: value for place, value in values.items() if place not in queries})
