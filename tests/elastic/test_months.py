"""The ledger's months: an index each, made when they begin, deleted when they are forgotten."""

from __future__ import annotations

from datetime import date

import pytest

from hub.errors import StoreCorrupt
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.names import month_of
from hub.store.ports import Batch, LedgerCount, LedgerKey

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


def test_a_month_that_is_lost_is_told(store: ElasticStore) -> None:
    store.commit(seen_on("2026-10-31", "2026-11-01"))
    store._cluster.client.indices.delete(index=f"{store._generations.current.month('2026.10')}-v1")
    with pytest.raises(StoreCorrupt, match="missing"):
        store.ledger([NAME])
    with pytest.raises(StoreCorrupt, match="missing"):
        store.commit(seen_on("2026-10-31"))
    store.commit(seen_on("2026-11-01"))
