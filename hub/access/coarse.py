"""Telling coarsely: what strangers can cause at will leaves few entries in the audit log and cannot fill the store."""

from __future__ import annotations

import threading
import time

TOLD = 600.0
"""Seconds in which the same thing is told once."""

_MOST = 100


class Coarse:
    """Says of each thing whether it is to be told; one for each process, used from all its threads."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._turn = threading.Lock()

    def first(self, thing: str) -> bool:
        """Say whether it was not told in the last ten minutes; at most a hundred things are, in that time."""
        now = time.monotonic()
        with self._turn:
            self._until = {one: until for one, until in self._until.items() if until > now}
            if thing in self._until or len(self._until) >= _MOST:
                return False
            self._until[thing] = now + TOLD
            return True
