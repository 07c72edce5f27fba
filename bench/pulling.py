"""TAXII pull over real HTTP, against the bare SQLite read of the same bytes in the same pages."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import corpus
from bench.row import Row, rate
from hub.access.accounts import Accounts, Organisation
from hub.publish.collections import Collections

ACCEPT = "application/taxii+json;version=2.1"


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure at 10,000 and 200,000 objects."""
    for number in (10_000, 200_000):
        size = max(2000, int(number * scale))
        data = folder / str(number)
        data.mkdir()
        store = corpus.fill(data / "hub.db", size)
        token = account(Accounts(store))
        store.close()
        floor = _floor(data / "floor.db", size)
        with served(data) as port:
            client = Client(port, token)
            if (found := client.pull(1000, count=True)[1]) != size:
                raise RuntimeError(f"pulled {found} of {size}")
            for page in (1000, 100):
                measured = rate(size, partial(client.pull, page))
                bare = rate(size, partial(_bare, floor, page))
                goal = {1000: 0.5, 100: 0.2}[page]
                yield Row(
                    f"pull of {size:,}, page {page:,}", "objects/s", measured, bare, "SQLite pages joined in SQL", goal
                )
        floor.close()


def account(accounts: Accounts) -> str:
    """Make a city and a partner; return the partner's token."""
    accounts.add_organisation(Organisation("city", "City", "city"))
    accounts.add_organisation(Organisation("acme", "Acme"))
    accounts.add_user("acme", "acme", "partner")
    return accounts.add_token("acme")[1]


class Client:
    """A poller on one kept-alive connection that costs as little as it can, so that the server is measured."""

    def __init__(self, port: int, token: str) -> None:
        declared = Collections.load([corpus.ROOT / "feeds" / "collections"])
        self.path = f"/hub/collections/{declared[corpus.COLLECTION].id}/objects/"
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"HTTP/1.1\r\nHost: bench\r\nAccept: {ACCEPT}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.buffer = bytearray(16 << 20)

    def get(self, query: str) -> tuple[memoryview, str]:
        """Return a page's body and its X-TAXII-Date-Added-Last."""
        self.socket.sendall(f"GET {self.path}?{query} {self.head}".encode())
        view, filled = memoryview(self.buffer), 0
        while (end := self.buffer.find(b"\r\n\r\n", 0, filled)) < 0:
            filled += self.socket.recv_into(view[filled:])
        head = bytes(view[:end]).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:])
        whole = end + 4 + int(headers["content-length"])
        while filled < whole:
            filled += self.socket.recv_into(view[filled:])
        if " 200 " not in head[0]:
            raise RuntimeError(bytes(view[end:whole]).decode())
        return view[end + 4 : whole], headers["x-taxii-date-added-last"].upper()

    def pull(self, page: int, *, count: bool = False) -> tuple[str, int]:
        """Return the last date of a whole pull, and the number of objects if they are counted."""
        query, number, last = f"limit={page}", 0, ""
        while query:
            body, last = self.get(query)
            if count:
                number += bytes(body).count(b'"type":"indicator"')
            # The token stands in front of the objects; a client that reads the JSON pays for its own parser.
            head = bytes(body[:400])
            more = head.startswith(b'{"more":true')
            query = f"limit={page}&next={json.loads(head.split(b',')[1].split(b':')[1])}" if more else ""
        return last, number


def _floor(path: Path, number: int) -> sqlite3.Connection:
    plain = sqlite3.connect(path)
    plain.executescript("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;")
    plain.execute("CREATE TABLE objects (position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    plain.executemany("INSERT INTO objects (body) VALUES (?)", ((body,) for body in corpus.bodies(number)))
    plain.commit()
    return plain


def _bare(plain: sqlite3.Connection, page: int) -> None:
    after: int | None = 0
    while after is not None:
        query = "SELECT max(position), CAST(group_concat(body, ',') AS BLOB) FROM"
        query += " (SELECT position, body FROM objects WHERE position > ? ORDER BY position LIMIT ?)"
        after, _ = plain.execute(query, (after, page)).fetchone()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_it_answers(port: int) -> None:
    """Wait until a server answers.

    Raises:
        TimeoutError: it does not.
    """
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            asked.request("GET", "/readyz")
            if asked.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the server does not answer")


@contextmanager
def served(data: Path, **settings: str) -> Iterator[int]:
    """Serve a data folder without limits and background work; give the port."""
    port = free_port()
    words = [sys.executable, "-m", "hub.cli", "serve", "--data", str(data), "--port", str(port)]
    settings |= {"THREATHUB_WORKER": "false", "THREATHUB_LOG_LEVEL": "error"}
    settings |= {"THREATHUB_LIMIT_REQUESTS": "0", "THREATHUB_LIMIT_ORGANISATION": "0"}
    process = subprocess.Popen(words, env=os.environ | settings, cwd=corpus.ROOT)
    try:
        until_it_answers(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)
