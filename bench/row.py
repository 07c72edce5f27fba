"""One measured figure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A job's rate (or latency) beside that of its floor or peer in the same run.

    Attributes:
        job: what was done. unit: of both figures. measured, against: the figures. floor: what ``against`` is.
        goal: what ``measured / against`` should be (DESIGN section 10), or None.
    """

    job: str
    unit: str
    measured: float
    against: float | None = None
    floor: str = ""
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Measured over floor."""
        return None if not self.against else self.measured / self.against


def rate(number: int, work: Callable[[], object], rounds: int = 3) -> float:
    """Return how many of ``number`` things a second ``work`` does: the median of some rounds."""
    return statistics.median(number / seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, wall clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
