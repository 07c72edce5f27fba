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
        self._until: dict[str, dict[str, float]] = {}
        self._turn = threading.Lock()

    def first(self, kind: str, thing: str) -> bool:
        """Say whether it was not told in the last ten minutes; at most a hundred things of a kind are, in that time."""
        now = time.monotonic()
        with self._turn:
            known = {one: until for one, until in self._until.get(kind, {}).items() if until > now}
            self._until[kind] = known
            if thing in known or len(known) >= _MOST:
                return False
            known[thing] = now + TOLD
            return True
