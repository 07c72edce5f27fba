"""Moving to new indices while the hub serves: for another version of the mappings, or another number of shards.

1. The new indices are made, empty.
2. An entry of the log says that they are being filled: from then on every entry is written to both generations.
3. What is there is copied, each document with its version: none can displace what an entry wrote since.
4. An entry of the log says that the new ones are read. It is only written when both hold as many documents at the
   entry before it. Whoever reads the old indices finds that out from their barrier, or because they are gone.
5. The old indices are deleted.

It may be interrupted anywhere and begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from hub.errors import Conflict, StoreCorrupt
from hub.store.elastic import indices
from hub.store.elastic.changes import reduced, restored
from hub.store.elastic.cluster import Cluster, Source
from hub.store.elastic.counts import HORIZON_ID, since_of
from hub.store.elastic.entries import Barrier, Entry
from hub.store.elastic.faults import Missing, Passing
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import Generation, Layout
from hub.store.elastic.journal import BAREST, Journal, Moved
from hub.store.elastic.names import month_of
from hub.store.elastic.snapshots import MARKS, whole_state
from hub.store.moving import Part, Progress

_AT_ONCE = 1000


class _Note(NamedTuple):
    entry: Entry | None


class Upgrade:
    """The way from the indices that are read to others.

    Args:
        cluster, generations, journal: of the store. layout: what the new indices shall be like.
    """

    def __init__(self, cluster: Cluster, generations: Generations, journal: Journal, layout: Layout) -> None:
        self._cluster = cluster
        self._generations = generations
        self._journal = journal
        self._layout = layout

    def run(self, progress: Progress) -> bool:
        """Move, or go on with a move that was interrupted; False if the indices are as they shall be.

        Raises:
            Conflict: a move to other indices than these is not finished, or somebody gave this one up.
            StoreCorrupt: the copy is not complete.
        """
        state = self._journal.state()
        if state.upcoming:
            self._check_unfinished(state.upcoming)
        elif self._is_as_wanted(self._generations.get(state.generation)):
            return bool(self._drop_unused())
        else:
            number = 1 + max(state.begun, *indices.generations(self._cluster))
            indices.make_generation(self._cluster, number, self._layout)
            self._note(lambda now: self._begun(now, number))
        state = self._journal.state()
        old, new = self._generations.get(state.generation), self._generations.get(state.upcoming)
        marks = frozenset(old.marks.intents + old.marks.barriers)
        for month in self._kept(state):
            try:
                self._copy("ledger", old.month(month), new.month(month), marks, progress)
            except (Missing, Passing):
                # Unless it has been forgotten meanwhile.
                if month in self._kept(state):
                    raise
        self._copy("changes", old.objects, new.objects, marks, progress)
        self._note(lambda now: self._switched(now, old, new))
        if self._journal.state().generation < new.number:
            raise Conflict("Somebody else has given this move to other indices up meanwhile.")
        self._drop_unused()
        return True

    def abandon(self) -> bool:
        """Give up a move that is not finished; False if there is none, or if it came to its end meanwhile."""
        upcoming = self._journal.state().upcoming
        if upcoming:
            self._note(lambda now: now._replace(upcoming=0) if now.upcoming == upcoming else None)
        return any(number > self._journal.state().generation for number in self._drop_unused(upcoming))

    def _is_as_wanted(self, there: Generation) -> bool:
        return (there.mapping, there.shards) == (self._layout.mapping, self._layout.shards)

    def _check_unfinished(self, number: int) -> None:
        there = indices.generations(self._cluster).get(number)
        if there is None or not self._is_as_wanted(there):
            raise Conflict(
                "A move to other indices was begun and not finished: finish it with the settings of that time,"
                " or give it up with --abandon."
            )

    def _note(self, change: Callable[[Barrier], Barrier | None]) -> None:
        """Write an entry that changes nothing but what the barrier says of the generations."""

        def plan(state: Barrier) -> _Note:
            after = change(state)
            if after is None:
                return _Note(None)
            # The last entry of the old indices is the first that the new ones are read with.
            written = after.written if after.generation == state.generation else state.written
            return _Note(Entry(after._replace(number=state.number + 1), {}, {}, written))

        self._journal.append(plan)

    def _begun(self, state: Barrier, number: int) -> Barrier | None:
        if state.upcoming:
            return None
        new = self._generations.get(number)
        for month in self._kept(state):
            indices.make_month(self._cluster, new, month, self._layout.replicas)
        return state._replace(upcoming=number, begun=number)

    def _kept(self, state: Barrier) -> list[str]:
        """Return the months that are not forgotten."""
        (horizon,) = self._generations.documents([HORIZON_ID])
        first = month_of(since_of(horizon))
        return [month for month, _ in state.months if month >= first]

    def _switched(self, state: Barrier, old: Generation, new: Generation) -> Barrier | None:
        if state.upcoming != new.number:
            return None
        if not self._hold_the_same(state, old, new):
            if self._journal.is_taken(state.number + 1):
                self._journal.help(state.number + 1)
                raise Moved
            raise StoreCorrupt("The new indices do not hold what the old ones do; run `threathub store upgrade` again.")
        return state._replace(generation=new.number, upcoming=0)

    def _hold_the_same(self, state: Barrier, *both: Generation) -> bool:
        # A month may be forgotten meanwhile; then there is another state.
        with suppress(Missing):
            old, new = [(self._documents(one, state), self._rows(one, self._kept(state))) for one in both]
            return old == new
        return False

    def _documents(self, of: Generation, state: Barrier) -> int:
        marks = 2 * of.shards
        body = {"query": MARKS, "size": marks, "sort": [{"pos": "asc"}], "aggregations": {"all": {"global": {}}}}
        found = self._cluster.search(of.objects, body)
        seen = whole_state(found["hits"]["hits"], of.shards)
        if seen is None or seen.number != state.number:
            raise Moved
        return int(found["aggregations"]["all"]["doc_count"]) - marks

    def _rows(self, of: Generation, months: Sequence[str]) -> int:
        body = {"size": 0, "aggregations": {"all": {"global": {}}}}
        found = [self._cluster.search(of.month(month), body)["aggregations"]["all"]["doc_count"] for month in months]
        return int(sum(found)) - of.shards * len(months)

    def _copy(self, part: Part, source: str, target: str, marks: frozenset[str], progress: Progress) -> None:
        with self._cluster.pinned(source) as pin:
            body = {"size": 0, "aggregations": {"all": {"global": {}}}}
            of = int(self._cluster.search_pinned(pin, body)["aggregations"]["all"]["doc_count"])
            done = 0
            for hits in self._portions(pin):
                documents = [(hit["_id"], hit["_version"], hit["_source"]) for hit in hits if hit["_id"] not in marks]
                self._fill(target, documents)
                done += len(hits)
                progress(part, done, of)
        # A writer may have been killed before what it wrote became visible: both are counted.
        for index in (source, target):
            self._cluster.refresh(index)

    def _portions(self, pin: str) -> Iterator[list[dict[str, Any]]]:
        body: dict[str, Any] = {"size": _AT_ONCE, "sort": ["_shard_doc"], "version": True}
        while hits := self._cluster.search_pinned(pin, body)["hits"]["hits"]:
            yield hits
            body["search_after"] = hits[-1]["sort"]

    def _fill(self, target: str, documents: Sequence[tuple[str, int, Source]]) -> None:
        whole = {id: restored(source) for id, _, source in documents}
        refused = set(self._cluster.copy(target, [(id, at, orjson.dumps(whole[id])) for id, at, _ in documents]))
        if refused:
            barest = [(id, at, orjson.dumps(reduced(whole[id], BAREST))) for id, at, _ in documents if id in refused]
            if self._cluster.copy(target, barest):
                raise StoreCorrupt("The new mapping takes a document of the hub in no form; this is a bug in the hub.")

    def _drop_unused(self, lost: int = 0) -> set[int]:
        """Delete the generations that are no longer read or never will be; return their numbers.

        One of which only the ledger may be left has to be named.

        One that somebody is making and that no entry names yet is behind them all.
        """
        state = self._journal.state()
        there = {number for number in (lost, *indices.generations(self._cluster)) if 0 < number <= state.begun}
        unused = there - {state.generation, state.upcoming}
        for number in unused:
            indices.drop_generation(self._cluster, number)
        return unused
