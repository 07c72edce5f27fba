"""Leases: background work divided among the processes that do it, on one machine or several.

Only who does the work depends on a lease, never what comes of it: every job commits with cursors and expectations of
its own, so two that do the same do it once. No clock is compared with another machine's. A worker believes in its
lease for half of its length after it *began* to write a sign of life; another one takes its work when it has seen the
same sign, by its own clock, for three quarters of the length. In the same commit the sign is taken away, which fails
when there is a newer one; and a worker whose sign is gone knows that it lost everything.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as _replaced

import msgspec
import structlog

from hub.errors import Conflict, HubError
from hub.model.times import SECOND
from hub.ops.board import (
    Board,
    Seen,
    Worker,
    beat_end,
    beat_write,
    board_write,
    is_gone,
    read_board,
    this_worker,
)
from hub.ops.division import division
from hub.store.ports import Batch, DocumentWrite, Store

_TRIES = 20
_LAST_LOOKS = 0.1
"""Seconds between looks while leaving."""


def steady() -> int:
    """Return microseconds of a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000


@dataclass(frozen=True)
class _Sight:
    """A sign of life as this worker watches it: which one, and when it was there for the first time and the last."""

    version: int
    first: int
    last: int


class Leases:
    """What this process may work on now. `kept_up` renews; jobs ask `working`. Used from two threads.

    Args:
        store: the store that all workers share. offers: called at each look: the pieces that this worker can do.
        length: microseconds in which a dead worker is replaced. clock: microseconds, never set (`steady`).
        gone: says of a worker whether it has ended for sure.
    """

    def __init__(
        self,
        store: Store,
        offers: Callable[[], Collection[str]],
        length: int,
        clock: Callable[[], int] = steady,
        gone: Callable[[Worker], bool] = is_gone,
    ) -> None:
        self._store = store
        self._offers = offers
        self._clock = clock
        self._gone = gone
        self._me = this_worker(uuid.uuid4().hex, length)
        self._number: str | None = None
        self._watched: dict[str, _Sight] = {}
        self._began = clock() - length
        """When the last sign of life that was written was begun."""
        self._lock = threading.Lock()
        self._held: frozenset[str] = frozenset()
        self._until = self._began
        self._busy: set[str] = set()
        self._leaving = False
        self._log = structlog.get_logger("hub.work").bind(worker=self._me.nonce[:8])

    @property
    def nonce(self) -> str:
        """What tells this worker from all others."""
        return self._me.nonce

    @property
    def pause(self) -> float:
        """Seconds between two looks."""
        return self._me.lease / 12 / SECOND

    def holds(self, piece: str) -> bool:
        """Say whether a piece is this worker's now."""
        with self._lock:
            return self._has(piece)

    @contextmanager
    def working(self, *pieces: str) -> Iterator[frozenset[str]]:
        """Give those of the pieces that are this worker's; it keeps them, if it can, until the block is left."""
        with self._lock:
            mine = frozenset(piece for piece in pieces if self._has(piece))
            self._busy |= mine
        try:
            yield mine
        finally:
            with self._lock:
                self._busy -= mine

    def look(self) -> None:
        """Renew, replace who died, take what is due to this worker and give away what is not.

        Raises:
            StoreUnavailable, StoreFull: look again later; what is held lasts until the lease ends.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(Conflict):  # somebody else was faster: look again at what he did
                self._look()
                return

    def retire(self) -> None:
        """Give back what is not being worked on, and begin nothing more; again, until `leave`.

        Raises:
            StoreUnavailable, StoreFull: as `look`.
        """
        self._leaving = True
        self.look()

    def leave(self) -> None:
        """Give everything back at once: nothing is being worked on any more.

        Raises:
            StoreUnavailable, StoreFull: others take it when the lease ends.
        """
        self.retire()
        for _ in range(_TRIES):
            with contextlib.suppress(Conflict):
                self._go()
                return

    def _has(self, piece: str) -> bool:
        return piece in self._held and self._clock() < self._until

    def _look(self) -> None:
        before = self._clock()
        seen = read_board(self._store)
        self._watch(seen, before, self._clock())
        number = self._own_number(seen)
        joins = number is None
        if number is None:
            if self._leaving:
                return
            number = seen.board.free_number()
        me = msgspec.structs.replace(self._me, offers=() if self._leaving else tuple(sorted(self._offers())))
        dead = self._dead(seen, number)
        workers = {name: one for name, one in seen.board.workers.items() if name not in dead} | {number: me}
        held = {piece: holder for piece, holder in seen.board.holders.items() if holder in workers}
        had = frozenset(piece for piece, holder in held.items() if holder == number)
        wanted, kept = self._wanted(number, workers, held)
        others = {piece: holder for piece, holder in held.items() if holder != number}
        board = Board(workers, others | dict.fromkeys(kept, number))
        began = self._clock()
        beat = beat_write(number, me.nonce, None if joins else seen.beats[number].version)
        if board != seen.board:
            ends = [beat_end(name, seen.beats[name].version) for name in dead]
            self._commit([board_write(board, seen.version), *ends, beat])
        elif began - self._began >= me.lease // 4:
            self._commit([beat])
        else:
            began = self._began
        self._believe(number, wanted, began)
        self._tell(number, [seen.board.workers[name] for name in dead], kept - had, had - kept)

    def _commit(self, documents: Collection[DocumentWrite]) -> None:
        self._store.commit(Batch(documents=list(documents)))

    def _own_number(self, seen: Seen) -> str | None:
        """Return this worker's number, or None when it has none, or lost it with all its work.

        The board decides: of a commit whose answer was lost nobody knows whether it was done.
        """
        nonce = self._me.nonce
        number = next((name for name, one in seen.board.workers.items() if one.nonce == nonce), None)
        if number is not None and seen.beats[number].nonce == nonce:
            return number
        if self._number is not None:
            self._number = None
            with self._lock:
                lost, self._held = self._held, frozenset()
            self._log.warning("work was lost to others: it was not renewed in time", pieces=sorted(lost))
        return None

    def _watch(self, seen: Seen, before: int, after: int) -> None:
        watched = {}
        for name, beat in seen.beats.items():
            known = self._watched.get(name)
            same = known is not None and known.version == beat.version
            watched[name] = _replaced(known, last=before) if known and same else _Sight(beat.version, after, after)
        self._watched = watched

    def _dead(self, seen: Seen, but: str) -> list[str]:
        def is_dead(name: str, worker: Worker) -> bool:
            sight = self._watched[name]
            return sight.last - sight.first >= worker.lease * 3 // 4 or self._gone(worker)

        return [name for name, one in seen.board.workers.items() if name != but and is_dead(name, one)]

    def _wanted(
        self, number: str, workers: dict[str, Worker], held: dict[str, str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Return what this worker shall have, and that together with what it must finish before it gives it away.

        The right to begin what it gives away is gone before anybody else can take it.
        """
        due = division({name: one.offers for name, one in workers.items()}, held)
        # Another's is taken only when he has given it away himself.
        wanted = frozenset(p for p, worker in due.items() if worker == number and held.get(p, number) == number)
        with self._lock:
            self._held &= wanted
            return wanted, wanted | {piece for piece in self._busy if held.get(piece) == number}

    def _believe(self, number: str, wanted: frozenset[str], began: int) -> None:
        self._number = number
        self._began = began
        with self._lock:
            self._held = wanted
            self._until = began + self._me.lease // 2

    def _tell(self, number: str, dead: Collection[Worker], taken: Collection[str], given: Collection[str]) -> None:
        for one in dead:
            self._log.warning("a worker is gone, others take its work", gone=one.nonce[:8], host=one.host, pid=one.pid)
        if taken:
            self._log.info("work taken", number=number, pieces=sorted(taken))
        if given:
            self._log.info("work given back", number=number, pieces=sorted(given))

    def _go(self) -> None:
        seen = read_board(self._store)
        number = self._own_number(seen)
        if number is None:
            return
        workers = {name: one for name, one in seen.board.workers.items() if name != number}
        holders = {piece: holder for piece, holder in seen.board.holders.items() if holder != number}
        board = board_write(Board(workers, holders), seen.version)
        self._commit([board, beat_end(number, seen.beats[number].version)])
        self._number = None


@contextmanager
def kept_up(leases: Leases, stop: threading.Event) -> Iterator[None]:
    """Look again and again in a thread of its own while the block runs, and give everything back at its end.

    Once ``stop`` is set, what is not being worked on goes to others at once.
    """
    over = threading.Event()
    log = structlog.get_logger("hub.work")
    failing = False

    def tried(step: Callable[[], None]) -> None:
        nonlocal failing
        try:
            step()
            failing = False
        except HubError as error:
            if not failing:
                log.warning("work cannot be shared out now", code=error.code, reason=error.message)
            failing = True
        except Exception:  # a bug here must not end the thread: the work would rest for ever
            log.exception("work cannot be shared out now")

    def keep() -> None:
        while not over.is_set():
            if stop.is_set():
                tried(leases.retire)
                over.wait(_LAST_LOOKS)
            else:
                tried(leases.look)
                stop.wait(leases.pause)

    tried(leases.look)
    keeper = threading.Thread(target=keep, name="leases")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        over.set()
        keeper.join()
        tried(leases.leave)
