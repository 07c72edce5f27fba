"""The board: which workers there are and who has which piece of the background work, as control documents.

One document holds the whole division and is only changed by whoever read it as it is (``expect``), so a piece never
has two workers. A worker shows that it lives by writing a small document of its own again and again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from hub.model.times import now
from hub.store.ports import DocumentWrite, Store

_KIND = "work"
_BOARD = "board"
_UNKNOWN = "unknown"


class Worker(msgspec.Struct, frozen=True, omit_defaults=True):
    """One process that does background work.

    Attributes:
        nonce: tells it from others that had its number before. host, pid: for people.
        place, process: where a process on the same system can look whether it lives (`is_gone`); empty if nowhere.
        lease: microseconds. since: when it came, by its own clock; for people.
        offers: the pieces that it is able to do.
    """

    nonce: str
    host: str
    pid: int
    place: str
    process: str
    lease: int
    since: int
    offers: tuple[str, ...] = ()


class Board(msgspec.Struct, frozen=True):
    """Workers by number, and the number of the worker that has each piece."""

    workers: dict[str, Worker] = {}
    holders: dict[str, str] = {}

    def free_number(self) -> str:
        """Return a number for one more worker. They are used again: an engine may keep something of each key."""
        return next(number for number in map(str, range(len(self.workers) + 1)) if number not in self.workers)


class Beat(NamedTuple):
    """A worker's sign of life: which one of all, whose, and when by the writer's clock (for people)."""

    version: int
    nonce: str
    at: int


class Seen(NamedTuple):
    """The board as read, the version it has, and the signs of life of its workers."""

    board: Board
    version: int
    beats: Mapping[str, Beat]


class _Sign(msgspec.Struct, frozen=True):
    nonce: str
    at: int


_NO_BEAT = Beat(0, "", 0)


def read_board(store: Store) -> Seen:
    """Read the board, then the signs of life."""
    document = store.document(_KIND, _BOARD)
    board = Board() if document is None else msgspec.json.decode(document.value, type=Board)
    numbers = list(board.workers)
    beats = dict.fromkeys(numbers, _NO_BEAT)
    for number, found in zip(numbers, store.documents_at([_beat(one) for one in numbers]), strict=True):
        if found is not None:
            sign = msgspec.json.decode(found.value, type=_Sign)
            beats[number] = Beat(found.version, sign.nonce, sign.at)
    return Seen(board, 0 if document is None else document.version, beats)


def board_write(board: Board, expect: int) -> DocumentWrite:
    """Write the board, provided that it is still the version that was read."""
    return DocumentWrite(_KIND, _BOARD, msgspec.json.encode(board), expect=expect)


def beat_write(number: str, nonce: str, expect: int | None) -> DocumentWrite:
    """Show that a worker lives, provided that nobody has declared it dead; None for one that comes."""
    return DocumentWrite(*_beat(number), msgspec.json.encode(_Sign(nonce, now())), expect=expect)


def beat_end(number: str, expect: int) -> DocumentWrite:
    """Take a worker's sign of life away, provided that it has not shown another one."""
    return DocumentWrite(*_beat(number), None, expect=expect)


def _beat(number: str) -> tuple[str, str]:
    return _KIND, f"worker-{number}"


def this_worker(nonce: str, lease: int) -> Worker:
    """Describe this process."""
    pid = os.getpid()
    return Worker(nonce, socket.gethostname(), pid, _place(), _process(pid), lease, now())


def is_gone(worker: Worker) -> bool:
    """Say whether a worker of this very system has ended for sure; of others nothing can be said so."""
    if not worker.place or worker.place != _place():
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it lives, and is another user's
        return False
    return _process(worker.pid) not in (worker.process, _UNKNOWN)


def _place() -> str:
    """Name the running system and the space that process numbers are unique in; empty where that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> str:
    """Return when a process was started, which with its number is unique, or that it has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return _UNKNOWN
    return "ended" if state in "ZX" else rest[18]
