"""Many pollers in one thread, each on a kept-alive connection of its own, so that the server is measured."""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

ACCEPT = "application/taxii+json;version=2.1"
_ID = re.compile(rb'"id":"([a-z-]+--[0-9a-f-]{36})"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_LAST = re.compile(rb"x-taxii-date-added-last: (\S+)", re.IGNORECASE)


@dataclass
class Poller:
    """One client: it asks for what was added after the date of its last answer, as partners do.

    Attributes:
        latencies: seconds from sending a request to its whole answer. seen: ids of all objects that came.
    """

    port: int
    path: str
    token: str
    after: str = "2000-01-01T00:00:00Z"
    latencies: list[float] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"HTTP/1.1\r\nHost: bench\r\nAccept: {ACCEPT}\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        self._got = bytearray()
        self._begun = 0.0

    def ask(self, limit: int = 1000) -> None:
        """Send one poll."""
        self._begun = time.perf_counter()
        self._got.clear()
        self.socket.sendall(f"GET {self.path}?limit={limit}&added_after={self.after} {self._head}".encode())

    def take(self) -> bool:
        """Take in what arrived; return whether the answer is whole.

        Raises:
            RuntimeError: the answer is an error.
        """
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise RuntimeError("the server closed a connection")
        self._got += piece
        head, found, body = self._got.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if found else None
        if length is None or len(body) < int(length[1]):
            return False
        self.latencies.append(time.perf_counter() - self._begun)
        last = _LAST.search(head)
        if b" 200 " not in head[:16] or last is None:
            raise RuntimeError(bytes(self._got[:400]).decode(errors="replace"))
        self.after = last[1].decode().upper()
        self.seen += _ID.findall(body)
        return True


def polled(pollers: Iterable[Poller], times: int) -> None:
    """Let every poller ask so many times, each as soon as its answer is there."""
    with selectors.DefaultSelector() as ready:
        left = {}
        for one in pollers:
            ready.register(one.socket, selectors.EVENT_READ, one)
            left[id(one)] = times
            one.ask()
        while ready.get_map():
            for key, _ in ready.select(30):
                one = key.data
                if one.take():
                    left[id(one)] -= 1
                    if left[id(one)]:
                        one.ask()
                    else:
                        ready.unregister(one.socket)


def paced(pollers: list[Poller], period: float, duration: float) -> None:
    """Let every poller ask once a period, spread evenly over it, for so many seconds."""
    begun = time.perf_counter()
    due = [(begun + period * number / len(pollers), number) for number in range(len(pollers))]
    with selectors.DefaultSelector() as ready:
        while due or ready.get_map():
            while due and due[0][0] <= time.perf_counter():
                planned, number = heapq.heappop(due)
                pollers[number].ask()
                ready.register(pollers[number].socket, selectors.EVENT_READ, (planned, number))
            for key, _ in ready.select(max(0.0, due[0][0] - time.perf_counter()) if due else 30):
                planned, number = key.data
                if pollers[number].take():
                    ready.unregister(key.fileobj)
                    again = max(planned + period, time.perf_counter())
                    if again < begun + duration:
                        heapq.heappush(due, (again, number))
