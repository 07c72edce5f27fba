"""Nobody sees half an entry, and no commit is made of documents that are older than the state it is made for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from hub.store.elastic import journal, snapshots
from hub.store.elastic.cluster import Address, Cluster
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.entries import Entry, intent
from hub.store.elastic.indices import Layout, log_of
from hub.store.elastic.names import entry_id, shard_of
from hub.store.ports import Batch, DocumentWrite, LedgerCount, LedgerKey, PageQuery, Versions
from tests.contract.drafts import STRANGER, draft, objects

KEY = LedgerKey("domain-name:evil.example", "dns", 1)
EVERY = Versions(all=True)
Open = Callable[[], ElasticStore]

pytestmark = pytest.mark.parametrize("shards", (1, 3))


@pytest.fixture
def opened(address: Address, shards: int) -> Iterator[Open]:
    """Open the test's store, as one process more."""
    stores: list[ElasticStore] = []

    def once_more() -> ElasticStore:
        stores.append(ElasticStore(address, layout=Layout(shards, replicas=0), patience=20))
        return stores[-1]

    yield once_more
    for store in stores:
        store.close()


def batch(number: int) -> Batch:
    """Return a batch with a new version of one object, and enough new ones for every shard."""
    return Batch(
        [draft("indicator--1", number), *(draft(f"malware--{number}-{part}") for part in range(12))],
        ledger={KEY: LedgerCount(1, number, number)},
        documents=[DocumentWrite("cursor", "x", str(number).encode())],
    )


def seen(store: ElasticStore) -> tuple[int, set[tuple[str, int]], int, int]:
    """Return what four searches of different kinds show of the store."""
    page = store.read_objects(STRANGER, PageQuery("a", limit=1000))
    every = store.read_objects(STRANGER, PageQuery("a", limit=1000, versions=EVERY))
    documents = store.documents("cursor")
    return page.count, set(objects(page.joined)), every.count, int(documents[0].value) if documents else 0


def after(number: int) -> tuple[int, set[tuple[str, int]], int, int]:
    """Return what they show when so many batches are there."""
    ids = {(f"malware--{one}-{part}", 1) for one in range(1, number + 1) for part in range(12)}
    return len(ids) + 1, ids | {("indicator--1", number)}, 13 * number, number


def begun(store: ElasticStore, number: int) -> Entry:
    """Create an entry and write its documents of one shard, as a writer does who is killed then; a refresh follows."""
    entry = store._planner.plan([batch(number)], store._journal.state()).entry
    assert entry is not None
    assert store._cluster.create(log_of(store._cluster), entry_id(number), entry.source("somebody"))
    now = store._generations.current
    part = [(id, source) for id, source in entry.objects.items() if not shard_of(id, now.shards)]
    assert part and (now.shards == 1 or len(part) < len(entry.objects))
    part = part[: len(part) // 2 + 1]
    store._cluster.write(now.objects, number, [*((id, intent(number)) for id in now.marks.intents), *part])
    store._cluster.refresh(now.objects)
    return entry


def test_what_a_killed_writer_wrote_in_part_is_seen_whole(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HELP_AFTER", 0.1)
    store, reader = opened(), opened()
    store.commit(batch(1))
    assert seen(reader) == after(1)
    begun(store, 2)
    assert seen(reader) == after(2)
    assert reader.verify() == []


def test_a_stray_refresh_shows_nothing_of_a_writer_that_is_paused(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "HELP_AFTER", 60)
    store, reader = opened(), opened()
    store.commit(batch(1))
    now = store._generations.current
    paused, released, waited = threading.Event(), threading.Event(), threading.Event()
    write, help_ = Cluster.write, journal.Journal.help

    def pausing(
        self: Cluster, index: str, version: int, documents: Sequence[tuple[str, bytes]], **named: Any
    ) -> list[str]:
        if self is store._cluster and any(id in now.marks.barriers for id, _ in documents) and index == now.objects:
            paused.set()
            assert released.wait(60)
        return write(self, index, version, documents, **named)

    def helping(self: journal.Journal, number: int, *, wait: bool = True) -> None:
        waited.set()
        help_(self, number, wait=wait)

    monkeypatch.setattr(Cluster, "write", pausing)
    monkeypatch.setattr(journal.Journal, "help", helping)
    writer = threading.Thread(target=store.commit, args=(batch(2),))
    writer.start()
    assert paused.wait(60)
    reader._cluster.refresh(now.objects)
    # All of the entry is there now, but for the barrier: who does not look at the intent shows it too early.
    found: list[Any] = []
    reading = threading.Thread(target=lambda: found.append(seen(reader)))
    reading.start()
    waits = waited.wait(15) and not found
    released.set()
    writer.join()
    reading.join()
    assert waits
    assert found == [after(2)]


@pytest.mark.parametrize("part", ("objects", "ledger"))
def test_a_copy_that_lags_behind_is_not_planned_with(opened: Open, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    store, other = opened(), opened()
    store.commit(batch(1))
    name = "read_many" if part == "objects" else "read_each"
    read = getattr(Cluster, name)
    lagging: dict[str, list[Any]] = {}

    def remembering(self: Cluster, *asked: Any) -> list[Any]:
        answer: list[Any] = read(self, *asked)
        if self is other._cluster:
            lagging.setdefault(str(asked), answer)
        return answer

    with monkeypatch.context() as before:
        before.setattr(Cluster, name, remembering)
        other._planner.plan([batch(2)], other._journal.state())
    store.commit(batch(2))
    now = other._generations.current
    lagging.pop(str((now.objects, now.marks.barriers)), None)
    answered: list[str] = []

    def from_the_past(self: Cluster, *asked: Any) -> list[Any]:
        old = lagging.pop(str(asked), None) if self is other._cluster else None
        if old:
            answered.append(str(asked))
            return old
        found: list[Any] = read(self, *asked)
        return found

    monkeypatch.setattr(Cluster, name, from_the_past)
    outcomes = other.commit(batch(2))
    assert answered
    assert {outcome.result for outcome in outcomes} == {"unchanged"}
    assert seen(store) == after(2)
    assert [row.total.number for row in store.ledger([KEY.observable])] == [3]
    assert store.verify() == []


def test_a_search_of_a_copy_that_lags_behind_is_asked_again(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    store.commit(batch(1))
    search = Cluster.search
    now = store._generations.current
    body = {"query": {"bool": {"should": [snapshots.MARKS]}}, "size": 1000, "sort": list(snapshots.FORWARD)}
    old = [store._cluster.search(now.objects, body)]
    store.commit(batch(2))

    def stale(self: Cluster, index: str, body: dict[str, Any]) -> dict[str, Any]:
        return old.pop() if old else search(self, index, body)

    monkeypatch.setattr(Cluster, "search", stale)
    answer = store._snapshots.search({"filter": {"term": {"what": "put"}}}, size=1000, at_least=2)
    assert (answer.barrier.number, len(answer.hits), old) == (2, 26, [])
