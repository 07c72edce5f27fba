"""The ledger on every engine: counts add up, first and last widen, ranges find what lies below."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.model.events import Event
from hub.store.moving import Movable
from hub.store.ports import SAMPLES, Batch, LedgerCount, LedgerKey, Store
from hub.store.sqlite.engine import SqliteStore


def key(observable: str, sensor: str = "dns", day: int = 5) -> LedgerKey:
    return LedgerKey(observable, sensor, day)


def event(time: int, raw: bytes = b"\xff raw") -> Event:
    return Event(time, "dns", "dns", ("domain-name:evil.example",), {"src": "ipv4-addr:192.0.2.1", "src_port": 53}, raw)


def test_counts_add_up_over_batches(store: Store):
    one = key("domain-name:evil.example")
    store.commit(Batch(ledger={one: LedgerCount(2, 50, 60), key("ipv4-addr:192.0.2.1"): LedgerCount(1, 1, 1)}))
    store.commit(Batch(ledger={one: LedgerCount(3, 40, 55)}))
    (row,) = store.ledger([one.observable])
    assert (row.key, row.total, row.samples) == (one, LedgerCount(5, 40, 60), ())


def test_rows_by_sensor_and_day(store: Store):
    name = "domain-name:evil.example"
    store.commit(Batch(ledger={key(name, s, d): LedgerCount(1, d, d) for s in ("dns", "web") for d in (1, 2, 3)}))
    assert [row.key for row in store.ledger([name, name], since=2, until=2)] == [
        key(name, "dns", 2),
        key(name, "web", 2),
    ]
    assert len(store.ledger([name])) == 6
    assert len(store.ledger([name], since=3)) == 2
    assert store.ledger([name], since=4) == store.ledger(["domain-name:other.example"]) == store.ledger([]) == []


def test_the_first_samples_are_kept_with_every_byte(store: Store):
    one, other = key("domain-name:evil.example"), key("ipv4-addr:192.0.2.1")
    counts = {one: LedgerCount(2, 1, 9), other: LedgerCount(1, 9, 9)}
    store.commit(Batch(ledger=counts, samples={one: [event(9), event(8)], other: [event(9)]}))
    store.commit(Batch(ledger=counts, samples={one: [event(7), event(6), event(5)]}))
    rows = {row.key: row.samples for row in store.ledger([one.observable, other.observable])}
    assert rows == {one: (event(7), event(8), event(9)), other: (event(9),)}
    assert len(rows[one]) == SAMPLES
    assert store.verify() == []


def test_under_finds_what_lies_below_and_nothing_beside(store: Store):
    below = [
        "domain-name:evil.example",
        "domain-name:a.evil.example",
        "ipv4-addr:192.0.2.7",
        "ipv4-addr:192.0.2.255",
    ]
    beside = [
        "domain-name:notevil.example",
        "domain-name:evil.example.org",
        "ipv4-addr:192.0.3.0",
        "ipv4-addr:192.0.1.255",
    ]
    store.commit(Batch(ledger={key(one): LedgerCount(1, 1, 1) for one in below + beside}))
    rows = store.ledger(["domain-name:evil.example", "ipv4-addr:192.0.2.0/24"], under=True)
    assert {row.key.observable for row in rows} == set(below)
    assert len(rows) == len(below)
    assert [row.key.observable for row in store.ledger(["domain-name:evil.example"])] == ["domain-name:evil.example"]


def test_what_is_forgotten_is_gone_for_good(store: Store):
    name, days = "domain-name:evil.example", (10, 20_300, 20_330, 20_345, 60_000)
    rows = {key(name, day=day): LedgerCount(1, day, day) for day in days}
    store.commit(Batch(ledger=rows, samples={one: [event(1)] for one in rows}))
    assert [row.key.day for row in store.ledger([name])] == list(days)
    store.forget(20_331)
    assert [row.key.day for row in store.ledger([name])] == [20_345, 60_000]
    # What comes late is dropped, its neighbours are not.
    store.commit(Batch(ledger=rows, samples={one: [event(2)] for one in rows}))
    found = store.ledger([name], since=5, until=60_000)
    assert [(row.key.day, row.total.number, len(row.samples)) for row in found] == [(20_345, 2, 2), (60_000, 2, 2)]
    store.forget(20_000)
    assert [row.key.day for row in store.ledger([name])] == [20_345, 60_000]
    store.forget(20_346)
    store.forget(20_346)
    assert [row.key.day for row in store.ledger([name])] == [60_000]
    store.commit(Batch(ledger={key(name, day=20_346): LedgerCount(1, 1, 1)}))
    assert [row.key.day for row in store.ledger(["domain-name:example"], under=True)] == [20_346, 60_000]
    assert store.verify() == []


def test_what_is_forgotten_stays_so_in_a_copy(store: Movable, tmp_path: Path):
    name = "domain-name:evil.example"
    store.commit(Batch(ledger={key(name, day=day): LedgerCount(1, 1, 1) for day in (20_330, 20_340)}))
    store.forget(20_335)
    store.backup(tmp_path / "copy.db")
    copy = SqliteStore(tmp_path / "copy.db")
    copy.commit(Batch(ledger={key(name, day=day): LedgerCount(1, 1, 1) for day in (20_334, 20_335)}))
    assert [row.key.day for row in copy.ledger([name])] == [20_335, 20_340]
    copy.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from("cf"), st.integers(0, 90)), max_size=10))
def test_counting_and_forgetting_in_any_order(store: Store, steps: list[tuple[str, int]]):
    before = store.ledger(["domain-name:last.example"])
    # Each example lies behind what the one before it forgot.
    base, model, since = max([20_000, *(row.key.day for row in before)]) + 100, dict[int, int](), 0
    for what, day in ((what, base + day) for what, day in steps):
        if what == "f":
            since = max(since, day)
            store.forget(day)
        else:
            store.commit(Batch(ledger={key("domain-name:evil.example", day=day): LedgerCount(1, day, day)}))
            if day >= since:
                model[day] = model.get(day, 0) + 1
        kept = {one: number for one, number in model.items() if one >= since}
        found = store.ledger(["domain-name:evil.example"], since=base)
        assert {row.key.day: row.total.number for row in found} == kept
    store.forget(base + 100)
    store.commit(Batch(ledger={key("domain-name:last.example", day=base + 100): LedgerCount(1, 1, 1)}))
    assert store.verify() == []
