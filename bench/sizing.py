"""Bytes on disk of what a hub keeps, on either engine: for docs/administrator/sizing.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench import corpus
from bench.node import Bench, benched
from bench.row import Row, progress
from hub.model.events import Event
from hub.model.times import DAY, SECOND
from hub.store.ports import Batch, LedgerCount, LedgerKey, Store
from hub.store.sqlite.engine import SqliteStore

TOGETHER = 1000
TODAY = 20_780
"""A day in 2026, since the epoch."""


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Fill a store of each engine with indicators, then with rows of the ledger; say what each of them takes."""
    number = max(2000, int(100_000 * scale))
    with closing(SqliteStore(folder / "size.db")) as store:
        yield from _sizes("SQLite", store, number, lambda: _size_of(store, folder))
    with benched() as bench:
        elastic, prefix = bench.store()
        yield from _sizes("Elasticsearch", elastic, number, lambda: _merged(bench, prefix))


def _sizes(engine: str, store: Store, number: int, size: Callable[[], int]) -> Iterator[Row]:
    empty = size()
    progress(f"{engine}: {number:,} indicators")
    corpus.load(store, number)
    filled = size()
    yield Row(f"{engine}: an indicator", "bytes", (filled - empty) / number)
    progress(f"{engine}: {number:,} rows of the ledger, each seen once")
    for start in range(0, number, TOGETHER):
        store.commit(_seen(range(start, min(start + TOGETHER, number))))
    seen = size()
    yield Row(f"{engine}: a row of the ledger with one sample", "bytes", (seen - filled) / number)
    for start in range(0, number, TOGETHER):
        store.commit(_seen(range(start, min(start + TOGETHER, number)), samples=False))
    yield Row(f"{engine}: the same seen again that day", "bytes", (size() - seen) / number)


def _seen(numbers: range, *, samples: bool = True) -> Batch:
    """Return a DNS question for each of some names by one of ten clients, on one day."""
    counts, kept = {}, {}
    for number in numbers:
        key = LedgerKey(f"domain-name:host{number}.sub{number % 97}.example", "dns", TODAY)
        time = TODAY * DAY + number * SECOND // 10
        raw = b'{"ts":%d,"query":"host%d.sub%d.example","qtype":"A","src":"10.0.0.%d"}' % (
            *(time, number, number % 97, number % 10),
        )
        event = Event(time, "dns", "dns", (key.observable,), {"src": f"ipv4-addr:10.0.0.{number % 10}"}, raw)
        counts[key] = LedgerCount(1, time, time)
        if samples:
            kept[key] = [event]
    return Batch(ledger=counts, samples=kept)


def _size_of(store: SqliteStore, folder: Path) -> int:
    copy = folder / "copy.db"
    store.backup(copy)
    size = copy.stat().st_size
    copy.unlink()
    return size


def _merged(bench: Bench, prefix: str) -> int:
    """Return the bytes of a store's merged indices without the log, which grows to its size and stays."""
    data = f"{prefix}-*,-{prefix}-log*"
    bench.client.indices.forcemerge(index=data, max_num_segments=1)
    bench.client.indices.flush(index=data)
    return int(bench.client.indices.stats(index=data)["_all"]["total"]["store"]["size_in_bytes"])
