"""One moment of the store, held for as long as it takes to read it whole: for checking, copying and moving it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

from hub.store.elastic.cluster import Cluster, Source
from hub.store.elastic.counts import HORIZON_ID, since_of
from hub.store.elastic.entries import Barrier
from hub.store.elastic.faults import LostMoment, Missing, missing
from hub.store.elastic.generations import Generations
from hub.store.elastic.names import month_of
from hub.store.elastic.places import Places, Query
from hub.store.elastic.snapshots import MARKS, Snapshots, whole_state

Index = Literal["objects", "ledger"]
_AT_ONCE = 1000
ALL: Query = {"match_all": {}}


class Frozen:
    """A moment of both indices with data.

    Attributes:
        barrier: the state that the objects are in. places: the interned places, all that are needed.
    """

    def __init__(self, cluster: Cluster, pins: dict[Index, str], barrier: Barrier, places: Places, since: int) -> None:
        self._since = since
        self._cluster = cluster
        self._pins = pins
        self.barrier = barrier
        self.places = places

    def scan(
        self, index: Index, query: Query, order: Sequence[str], after: Sequence[Any] | None = None
    ) -> Iterator[tuple[str, Source]]:
        """Yield ids and documents in the order of fields that all of them have; of the ledger only what is kept."""
        if index not in self._pins:
            return
        sort = [{name: "asc"} for name in order]
        body: dict[str, Any] = {"query": self._kept(index, query), "size": _AT_ONCE, "sort": sort}
        while True:
            if after is not None:
                body["search_after"] = list(after)
            hits = self._cluster.search_pinned(self._pins[index], body)["hits"]["hits"]
            yield from ((hit["_id"], hit["_source"]) for hit in hits)
            if len(hits) < _AT_ONCE:
                return
            after = hits[-1]["sort"][: len(order)]

    def _kept(self, index: Index, query: Query) -> Query:
        kept = {"range": {"day": {"gte": self._since}}}
        return {"bool": {"filter": [query, kept]}} if index == "ledger" else query

    def count(self, index: Index, query: Query) -> int:
        """Count documents."""
        if index not in self._pins:
            return 0
        body = {"query": self._kept(index, query), "size": 0, "track_total_hits": True}
        number: int = self._cluster.search_pinned(self._pins[index], body)["hits"]["total"]["value"]
        return number


def _check(cluster: Cluster, pin: str, shards: int) -> None:
    """See to it that no fewer shards are held than there should be."""
    if cluster.search_pinned(pin, {"size": 0})["_shards"]["total"] < shards:
        raise missing()


@contextmanager
def frozen(cluster: Cluster, generations: Generations, snapshots: Snapshots) -> Iterator[Frozen]:
    """Hold the present moment.

    Raises:
        Missing: a month of the ledger is not there.
    """
    while True:
        # Asking for nothing waits for a whole snapshot, helps to make one, and finds the generation that is read.
        months = snapshots.search({"must_not": [ALL]}, size=0).barrier.months
        (horizon,) = generations.documents([HORIZON_ID])
        now = generations.current
        with ExitStack() as stack:
            pins: dict[Index, str] = {}
            kept = sum(month >= month_of(since_of(horizon)) for month, _ in months)
            if months:
                try:
                    pins["ledger"] = stack.enter_context(cluster.pinned(now.all_months))
                    _check(cluster, pins["ledger"], kept * now.shards)
                except (Missing, LostMoment):
                    # Unless months have been forgotten meanwhile, or moved.
                    if generations.documents([HORIZON_ID]) == [horizon] and generations.current == now:
                        raise
                    continue
            pins["objects"] = stack.enter_context(cluster.pinned(now.objects))
            body = {"query": MARKS, "size": 2 * now.shards, "sort": [{"pos": "asc"}]}
            state = whole_state(cluster.search_pinned(pins["objects"], body)["hits"]["hits"], now.shards)
            if state is not None and state.generation == now.number:
                snapshots.places.learn(state.places)
                yield Frozen(cluster, pins, state, snapshots.places, since_of(horizon))
                return
