"""Processes that are forked, report by single lines on a pipe, and are stopped and killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

from hub.errors import Conflict, HubError, StoreUnavailable

_HOUR = 3600 * 10**9
_CLOCKS = (0, 0, -24 * _HOUR, -2 * _HOUR, -_HOUR // 60, _HOUR // 3600, _HOUR, 3 * _HOUR)
"""Nanoseconds by which clocks are wrong."""
_JUMPS = 0.02
"""How often a clock is set when somebody looks at it."""


def report(pipe: int, value: object) -> None:
    """Report something: what is reported, the process had."""
    os.write(pipe, json.dumps(value).encode() + b"\n")


def let_clock_jump() -> None:
    """Give this process a clock that is wrong, and set now and then, forwards and backwards."""
    chance = random.Random(os.getpid() * random.random())
    true = time.time_ns
    wrong = chance.choice(_CLOCKS)

    def time_ns() -> int:
        nonlocal wrong
        if chance.random() < _JUMPS:
            wrong = chance.choice(_CLOCKS)
        return true() + wrong

    time.time_ns = time_ns


class Process:
    """A forked process and what it has reported; a line cut off by the kill counts as not reported.

    Args:
        run: what it does, with the pipe. longest_life: seconds.
        may_be_away: whether it may be without its store for a while, and may see an old state of it.
    """

    def __init__(self, run: Callable[[int], None], longest_life: float, *, may_be_away: bool) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(reader)
                run(writer)
            except HubError as error:
                # A process that has no store dies like one that is killed: what it was doing is done or not. One that
                # goes by an old state, as a node shows that was stopped, is refused and does nothing.
                if may_be_away and isinstance(error, StoreUnavailable | Conflict):
                    report(writer, {"refused": type(error).__name__})
                    os.kill(os.getpid(), signal.SIGKILL)
                report(writer, {"fault": f"{error!r} {error.__cause__}"})
            except BaseException:  # noqa: BLE001 - whatever it is, it is a fault
                report(writer, {"fault": traceback.format_exc()})
            finally:
                os._exit(1)
        os.close(writer)
        self.pipe = reader
        self.dies = time.monotonic() + random.random() * longest_life
        self.stopped = False
        self._rest = b""
        self.ended = False
        self.status = 0

    def lines(self) -> list[dict[str, Any]]:
        """Return what was reported since the last call; waits for more, or for the end of the process."""
        self._rest += (piece := os.read(self.pipe, 1 << 20))
        *lines, self._rest = self._rest.split(b"\n")
        self.ended = not piece
        return [json.loads(line) for line in lines]

    def pause(self) -> None:
        """Stop it for as long as it would have lived, or let it go on after that."""
        os.kill(self.pid, signal.SIGCONT if self.stopped else signal.SIGSTOP)
        self.stopped = not self.stopped

    def kill(self) -> list[dict[str, Any]]:
        """Kill it, return its last lines."""
        os.kill(self.pid, signal.SIGKILL)
        lines = self.finish()
        return lines if os.WIFSIGNALED(self.status) else [*lines, {"fault": "a process ended before it was killed"}]

    def finish(self) -> list[dict[str, Any]]:
        """Wait for its end, return its last lines."""
        lines = []
        while not self.ended:
            lines += self.lines()
        _, self.status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        return lines
