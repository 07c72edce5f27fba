"""The ledger on every engine: counts add up, first and last widen, ranges find what lies below."""

from __future__ import annotations

from hub.model.events import Event
from hub.store.ports import SAMPLES, Batch, LedgerCount, LedgerKey, Store


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
