"""In which order tests run, and which of them run one after the other in one process."""

from collections.abc import Sequence
from itertools import groupby

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.conftest import BOTH

Servers = tuple[str, str]


def servers_of(test: str) -> Servers:
    """What shares servers: the tests of a file on the same database."""
    file, _, name = test.partition("::")
    values = name.partition("[")[2].removesuffix("]").split("-")
    return file, next((value for value in values if value in BOTH), "")


def longest(items: list[pytest.Item]) -> float:
    """How many seconds one of these may take; 0 when none asks for more than usual."""
    return max((float(mark.args[0]) for item in items for mark in item.iter_markers("timeout")), default=0.0)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: the loop that the browser keeps running in this thread is in the way of asynchronous tests.

    Otherwise what takes long first, so that no process works alone at the end.
    """
    groups: dict[tuple[bool, Servers], list[pytest.Item]] = {}
    for item in items:
        group = "browser" in getattr(item, "fixturenames", ()), servers_of(item.nodeid)
        groups.setdefault(group, []).append(item)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], -longest(group[1]), -len(group[1])))
    items[:] = [item for _, members in ordered for item in members]


class Together(LoadScopeScheduling):
    """Gives a process all tests that the order has put side by side and that share servers, which start once then.

    The order is all that tells which tests need the browser: names of tests, all that is known here, do not.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self.groups: dict[str, str] = {}

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        for number, (_, tests) in enumerate(groupby(collection, servers_of)):
            self.groups.update(dict.fromkeys(tests, str(number)))
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self.groups[nodeid]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """In our order, whichever file has most tests."""
    config.option.loadscopereorder = False
    return Together(config, log)
