"""In which order tests run, and which of them run one after the other in one process."""

import pytest

from tests.conftest import BOTH

Group = tuple[bool, str, str]


def group_of(item: pytest.Item) -> Group:
    """What shares servers: the browser tests of a file, and its other tests on the same database."""
    name = item.nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
    if "browser" in getattr(item, "fixturenames", ()):
        return True, name, "browser"
    values = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return False, name, next((value for value in values if isinstance(value, str) and value in BOTH), "")


def longest(items: list[pytest.Item]) -> float:
    """How many seconds one of these may take; 0 when none asks for more than usual."""
    return max((float(mark.args[0]) for item in items for mark in item.iter_markers("timeout")), default=0.0)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: the loop that the browser keeps running in this thread is in the way of asynchronous tests.

    Otherwise what takes long first, so that no process works alone at the end.
    """
    groups: dict[Group, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    for (_, *names), members in groups.items():
        for item in members:
            item.add_marker(pytest.mark.xdist_group("-".join(filter(None, names))))
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], -longest(group[1]), -len(group[1])))
    items[:] = [item for _, members in ordered for item in members]
