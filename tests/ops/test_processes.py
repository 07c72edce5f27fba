"""Processes of a real hub that are killed: what is beside the server comes back, and nothing outlives the server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.soak.running import SERVER, WORKER, Running, running

PATIENCE = 600


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, processes="2") as hub:
        yield hub


def wait_until(holds: Callable[[], object]) -> None:
    pause = Event()
    for _ in range(PATIENCE):
        if holds():
            return
        pause.wait(0.05)
    pytest.fail("waited in vain")


def lives(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_whatever_is_killed_comes_back_and_nothing_outlives_the_server(hub: Running) -> None:
    [worker] = hub.pids_of(WORKER)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: hub.pids_of(WORKER) not in ([], [worker]))
    assert "started again" in hub.printed.read_text()
    one, other = hub.pids_of(SERVER)
    os.kill(one, signal.SIGKILL)
    wait_until(lambda: {one, other} != {*hub.pids_of(SERVER)} and len(hub.pids_of(SERVER)) == 2)
    wait_until(lambda: hub.answers(1))
    assert hub.process is not None
    everything = hub.pids()
    os.kill(hub.process.pid, signal.SIGKILL)
    hub.process.wait(10)
    wait_until(lambda: not [pid for pid in everything if lives(pid)])
    hub.start()
    assert hub.stop() == 0
    assert not [pid for pid in everything if lives(pid)]
