"""A running TAXII server (granian, SQLite, the real gate) and a clean collection for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.taxii.served import CLEAN, Box, Hub, prepare, start_server, stop_server


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("taxii")
    tokens = prepare(data)
    process, port = start_server(data)
    yield Hub(port, tokens, data, iter(range(1, CLEAN)))
    stop_server(process)


@pytest.fixture
def box(hub: Hub) -> Box:
    return Box(hub, f"clean-{next(hub.clean)}")
