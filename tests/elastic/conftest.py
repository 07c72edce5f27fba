"""A store on the session's node for each test, and its parts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from hub.store.elastic.cluster import Address
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import Layout
from tests.elastic import node


@pytest.fixture
def address() -> Iterator[Address]:
    """Where the test's own store is."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield Address((node.required(),), prefix)
    node.forget(prefix)


@pytest.fixture
def reopen(address: Address) -> Iterator[Callable[[], ElasticStore]]:
    """Open the test's store once more, as another process would."""
    opened: list[ElasticStore] = []

    def once_more() -> ElasticStore:
        opened.append(ElasticStore(address, layout=Layout(node.shards(), replicas=0), patience=10))
        return opened[-1]

    yield once_more
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], ElasticStore]) -> ElasticStore:
    """An empty store."""
    return reopen()
