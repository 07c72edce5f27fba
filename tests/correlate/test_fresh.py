"""What one process commits, events that another takes in fall under at once: its index is fresh from the log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.correlate.parts import ROOT, open_parts

SECONDS = count()
"""No two events are the same, else they would be one log that is read again."""


@contextmanager
def listening(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes in events, as on another machine, and wait until its index is built."""
    words = [sys.executable, "-m", "tests.correlate.listening", str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def hits(process: subprocess.Popen[str], address: str) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{next(SECONDS)} {address}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def committed_here_is_matched_there(folder: Path) -> None:
    here = open_parts(folder)
    try:
        with listening(folder) as there:
            assert hits(there, "203.0.113.5") == 0
            here.feed(["203.0.113.5"])
            assert hits(there, "203.0.113.5") == 1
            assert hits(there, "198.51.100.77") == 0
            here.feed(["198.51.100.0/24"])
            assert hits(there, "198.51.100.77") == 1
            with listening(folder) as fresh:
                assert [hits(fresh, one) for one in ("203.0.113.5", "198.51.100.78", "203.0.113.6")] == [1, 1, 0]
                here.feed(["203.0.113.6"])
                assert [hits(one, "203.0.113.6") for one in (there, fresh)] == [1, 1]
        # Events that came before their indicator: the past is hunted by whoever has that work.
        here.correlation.settle(force=True)
        assert {name.split()[1] for name in here.sighted()} == {"203.0.113.5", "203.0.113.6", "198.51.100.0/24"}
    finally:
        here.store.close()


def test_an_indicator_is_matched_by_another_process_at_once(tmp_path: Path) -> None:
    committed_here_is_matched_there(tmp_path)
