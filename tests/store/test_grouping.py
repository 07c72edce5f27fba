"""Batches committed by several threads at once share a transaction, but not their fate."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hub.errors import Conflict, HubError, StoreFull
from hub.store.ports import HUB, Batch, DocumentWrite, Outcome
from hub.store.sqlite.connections import Connections
from hub.store.sqlite.engine import SqliteStore
from tests.contract.drafts import draft
from tests.stores import ABOUT_SQLITE

pytestmark = ABOUT_SQLITE

Result = list[Outcome] | Exception


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store.sqlite")) as opened:
        yield opened


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count write transactions."""
    begun: list[int] = []
    writing = Connections.writing

    @contextmanager
    def counted(self: Connections) -> Iterator[sqlite3.Connection]:
        begun.append(1)
        with writing(self) as db:
            yield db

    monkeypatch.setattr(Connections, "writing", counted)
    return begun


def commit_together(store: SqliteStore, batches: list[Batch]) -> list[Result]:
    """Commit each batch in a thread of its own, all waiting before the first is written."""
    results: dict[int, Result] = {}

    def run(number: int) -> None:
        try:
            results[number] = store.commit(batches[number])
        except (HubError, ValueError) as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(batches))]
    with store._commits._lead:
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(store._commits._waiting) < number:
                time.sleep(0)
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(batches))]


def test_waiting_batches_share_one_transaction(store: SqliteStore, transactions: list[int]):
    results = commit_together(store, [Batch([draft(f"x--{n}", collection=f"c{n}")]) for n in range(6)])
    assert len(transactions) == 1
    assert [outcome.position for result in results if isinstance(result, list) for outcome in result] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_large_batches_do_not_wait_for_each_other(store: SqliteStore, transactions: list[int]):
    commit_together(store, [Batch([draft(f"x--{n}-{part}") for part in range(600)]) for n in range(3)])
    assert len(transactions) == 3


def test_a_batch_that_fails_takes_no_other_with_it(store: SqliteStore):
    good = [Batch([draft(f"x--{n}", collection=f"c{n}")]) for n in range(4)]
    conflict = Batch([draft("y--1", collection="new")], documents=[DocumentWrite("k", "1", b"", expect=7)])
    mistaken = Batch([draft("y--2", collection="newer", observables=("no canonical key",)), draft("\ud800")])
    results = commit_together(store, [good[0], conflict, good[1], mistaken, good[2], good[3]])
    assert isinstance(results[1], Conflict)
    assert isinstance(results[3], ValueError)
    assert [change.id for change in store.read_log(0, 10)] == ["x--0", "x--1", "x--2", "x--3"]
    assert store.tally(HUB) == {"c0": 1, "c1": 1, "c2": 1, "c3": 1}
    assert store.verify() == []


def test_when_the_disk_is_full_all_of_them_are_told(store: SqliteStore):
    store.commit(Batch([draft("x--1")]))
    writer = store._connections._writer
    limit = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {limit}")
    results = commit_together(store, [Batch([draft(f"y--{n}", body=b'"%050000d"' % n)]) for n in range(4)])
    assert [type(result) for result in results] == [StoreFull] * 4
    writer.execute(f"PRAGMA max_page_count = {limit + 1000}")
    assert store.commit(Batch([draft("y--0", collection="b")]))[0].position == 2
    assert store.tally(HUB) == {"a": 1, "b": 1}
    assert store.verify() == []
