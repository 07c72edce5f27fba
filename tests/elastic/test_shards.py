"""Several shards, each with an intent and a barrier of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.store.elastic.cluster import Address
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.entries import intent
from hub.store.elastic.indices import Layout
from hub.store.elastic.names import shard_of
from hub.store.ports import Batch, DocumentWrite, PageQuery
from tests.contract.drafts import STRANGER, draft, objects

FOUR = Layout(4, replicas=0)


@pytest.fixture
def store(address: Address) -> Iterator[ElasticStore]:
    """An empty store of four shards."""
    store = ElasticStore(address, layout=FOUR, patience=10)
    yield store
    store.close()


def test_every_shard_has_its_marks_and_its_share(store: ElasticStore):
    store.commit(Batch([draft(f"x--{number}") for number in range(200)]))
    now = store._generations.current
    found = store._cluster.search(now.objects, {"query": {"match_all": {}}, "size": 1000})["hits"]["hits"]
    counts = Counter(shard_of(hit["_id"], 4) for hit in found)
    assert (now.shards, len(set(now.marks.intents + now.marks.barriers))) == (4, 8)
    assert len(counts) == 4 and min(counts.values()) > 40
    asked = [*now.marks.intents, *now.marks.barriers, *(hit["_id"] for hit in found[:20])]
    answers = [store._cluster.client.search_shards(index=now.objects, routing=id)["shards"][0][0] for id in asked]
    assert [answer["shard"] for answer in answers] == [shard_of(id, 4) for id in asked]
    assert [shard_of(id, 4) for id in asked[:8]] == [0, 1, 2, 3] * 2


def test_a_state_that_only_some_shards_show_is_not_looked_at(store: ElasticStore):
    store.commit(Batch([draft(f"x--{number}") for number in range(20)]))
    now = store._generations.current
    # As if one shard already showed the beginning of the next entry, whose writer has not got any further.
    store._cluster.write(now.objects, 2, [(now.marks.intents[2], intent(2))], refresh=True)
    store.commit(Batch(documents=[DocumentWrite("kind", "key", b"{}")]))
    page = store.read_objects(STRANGER, PageQuery("a", limit=100))
    assert (page.count, objects(page.joined)[-1]) == (20, ("x--19", 1))
    assert store.commit(Batch([draft("y--1")]))[0].position == 21


def test_the_number_of_shards_is_that_of_the_indices(store: ElasticStore, address: Address):
    store.commit(Batch([draft("x--1")]))
    again = ElasticStore(address, layout=Layout(2, replicas=0))
    assert (again._generations.current.shards, again.head().position) == (4, 1)
    again.close()


def test_who_makes_a_store_at_the_same_time_agrees_on_its_shards(address: Address):
    layouts = [Layout(number % 3 + 1, replicas=0) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda layout: ElasticStore(address, layout=layout, patience=20), layouts))
    settings = stores[0]._cluster.client.indices.get_settings(index=f"{address.prefix}-*-1")
    assert len({one["settings"]["index"]["number_of_shards"] for one in settings.values()}) == 1
    for number, store in enumerate(stores):
        store.commit(Batch([draft(f"x--{number}")]))
        assert store.head().position == number + 1
        store.close()
