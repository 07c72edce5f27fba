"""What all tests share: no test is about time, and a session that needs an Elasticsearch node starts it early."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings

from tests.elastic import node
from tests.stores import forget_stores, on_elastic

settings.register_profile("hub", deadline=None)
settings.load_profile("hub")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about SQLite alone, and keep the tests of a group on one worker.

    pytest 9.2 no longer has the attribute that pytest-xdist 3.8 sets for that.
    """
    nowhere = on_elastic() and not node.possible() and not os.environ.get(node.DEMAND)
    for item in items if on_elastic() else ():
        if item.get_closest_marker("sqlite"):
            item.add_marker(pytest.mark.skip(reason="about SQLite itself"))
        elif nowhere:
            item.add_marker(pytest.mark.skip(reason=node.MISSING))
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
        and (on_elastic() or any("elastic" in one.nodeid for one in session.items))
    ):
        node.begin_early()


@pytest.fixture(autouse=True)
def _stores_go_with_their_folder(request: pytest.FixtureRequest) -> Iterator[None]:
    folder = request.getfixturevalue("tmp_path") if on_elastic() and "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        forget_stores(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tried on Elasticsearch, and what to install."""
    skipped = terminalreporter.stats.get("skipped", [])
    if number := sum(node.MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_sep("!", f"{number} tests were not run on Elasticsearch", yellow=True, bold=True)
        terminalreporter.write_line(f"Testing the Elasticsearch engine {node.MISSING}.", yellow=True)
