"""What a soak saw: what was acknowledged, what pollers got, what went wrong, and how much weather there was."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

Key = tuple[str, str, str]
"""Collection, id and the text of a version."""


class Seen(NamedTuple):
    """An object version that a poller got; without a digest it was only listed."""

    id: str
    version: str
    digest: str | None


@dataclass
class Walk:
    """What one poller got: an endless poll, or one walk through everything.

    Attributes:
        user, collection, style: of the poller. latest: whether it asked for the latest versions only.
        before: what was acknowledged before it began, for a walk that ended before the soak; None when it got it all.
    """

    user: str
    collection: str
    style: str
    latest: bool = False
    before: frozenset[Key] | None = None
    seen: list[Seen] = field(default_factory=list)


class History:
    """The record of one soak, written by all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acknowledged: set[Key] = set()
        self.deleted: set[tuple[str, str, str | None]] = set()
        self.begun: dict[str, int] = {}
        self.walks: list[Walk] = []
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def count(self, what: str, number: int = 1) -> None:
        """Count pages, kills, retries and the like."""
        with self._lock:
            self.counts[what] += number

    def fault(self, sentence: str) -> None:
        """Note something that must not happen."""
        with self._lock:
            self.faults.append(sentence)

    def acknowledge(self, keys: set[Key]) -> None:
        """Note object versions that the hub said it has."""
        with self._lock:
            self.acknowledged |= keys

    def acknowledge_delete(self, collection: str, id: str, version: str | None) -> None:
        """Note a removal that the hub said it did."""
        with self._lock:
            self.deleted.add((collection, id, version))

    def begin(self, writer: str, number: int) -> None:
        """Note that a writer begins a step."""
        with self._lock:
            self.begun[writer] = max(number, self.begun.get(writer, 0))

    def snapshot(self) -> frozenset[Key]:
        """Return what is acknowledged by now."""
        with self._lock:
            return frozenset(self.acknowledged)

    def keep(self, walk: Walk) -> Walk:
        """Add a walk to the record."""
        with self._lock:
            self.walks.append(walk)
        return walk
