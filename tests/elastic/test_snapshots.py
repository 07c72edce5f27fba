"""Elasticsearch's own snapshots, as docs/administrator/elasticsearch.md says: taken, restored, verified."""

from __future__ import annotations

from collections.abc import Callable

from hub.store.elastic.engine import ElasticStore
from hub.store.ports import HUB, Batch, DocumentWrite, LedgerCount, LedgerKey
from tests.contract.drafts import draft

KEY = LedgerKey("domain-name:evil.example", "dns", 20_780)


def batch(number: int) -> Batch:
    documents = [DocumentWrite("cursor", "x", str(number).encode())]
    return Batch([draft("x--1", number)], ledger={KEY: LedgerCount(1, 1, 1)}, documents=documents)


def test_a_snapshot_is_restored_whole(store: ElasticStore, reopen: Callable[[], ElasticStore]) -> None:
    for number in range(1, 6):
        store.commit(batch(number))
    before = store.read_log(0, 100), store.ledger([KEY.observable]), store.document("cursor", "x"), store.head()
    client, prefix = store._cluster.client, store._cluster.prefix
    client.snapshot.create_repository(name=prefix, repository={"type": "fs", "settings": {"location": prefix}})
    taken = client.snapshot.create(
        repository=prefix, snapshot="one", indices=f"{prefix}-*", include_global_state=False, wait_for_completion=True
    )
    assert taken["snapshot"]["state"] == "SUCCESS"
    store.commit(batch(6))
    for index in client.indices.get(index=f"{prefix}-*"):
        client.indices.delete(index=index)
    client.snapshot.restore(repository=prefix, snapshot="one", include_global_state=False, wait_for_completion=True)
    again = reopen()
    assert again.verify() == []
    found = again.read_log(0, 100), again.ledger([KEY.observable]), again.document("cursor", "x"), again.head()
    assert found == before
    again.commit(batch(7))
    assert again.get(HUB, ["x--1"])["x--1"].version == 7
    client.snapshot.delete_repository(name=prefix)
