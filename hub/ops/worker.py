"""The background work: jobs that each run when due, one after the other, until told to stop.

Every job is a reader of the change log or of a source, with a cursor of its own in the store, so that it can be
killed at any moment and goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from hub.errors import HubError
from hub.model import times

LONGEST_PAUSE = 300 * times.SECOND


@dataclass
class Job:
    """One kind of background work.

    Attributes:
        name: for the log. every: microseconds between runs.
        run: does what there is to do now and returns whether there was anything.
    """

    name: str
    every: int
    run: Callable[[], bool]
    due: int = 0
    failures: int = 0


def _steady() -> int:
    return time.monotonic_ns() // 1000


def run_jobs(jobs: Sequence[Job], stop: threading.Event, clock: Callable[[], int] = _steady) -> None:
    """Run jobs when they are due until ``stop`` is set; a job that fails is tried again, ever less often.

    Args:
        jobs: what to do. stop: when to end. clock: microseconds; one that nobody sets back or forward, by default.
    """
    log = structlog.get_logger()
    while not stop.is_set():
        busy = False
        for job in jobs:
            if stop.is_set():
                return
            if job.due > clock():
                continue
            try:
                busy = job.run() or busy
                job.failures = 0
                job.due = clock() + job.every
            except HubError as error:
                _postpone(job, clock())
                log.warning("job failed", job=job.name, code=error.code, reason=error.message, failures=job.failures)
            except Exception:  # one bug must not stop the other jobs
                _postpone(job, clock())
                log.exception("job failed", job=job.name, failures=job.failures)
        if not busy:
            pause = min((job.due for job in jobs), default=clock() + times.SECOND) - clock()
            stop.wait(min(max(pause, 0), times.SECOND) / times.SECOND)


def _postpone(job: Job, moment: int) -> None:
    job.failures += 1
    job.due = moment + min(job.every * 2 ** min(job.failures, 12), LONGEST_PAUSE)
