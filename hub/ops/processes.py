"""Processes beside the web server: kept alive while it serves, ended with it, never left over when it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog

_AGAIN = 1.0
"""Seconds until a process that ended by itself is started again."""

_PARENT_CHECK = 1.0
"""Seconds after which the end of the parent is noticed."""

_GRACE = 8.0
"""Seconds that it gets to end when told to."""


@contextmanager
def kept_running(work: Callable[[], None]) -> Iterator[None]:
    """Run work in a process of its own, and again whenever that ends or is killed, until the block is left.

    Args:
        work: importable by name; must end on SIGTERM.
    """
    leaving = threading.Event()
    told, tell = multiprocessing.Pipe(duplex=False)
    # The first one is started here: whoever forks while the keeper is at work would copy its locks.
    first = _started(work)

    def keep(process: SpawnProcess) -> None:
        while True:
            wait([process.sentinel, told])
            if leaving.is_set():
                process.terminate()
                process.join(_GRACE)
                if process.is_alive():
                    process.kill()
                return
            process.join()
            structlog.get_logger().error("background work ended, it is started again", status=process.exitcode)
            if leaving.wait(_AGAIN):
                return
            process = _started(work)

    keeper = threading.Thread(target=keep, args=(first,), name="keeper")
    keeper.start()
    try:
        yield
    finally:
        leaving.set()
        tell.send_bytes(b"!")
        keeper.join()


def _started(work: Callable[[], None]) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=work, name="threathub-worker")
    process.start()
    return process


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM, SIGINT and the parent's death set, for a background process."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    when_parent_ends(stop.set)
    return stop


def end_with_parent() -> None:
    """End this process when the one that started it is no more, even killed; else it would serve on."""

    def end() -> None:
        # Again and again: just after a fork the handler is still the parent's, and does nothing here.
        for _ in range(int(_GRACE)):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    when_parent_ends(end)


def when_parent_ends(then: Callable[[], None]) -> None:
    """Do something once the process that started this one, as multiprocessing does, has ended; nothing without one."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        # Its sentinel would not do: a process that was forked later holds the other end of it, too.
        while os.getppid() == parent.pid:
            time.sleep(_PARENT_CHECK)
        then()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
