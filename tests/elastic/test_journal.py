"""The log at its corners: entries left lying, applied late, acknowledged to nobody, or refused by the mapping."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from hub.errors import StoreCorrupt, TooLarge
from hub.store.elastic import indices, journal, planning
from hub.store.elastic.cluster import Cluster, Got
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.entries import Entry, intent
from hub.store.elastic.faults import unreachable
from hub.store.elastic.indices import Layout, log_of
from hub.store.elastic.names import document_id, entry_id
from hub.store.grouping import Turn
from hub.store.ports import HUB, Batch, DocumentWrite, LedgerCount, LedgerKey, PageQuery, Withdrawal
from tests.contract.drafts import STRANGER, draft, objects
from tests.elastic import node

KEY = LedgerKey("domain-name:evil.example", "dns", 1)
Reopen = Callable[[], ElasticStore]


@pytest.fixture(autouse=True)
def help_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HELP_AFTER", 0.1)


def batch(number: int) -> Batch:
    """Return a batch with something for every part of the store."""
    return Batch(
        [draft("indicator--1", number), draft(f"malware--{number}")],
        ledger={KEY: LedgerCount(1, number, number)},
        documents=[DocumentWrite("cursor", "x", str(number).encode())],
    )


def planned(store: ElasticStore, number: int) -> Entry:
    """Return the entry that a batch would make now."""
    entry = store._planner.plan([batch(number)], store._journal.state()).entry
    assert entry is not None
    return entry


def left_lying(store: ElasticStore, number: int) -> Entry:
    """Create an entry as a writer does who is killed right after."""
    entry = planned(store, number)
    assert store._cluster.create(log_of(store._cluster), entry_id(entry.barrier.number), entry.source("somebody"))
    return entry


def seen(store: ElasticStore) -> list[Any]:
    found = [store.head(), store.read_log(0, 100), store.ledger([KEY.observable]), store.document("cursor", "x")]
    return [*found, store.read_objects(STRANGER, PageQuery("a")), store.get(HUB, ["indicator--1"]), store.verify()]


def counted(store: ElasticStore) -> int:
    return sum(row.total.number for row in store.ledger([KEY.observable]))


def test_what_a_killed_writer_left_is_applied_by_the_next(store: ElasticStore, reopen: Reopen):
    store.commit(batch(1))
    left_lying(store, 2)
    assert store.head().position == 2
    store.commit(batch(3))
    assert [change.id for change in store.read_log(0, 10)][-2:] == ["indicator--1", "malware--3"]
    assert (store.head().position, counted(store), store.verify()) == (6, 3, [])
    left_lying(store, 4)
    assert reopen().head().position == 8


def test_a_store_that_lost_its_barrier_is_not_taken_for_a_new_one(store: ElasticStore, reopen: Reopen):
    store.commit(batch(1))
    indices.drop_generation(store._cluster, 1)
    indices.make_generation(store._cluster, 1, Layout(node.shards(), replicas=0))
    with pytest.raises(StoreCorrupt, match="barrier"):
        reopen()


def test_a_reader_helps_where_an_entry_is_there_in_part(store: ElasticStore, reopen: Reopen):
    store.commit(batch(1))
    entry = left_lying(store, 2)
    part = dict(list(entry.objects.items())[:1])
    now = store._generations.current
    intents = [(id, intent(2)) for id in now.marks.intents]
    store._cluster.write(now.objects, 2, [*intents, *part.items()], refresh=True)
    page = reopen().read_objects(STRANGER, PageQuery("a"))
    assert objects(page.joined) == [("malware--1", 1), ("indicator--1", 2), ("malware--2", 1)]
    assert seen(store)[-1] == []


def test_entries_applied_again_much_later_change_nothing(store: ElasticStore):
    for number in (1, 2, 3):
        store.commit(batch(number))
    store.commit(Batch(withdrawals=[Withdrawal("a", "malware--1"), Withdrawal("a", "indicator--1", 3)]))
    store.commit(batch(4))
    before = seen(store)
    for number in (1, 2, 3):
        got = store._cluster.get(log_of(store._cluster), entry_id(number))
        assert got is not None
        store._journal._apply(Entry.of(got.source))
    assert seen(store) == before


def shown(store: ElasticStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show an entry once that is not there, as a copy of the log does that is cut off, and then given up."""
    phantoms, get = {entry_id(2): Got(orjson.loads(planned(store, 2).source("somebody")), 2, 1)}, Cluster.get

    def dirty(self: Cluster, index: str, id: str) -> Got | None:
        return phantoms.pop(id, None) or get(self, index, id)

    monkeypatch.setattr(Cluster, "get", dirty)


def test_an_entry_that_only_a_lost_copy_had_is_not_applied(
    store: ElasticStore, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
):
    store.commit(batch(1))
    before = seen(store)
    shown(store, monkeypatch)
    with pytest.raises(journal.Moved):
        store._journal.help(2)
    shown(store, monkeypatch)
    assert seen(reopen()) == seen(store) == before


def test_who_does_not_confirm_an_entry_is_noticed(store: ElasticStore, monkeypatch: pytest.MonkeyPatch):
    store.commit(batch(1))
    before = seen(store)
    shown(store, monkeypatch)
    monkeypatch.setattr(Cluster, "touch", lambda *_: True)
    store._journal.help(2)
    assert seen(store) != before


def test_a_commit_whose_answer_was_lost_is_recognised(store: ElasticStore, monkeypatch: pytest.MonkeyPatch):
    create = Cluster.create
    lost: list[int] = []

    def losing(self: Cluster, *given: Any) -> bool:
        done = create(self, *given)
        if len(lost) < 2:
            lost.append(1)
            raise unreachable()
        return done

    monkeypatch.setattr(Cluster, "create", losing)
    outcomes = store.commit(batch(1))
    assert [outcome.result for outcome in outcomes] == ["stored", "stored"]
    assert (counted(store), store.head().position) == (1, 2)


def test_an_entry_that_others_applied_before_the_answer_came_is_not_made_again(
    store: ElasticStore, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
):
    create = Cluster.create
    other = reopen()

    def overtaken(self: Cluster, *given: Any) -> bool:
        create(self, *given)
        monkeypatch.setattr(Cluster, "create", create)
        other.commit(Batch([draft("tool--1")]))
        raise unreachable()

    monkeypatch.setattr(Cluster, "create", overtaken)
    store.commit(batch(1))
    assert [change.id for change in store.read_log(0, 10)] == ["indicator--1", "malware--1", "tool--1"]
    assert counted(store) == 1


def test_an_entry_that_comes_late_and_is_applied_by_others_is_not_made_again(
    store: ElasticStore, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
):
    create, get = Cluster.create, Cluster.get
    other = reopen()
    sent: list[tuple[Any, ...]] = []

    def on_its_way(self: Cluster, *given: Any) -> bool:
        monkeypatch.setattr(Cluster, "create", create)
        monkeypatch.setattr(Cluster, "get", looked_for)
        sent.append(given)
        raise unreachable()

    def looked_for(self: Cluster, *given: Any) -> Any:
        found = get(self, *given)
        monkeypatch.setattr(Cluster, "get", get)
        # It arrives now, and its writer is paused for as long as others need to see to it.
        assert found is None and create(self, *sent[0])
        other.commit(Batch([draft("tool--1")]))
        return found

    monkeypatch.setattr(Cluster, "create", on_its_way)
    outcomes = store.commit(batch(1))
    assert [outcome.result for outcome in outcomes] == ["stored", "stored"]
    assert [change.id for change in store.read_log(0, 10)] == ["indicator--1", "malware--1", "tool--1"]
    assert counted(store) == 1


def test_a_document_that_the_mapping_refuses_does_not_stop_the_log(store: ElasticStore):
    entry = planned(store, 1)
    key = next(id for id, source in entry.objects.items() if b"malware--1" in source and b'"put"' in source)
    entry.objects[key] = entry.objects[key].replace(b'"revoked":0', b'"revoked":0,"created":"never"')  # type: ignore[index]
    assert store._cluster.create(log_of(store._cluster), entry_id(1), entry.source("somebody"))
    store.commit(batch(2))
    assert len(objects(store.read_objects(STRANGER, PageQuery("a")).joined)) == 3
    assert store.get(HUB, ["malware--1"])["malware--1"].position == 2


def test_batches_of_many_threads_become_few_entries(store: ElasticStore):
    threads = [threading.Thread(target=store.commit, args=(Batch([draft(f"x--{n}")]),)) for n in range(30)]
    with store._commits._lead:
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert store.head().position == 30
    assert store._journal.state().number < 10


def test_a_batch_that_is_too_large_takes_no_other_with_it(store: ElasticStore, monkeypatch: pytest.MonkeyPatch):
    create = Cluster.create

    def limited(self: Cluster, index: Any, id: str, source: bytes) -> bool:
        if len(source) > 20_000:
            raise TooLarge("One commit is larger than Elasticsearch takes.")
        return create(self, index, id, source)

    monkeypatch.setattr(Cluster, "create", limited)
    large = draft("x--2", body=random.Random(2).randbytes(30_000).hex().encode())
    batches = [Batch([draft("x--1")]), Batch([large]), Batch([draft("x--3")])]
    turns = [Turn(batch) for batch in batches]
    store._write(turns)
    assert [type(turn.error) for turn in turns] == [type(None), TooLarge, type(None)]
    assert [change.id for change in store.read_log(0, 10)] == ["x--1", "x--3"]


def test_old_entries_lose_their_content_and_keep_their_numbers(store: ElasticStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "KEPT", 4)
    monkeypatch.setattr(journal, "BLANKED_TOGETHER", 3)
    for number in range(1, 12):
        store.commit(batch(number))
    entries = [store._cluster.get(log_of(store._cluster), entry_id(number)) for number in range(1, 12)]
    assert ["entry" in got.source for got in entries if got] == [False] * 5 + [True] * 6
    before = seen(store)
    assert not store._cluster.create(log_of(store._cluster), entry_id(2), b"{}")
    store._journal.help(2)
    assert seen(store) == before


def test_expired_documents_are_swept_out(store: ElasticStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planning, "SWEPT_AFTER", 1)
    store.commit(Batch(documents=[DocumentWrite("k", str(n), b"long", expires=5) for n in range(3)]))
    store.commit(Batch(documents=[DocumentWrite("k", "1", b"new")]))
    kept = store._generations.documents([document_id("k", str(n)) for n in range(3)])
    assert [got["what"] for got in kept if got] == ["gone", "document", "gone"]
    assert store.document("k", "1") is not None
