"""Polls: many idle ones, small increments in large collections, hundreds of partners at once, what signing in costs."""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from bench import corpus
from bench.pulling import Client, free_port, served, until_it_answers
from bench.row import Row, seconds
from bench.swarm import ACCEPT, Poller, paced, polled
from hub.access.accounts import Accounts, Organisation
from hub.access.signin import SignIn
from hub.model import times
from hub.publish.collections import Collections
from hub.store.ports import Batch
from hub.store.sqlite.engine import SqliteStore

ORGANISATIONS = 10
PASSWORD = "bench bench bench bench"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
OWN = """
key = "shared"
id = "3a0d9f0e-55b2-4c44-9f1a-6f7f1f0b7c55"
title = "Shared"
read = ["everyone"]
write = ["role:liaison"]
"""


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure idle polls, increments at 10,000 and 1,000,000 objects, and 500 pollers for a minute."""
    yield from _sizes(folder, [max(1000, int(number * scale)) for number in (10_000, 1_000_000)])
    yield from _many(folder / "many", max(10, int(500 * scale)), max(2.0, 60 * scale))


def _sizes(folder: Path, sizes: list[int]) -> Iterator[Row]:
    """Measure idle polls, and polls that find 100 new objects at a collection's end, by turns in each size."""
    declared = Collections.load([corpus.ROOT / "feeds" / "collections"])
    path = f"/hub/collections/{declared[corpus.COLLECTION].id}/objects/"
    with ExitStack() as stack:
        ready = stack.enter_context(_ready())
        asking = []
        for at, size in enumerate(sizes):
            data = folder / f"size{at}"
            data.mkdir()
            store = stack.enter_context(closing(corpus.fill(data / "hub.db", size, searched=False)))
            newest = store.commit(Batch(drafts=[corpus.draft(size + one) for one in range(100)]))
            accounts = Accounts(store)
            accounts.add_organisation(Organisation("city", "City", "city"))
            [token] = _partners(accounts, 1)
            port = stack.enter_context(served(data))
            yield from _idle(port, ready, path, token, times.format_timestamp(newest[-1].date_added), size)
            if at == 0:
                yield from _signing_in(store, port, token)
            asking.append((port, token, times.format_timestamp(newest[0].date_added - 1)))
        # Only now: a server closes connections on which nothing comes.
        pollers = [(Poller(port, path, token), after) for port, token, after in asking]
        for _ in range(300):
            for one, after in pollers:
                one.after = after
                polled([one], 1)
    if any(len(one.seen) != 300 * 100 for one, _ in pollers):
        raise RuntimeError("a poll did not find its 100 new objects")
    small, large = (statistics.median(one.latencies) * 1000 for one, _ in pollers)
    yield Row(f"poll of 100 new in {sizes[0]:,}, p50", "ms", small)
    yield Row(f"poll of 100 new in {sizes[1]:,}, p50", "ms", large, small, "in the small one, by turns", 1.1)


def _idle(port: int, ready: int, path: str, token: str, after: str, size: int) -> Iterator[Row]:
    found = {}
    for name, where in (("hub", port), ("ready bytes", ready)):
        pollers = [Poller(where, path, token, after) for _ in range(32)]
        polled(pollers, 5)
        for one in pollers:
            one.latencies.clear()
        took = seconds(partial(polled, pollers, 60))
        all_of_them = sorted(latency for one in pollers for latency in one.latencies)
        p50, p99 = (all_of_them[int(len(all_of_them) * share)] * 1000 for share in (0.5, 0.99))
        found[name] = (p50, p99, 32 * 60 / took)
    (p50, p99, rate), (floor50, floor99, floor) = found["hub"], found["ready bytes"]
    yield Row(f"32 idle pollers at {size:,}, p50", "ms", p50, floor50, "ready bytes, same web server")
    yield Row(f"32 idle pollers at {size:,}, p99", "ms", p99, floor99, "ready bytes, same web server")
    yield Row(f"32 idle pollers at {size:,}", "polls/s", rate, floor, "ready bytes, same web server")


def _signing_in(store: SqliteStore, port: int, token: str) -> Iterator[Row]:
    """Compare a sign-in with a page of 1,000, and the ways of signing in with each other."""
    client = Client(port, token)
    page = statistics.median(seconds(partial(client.get, "limit=1000")) for _ in range(200)) * 1000
    basic = "Basic " + base64.b64encode(f"partner0:{PASSWORD}".encode()).decode()
    signin = SignIn(Accounts(store))
    found = {}
    for name, header in (("token", f"Bearer {token}"), ("password", basic)):
        signin.principal(header)
        took = [seconds(partial(signin.principal, header)) * 1000 for _ in range(500)]
        found[name] = statistics.median(took)
    yield Row("sign-in by token", "ms", found["token"], page, "a page of 1,000 over HTTP", 0.05)
    yield Row("sign-in by remembered password", "ms", found["password"], found["token"], "by token", 1.2)


def _many(data: Path, number: int, duration: float) -> Iterator[Row]:
    """Let partners poll once a second each while liaisons post; every one must get once what he is entitled to.

    Every fifth object is TLP:AMBER and so for the writers' own organisation only.
    """
    (data / "own" / "collections").mkdir(parents=True)
    (data / "own" / "collections" / "shared.toml").write_text(OWN)
    store = corpus.fill(data / "hub.db", 1000)
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "City", "city"))
    tokens = _partners(accounts, number)
    accounts.add_user("writer", "org0", "liaison")
    writer = accounts.add_token("writer")[1]
    store.close()
    path = "/hub/collections/3a0d9f0e-55b2-4c44-9f1a-6f7f1f0b7c55/objects/"
    posted: dict[bytes, bool] = {}
    stop = threading.Event()
    with served(data, THREATHUB_FEEDS=str(data / "own")) as port:
        pollers = [Poller(port, path, token) for token in tokens]
        threads = [threading.Thread(target=_write, args=(port, path, writer, at, posted, stop)) for at in range(2)]
        for thread in threads:
            thread.start()
        paced(pollers, 1.0, duration)
        stop.set()
        for thread in threads:
            thread.join()
        latencies = sorted(latency for one in pollers for latency in one.latencies)
        polled(pollers, 1)
    everybodys = sorted(id for id, confidential in posted.items() if not confidential)
    wrong = [
        one
        for at, one in enumerate(pollers)
        if sorted(one.seen) != (everybodys if at % ORGANISATIONS else sorted(posted))
    ]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {number} pollers missed or repeated something")
    name = f"{number} pollers, one poll a second each, {len(posted)} objects posted meanwhile"
    yield Row(f"{name}: polls answered", "polls/s", len(latencies) / duration, number, "asked for", 0.99)
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        yield Row(f"{name}: {label}", "ms", latencies[int(len(latencies) * share)] * 1000)


def _write(port: int, path: str, token: str, at: int, posted: dict[bytes, bool], stop: threading.Event) -> None:
    """Post five objects twice a second."""
    number = 10_000_000 * (at + 1)
    while not stop.wait(0.5):
        objects = [corpus.indicator(number + one) for one in range(5)]
        objects[-1]["object_marking_refs"] = [AMBER]
        number += 5
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            json.dumps({"objects": objects}).encode(),
            {"Content-Type": ACCEPT, "Accept": ACCEPT, "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            if json.load(answer)["success_count"] != 5:
                raise RuntimeError("a POST was not taken")
        posted.update((str(one["id"]).encode(), one is objects[-1]) for one in objects)


def _partners(accounts: Accounts, number: int) -> list[str]:
    """Make so many accounts in ten organisations; return their tokens."""
    for one in range(min(number, ORGANISATIONS)):
        accounts.add_organisation(Organisation(f"org{one}", f"Organisation {one}"))
    tokens = []
    for one in range(number):
        accounts.add_user(f"partner{one}", f"org{one % ORGANISATIONS}", "partner", PASSWORD if one == 0 else None)
        tokens.append(accounts.add_token(f"partner{one}")[1])
    return tokens


@contextmanager
def _ready() -> Iterator[int]:
    """Serve ready bytes with the same web server and as many threads."""
    port = free_port()
    words = ["-m", "granian", "--interface", "wsgi", "--port", str(port), "--blocking-threads", "32"]
    words += ["--no-access-log", "--log-level", "error", "bench.ready:application"]
    process = subprocess.Popen([sys.executable, *words], cwd=corpus.ROOT)
    try:
        until_it_answers(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)
