"""The write-ahead log: numbered entries, created one after the other, applied in order by whoever sees them.

Creating entry n is the commit and the only mutual exclusion. Everything an entry writes is then put into the indices,
and at last the barrier says that entry n is there. Nobody creates n + 1 before; so what is read while the barrier
says n is exactly what the entries up to n made, or else creating n + 1 fails because somebody did it.

All documents are written with the entry's number as their external version: writing them again, early or very late,
by several processes at once, changes nothing. Only acknowledged writes prove anything: a document that was merely
read may vanish with its copy. Nothing is ever deleted.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

import orjson

from hub.errors import HubError, StoreCorrupt, StoreUnavailable
from hub.store.elastic.cluster import Cluster, Got, Source
from hub.store.elastic.entries import LEDGER_BARRIER, Barrier, Entry, intent
from hub.store.elastic.faults import RETRY_AFTER, Passing
from hub.store.elastic.names import BARRIER, BLANKED, INTENT, entry_id

BULK_BYTES = 8_000_000
"""Bytes of documents in one request, about."""
KEPT = 100
"""Entries that keep their content after they were applied, for processes that are late; older ones are blanked."""
BLANKED_TOGETHER = 50
"""Entries after which blanking goes on."""
HELP_AFTER = 1.0
"""Seconds after which others apply an entry that its writer left lying."""
_BAREST = ("what", "pos", "back", "date", "id", "type", "place", "newer", "older", "newer_spec", "later", "doc")


class Moved(Exception):
    """The store is no longer, or not yet, where the caller thinks it is: begin again."""


class Planned(Protocol):
    """What somebody wants to write: an entry, or None if there is nothing to write."""

    @property
    def entry(self) -> Entry | None:
        """The entry."""
        ...


P = TypeVar("P", bound=Planned)


class Journal:
    """Appends to the log and applies it.

    Args:
        cluster: where it is.
        patience: seconds to go on against a cluster that does not answer well.
    """

    def __init__(self, cluster: Cluster, patience: float) -> None:
        self._cluster = cluster
        self._patience = patience

    def open(self) -> None:
        """Make the first barrier if there is none; apply what a killed process left."""
        first = Barrier()
        (barrier,) = self._cluster.read_many("objects", [BARRIER])
        if barrier is None:
            self._patiently(lambda: self._begin(first))
        left = 1 + (Barrier.of(barrier) if barrier else first).number
        if self._cluster.get("log", entry_id(left)) is not None:
            self.help(left)

    def state(self) -> Barrier:
        """Return where the store stands."""
        (barrier,) = self._cluster.read_many("objects", [BARRIER])
        return _barrier(barrier)

    def read(self, at: Barrier, ids: Sequence[str], fields: Sequence[str] | None = None) -> list[Source | None]:
        """Read documents of the objects' index at a barrier.

        Raises:
            Moved: the copy that was read is not there.
        """
        wanted = None if fields is None else ("doc.barrier", *fields)
        barrier, *found = self._cluster.read_many("objects", [BARRIER, *ids], wanted)
        if _barrier(barrier).number != at.number:
            raise Moved
        return found

    def read_rows(self, at: Barrier, ids: Sequence[str]) -> list[Source | None]:
        """Read documents of the ledger's index at a barrier.

        Raises:
            Moved: the copy that was read lags behind.
        """
        barrier, *found = self._cluster.read_many("ledger", [LEDGER_BARRIER, *ids])
        if barrier is None or barrier["doc"]["number"] < at.ledger:
            raise Moved
        return found

    def append(self, plan: Callable[[Barrier], P]) -> P:
        """Commit what ``plan`` makes of the state that it is given; it may be asked again and again.

        Returns:
            Of all that ``plan`` returned the one that was committed and applied, or the last if it had no entry.

        Raises:
            StoreUnavailable: it cannot be written now; whether it was committed is unknown.
            Whatever ``plan`` raises, except `Moved`.
        """
        deadline = time.monotonic() + self._patience
        doubtful: dict[str, P] = {}
        while True:
            try:
                won = self._won(doubtful)
                if won is not None:
                    return won
                planned = plan(self.state())
                entry = planned.entry
                if entry is None:
                    return planned
                uid = uuid.uuid4().hex
                doubtful[uid] = planned
                if self._cluster.create("log", entry_id(entry.barrier.number), entry.source(uid)):
                    self._patiently(partial(self._apply, entry))
                    if entry.barrier.number % BLANKED_TOGETHER == 0:
                        self._blank(entry.barrier.number - KEPT)
                    return planned
            except Moved:
                _check(deadline)
                _wait(0.004)
            except Passing:
                _check(deadline)
                _wait(0.2)

    def _won(self, doubtful: dict[str, P]) -> P | None:
        """Look at what became of the attempts whose outcome is unknown; return the one that succeeded.

        One that is not there may arrive yet: then the next attempt, which is for the same number, fails.
        """
        for number in {planned.entry.barrier.number for planned in doubtful.values() if planned.entry}:
            got = self._cluster.get("log", entry_id(number))
            if got is None:
                continue
            won = doubtful.get(got.source["uid"])
            self.help(number, wait=won is None)
            if won is not None:
                return won
            for uid in [uid for uid, one in doubtful.items() if one.entry and one.entry.barrier.number == number]:
                del doubtful[uid]
        return None

    def help(self, number: int, *, wait: bool = True) -> None:
        """See to it that an entry of the log is applied; first give its writer a moment to do it."""
        patience_ends = time.monotonic() + (HELP_AFTER if wait else 0)
        while wait and time.monotonic() < patience_ends:
            if self.state().number >= number:
                return
            _wait(0.004)
        while self.state().number < number:
            got = self._cluster.get("log", entry_id(number))
            if got is None:
                raise Moved
            if self._cluster.touch("log", entry_id(number), uuid.uuid4().hex, got):
                self._patiently(partial(self._apply, _entry(got)))

    def _begin(self, first: Barrier) -> None:
        self._cluster.write("ledger", 0, [(LEDGER_BARRIER, _ledger_barrier(0))], refresh=True)
        marks = [(INTENT, intent(0)), (BARRIER, orjson.dumps(first.source()))]
        self._cluster.write("objects", 0, marks, refresh=True)

    def _patiently(self, work: Callable[[], None]) -> None:
        """Do what may be done twice, until it is done or patience ends."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                work()
            except Passing:
                _check(deadline)
                _wait(0.1)
            else:
                return

    def _apply(self, entry: Entry) -> None:
        number = entry.barrier.number
        if entry.rows:
            for part in _parts(entry.rows.items()):
                self._cluster.write("ledger", number, part)
            mark = (LEDGER_BARRIER, _ledger_barrier(number))
            self._cluster.write("ledger", number, [mark], refresh=True)
        for part in _parts(entry.objects.items()):
            # The first in the request: a snapshot with anything of the entry has the intent too.
            refused = self._cluster.write("objects", number, [(INTENT, intent(number)), *part])
            if refused:
                self._write_barest(number, [(id, entry.objects[id]) for id in refused])
        marks = [(INTENT, intent(number)), (BARRIER, orjson.dumps(entry.barrier.source()))]
        self._cluster.write("objects", number, marks, refresh=True)

    def _blank(self, until: int) -> None:
        """Take the content out of old entries; their numbers stay taken. What fails now is done the next time."""
        with suppress(HubError):
            got = self._cluster.get("log", BLANKED)
            done = got.source["entry"]["until"] if got else 0
            ids = [entry_id(number) for number in range(done + 1, min(until, done + 20 * BLANKED_TOGETHER) + 1)]
            if not ids:
                return
            found = self._cluster.read_many("log", ids, ("uid",))
            blank = [(id, orjson.dumps({"uid": one["uid"]})) for id, one in zip(ids, found, strict=True) if one]
            # Their own versions are those of their few confirmations.
            self._cluster.write("log", done + len(ids) + KEPT, blank)
            mark = orjson.dumps({"entry": {"until": done + len(ids)}})
            self._cluster.write("log", done + len(ids), [(BLANKED, mark)])

    def _write_barest(self, number: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write documents that the mapping refuses without what they are found by: one object must not stop the log."""
        barest = []
        for id, source in documents:
            whole = orjson.loads(source)
            barest.append((id, orjson.dumps({name: whole[name] for name in _BAREST if name in whole})))
        if self._cluster.write("objects", number, [(INTENT, intent(number)), *barest]):
            raise StoreCorrupt("The mapping of an index of the hub was changed; it takes nothing any more.")


def _barrier(source: Source | None) -> Barrier:
    if source is None:
        raise StoreCorrupt("The hub's index in Elasticsearch has lost its barrier; restore it from a snapshot.")
    return Barrier.of(source)


def _ledger_barrier(number: int) -> bytes:
    return orjson.dumps({"doc": {"number": number}})


def _entry(got: Got) -> Entry:
    if "entry" not in got.source:
        raise Moved
    return Entry.of(got.source)


def _parts(documents: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    part: list[tuple[str, bytes]] = []
    size = 0
    for document in documents:
        if part and size + len(document[1]) > BULK_BYTES:
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document[1])
    if part:
        yield part


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise StoreUnavailable(
            "Elasticsearch takes no writes just now; nothing acknowledged was lost, try again.", retry_after=RETRY_AFTER
        )


def _wait(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.5, 2))  # noqa: S311 - so that processes do not keep meeting
