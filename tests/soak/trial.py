"""One soak from beginning to end: writers, pollers and weather at once, then quiet, then the verdict."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub.model.audience import Reader
from hub.store.ports import Change, Store
from tests.soak.checker import Checker
from tests.soak.history import History
from tests.soak.inside import InsideWriter
from tests.soak.pollers import Poller
from tests.soak.running import MEMBERS, PUBLISHED, SHARED, Running, prepare
from tests.soak.weather import Weather, set_clock
from tests.soak.writers import Writer
from tests.stores import store_in

POLLERS = (
    ("next", "lia", SHARED, 7),
    ("next", "ben", PUBLISHED, 20),
    ("header", "ben", SHARED, 10),
    ("header", "leo", PUBLISHED, 50),
    ("latest", "sam", SHARED, 30),
    ("latest", "lia", PUBLISHED, 30),
    ("newest", "leo", SHARED, 15),
    ("newest", "ana", PUBLISHED, 100),
    ("by id", "sam", PUBLISHED, 20),
    ("by id", "ana", SHARED, 20),
    ("pages", "ben", PUBLISHED, 100),
    ("pages", "lia", SHARED, 100),
)
_SETTLE_SECONDS = 120
_PATIENCE = 300


def readers() -> dict[str, Reader]:
    """Return who the members are, from their table and not from the hub."""
    return {
        user: Reader(one.name, home=one.kind == "city", analyst=one.kind == "city" and role == "analyst")
        for one, user, role in MEMBERS
    }


def soak(folder: Path, seconds: float) -> tuple[History, list[str]]:
    """Run a soak; return what was seen and a sentence for each promise that was broken."""
    clock = folder / "clock"
    clock.write_bytes(bytes(8))
    skewed = {"PYTHONPATH": str(Path(__file__).parent / "skew"), "SOAK_CLOCK": str(clock)}
    hub = prepare(folder, skewed, processes="2", log_level="warning", limit_requests="0")
    history = History()
    inside = [InsideWriter(hub, history, name, {**os.environ, **skewed}) for name in ("inside-a", "inside-b")]
    writers: list[InsideWriter | Writer] = [*inside, *(Writer(hub, history, user) for user in ("leo", "lia"))]
    pollers = [Poller(hub, history, *one) for one in POLLERS]
    weather = Weather(hub, history, clock, inside)
    try:
        hub.start()
        for thread in (*writers, *pollers, weather):
            thread.start()
        weather.stop.wait(seconds)
        weather.stop.set()
        weather.join(_PATIENCE)
        for writer in writers:
            writer.stop.set()
        for one in inside:
            one.kill()
        _joined(history, writers)
        set_clock(clock, 0)
        _settle(hub, history)
        for poller in pollers:
            poller.nothing_more.set()
        _joined(history, pollers)
        hub.stop()
    finally:
        for one in inside:
            one.stop.set()
            one.kill()
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
    store = store_in(hub.data)
    history.faults += store.verify()
    violations = Checker(history, log_of(store), readers()).violations()
    store.close()
    printed = hub.printed.read_text()
    if "Traceback" in printed:
        violations.append(f"a traceback was logged: {printed[printed.index('Traceback') - 2000 :][:4000]}")
    return history, violations


def log_of(store: Store) -> Iterator[Change]:
    """Yield every change of a store."""
    after = 0
    while changes := store.read_log(after, 500):
        yield from changes
        after = changes[-1].position


def _joined(history: History, threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(_PATIENCE)
        if thread.is_alive():
            history.fault(f"{thread.name} came to no end")


def _settle(hub: Running, history: History) -> None:
    """Wait until the hub has taken back what must be seen to leave."""
    store = store_in(hub.data)
    until = time.monotonic() + _SETTLE_SECONDS
    pause = threading.Event()
    while True:
        cursor = store.document("cursor", "retraction")
        if cursor is not None and int(cursor.value) >= store.head().position:
            break
        if time.monotonic() > until:
            history.fault("the hub does not come to rest")
            break
        pause.wait(0.1)
    store.close()


def summary(history: History) -> str:
    """Return what a soak survived, one line each."""
    objects = sum(len(walk.seen) for walk in history.walks)
    lines = [f"{what}: {number}" for what, number in sorted(history.counts.items())]
    return "\n".join((f"objects seen by pollers: {objects}", f"versions written: {len(history.acknowledged)}", *lines))
