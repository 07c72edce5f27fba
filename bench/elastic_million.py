"""The Elasticsearch engine with 10,000 and with 1,000,000 indicators: polls stay as quick, candidates are found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from elasticsearch import Elasticsearch

from bench import corpus
from bench.elastic import served_on
from bench.node import benched
from bench.pulling import account
from bench.row import Row, by_turns, percentile, progress
from bench.swarm import Poller, polled
from hub.access.accounts import Accounts
from hub.model import times
from hub.model.observables import Observable, index_key
from hub.publish.collections import Collections
from hub.store.elastic.changes import FIELDS
from hub.store.elastic.engine import ElasticStore
from hub.store.ports import HUB, Batch

KEYS = 1000
FILLED = 4000


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure polls of 100 new objects, and look-ups, in stores of both sizes."""
    declared = Collections.load([corpus.ROOT / "feeds" / "collections"])
    path = f"/hub/collections/{declared[corpus.COLLECTION].id}/objects/"
    small, large = (max(1000, int(number * scale)) for number in (10_000, 1_000_000))
    with benched() as bench, ExitStack() as stack:
        asking, newest, lookups = [], [], []
        for size in (small, large):
            store, prefix = bench.store()
            progress(f"filling {size:,} objects")
            corpus.load(store, size, searched=False, together=FILLED)
            added = store.commit(Batch(drafts=[corpus.draft(size + one) for one in range(100)]))
            token = account(Accounts(store))
            port = stack.enter_context(served_on(folder / prefix, bench, prefix))
            asking.append((port, token))
            newest.append(times.format_timestamp(added[0].date_added - 1))
            lookups.append((store, prefix))

        # Only now: a server closes connections on which nothing comes.
        pollers = [Poller(port, path, token) for port, token in asking]

        def poll(number: int) -> None:
            pollers[number].after = newest[number]
            polled([pollers[number]], 1)

        asked = max(5, int(100 * min(1, 2 * scale)))
        turns = (partial(poll, 0), partial(poll, 1))
        by_turns(asked, *turns)
        few, many = (percentile(took, 0.5) for took in by_turns(asked, *turns))
        if any(len(one.seen) != 2 * asked * 100 for one in pollers):
            raise RuntimeError("a poll did not find its 100 new objects")
        yield Row(f"Elasticsearch: poll of 100 new in {small:,}, p50", "ms", few)
        yield Row(f"Elasticsearch: poll of 100 new in {large:,}, p50", "ms", many, few, "in the small one", 1.1)
        store, prefix = lookups[1]
        yield from _candidates(bench.client, store, prefix, large)


def _candidates(client: Elasticsearch, store: ElasticStore, prefix: str, size: int) -> Iterator[Row]:
    """Compare a look-up of 1,000 observables, one in ten of which somebody named, with the bare terms query."""
    chance = random.Random(1)
    keys = [
        Observable("ipv4-addr", corpus.address(chance.randrange(size) if one % 10 == 0 else size + 1000 + one)).key
        for one in range(KEYS)
    ]
    ours = partial(store.lookup, HUB, keys)
    bare = partial(
        client.search,
        index=f"{prefix}-objects-1",
        query={"bool": {"filter": [{"terms": {"keys": [index_key(key) for key in keys]}}]}},
        sort=[{"back": "asc"}],
        size=5000,
        source_includes=[*FIELDS, "keys"],
        track_total_hits=False,
    )
    if sum(map(len, ours().values())) != len(bare()["hits"]["hits"]):
        raise RuntimeError("the bare query does not find the same")
    took, floor = (percentile(found, 0.5) for found in by_turns(30, ours, bare))
    yield Row(f"Elasticsearch: candidates of {KEYS:,} observables in {size:,}", "ms", took, floor, "raw terms query")
