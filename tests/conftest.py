"""What all tests share: a session that needs an Elasticsearch node starts it while other tests run."""

from __future__ import annotations

import pytest

from tests.elastic import node


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to start the node; who needs it waits for it."""
    config = session.config
    runs = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if runs and not config.option.collectonly and any("elastic" in one.nodeid for one in session.items):
        node.begin_early()
