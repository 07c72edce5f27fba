"""The Elasticsearch engine on a real node: against the bare client, and against SQLite."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from elasticsearch import helpers

from bench import corpus
from bench.node import Bench, benched
from bench.pulling import Client, account, served
from bench.row import Row, by_turns, percentile, progress, seconds
from bench.searching import QUERIES
from bench.swarm import Poller, polled
from connectors.runner import SLICE
from connectors.sensors import formats
from hub.access.accounts import Accounts
from hub.admission.warninglists import WarningLists
from hub.collector import no_collection
from hub.correlate.city import City
from hub.correlate.engine import Correlation
from hub.model.audience import Reader
from hub.publish.collections import Collections
from hub.store.elastic.changes import FIELDS, change_source
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import MAPPINGS
from hub.store.elastic.names import change_id
from hub.store.elastic.tree import compiled
from hub.store.ports import Batch, Draft, Scope, SearchQuery
from hub.store.query import parse

TOGETHER = 1000
TURNS = 3
FLAT = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure ingest, search, pages and the way of an event to a partner."""
    with benched() as bench:
        yield from _ingest(bench, max(SLICE, int(32_000 * scale)))
        size = max(1000, int(100_000 * scale))
        progress(f"filling {size:,} objects")
        # Turns of everything that is asked, first to warm up and then measured.
        asked = max(3, int(60 * min(1, 2 * scale)))
        store, prefix = bench.store()
        corpus.load(store, size)
        bench.client.indices.forcemerge(index=f"{prefix}-objects-1", max_num_segments=5)
        yield from _searches(bench, store, prefix, size, asked)
        token = account(Accounts(store))
        with served_on(folder / "served", bench, prefix) as port:
            yield from _pages(bench, folder / "sqlite", (port, token), prefix, size, asked)
            yield from _seen_by_partners(folder, store, port, token, max(3, int(60 * scale)))


def served_on(folder: Path, bench: Bench, prefix: str) -> Any:
    """Serve a store on the node over HTTP; give the port."""
    return served(folder, THREATHUB_STORE=f"{bench.address}/{prefix}")


def _ingest(bench: Bench, number: int) -> Iterator[Row]:
    """Compare commits with bare bulk requests for the same documents of the changes, under the same mapping."""
    drafts = [corpus.draft(one) for one in range(number)]
    names = [change_id(one.collection, one.id, one.spec_version, one.version) for one in drafts]
    documents = [(name, change_source(one, 1, at, at)) for at, name, one in zip(count(1), names, drafts, strict=False)]
    rates: dict[str, list[float]] = {"bare": [], "refreshed once": [], "refreshed": [], "posts": [], "feeds": []}
    # The first round warms the node up.
    for turn in range(TURNS + 1):
        for name, took in (
            ("bare", _bare(bench, documents)),
            ("refreshed once", _bare(bench, documents, at_the_end=True)),
            ("refreshed", _bare(bench, documents, each=True)),
            ("posts", _committed(bench, drafts, TOGETHER)),
            ("feeds", _committed(bench, drafts, SLICE)),
        ):
            progress(f"ingest, {name}: {number / took:,.0f} objects/s")
            if turn:
                rates[name].append(number / took)
    bare, once, each, posts, feeds = (sorted(found)[TURNS // 2] for found in rates.values())
    for job, rate in (("a feed's slice", feeds), (f"commits of {TOGETHER:,}", posts)):
        yield Row(f"Elasticsearch: {job}", "objects/s", rate, bare, "helpers.bulk, not refreshed", 0.7)
        yield Row(f"Elasticsearch: {job}", "objects/s", rate, once, "helpers.bulk, refreshed at the end")
        yield Row(f"Elasticsearch: {job}", "objects/s", rate, each, f"helpers.bulk, refreshed after each {TOGETHER:,}")


def _bare(
    bench: Bench, documents: list[tuple[str, dict[str, Any]]], *, each: bool = False, at_the_end: bool = False
) -> float:
    index = "bench-bare"
    bench.client.indices.create(
        index=index, mappings={"dynamic": "strict", "properties": MAPPINGS["objects"]}, settings=FLAT
    )

    def write() -> None:
        for at in range(0, len(documents), TOGETHER):
            some = documents[at : at + TOGETHER]
            actions = ({"_index": index, "_id": id, "_source": source} for id, source in some)
            helpers.bulk(bench.client, actions, chunk_size=TOGETHER, refresh=each)
        if at_the_end:
            bench.client.indices.refresh(index=index)

    took = seconds(write)
    bench.client.indices.delete(index=index)
    return took


def _committed(bench: Bench, drafts: list[Draft], together: int) -> float:
    store, prefix = bench.store()

    def write() -> None:
        for at in range(0, len(drafts), together):
            # As the gate does.
            with no_collection():
                store.commit(Batch(drafts=drafts[at : at + together]))

    took = seconds(write)
    bench.forget(prefix)
    return took


def _searches(bench: Bench, store: ElasticStore, prefix: str, size: int, turns: int) -> Iterator[Row]:
    """Compare the first page of searches with the same condition and fields asked for by the bare client."""
    scope = Scope(Reader("acme"), frozenset({corpus.COLLECTION}))
    for name, (query, _) in QUERIES.items():
        tree = parse(query)
        body: dict[str, Any] = {
            "query": {"bool": {"filter": [compiled(tree)]}},
            "sort": [{"back": "asc"}],
            "size": 51,
            "source_includes": list(FIELDS),
            "track_total_hits": False,
        }
        bare = partial(bench.client.search, index=f"{prefix}-objects-1", **body)
        ours = partial(store.search, scope, SearchQuery(tree))
        if len(ours().changes) != len(bare()["hits"]["hits"][:50]):
            raise RuntimeError("the bare query does not find the same")
        by_turns(turns, ours, bare)
        took, floor = (percentile(times, 0.5) for times in by_turns(turns, ours, bare))
        yield Row(
            f"Elasticsearch: search of {size:,}, {name}", "ms", took, floor, "raw query, same hits and fields", 1.3
        )


def _pages(bench: Bench, data: Path, way: tuple[int, str], prefix: str, size: int, turns: int) -> Iterator[Row]:
    """Compare pages of 1,000 over HTTP with the same pages from SQLite, and with the bare query for the bodies."""
    progress("pages of 1,000")
    data.mkdir()
    local = corpus.fill(data / "hub.db", size, searched=False)
    token = account(Accounts(local))
    local.close()
    positions = iter(range(10**9))

    def bare() -> None:
        after = next(positions) % (size // 1000) * 1000
        bench.client.search(
            index=f"{prefix}-objects-1",
            query={"bool": {"filter": [{"range": {"pos": {"gt": after}}}]}},
            sort=[{"pos": "asc"}],
            size=1001,
            source_includes=["pos", "date", "doc.body"],
            track_total_hits=False,
        )

    with served(data) as port:
        ours, theirs = Client(*way), Client(port, token)
        if ours.pull(1000, count=True)[1] != size or theirs.pull(1000, count=True)[1] != size:
            raise RuntimeError("a pull did not find everything")
        # The first page, again and again: its address does not depend on the engine.
        asked = (partial(ours.get, "limit=1000"), partial(theirs.get, "limit=1000"), bare)
        by_turns(turns, *asked)
        took, floor, raw = (percentile(times, 0.5) for times in by_turns(turns, *asked))
        yield Row("Elasticsearch: TAXII page of 1,000", "ms", took, floor, "SQLite, the same page over HTTP")
        yield Row("Elasticsearch: TAXII page of 1,000", "ms", took, raw, "raw query for the bodies")
        whole = [size / seconds(partial(client.pull, 1000)) for client in (ours, theirs)]
        yield Row(f"Elasticsearch: pull of {size:,}, page 1,000", "objects/s", whole[0], whole[1], "SQLite, over HTTP")


def _seen_by_partners(folder: Path, store: ElasticStore, port: int, token: str, trials: int) -> Iterator[Row]:
    """Measure how long after its arrival an event's sighting comes to a partner who polls all the time."""
    progress("sensor events")
    alert = json.loads((corpus.ROOT / "demo/data/suricata/alerts-honeypot-2018.json").read_text())[0]
    lists = WarningLists.load(corpus.ROOT / "rules", None, cache=folder / "cache")
    city = City("city", "City", "identity--8c6af861-7b20-41ef-9b59-6344fd872a8f")
    correlation = Correlation(
        store, corpus.gate(store, folder / "cache"), lists, city, [corpus.ROOT / "rules"], networks_known=False
    )
    # At first the whole past is looked through for every indicator; that is another job.
    _notice(correlation, alert, trials)
    progress(f"first hunt: {seconds(correlation.settle):.1f} s")
    declared = Collections.load([corpus.ROOT / "feeds" / "collections"])
    partner = Poller(port, f"/hub/collections/{declared['sightings'].id}/objects/", token)
    polled([partner], 1)
    took = []
    for number in range(trials):
        seen, begun = len(partner.seen), time.perf_counter()
        _notice(correlation, alert, number)
        correlation.settle()
        while len(partner.seen) == seen:
            polled([partner], 1)
        took.append(time.perf_counter() - begun)
    took.sort()
    job = "Elasticsearch: sensor event to partner"
    yield Row(f"{job}, p50", "ms", percentile(took, 0.5))
    yield Row(f"{job}, p95", "ms", percentile(took, 0.95), 3000.0, "the goal", 1)


def _notice(correlation: Correlation, alert: dict[str, Any], number: int) -> None:
    """Take in one event about an indicator that nobody saw before."""
    time_ = f"2026-11-20T12:{number // 60:02}:{number % 60:02}.000000+0000"
    event = alert | {"src_ip": corpus.address(number), "flow_id": number, "timestamp": time_}
    correlation.events.run(io.BytesIO(json.dumps(event).encode() + b"\n"), formats()["suricata"], _Sensor())


class _Sensor:
    name = "bench"
    role = "ids"
