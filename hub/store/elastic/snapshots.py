"""Searches that see the store exactly as it was after one entry of the log.

One search sees one snapshot of one copy of each shard. Barrier and intent lie in the same shard as the data: a snapshot
that holds the barrier of entry n holds all of n, and one whose intent says n too holds nothing of a later entry. If the
snapshots of all shards say n, they are one state. Any other is not looked at. There is hardly ever another, because
only writing the barriers makes anything visible.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hub.errors import StoreUnavailable
from hub.store.elastic.cluster import Cluster
from hub.store.elastic.entries import Barrier
from hub.store.elastic.faults import RETRY_AFTER, Passing
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import MOST_MARKS, Generation
from hub.store.elastic.journal import Journal, Moved
from hub.store.elastic.places import Places, Query, Sight
from hub.store.ports import Scope

FORWARD: tuple[Query, ...] = ({"pos": "asc"},)
BACKWARD: tuple[Query, ...] = ({"back": "asc"},)
_STATE = ("doc.barrier", "doc.number")
MARKS: Query = {"terms": {"what": ["barrier", "intent"]}}
_MARKS_ALONE: Query = {
    "filter": MARKS,
    "aggregations": {"first": {"top_hits": {"size": MOST_MARKS, "sort": list(FORWARD), "_source": list(_STATE)}}},
}


def whole_state(hits: Sequence[Mapping[str, Any]], shards: int) -> Barrier | None:
    """Return the state of snapshots from their intents and barriers, or None if part of an entry may be missing."""
    if len(hits) < 2 * shards:
        return None
    intents = {hit["_source"]["doc"]["number"] for hit in hits[:shards]}
    barriers = {Barrier.of(hit["_source"]) for hit in hits[shards:]}
    state = barriers.pop()
    return state if not barriers and intents == {state.number} else None


class Answer(NamedTuple):
    """What a search found, and the state in which it did."""

    barrier: Barrier
    hits: list[dict[str, Any]]
    aggregations: Mapping[str, Any]


class Snapshots:
    """Makes searches in the objects' index.

    Args:
        cluster: where it is. generations: its indices. journal: for what a killed writer left half done.
        places: the interned places. patience: seconds to wait for a whole snapshot.

    Attributes:
        places: the interned places. latest: the latest barrier that was seen.
    """

    def __init__(
        self, cluster: Cluster, generations: Generations, journal: Journal, places: Places, patience: float
    ) -> None:
        self._cluster = cluster
        self._generations = generations
        self._journal = journal
        self.places = places
        self.latest = journal.state()
        self._patience = patience
        # One copy of the shard answers one process as long as it can: what it showed once, it shows again.
        self._preference = uuid.uuid4().hex

    def seen_by(self, scope: Scope, ask: Callable[[Sight], Mapping[str, Any]]) -> Answer:
        """Search on behalf of a scope; ``ask`` makes the arguments of `search` from what the scope may see."""
        while True:
            sight = self.places.sight(scope)
            answer = self.search(**ask(sight))
            if answer.barrier.places <= sight.known:
                return answer
            self.places.learn(answer.barrier.places)

    def search(
        self,
        query: Query,
        *,
        size: int,
        sort: Sequence[Query] = FORWARD,
        fields: Sequence[str] | None = None,
        columns: Sequence[str] = (),
        aggregations: Query | None = None,
        at_least: int = 0,
        timeout: str | None = None,
    ) -> Answer:
        """Search the objects' index.

        Args:
            query: what a ``bool`` query says. size: hits at most. sort: an order in which barrier and intent, that
                have only ``pos`` and ``back``, come first.
            fields: what of the documents to return, None is all.
            columns: what to return of the hits instead, as lists in ``fields``: of each field by itself, so that no
                document needs to be read, which takes ten times as long.
            aggregations: what to count.
            at_least: the entry that must be seen.
            timeout: how long the search itself may take.

        Raises:
            StoreUnavailable: there is no whole snapshot to be had.
        """
        body: dict[str, Any] = {
            "query": {"bool": {"should": [MARKS, {"bool": query}]}},
            "sort": list(sort),
            "source": True if fields is None else [*_STATE, *fields],
            "preference": self._preference,
        }
        if columns:
            body |= {"source": False, "stored_fields": "_none_", "docvalue_fields": list(columns)}
            aggregations = {**(aggregations or {}), "marks": _MARKS_ALONE}
        if aggregations:
            body["aggregations"] = aggregations
        if timeout:
            body["timeout"] = timeout
        deadline = time.monotonic() + self._patience
        while True:
            trouble = StoreUnavailable("The store is busy with writes; try again.", retry_after=RETRY_AFTER)
            try:
                answer = self._generations.reading(lambda asked: self._searched(asked, size, body))
                if answer is not None and answer.barrier.number >= at_least:
                    self.latest = max(self.latest, answer.barrier)
                    return answer
                if answer is not None:
                    self._mend(at_least)
            except Passing as error:
                trouble = error
                time.sleep(0.1 * random.uniform(0.5, 2))  # noqa: S311
            if time.monotonic() > deadline:
                raise trouble

    def _searched(self, asked: Generation, size: int, body: Mapping[str, Any]) -> Answer | None:
        """Search once; None if that did not show one whole state of the generation that is read."""
        marks = 2 * asked.shards
        found = self._cluster.search(asked.objects, {**body, "size": size + marks})
        hits, aggregations = found["hits"]["hits"], found.get("aggregations", {})
        first = aggregations["marks"]["first"]["hits"]["hits"] if "marks" in aggregations else hits[:marks]
        state = whole_state(first, asked.shards)
        if state is None:
            self._mend(max((hit["_source"]["doc"]["number"] for hit in first[: asked.shards]), default=0))
            return None
        if state.generation != asked.number:
            self._generations.follow(state.generation)
            return None
        return Answer(state, hits[marks:], aggregations)

    def _mend(self, number: int) -> None:
        """Wait until an entry is applied, apply it if nobody does, and make it visible."""
        try:
            self._journal.help(number)
        except Moved:
            return
        self._generations.reading(lambda asked: self._cluster.refresh(asked.objects))
