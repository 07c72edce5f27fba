"""Request bodies from senders who may be slow, on purpose or not, without giving them the threads that serve others.

Nothing can end a read of a body but its sender: the web server knows no time limit for it, and while one thread waits
for a body that another has answered already, granian 2.8 holds the interpreter's lock. So not the time is limited but
the number: the server has more threads than it needs to answer, and no more than that surplus wait for bodies at a
time, a quarter of it for one organisation and an eighth for strangers. Whoever holds them holds up himself; reading
goes on for all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from hub.errors import TooLarge, TooManyRequests

STRANGER = ""
"""The sender of a body that came without valid credentials."""

_PIECE = 65536
_RETRY = 5


class Stream(Protocol):
    """What a WSGI server gives to read a body from."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most ``size``; none at the end, which may be a broken one."""
        ...


class Uploads:
    """Reads bodies; one for each server process, used from all its threads.

    Args:
        most: bodies that are read at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def read(self, stream: Stream, most: int, sender: str) -> bytes:
        """Return a whole body.

        Args:
            stream: where from. most: bytes. sender: the organisation that sends it.

        Raises:
            TooLarge: it has more than ``most`` bytes; found as soon as it has, not when it ends.
            TooManyRequests: too many bodies, of this sender or of all, are being read already.
        """
        pieces, length = [], 0
        with self._turn(sender):
            while piece := stream.read(_PIECE):
                length += len(piece)
                if length > most:
                    raise too_large(most)
                pieces.append(piece)
        return b"".join(pieces)

    def drain(self, stream: Stream, most: int, sender: str) -> None:
        """Read what is left of a refused body, if there is room: clients that are still sending miss the answer else.

        Args:
            stream: where from. most: bytes. sender: as for `read`.
        """
        try:
            with self._turn(sender):
                while most > 0 and (piece := stream.read(_PIECE)):
                    most -= len(piece)
        except TooManyRequests:
            return  # the answer is on its way, whether it is read or not

    @contextmanager
    def _turn(self, sender: str) -> Iterator[None]:
        share = max(1, self._most // (8 if sender == STRANGER else 4))
        with self._lock:
            if self._open[sender] >= share or self._open.total() >= self._most:
                raise TooManyRequests("too many uploads at a time: try again when some are done", retry_after=_RETRY)
            self._open[sender] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[sender] -= 1


def too_large(most: int) -> TooLarge:
    """Return what a body of more than ``most`` bytes is refused with."""
    return TooLarge(f"the body is larger than {most} bytes (max_content_length): send it in parts")
