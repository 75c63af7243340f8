"""For schemathesis: ids of things that are there in every second request, so that what lies behind is tried too.

Deleting keeps to invented ids: what is gone would not be tried by the others.
"""

import json
import os
from typing import Any

import schemathesis

from tests.support.walk import kind_of

IDS: dict[str, str] = json.loads(os.environ.get("WALK_IDS", "{}"))
OWN: dict[str, str] = json.loads(os.environ.get("WALK_OWN", "{}"))
"""Ids of the caller and the caller's organisation, with what stands in for them: else the caller is shut out on the way."""
_turns = {"n": 0}


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put known ids into the path."""
    operation = context.operation
    _turns["n"] += 1
    if not path_parameters or operation.method.lower() == "delete" or _turns["n"] % 2:
        return path_parameters
    parts = operation.path.split("/")
    before = {part[1:-1]: previous for previous, part in zip(["", *parts], parts, strict=False) if part.startswith("{")}
    kinds = {name: kind_of(operation.path, name, before.get(name, "")) for name in path_parameters}
    return {name: IDS.get(kinds[name], value) for name, value in path_parameters.items()}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Keep the caller and the caller's organisation out of what is changed or deleted."""
    for name, value in dict(case.path_parameters or {}).items():
        if str(value) in OWN:
            case.path_parameters[name] = OWN[str(value)]


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Where no worker was started, the health is told by 503: that is so, and no failure."""
    if case.operation.path == "/api/healthz" and response.status_code == 503:
        told = json.loads(response.content)["detail"]
        if told["backend"]["status"] == "HEALTHY":
            response.status_code = 200
