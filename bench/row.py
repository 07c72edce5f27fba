"""One measured figure."""

from __future__ import annotations

import statistics
import sys
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


def progress(text: str) -> None:
    """Say what goes on, for those who wait."""
    print(f"  {text}", file=sys.stderr, flush=True)


def by_turns(number: int, *works: Callable[[], object]) -> list[list[float]]:
    """Return how long each work takes, in order of size; they take turns, so that all meet the same weather."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(number):
        for work, times in zip(works, took, strict=True):
            times.append(seconds(work))
    return [sorted(times) for times in took]


def percentile(times: list[float], share: float) -> float:
    """Return the time, in milliseconds, that so large a share stays below; ``times`` are sorted seconds."""
    return times[min(len(times) - 1, int(len(times) * share))] * 1000
