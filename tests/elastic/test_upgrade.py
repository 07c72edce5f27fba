"""`threathub store upgrade`: to other indices while writers write and pollers poll."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Conflict, StoreVersion
from hub.store.elastic import indices
from hub.store.elastic.cluster import Address, Cluster
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import MAPPING, MAPPINGS, Layout
from hub.store.ports import HUB, Batch, DocumentWrite, LedgerCount, LedgerKey, PageQuery, SearchQuery, Withdrawal
from hub.store.query import parse
from tests.contract.drafts import STRANGER, draft, objects

PROJECT = Path(__file__).parents[2]
KEY = LedgerKey("domain-name:evil.example", "dns", 1)
Open = Callable[..., ElasticStore]


@pytest.fixture
def opened(address: Address) -> Iterator[Open]:
    """Open the test's store, as one process more, with settings that ask for so many shards."""
    stores: list[ElasticStore] = []

    def once_more(shards: int = 1) -> ElasticStore:
        stores.append(ElasticStore(address, layout=Layout(shards, replicas=0), patience=10))
        return stores[-1]

    yield once_more
    for store in stores:
        store.close()


def silent(*_: Any) -> None:
    """Show no progress."""


def batch(number: int) -> Batch:
    return Batch(
        [draft("indicator--1", number, confidence=number), draft(f"malware--{number}")],
        [Withdrawal("a", f"malware--{number - 2}")] if number % 3 == 0 else (),
        ledger={KEY: LedgerCount(1, number, number)},
        documents=[DocumentWrite("cursor", "x", str(number).encode())],
    )


def seen(store: ElasticStore) -> list[Any]:
    found = [store.head(), store.read_log(0, 100), store.ledger([KEY.observable]), store.document("cursor", "x")]
    pages = [store.read_objects(STRANGER, PageQuery("a", after=after)) for after in (0, 3)]
    return [*found, *pages, store.get(HUB, ["indicator--1"]), store.tally(HUB), store.verify()]


def names(store: ElasticStore) -> set[str]:
    return set(store._cluster.client.indices.get(index=f"{store._cluster.prefix}-*"))


def test_nobody_notices_that_the_store_moved(opened: Open) -> None:
    here, there = opened(), opened()
    for number in range(1, 8):
        here.commit(batch(number))
    before, told = seen(there), []
    assert opened(3).upgrade(lambda *part: told.append(part))
    assert {part for part, *_ in told} == {"ledger", "changes"}
    assert seen(here) == seen(there) == seen(opened()) == before
    # The first has not read since, and is behind by a whole generation.
    idle = opened()
    assert opened(2).upgrade(silent)
    idle.commit(batch(8))
    there.commit(batch(9))
    assert [store.document("cursor", "x").value for store in (here, idle)] == [b"9", b"9"]  # type: ignore[union-attr]
    assert seen(here) == seen(idle) and seen(here)[-1] == []
    assert names(here) == {
        f"{here._cluster.prefix}-{rest}" for rest in ("log-v1", "objects-3-v1", "ledger-3-0000.00-v1")
    }
    assert here._generations.current.shards == 2
    assert not opened(2).upgrade(silent)


def test_what_is_written_meanwhile_is_in_both(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = opened(), opened(2)
    monkeypatch.setattr("hub.store.elastic.upgrade._AT_ONCE", 2)
    store.commit(batch(1))
    numbers = iter(range(2, 40))

    def meanwhile(*_: Any) -> None:
        store.commit(batch(next(numbers)))

    assert other.upgrade(meanwhile)
    assert next(numbers) > 5
    found = seen(store)
    assert found == seen(other) and found[-1] == []


@pytest.mark.parametrize("rate", (0.02, 0.1))
def test_an_upgrade_that_is_interrupted_goes_on(opened: Open, address: Address, rate: float) -> None:
    store = opened()
    for number in range(1, 6):
        store.commit(batch(number))
    command = [sys.executable, "-m", "tests.elastic.upgrading", f"{address.hosts[0]}/{address.prefix}", "3"]
    for _ in range(3):
        subprocess.run([*command, str(rate)], cwd=PROJECT, check=False, capture_output=True, timeout=60)
        store.commit(batch(6))
        assert store.verify() == []
    opened(3).upgrade(silent)
    assert store.head() and store._generations.current.shards == 3
    assert store.verify() == []


def test_one_that_is_not_finished_is_given_up(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store, upgrading = opened(), opened(3)
    store.commit(batch(1))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(stop)
    with pytest.raises(Conflict, match="--abandon"):
        opened(4).upgrade(silent)
    store.commit(batch(2))
    assert opened().abandon_upgrade() and not opened().abandon_upgrade()
    store.commit(batch(3))
    assert len(names(store)) == 3 and store.verify() == []
    # The numbers of generations are never used again.
    assert upgrading.upgrade(silent) and store.head() and store._generations.current.number == 3
    assert store.verify() == []


def test_what_a_killed_writer_did_not_make_visible_is_counted(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store, upgrading = opened(), opened(3)
    store.commit(batch(1))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(stop)
    write = Cluster.write

    def unseen(*given: Any, **_: Any) -> list[str]:
        return write(*given)

    with monkeypatch.context() as killed:
        killed.setattr(Cluster, "write", unseen)
        store.commit(batch(2))
    assert upgrading.upgrade(silent)
    assert store.head().position == 4 and store.verify() == []


def test_new_indices_that_were_lost_stop_nobody(opened: Open) -> None:
    store, upgrading = opened(), opened(3)
    store.commit(batch(1))

    def lose(*_: Any) -> None:
        indices.drop_generation(store._cluster, 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(lose)
    store.commit(batch(2))
    # Also where a month begins: for who knew the new indices, and for who never saw them.
    for number, one in enumerate((store, opened()), 3):
        key = KEY._replace(day=20_000 + 100 * number)
        one.commit(replace(batch(number), ledger={key: LedgerCount(1, 1, 1)}))
    with pytest.raises(Conflict, match="--abandon"):
        upgrading.upgrade(silent)
    assert opened().abandon_upgrade() and not any("-ledger-2-" in name for name in names(store))
    assert upgrading.upgrade(silent)
    assert seen(store) == seen(upgrading) and store.verify() == []


def test_an_entry_that_is_applied_after_its_indices_are_gone(opened: Open) -> None:
    store, late = opened(), opened()
    store.commit(batch(1))
    entry = late._planner.plan([batch(2)], late._journal.state()).entry
    assert entry is not None
    store.commit(batch(2))
    assert opened(2).upgrade(silent)
    before = seen(store)
    late._journal._apply(entry)
    assert seen(store) == seen(late) == before
    assert len(names(store)) == 3


def test_an_older_mapping_serves_until_it_is_upgraded(
    opened: Open, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = {name: field for name, field in MAPPINGS["objects"].items() if name != "confidence"}
    with monkeypatch.context() as before:
        before.setattr(indices, "MAPPINGS", {**MAPPINGS, "objects": older})
        opened()
    monkeypatch.setattr(indices, "MAPPING", MAPPING + 1)
    store = opened()
    store.commit(batch(7))
    wanted = SearchQuery(parse("confidence:>5"))
    assert objects(store.read_objects(STRANGER, PageQuery("a")).joined) == [("indicator--1", 7), ("malware--7", 1)]
    assert store.search(HUB, wanted).changes == ()
    assert ElasticStore(address, layout=Layout(1, 0, MAPPING + 1)).upgrade(silent)
    assert [change.id for change in store.search(HUB, wanted).changes] == ["indicator--1"]
    with monkeypatch.context() as before:
        before.setattr(indices, "MAPPING", MAPPING)
        with pytest.raises(StoreVersion, match="newer"):
            opened()


def test_writers_and_pollers_are_killed_meanwhile(address: Address) -> None:
    where = f"{address.hosts[0]}/{address.prefix}"
    command = [sys.executable, "-m", "tests.store.crash", where, "inf", "1"]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as trial:
        for shards, rate in (("3", "0.02"), ("3", "0"), ("1", "0")):
            upgrading = [sys.executable, "-m", "tests.elastic.upgrading", where, shards, rate]
            subprocess.run(upgrading, cwd=PROJECT, check=rate == "0", timeout=100)
        result = json.loads(trial.communicate(timeout=100)[0])
    assert result["violations"] == []
    assert result["acknowledged"] > 0
