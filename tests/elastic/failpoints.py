"""Fail points: before and after every request to the cluster, that is every step of the log's algorithm."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

STEPS = ("create", "get", "read_many", "read_each", "touch", "write", "copy", "search", "search_pinned", "refresh")
UNSURE = ("create", "write")
"""Requests whose answers are sometimes lost, or that are lost themselves."""
LONGEST_PAUSE = 2.5
"""Seconds; longer than others wait before they help."""


def plant(rate: float) -> None:
    """Let this process die or pause, with this probability, at each fail point."""
    from hub.store.elastic import journal
    from hub.store.elastic.cluster import Cluster

    journal.HELP_AFTER = 0.2
    chance = random.Random(os.getpid() * random.random())
    for step in STEPS:
        method = _losing(getattr(Cluster, step), chance, rate) if step in UNSURE else getattr(Cluster, step)
        setattr(Cluster, step, _failing(method, chance, rate))


def _losing(method: Any, chance: random.Random, rate: float) -> Any:
    from hub.store.elastic.faults import unreachable

    def called(*given: Any, **named: Any) -> Any:
        if chance.random() < rate:
            raise unreachable()
        answer = method(*given, **named)
        if chance.random() < 5 * rate:
            raise unreachable()
        return answer

    return called


def _failing(method: Any, chance: random.Random, rate: float) -> Any:
    def called(*given: Any, **named: Any) -> Any:
        _fail(chance, rate)
        answer = method(*given, **named)
        _fail(chance, rate)
        return answer

    return called


def _fail(chance: random.Random, rate: float) -> None:
    if chance.random() < rate:
        if chance.random() < 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(chance.random() * LONGEST_PAUSE)
