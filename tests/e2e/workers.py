"""Workers of one hub, real processes on one machine or as on several, and feeds from a real HTTP server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.feeding import FeedRecords
from hub.ops.board import Seen, read_board
from hub.store.moving import Movable
from hub.store.ports import HUB
from tests.connectors.conftest import Web
from tests.e2e.conftest import ROOT, command, environment

FEEDS = tuple(f"f{number}" for number in range(6))
LEASE_SECONDS = 3
PATIENCE = 60.0
FEED = """\
title = "A list"
connector = "delimited"
organisation = "lists"
collections = ["partner-indicators"]
marking = "TLP:CLEAR"
schedule = "* * * * * *"
licence = "none"
revised = 2026-11-23
allow_networks = ["127.0.0.0/8"]

[settings]
url = "{url}"
delimiter = ","
columns = ["value"]
value_type = "ipv4-addr"
"""


def until(holds: Callable[[], object]) -> None:
    """Wait for a condition."""
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        pause.wait(0.05)


def declare(folder: Path, web: Web) -> Path:
    """Declare the feeds, each a list with one address of its own; return the city's folder."""
    sources = folder / "own" / "sources"
    sources.mkdir(parents=True)
    for number, name in enumerate(FEEDS):
        (sources / f"{name}.toml").write_text(FEED.format(url=web.url(f"/{name}")))
        web.routes[f"/{name}"] = (200, {}, listed(number))
    return sources.parent


def listed(number: int) -> bytes:
    return f"198.51.100.{number + 1}\n".encode()


@dataclass
class Workers:
    """Processes that do the background work of one store.

    Attributes:
        settings: theirs. store: the store, for the test to look into. web: where the feeds are.
    """

    settings: dict[str, str]
    store: Movable
    web: Web
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    printed: dict[int, Path] = field(default_factory=dict)

    def start(self, data: Path, printed: Path) -> None:
        """Start one more."""
        with printed.open("wb") as output:
            process = subprocess.Popen(
                command("worker", "--data", data),
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=environment(**self.settings),
                start_new_session=True,
            )
        self.processes[process.pid] = process
        self.printed[process.pid] = printed

    def seen(self) -> Seen:
        return read_board(self.store)

    def feeds_of(self) -> dict[int, set[str]]:
        """Return which feeds each process has, by the board."""
        board = self.seen().board
        return {
            one.pid: {
                p.partition(":")[2] for p, has in board.holders.items() if has == number and p.startswith("feed:")
            }
            for number, one in board.workers.items()
        }

    def asked(self, feed: str) -> int:
        """Return how often a feed was fetched."""
        return sum(path == f"/{feed}" for path, _ in list(self.web.asked))

    def fetched_anew(self, feeds: set[str]) -> None:
        """Wait until each of the feeds is fetched once more."""
        before = {feed: self.asked(feed) for feed in feeds}
        until(lambda: all(self.asked(feed) > number for feed, number in before.items()))

    def shared_by(self, *pids: int) -> None:
        """Wait until just these processes share all feeds evenly."""

        def evenly() -> bool:
            shares = self.feeds_of()
            return (
                set(shares) == set(pids)
                and sum(map(len, shares.values())) == len(FEEDS)
                and {len(one) for one in shares.values()} <= {len(FEEDS) // len(pids), -(-len(FEEDS) // len(pids))}
            )

        until(evenly)

    def holder(self, feed: str) -> int:
        """Return the process that has a feed."""
        return next(pid for pid, feeds in self.feeds_of().items() if feed in feeds)

    def signal(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    def end(self) -> None:
        """Kill what is left."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@contextlib.contextmanager
def three(folders: list[Path], store: Movable, web: Web, own: Path, settings: dict[str, str]) -> Iterator[Workers]:
    """Run a worker for each data folder."""
    settings = {"feeds": str(own), "lease_seconds": str(LEASE_SECONDS), "log_format": "json"} | settings
    workers = Workers(settings, store, web)
    try:
        for number, data in enumerate(folders):
            workers.start(data, own / f"printed-{number}.txt")
        yield workers
    finally:
        workers.end()


def divide_and_replace(workers: Workers) -> None:
    """They share; others do, once, the work of one that is killed and of one that is stopped in the midst of a feed."""
    pids = list(workers.processes)
    workers.shared_by(*pids)
    workers.fetched_anew(set(FEEDS))

    killed, *rest = pids
    lost = workers.feeds_of()[killed]
    workers.signal(killed, signal.SIGKILL)
    workers.processes[killed].wait(10)
    workers.shared_by(*rest)
    workers.fetched_anew(lost)

    stopped, feed, reply = held_in_the_midst(workers)
    [other] = set(rest) - {stopped}
    workers.shared_by(other)
    workers.web.routes[f"/{feed}"] = (200, {}, b"203.0.113.7\n")
    until(lambda: workers.store.lookup(HUB, ["ipv4-addr:203.0.113.7"]))
    reply.set()
    workers.signal(stopped, signal.SIGCONT)
    until(lambda: b"feed left to others" in workers.printed[stopped].read_bytes())
    workers.shared_by(*rest)
    right_and_once(workers)

    for pid in rest:
        workers.signal(pid, signal.SIGTERM)
    assert [workers.processes[pid].wait(30) for pid in rest] == [0, 0]
    assert workers.feeds_of() == {}


def held_in_the_midst(workers: Workers) -> tuple[int, str, threading.Event]:
    """Stop a worker while it waits for a list; return it, the feed, and what lets the list come, then out of date."""
    feed = FEEDS[0]
    asked, reply = threading.Event(), threading.Event()

    def first_only(_: object) -> tuple[int, dict[str, str], bytes]:
        asked.set()
        reply.wait(PATIENCE)
        return 200, {}, b"192.0.2.66\n"

    workers.web.routes[f"/{feed}"] = first_only
    assert asked.wait(PATIENCE)
    stopped = workers.holder(feed)
    workers.web.routes[f"/{feed}"] = (200, {}, listed(0))
    workers.signal(stopped, signal.SIGSTOP)
    return stopped, feed, reply


def right_and_once(workers: Workers) -> None:
    """Each address that was listed when it was fetched is there, in one version; the one that came too late is not."""
    store = workers.store
    keys = [f"ipv4-addr:198.51.100.{number + 1}" for number in range(len(FEEDS))] + ["ipv4-addr:203.0.113.7"]
    found = store.lookup(HUB, [*keys, "ipv4-addr:192.0.2.66"])
    assert set(found) == set(keys)
    changes = [one for one in store.read_log(0, 1000) if one.type == "indicator"]
    assert len(changes) == len(keys)
    records = FeedRecords(store)
    assert sum(records.load(feed).status.total_stored for feed in FEEDS) == len(keys)
    assert store.verify() == []
