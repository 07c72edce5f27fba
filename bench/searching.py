"""The first page of a search, against the bare query for the same rows in the same file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import corpus
from bench.row import Row, seconds
from hub.model.audience import Reader
from hub.store.ports import Scope, SearchQuery
from hub.store.query import parse

QUERIES = {
    "exact value": (
        f"value:{corpus.address(777)}",
        "SELECT c.position, c.body FROM words JOIN changes AS c ON c.position = words.rowid"
        f" WHERE words MATCH '\"value={corpus.address(777)}\"' ORDER BY words.rowid DESC LIMIT 50",
    ),
    "word, newest first": (
        "botnet",
        "SELECT c.position, c.body FROM words JOIN changes AS c ON c.position = words.rowid"
        " WHERE words MATCH '\"w=botnet\"' ORDER BY words.rowid DESC LIMIT 50",
    ),
    "prefix of an address": (
        "value:20.0.7.*",
        "SELECT c.position, c.body FROM words JOIN changes AS c ON c.position = words.rowid"
        " WHERE words MATCH '\"value=20.0.7.\" *' ORDER BY words.rowid DESC LIMIT 50",
    ),
}
ROUNDS = 30


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure at 200,000 objects."""
    size = max(2000, int(200_000 * scale))
    store = corpus.fill(folder / "hub.db", size)
    plain = sqlite3.connect(folder / "hub.db")
    scope = Scope(Reader("acme"), frozenset({corpus.COLLECTION}))
    for name, (query, sql) in QUERIES.items():
        tree = parse(query)
        ours = sorted(seconds(partial(store.search, scope, SearchQuery(tree))) for _ in range(ROUNDS))
        bare = sorted(seconds(lambda: plain.execute(sql).fetchall()) for _ in range(ROUNDS))
        allowed = bare[ROUNDS // 2] * 1.3 + 0.0004
        yield Row(
            f"search of {size:,}: {name}",
            "ms",
            ours[ROUNDS // 2] * 1000,
            allowed * 1000,
            "1.3 bare queries + 0.4 ms",
            1,
        )
    plain.close()
    store.close()
