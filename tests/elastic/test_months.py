"""The ledger's months: an index each, made when they begin, deleted when they are forgotten."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.errors import StoreCorrupt, StoreUnavailable
from hub.store.elastic.cluster import Cluster
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import Layout
from hub.store.elastic.names import month_of
from hub.store.ports import Batch, LedgerCount, LedgerKey
from hub.store.sqlite.engine import SqliteStore

NAME = "domain-name:evil.example"


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def seen_on(*days: str) -> Batch:
    return Batch(ledger={LedgerKey(NAME, "dns", day(one)): LedgerCount(1, 1, 1) for one in days})


def months(store: ElasticStore) -> list[str]:
    found = store._cluster.client.indices.get_alias(index=f"{store._cluster.prefix}-ledger-*")
    return sorted(alias.rpartition("-")[2] for one in found.values() for alias in one["aliases"])


@pytest.mark.parametrize(
    ("text", "month"),
    [("2019-12-31", "0000.00"), ("2020-01-01", "2020.01"), ("2026-11-30", "2026.11"), ("2099-12-31", "2099.12")],
)
def test_days_lie_in_their_months(text: str, month: str) -> None:
    assert month_of(day(text)) == month
    assert (month_of(-(2**31)), month_of(2**31)) == ("0000.00", "9999.99")


def test_a_month_has_its_index_until_it_is_forgotten(store: ElasticStore) -> None:
    assert months(store) == []
    store.commit(seen_on("2026-09-30", "2026-10-01", "2026-10-31"))
    store.commit(seen_on("2026-11-01", "1970-01-01"))
    assert months(store) == ["0000.00", "2026.09", "2026.10", "2026.11"]
    store.forget(day("2026-10-02"))
    assert months(store) == ["2026.10", "2026.11"]
    store.commit(seen_on("2026-09-30", "2026-10-31"))
    assert months(store) == ["2026.10", "2026.11"]
    assert [(row.key.day, row.total.number) for row in store.ledger([NAME])] == [
        (day("2026-10-31"), 2),
        (day("2026-11-01"), 1),
    ]
    assert store.verify() == []


def test_who_applies_an_entry_after_its_month_is_forgotten(store: ElasticStore) -> None:
    entry = store._planner.plan([seen_on("2026-09-30", "2026-10-31")], store._journal.state()).entry
    assert entry is not None
    store.commit(seen_on("2026-09-30", "2026-10-31"))
    store.forget(day("2026-10-01"))
    store._journal._apply(entry)
    assert months(store) == ["2026.10"]
    assert [row.total.number for row in store.ledger([NAME])] == [1]


def test_a_month_that_is_forgotten_while_it_is_read(store: ElasticStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    search = Cluster.search

    def forgotten(self: Cluster, *asked: Any) -> Any:
        monkeypatch.setattr(Cluster, "search", search)
        store.forget(day("2026-11-01"))
        return search(self, *asked)

    monkeypatch.setattr(Cluster, "search", forgotten)
    assert [row.key.day for row in store.ledger([NAME])] == [day("2026-11-01")]


def test_a_month_that_is_forgotten_while_it_is_copied(store: ElasticStore) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    store._upgrade._layout = Layout(store._generations.current.shards + 1, replicas=0)

    def forget(*_: Any) -> None:
        store.forget(day("2026-12-01"))

    assert store.upgrade(forget)
    assert (store.ledger([NAME]), store.verify(), months(store)) == ([], [], [])


def test_a_month_that_is_forgotten_just_before_the_copy_is_read(
    store: ElasticStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    store._upgrade._layout = Layout(store._generations.current.shards + 1, replicas=0)
    rows = type(store._upgrade)._rows

    def forgotten(*asked: Any) -> int:
        monkeypatch.setattr(type(store._upgrade), "_rows", rows)
        store.forget(day("2026-11-01"))
        return rows(*asked)

    monkeypatch.setattr(type(store._upgrade), "_rows", forgotten)
    assert store.upgrade(lambda *_: None)
    assert months(store) == ["2026.11"] and store.verify() == []


def test_a_month_is_not_deleted_while_a_snapshot_is_taken(store: ElasticStore) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    client, prefix = store._cluster.client, store._cluster.prefix
    slow = {"location": prefix, "max_snapshot_bytes_per_sec": "1kb"}
    client.snapshot.create_repository(name=prefix, repository={"type": "fs", "settings": slow})
    client.snapshot.create(repository=prefix, snapshot="one", indices=f"{prefix}-*", wait_for_completion=False)
    with pytest.raises(StoreUnavailable, match="snapshot") as raised:
        store.forget(day("2026-11-01"))
    assert raised.value.retry_after
    client.snapshot.delete(repository=prefix, snapshot="one")
    client.snapshot.delete_repository(name=prefix)
    store.forget(day("2026-11-01"))
    assert months(store) == ["2026.11"]


@pytest.mark.parametrize(("step", "calls"), [("pinned", 1), ("search_pinned", 1), ("search_pinned", 4)])
def test_a_month_that_is_forgotten_while_a_backup_is_made(
    store: ElasticStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, calls: int
) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    asked: list[int] = []
    held = getattr(Cluster, step)

    def forgotten(*given: Any) -> Any:
        asked.append(1)
        if len(asked) == calls:
            store.forget(day("2026-11-01"))
        return held(*given)

    monkeypatch.setattr(Cluster, step, forgotten)
    store.backup(tmp_path / "hub.db")
    with closing(SqliteStore(tmp_path / "hub.db")) as copy:
        assert [row.key.day for row in copy.ledger([NAME])] == [day("2026-11-01")]
    assert len(asked) > calls


def test_a_month_that_is_lost_is_told(store: ElasticStore, tmp_path: Path) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    store._cluster.client.indices.delete(index=f"{store._generations.current.month('2026.10')}-v1")
    with pytest.raises(StoreCorrupt, match="missing"):
        store.ledger([NAME])
    with pytest.raises(StoreCorrupt, match="missing"):
        store.commit(seen_on("2026-10-31"))
    store.commit(seen_on("2026-11-01"))
    assert "missing" in store.verify()[0]
    with pytest.raises(StoreCorrupt, match="missing"):
        store.backup(tmp_path / "hub.db")
    assert not list(tmp_path.iterdir())


def test_a_moment_of_the_store_that_is_lost_is_told(store: ElasticStore) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    client = store._cluster.client
    for lost in ("objects", "ledger"):
        with pytest.raises(StoreUnavailable, match="again"), store.snapshot() as moment:
            client.close_point_in_time(id=moment._moment._pins[lost])
            moment.extent()
    with pytest.raises(StoreUnavailable, match="again"), store.snapshot() as moment:
        client.indices.delete(index=f"{store._generations.current.month('2026.10')}-v1")
        moment.extent()
