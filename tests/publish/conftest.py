"""A whole hub for each test; the warning lists are read once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.app import Hub
from tests.publish.parts import new_hub
from tests.publish.served import Served, serving


@pytest.fixture(scope="session")
def warning_list_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("warm")
    new_hub(data).close()
    return data / "cache"


@pytest.fixture
def data(tmp_path: Path, warning_list_cache: Path) -> Path:
    shutil.copytree(warning_list_cache, tmp_path / "data" / "cache")
    return tmp_path / "data"


@pytest.fixture
def hub(data: Path) -> Iterator[Hub]:
    hub = new_hub(data)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, warning_list_cache: Path) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("served")
    shutil.copytree(warning_list_cache, data / "cache")
    with serving(data) as running:
        yield running
