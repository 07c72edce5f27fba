"""Turns at something that few may do at once, in the order in which they were asked for.

`threading.Semaphore` lets whoever comes by at the right moment pass those who wait: under load, some wait very long.
"""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """So many turns at a time; first come, first served.

    Args:
        number: of turns that can be held at once.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def take(self, patience: float) -> bool:
        """Wait for a turn for so many seconds; return whether it was given."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=patience):
            return True
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it was given at the last moment

    def give_back(self) -> None:
        """End a turn: whoever waits longest has it now."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
