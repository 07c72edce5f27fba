"""POST over real HTTP: ten objects and a thousand, validated and on disk before the answer."""

from __future__ import annotations

import http.client
import itertools
import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson

from bench import corpus
from bench.pulling import served
from bench.row import Row, rate, seconds
from bench.swarm import ACCEPT
from hub.access.accounts import Accounts, Organisation
from hub.publish.collections import Collections
from hub.store.ports import Batch
from hub.store.sqlite.engine import SqliteStore

COLLECTION = "inbox"


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure POSTs of 10 and of 1,000."""
    few, many = max(20, int(300 * scale)), max(1, int(10 * scale))
    store = SqliteStore(folder / "hub.db")
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "City", "city"))
    accounts.add_user("writer", "city", "liaison")
    token = accounts.add_token("writer")[1]
    store.close()
    numbers = itertools.count()

    def envelope(size: int) -> bytes:
        return orjson.dumps({"objects": [corpus.indicator(next(numbers)) for _ in range(size)]})

    with served(folder) as port:
        client = _Client(port, token)
        client.post(envelope(1000))  # compiles the schemas
        tens = [envelope(10) for _ in range(few)]
        taken = sorted(seconds(partial(client.post, body)) for body in tens)
        bare = _bare(folder / "floor.db", few)
        yield Row(
            "POST of 10, durable, p50", "ms", taken[few // 2] * 1000, bare[few // 2] * 1000, "a bare commit of 10"
        )
        yield Row("POST of 10, durable, p99", "ms", taken[int(few * 0.99)] * 1000)
        thousands = iter([envelope(1000) for _ in range(3 * many)])

        def bulk() -> None:
            for body in itertools.islice(thousands, many):
                client.post(body)

        posted = rate(many * 1000, bulk)
    store = SqliteStore(folder / "unvalidated.db")
    drafts = [corpus.draft(one) for one in range(3 * many * 1000)]
    batches = iter([Batch(drafts=drafts[start : start + 1000]) for start in range(0, len(drafts), 1000)])
    committed = rate(many * 1000, lambda: [store.commit(next(batches)) for _ in range(many)])
    store.close()
    yield Row("bulk POST of 1,000", "objects/s", posted, committed, "Store.commit, not validated", 0.6)


class _Client:
    def __init__(self, port: int, token: str) -> None:
        declared = Collections.load([corpus.ROOT / "feeds" / "collections"])
        self._path = f"/hub/collections/{declared[COLLECTION].id}/objects/"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Accept": ACCEPT, "Content-Type": ACCEPT, "Authorization": f"Bearer {token}"}

    def post(self, body: bytes) -> None:
        self._connection.request("POST", self._path, body, self._headers)
        with self._connection.getresponse() as answer:
            status = json.load(answer)
        if answer.status != 202 or status["failure_count"]:
            raise RuntimeError(json.dumps(status))


def _bare(path: Path, times: int) -> list[float]:
    plain = sqlite3.connect(path, isolation_level=None)
    plain.executescript("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    plain.execute("CREATE TABLE objects (position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    bodies = corpus.bodies(10 * times)

    def commit() -> None:
        plain.execute("BEGIN IMMEDIATE")
        plain.executemany("INSERT INTO objects (body) VALUES (?)", ((next(bodies),) for _ in range(10)))
        plain.execute("COMMIT")

    taken = sorted(seconds(commit) for _ in range(times))
    plain.close()
    return taken
