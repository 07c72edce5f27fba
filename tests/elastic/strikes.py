"""What is done to the nodes of a cluster and the links between them, in an order of chance, and made good again."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

from tests.elastic.trio import Trio

_HELD = (1.0, 7.0)
"""Seconds that something lasts: from too short to be noticed to longer than the cluster waits for a node."""


class Strikes:
    """Strikes a cluster.

    Args:
        trio: the cluster. prefix: of the store. chance: what chooses.

    Attributes:
        counts: how often what was done.
    """

    def __init__(self, trio: Trio, prefix: str, chance: random.Random) -> None:
        self._trio = trio
        self._prefix = prefix
        self._chance = chance
        self._pause = threading.Event()
        self.counts: Counter[str] = Counter()
        self._kinds: dict[Callable[[], str], int] = {
            self._kill_one: 2,
            self._kill_primary: 2,
            self._kill_two: 1,
            self._kill_all: 1,
            self._stop_one: 3,
        }
        if trio.links is not None:
            self._kinds |= {self._cut_one_way: 3, self._cut_both_ways: 3, self._cut_off: 3, self._cut_and_kill: 2}

    def strike(self) -> None:
        """Do one thing, for a while; then wait until all is well again."""
        kind = self._chance.choices(list(self._kinds), list(self._kinds.values()))[0]
        self.counts[kind()] += 1
        self._trio.wait()

    def _hold(self) -> None:
        self._pause.wait(self._chance.uniform(*_HELD))

    def _copies(self) -> tuple[int, int]:
        """Return where the primary and the replica of the log or of the objects are."""
        index = f"{self._prefix}-{self._chance.choice(('log', 'objects-*'))}"
        return self._trio.until(lambda: self._trio.copies(index), f"copies of {index}")

    def _kill(self, *which: int) -> None:
        for n in which:
            self._trio.nodes[n].kill()
        self._hold()
        for n in which:
            self._trio.nodes[n].launch()

    def _kill_one(self) -> str:
        self._kill(self._chance.randrange(3))
        return "kills of a node"

    def _kill_primary(self) -> str:
        self._kill(self._copies()[0])
        return "kills of the primary's node"

    def _kill_two(self) -> str:
        self._kill(*self._chance.sample(range(3), 2))
        return "kills of two nodes of three"

    def _kill_all(self) -> str:
        self._kill(0, 1, 2)
        return "kills of all nodes"

    def _stop_one(self) -> str:
        n = self._chance.randrange(3)
        self._trio.stop(n)
        self._hold()
        self._trio.go_on(n)
        return "stops of a node"

    def _cut_one_way(self) -> str:
        self._cut(self._copies())
        return "cuts from primary to replica"

    def _cut_both_ways(self) -> str:
        primary, replica = self._copies()
        self._cut((primary, replica), (replica, primary))
        return "cuts between primary and replica"

    def _cut_off(self) -> str:
        n = self._chance.randrange(3)
        self._cut(*[pair for other in range(3) if other != n for pair in ((n, other), (other, n))])
        return "nodes cut off from the others"

    def _cut_and_kill(self) -> str:
        primary, replica = self._copies()
        # What only the primary has dies with it.
        self._cut((primary, replica), meanwhile=lambda: self._kill(primary))
        return "cuts from primary to replica, then kills of the primary's node"

    def _cut(self, *pairs: tuple[int, int], meanwhile: Callable[[], None] | None = None) -> None:
        assert self._trio.links is not None
        for pair in pairs:
            self._trio.links.cut(*pair)
        self._hold()
        if meanwhile is not None:
            meanwhile()
        self._trio.links.heal()
