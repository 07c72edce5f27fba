"""What all tests share: no test is about time, and a session that needs an Elasticsearch node starts it early."""

from __future__ import annotations

import os

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings

from tests.elastic import node
from tests.stores import ENGINE

settings.register_profile("hub", deadline=None)
settings.load_profile("hub")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of a group on one worker: pytest 9.2 no longer has the attribute that pytest-xdist 3.8 sets."""
    for item in items if getattr(config.option, "loadgroup", False) else ():
        groups = sorted(str(mark.args[0]) for mark in item.iter_markers("xdist_group"))
        if groups and not item.nodeid.endswith(f"@{groups[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{groups[0]}")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to start the node; who needs it waits for it."""
    config = session.config
    runs = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if (
        runs
        and not config.option.collectonly
        and (os.environ.get(ENGINE) == "elastic" or any("elastic" in one.nodeid for one in session.items))
    ):
        node.begin_early()
