"""The engines that the store contract is tried on. A further engine is one more entry of `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from hub.store.moving import Movable
from hub.store.sqlite.engine import SqliteStore
from tests.elastic import node


def _sqlite(folder: Path) -> Movable:
    return SqliteStore(folder / "store.sqlite")


def _prefix(folder: Path) -> str:
    return f"test-{blake2b(str(folder).encode(), digest_size=8).hexdigest()}"


def _elastic(folder: Path) -> Movable:
    address = node.required()
    from hub.store.elastic.cluster import Address
    from hub.store.elastic.engine import ElasticStore
    from hub.store.elastic.indices import Layout

    return ElasticStore(Address((address,), _prefix(folder)), layout=Layout(node.shards(3), replicas=0))


ENGINES: dict[str, Callable[[Path], Movable]] = {"sqlite": _sqlite, "elastic": _elastic}
"""By name: how to open the store that belongs to a folder, again and again, as several processes would."""


def forget(engine: str, folder: Path) -> None:
    """Delete what an engine keeps elsewhere than in the folder."""
    if engine == "elastic":
        node.forget(_prefix(folder))


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
    if opened:
        forget(request.param, tmp_path)


@pytest.fixture
def store(reopen: Callable[[], Movable]) -> Movable:
    """An empty store."""
    return reopen()
