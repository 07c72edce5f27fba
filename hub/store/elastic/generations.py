"""Which generation of indices is read: the barrier says so, in every generation that was read once.

A process keeps to the one that it knows until a barrier names another, or the indices are gone. Whatever was written
before the barrier named the other one is in both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from hub.store.elastic import indices
from hub.store.elastic.cluster import Cluster, Source
from hub.store.elastic.entries import Barrier
from hub.store.elastic.faults import Missing, missing
from hub.store.elastic.indices import Generation

T = TypeVar("T")


class Generations:
    """The generations that this process knows.

    Args:
        cluster: where they are. there: those that were found, at least one.

    Attributes:
        current: the one that is read.
    """

    def __init__(self, cluster: Cluster, there: dict[int, Generation]) -> None:
        self._cluster = cluster
        self._known = there
        self._lock = threading.Lock()
        self.current = there[min(there)]

    def get(self, number: int) -> Generation:
        """Return a generation by its number.

        Raises:
            Missing: it is not there. StoreVersion: it is of a newer version of the hub.
        """
        with self._lock:
            if number not in self._known:
                self._known |= indices.generations(self._cluster)
            if number not in self._known:
                raise missing()
            return self._known[number]

    def follow(self, number: int) -> None:
        """Read a generation from now on."""
        self.current = self.get(number)

    def reading(self, ask: Callable[[Generation], T]) -> T:
        """Ask the indices that are read; once more, if others took their place meanwhile.

        Raises:
            Missing: they are not there, and no others are.
        """
        while True:
            asked = self.current
            try:
                return ask(asked)
            except Missing:
                if not self._replaced(asked):
                    raise

    def _replaced(self, asked: Generation) -> bool:
        """Look for the generation that is read now; say whether it is another than the one that is missing.

        The others that are there may be empty, or name one that is gone: nobody came to delete them yet.
        """
        before: dict[int, Generation] = {}
        while (there := indices.generations(self._cluster)) != before:
            with self._lock:
                self._known = there
            for number in sorted(there):
                self.current = there[number]
                with suppress(Missing):
                    self.barrier()
                    return self.current.number != asked.number
            before = there
        return False

    def barrier(self) -> Barrier:
        """Return up to where everything is in every shard of the generation that is read, which may be another then.

        Raises:
            Missing: an index or a barrier is not there.
        """
        while True:
            asked = self.current
            found = self._cluster.read_many(asked.objects, asked.marks.barriers)
            state = lowest(found)
            if state.generation == asked.number:
                return state
            self.follow(state.generation)

    def documents(self, ids: Sequence[str]) -> list[Source | None]:
        """Read documents of the objects as they stand now, in the order of ``ids``."""
        return self.held(ids)[1]

    def held(self, ids: Sequence[str]) -> tuple[Barrier, list[Source | None]]:
        """Read documents of the objects, and before them where the store stands."""

        def ask(asked: Generation) -> tuple[Barrier, list[Source | None]] | None:
            first, *found = self._cluster.read_many(asked.objects, [asked.marks.barriers[0], *ids])
            state = lowest([first])
            if state.generation != asked.number:
                self.follow(state.generation)
                return None
            return state, found

        while True:
            found = self.reading(ask)
            if found is not None:
                return found


def lowest(barriers: Sequence[Source | None]) -> Barrier:
    """Return the state that every shard has reached.

    Raises:
        Missing: a shard has lost its barrier.
    """
    states = [Barrier.of(one) for one in barriers if one is not None]
    if len(states) < len(barriers):
        raise Missing("The hub's index in Elasticsearch has lost its barrier; restore it from a snapshot.")
    return min(states)
