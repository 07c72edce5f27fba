"""Workers on several machines, each with a data folder of its own, divide the work of one store on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store.elastic.cluster import Address
from hub.store.moving import Movable
from hub.store.opening import Access, open_store
from tests.connectors.conftest import Web, web  # noqa: F401 - a fixture
from tests.e2e.workers import declare, divide_and_replace, three
from tests.elastic import node


@pytest.fixture
def shared(address: Address) -> Iterator[tuple[Movable, dict[str, str]]]:
    """A store on the node, and the settings by which workers find it."""
    url = f"{address.hosts[0]}/{address.prefix}"
    store = open_store(url, access=Access(replicas=0, shards=node.shards()))
    yield store, {"store": url, "store_replicas": "0", "store_shards": str(node.shards())}
    store.close()


def test_machines_divide_the_work_and_replace_each_other(
    tmp_path: Path,
    web: Web,  # noqa: F811
    shared: tuple[Movable, dict[str, str]],
) -> None:
    store, settings = shared
    own = declare(tmp_path, web)
    with three([tmp_path / name for name in ("one", "two", "three")], store, web, own, settings) as workers:
        divide_and_replace(workers)
