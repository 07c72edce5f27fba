"""The Elasticsearch node that the bench measures, and stores on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch

from bench.row import progress
from hub.store.elastic.cluster import Address
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import Layout
from tests.elastic import node

JAVA = "-Xms1g -Xmx1g"


@dataclass
class Bench:
    """A node and what was made on it.

    Attributes:
        address: of the node. client: the official client, as it comes.
    """

    address: str
    client: Elasticsearch
    stores: ExitStack = field(default_factory=ExitStack)

    def store(self) -> tuple[ElasticStore, str]:
        """Return a new empty store, and the prefix of its indices: one shard without copies."""
        prefix = f"bench-{uuid.uuid4().hex[:12]}"
        store = ElasticStore(Address((self.address,), prefix), layout=Layout(1, replicas=0))
        self.stores.callback(self.forget, prefix)
        self.stores.callback(store.close)
        return store, prefix

    def forget(self, prefix: str) -> None:
        """Delete the indices of a store."""
        for index in self.client.indices.get(index=f"{prefix}-*"):
            self.client.indices.delete(index=index)


@contextmanager
def benched() -> Iterator[Bench]:
    """Start a node on the disk, or use the one that is named in the environment (`tests.elastic.node.GIVEN`)."""
    given = os.environ.get(node.GIVEN)
    with ExitStack() as stack:
        if given is None:
            progress("starting Elasticsearch")
            one = node.Node(node.archive(), java=JAVA, on_disk=True)
            stack.callback(one.remove)
            given = one.start()
        bench = Bench(given, Elasticsearch(given, request_timeout=120))
        stack.callback(bench.client.close)
        with bench.stores:
            yield bench
