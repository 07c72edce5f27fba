"""How much of the machine the checking of passwords may take: one check needs 19 MiB and a core for some 35 ms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hub.errors import TooManyRequests

_PATIENCE = 10.0
_AGAIN = 2


class Turns:
    """Lets two passwords be checked at a time, and few wait; one for each process.

    Strangers take one of the two places at most, and few of the server's threads while they wait. So a flood of
    guesses from anywhere neither keeps those out who have signed in from where they are before, nor those with tokens.
    """

    def __init__(self, *, waiting_strangers: int = 16, waiting_known: int = 16, followers: int = 48) -> None:
        self._places = threading.Semaphore(2)
        self._strangers = threading.Semaphore(1)
        self._followers = threading.Semaphore(followers)
        self._queue = {False: threading.Semaphore(waiting_strangers), True: threading.Semaphore(waiting_known)}

    @contextmanager
    def turn(self, *, known: bool) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            TooManyRequests: too many wait already, or it takes too long.
        """
        queue = self._queue[known]
        if not queue.acquire(blocking=False):
            raise _too_many()
        try:
            with _held(self._places) if known else _held(self._strangers, self._places):
                yield
        finally:
            queue.release()

    @contextmanager
    def after(self, same: threading.Lock) -> Iterator[None]:
        """Hold ``same``, after whoever checks the very same password: what he finds out need not be found again.

        Raises:
            TooManyRequests: too many wait like this already.
        """
        if not same.acquire(blocking=False):
            if not self._followers.acquire(blocking=False):
                raise _too_many()
            same.acquire()
            self._followers.release()
        try:
            yield
        finally:
            same.release()


@contextmanager
def _held(*semaphores: threading.Semaphore) -> Iterator[None]:
    taken = []
    try:
        for one in semaphores:
            if not one.acquire(timeout=_PATIENCE):
                raise _too_many()
            taken.append(one)
        yield
    finally:
        for one in reversed(taken):
            one.release()


def _too_many() -> TooManyRequests:
    return TooManyRequests("too many passwords are being checked just now: try again", retry_after=_AGAIN)
