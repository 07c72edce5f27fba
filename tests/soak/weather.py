"""Bad weather for a running hub: restarts, kills of all or some of its processes, and clocks that are set."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.soak.history import History
from tests.soak.inside import InsideWriter
from tests.soak.running import SERVER, WORKER, Running

_HOUR = 3600 * 10**9
_JUMPS = (-2 * _HOUR, 0, _HOUR, -24 * _HOUR, 3 * _HOUR, -_HOUR // 60)
_BETWEEN = 0.8
"""Seconds between two events, about."""


class Weather(threading.Thread):
    """Makes events of every kind, each as often as the others, in an order of chance, until told to stop."""

    def __init__(self, hub: Running, history: History, clock: Path, inside: Sequence[InsideWriter]) -> None:
        super().__init__(name="weather", daemon=True)
        self._hub = hub
        self._history = history
        self._clock = clock
        self._inside = inside
        self._chance = random.Random(4)
        self._server_killed = False
        self.stop = threading.Event()

    def run(self) -> None:
        """Make weather."""
        kinds: list[Callable[[], None]] = [
            self._restart, self._kill_all, self._kill_watcher, self._kill_server, self._kill_worker,
            self._kill_writer, self._kill_writer, self._set_clock, self._set_clock,
        ]  # fmt: skip
        try:
            while not self.stop.is_set():
                self._chance.shuffle(kinds)
                for kind in kinds:
                    if self.stop.wait(_BETWEEN * 2 * self._chance.random()):
                        break
                    kind()
        except Exception as error:  # noqa: BLE001 - without weather the soak would show nothing
            self._history.fault(f"the weather broke: {error!r}")

    def _restart(self) -> None:
        status = self._hub.stop()
        # The web server says 1 when one of its processes was killed just now, and ends by itself when one is again.
        if status not in ((0, 1) if self._server_killed else (0,)):
            self._history.fault(f"SIGTERM ended the hub with {status}")
        self._history.count("restarts")
        self._start()

    def _start(self) -> None:
        self._server_killed = False
        self._hub.start()

    def _kill_all(self) -> None:
        self._hub.kill()
        self._history.count("kills of the whole hub")
        self._start()

    def _kill_watcher(self) -> None:
        """Kill the first process only; the others must find out and go."""
        others = self._hub.pids()[1:]
        assert self._hub.process is not None
        self._hub.process.kill()
        self._hub.process.wait(10)
        self._history.count("kills of the watching process")
        until = time.monotonic() + 30
        while any(_lives(pid) for pid in others):
            if time.monotonic() > until:
                self._history.fault("processes of a killed hub live on")
                break
            self.stop.wait(0.1)
        self._start()

    def _kill_server(self) -> None:
        self._server_killed = True
        self._kill_one(SERVER, "kills of a server process")

    def _kill_worker(self) -> None:
        self._kill_one(WORKER, "kills of the background work")

    def _kill_one(self, part: bytes, what: str) -> None:
        pids = self._hub.pids_of(part)
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(pids), signal.SIGKILL)
            self._history.count(what)

    def _kill_writer(self) -> None:
        self._chance.choice(self._inside).kill()

    def _set_clock(self) -> None:
        set_clock(self._clock, self._chance.choice(_JUMPS))
        self._history.count("clocks set")


def set_clock(file: Path, offset: int) -> None:
    """Set the clock of all processes that run by this file to so many nanoseconds beside the true time."""
    with file.open("r+b") as opened:
        opened.write(struct.pack("q", offset))


def _lives(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
