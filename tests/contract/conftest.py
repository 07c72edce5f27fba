"""The engines that the store contract is tried on. A further engine is one more entry of `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.moving import Movable
from hub.store.sqlite.engine import SqliteStore


def _sqlite(folder: Path) -> Movable:
    return SqliteStore(folder / "store.sqlite")


ENGINES: dict[str, Callable[[Path], Movable]] = {"sqlite": _sqlite}
"""By name: how to open the store that belongs to a folder, again and again, as several processes would."""


@pytest.fixture(params=sorted(ENGINES))
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Movable]]:
    """Open one and the same store again, once for each call."""
    opened: list[Movable] = []

    def open_once_more() -> Movable:
        opened.append(ENGINES[request.param](tmp_path))
        return opened[-1]

    yield open_once_more
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], Movable]) -> Movable:
    """An empty store."""
    return reopen()
