"""Validated ingest, against bare inserts of the same bytes and against the reference library's parser."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import stix2

from bench import corpus
from bench.row import Row, rate
from hub.admission.gate import Origin
from hub.model.items import StixItem
from hub.store.ports import Batch
from hub.store.sqlite.engine import SqliteStore

ORIGIN = Origin("feed:bench", "bench", (corpus.COLLECTION,))


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure batches of 1,000 and of 10."""
    number = max(2000, int(20_000 * scale))
    items = [StixItem(body, "") for body in corpus.bodies(number)]
    names = itertools.count()

    def admitted(size: int, most: int) -> None:
        store = SqliteStore(folder / f"{next(names)}.db")
        gate = corpus.gate(store, folder / "cache")
        for start in range(0, most, size):
            gate.admit(items[start : start + size], ORIGIN)
        store.close()

    def inserted() -> None:
        plain = sqlite3.connect(folder / f"{next(names)}.db", isolation_level=None)
        plain.executescript("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        plain.execute("CREATE TABLE objects (id TEXT PRIMARY KEY, body BLOB NOT NULL)")
        for start in range(0, number, 1000):
            plain.execute("BEGIN IMMEDIATE")
            plain.executemany(
                "INSERT INTO objects VALUES (?, ?)",
                ((f"{start}-{at}", item.raw) for at, item in enumerate(items[start : start + 1000])),
            )
            plain.execute("COMMIT")
        plain.close()

    def committed() -> None:
        store = SqliteStore(folder / f"{next(names)}.db")
        for start in range(0, number, 1000):
            store.commit(Batch(drafts=drafts[start : start + 1000]))
        store.close()

    def parsed() -> None:
        for item in items[:500]:
            stix2.parse(item.raw, allow_custom=True)

    admitted(1000, 1000)  # compiles the schemas
    measured = rate(number, lambda: admitted(1000, number))
    yield Row(
        "validated ingest, 1,000 a commit", "objects/s", measured, rate(number, inserted), "bare inserts, no index"
    )
    yield Row("validated ingest, 1,000 a commit", "objects/s", measured, rate(500, parsed), "stix2.parse alone")
    drafts = [corpus.draft(one) for one in range(number)]
    yield Row(
        "validated ingest, 1,000 a commit",
        "objects/s",
        measured,
        rate(number, committed),
        "Store.commit, not validated",
        0.6,
    )
    small = min(number, 2000)
    yield Row("validated ingest, 10 a commit, durable", "objects/s", rate(small, lambda: admitted(10, small)))
