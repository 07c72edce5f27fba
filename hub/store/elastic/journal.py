"""The write-ahead log: numbered entries, created one after the other, applied in order by whoever sees them.

Creating entry n is the commit and the only mutual exclusion. Everything an entry writes is then put into the indices,
and at last the barrier says that entry n is there. Nobody creates n + 1 before; so what is read while the barrier
says n is exactly what the entries up to n made, or else creating n + 1 fails because somebody did it. Each shard has a
barrier of its own, and they are written together, when all shards have the entry: what counts is the lowest.

All documents are written with the entry's number as their external version: writing them again, early or very late,
by several processes at once, changes nothing. Only acknowledged writes prove anything: a document that was merely
read may vanish with its copy. Nothing is ever deleted.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

import orjson

from hub.errors import HubError, StoreCorrupt, StoreUnavailable
from hub.store.elastic.changes import reduced
from hub.store.elastic.cluster import Cluster, Got, Source
from hub.store.elastic.entries import BULK_BYTES, Barrier, Entry, intent
from hub.store.elastic.faults import RETRY_AFTER, Missing, Passing
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import Generation, log_of
from hub.store.elastic.names import BLANKED, entry_id

AT_THE_SAME_TIME = 2
"""Requests with parts of an entry that are under way at the same time."""
FEWEST = 100
"""Documents for which a request of their own is not worth it."""
KEPT = 100
"""Entries that keep their content after they were applied, for processes that are late; older ones are blanked."""
BLANKED_TOGETHER = 50
"""Entries after which blanking goes on."""
HELP_AFTER = 1.0
"""Seconds after which others apply an entry that its writer left lying."""
BAREST = frozenset(
    ("what", "pos", "back", "date", "id", "type", "place", "newer", "older", "newer_spec", "later", "inner", "doc")
)
"""Without these a document of the objects' index is none."""


class Moved(Exception):
    """The store is no longer, or not yet, where the caller thinks it is: begin again."""


class Planned(Protocol):
    """What somebody wants to write: an entry, or None if there is nothing to write."""

    @property
    def entry(self) -> Entry | None:
        """The entry."""
        ...


P = TypeVar("P", bound=Planned)
Part = list[tuple[str, bytes]]
T = TypeVar("T")


class Journal:
    """Appends to the log and applies it.

    Args:
        cluster: where it is. generations: the indices that entries are written to.
        patience: seconds to go on against a cluster that does not answer well.
    """

    def __init__(self, cluster: Cluster, generations: Generations, patience: float) -> None:
        self._cluster = cluster
        self._log = log_of(cluster)
        self._generations = generations
        self._patience = patience
        self._hands = ThreadPoolExecutor(AT_THE_SAME_TIME)

    def open(self) -> None:
        """Make the first barriers if there are none; apply what a killed process left."""
        # Indices that another process is making may not be there on any node yet.
        barriers = self._patiently(
            lambda: self._generations.reading(lambda now: self._cluster.read_many(now.objects, now.marks.barriers))
        )
        if None in barriers:
            self._patiently(lambda: self._begin(self._generations.current))
        left = 1 + self.state().number
        if self.is_taken(left):
            with suppress(Moved):
                self.help(left)

    def is_taken(self, number: int) -> bool:
        """Say whether somebody created an entry of this number."""
        return self._cluster.get(self._log, entry_id(number)) is not None

    def state(self) -> Barrier:
        """Return where the store stands."""
        return self._generations.reading(lambda _: self._generations.barrier())

    def read(self, at: Barrier, ids: Sequence[str], fields: Sequence[str] | None = None) -> list[Source | None]:
        """Read documents of the objects' index at a barrier.

        Raises:
            Moved: the copy of a shard that was read is not there.
        """
        wanted = None if fields is None else ("doc.barrier", *fields)
        barriers, found = self._read(at, ids, wanted)
        if any(one is None or Barrier.of(one).number != at.number for one in barriers):
            raise Moved
        return found

    def read_rows(self, at: Barrier, rows: Sequence[tuple[str, str]]) -> list[Source | None]:
        """Read rows of the ledger at a barrier.

        Args:
            at: where the store stands. rows: month and id of each.

        Raises:
            Moved: the copy of a shard that was read lags behind.
        """
        last = dict(at.months)
        marks = self._generations.get(at.generation).marks.barriers
        barriers = [(month, id) for month in dict.fromkeys(month for month, _ in rows if month in last) for id in marks]
        there = [row for row in rows if row[0] in last]
        found = self._read_each(at, [*barriers, *there]) if there else []
        for (month, _), one in zip(barriers, found, strict=False):
            if one is None or one["doc"]["number"] < last[month]:
                raise Moved
        read = dict(zip(there, found[len(barriers) :], strict=True))
        return [read.get(row) for row in rows]

    def _read_each(self, at: Barrier, rows: Sequence[tuple[str, str]]) -> list[Source | None]:
        try:
            target = self._generations.get(at.generation)
            return self._cluster.read_each([(target.month(month), id) for month, id in rows])
        except Missing as error:
            if self.state() == at:
                raise
            raise Moved from error

    def _read(
        self, at: Barrier, ids: Sequence[str], fields: Sequence[str] | None = None
    ) -> tuple[list[Source | None], list[Source | None]]:
        """Return the barriers of the objects' index, each read before what lies in its shard, and documents."""
        try:
            target = self._generations.get(at.generation)
            barriers = target.marks.barriers
            found = self._cluster.read_many(target.objects, [*barriers, *ids], fields)
        except Missing as error:
            # Either others took its place, and the state says so, or it is lost, and reading the state says that.
            self.state()
            raise Moved from error
        return found[: len(barriers)], found[len(barriers) :]

    def append(self, plan: Callable[[Barrier], P]) -> P:
        """Commit what ``plan`` makes of the state that it is given; it may be asked again and again.

        Returns:
            Of all that ``plan`` returned the one that was committed and applied, or the last if it had no entry.

        Raises:
            StoreUnavailable: it cannot be written now; whether it was committed is unknown.
            Whatever ``plan`` raises, except `Moved`.
        """
        deadline = time.monotonic() + self._patience
        doubtful: dict[str, tuple[int, P]] = {}
        while True:
            try:
                won = self._won(doubtful)
                if won is not None:
                    return won
                state = self.state()
                if any(number <= state.number for number, _ in doubtful.values()):
                    # One of them came after it was looked for: a plan made now would make it a second time.
                    raise Moved
                planned = plan(state)
                entry = planned.entry
                if entry is None:
                    return planned
                uid = uuid.uuid4().hex
                doubtful[uid] = entry.barrier.number, planned
                if self._cluster.create(self._log, entry_id(entry.barrier.number), entry.source(uid)):
                    self._patiently(partial(self._apply, entry))
                    if entry.barrier.number % BLANKED_TOGETHER == 0:
                        self._blank(entry.barrier.number - KEPT)
                    return planned
            except Moved as error:
                if time.monotonic() > deadline:
                    raise _busy() from error
                _wait(0.004)
            except Passing:
                if time.monotonic() > deadline:
                    raise
                _wait(0.2)

    def _won(self, doubtful: dict[str, tuple[int, P]]) -> P | None:
        """Look at what became of the attempts whose outcome is unknown; return the one that succeeded.

        One that is not there may arrive yet: then the next attempt, which is for the same number, fails.
        """
        for number in {number for number, _ in doubtful.values()}:
            got = self._cluster.get(self._log, entry_id(number))
            if got is None:
                continue
            won = doubtful.get(got.source["uid"])
            self.help(number, wait=won is None)
            if won is not None:
                return won[1]
            for uid in [uid for uid, (lost, _) in doubtful.items() if lost == number]:
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
            got = self._cluster.get(self._log, entry_id(number))
            if got is None:
                raise Moved
            if self._cluster.touch(self._log, entry_id(number), uuid.uuid4().hex, got):
                self._patiently(partial(self._apply, _entry(got)))

    def _begin(self, first: Generation) -> None:
        # With entries in the log they were there, and are lost: that is for `state` to tell.
        if not self.is_taken(1):
            self._cluster.write(first.objects, 0, [*_intents(first, 0), *_barriers(first, Barrier())], refresh=True)

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do what may be done twice, until it is done or patience ends."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return work()
            except Passing:
                if time.monotonic() > deadline:
                    raise
                _wait(0.1)

    def _apply(self, entry: Entry) -> None:
        for number in entry.written:
            try:
                self._apply_to(self._generations.get(number), entry)
            except Missing:
                # Indices that are not read (no longer, or never will be) stop nobody; those that are read may have been
                # replaced, or a month forgotten, since: then the entry was applied long ago.
                if number == entry.barrier.generation and self.state().number < entry.barrier.number:
                    raise

    def _apply_to(self, target: Generation, entry: Entry) -> None:
        number = entry.barrier.number
        for month, rows in entry.rows.items():
            self._together(rows, partial(self._cluster.write, target.month(month), number))
            self._mark_rows(target, month, number)
        if not entry.rows and not entry.objects:
            # It is about the indices themselves (`hub.store.elastic.upgrade`); months may be forgotten meanwhile.
            for month, _ in entry.barrier.months:
                with suppress(Missing):
                    self._mark_rows(target, month, number)
        intents = _intents(target, number)
        # First in each request: a snapshot of a shard with anything of the entry has the intent too.
        for refused in self._together(
            entry.objects, lambda part: self._cluster.write(target.objects, number, [*intents, *part])
        ):
            if refused:
                self._write_less(target, number, {id: orjson.loads(entry.objects[id]) for id in refused})
        self._cluster.write(target.objects, number, [*intents, *_barriers(target, entry.barrier)], refresh=True)

    def _together(self, documents: Mapping[str, bytes], write: Callable[[Part], list[str]]) -> Iterable[list[str]]:
        """Write documents, many of them in requests at the same time; return what each request returned.

        When one fails the others go on: what an entry writes may be written at any time.
        """
        parts = list(_parts(documents))
        return [write(part) for part in parts] if len(parts) < 2 else list(self._hands.map(write, parts))

    def close(self) -> None:
        """Let the threads go."""
        self._hands.shutdown(wait=False)

    def _mark_rows(self, target: Generation, month: str, number: int) -> None:
        mark = orjson.dumps({"doc": {"number": number}})
        self._cluster.write(target.month(month), number, [(id, mark) for id in target.marks.barriers], refresh=True)

    def _blank(self, until: int) -> None:
        """Take the content out of old entries; their numbers stay taken. What fails now is done the next time."""
        with suppress(HubError):
            got = self._cluster.get(self._log, BLANKED)
            done = got.source["entry"]["until"] if got else 0
            ids = [entry_id(number) for number in range(done + 1, min(until, done + 20 * BLANKED_TOGETHER) + 1)]
            if not ids:
                return
            found = self._cluster.read_many(self._log, ids, ("uid",))
            blank = [(id, orjson.dumps({"uid": one["uid"]})) for id, one in zip(ids, found, strict=True) if one]
            # Their own versions are those of their few confirmations.
            self._cluster.write(self._log, done + len(ids) + KEPT, blank)
            mark = orjson.dumps({"entry": {"until": done + len(ids)}})
            self._cluster.write(self._log, done + len(ids), [(BLANKED, mark)])

    def _write_less(self, target: Generation, number: int, documents: Mapping[str, Source]) -> None:
        """Write documents that the mapping refuses with less to find them by: one object must not stop the log.

        First without what an older mapping does not know, then without all that may be left out.
        """
        refused: Iterable[str] = documents
        for kept in (target.fields, BAREST):
            less = [(id, orjson.dumps(reduced(documents[id], kept))) for id in refused]
            refused = self._cluster.write(target.objects, number, [*_intents(target, number), *less])
            if not refused:
                return
        raise StoreCorrupt("The mapping of an index of the hub was changed; it takes nothing any more.")


def _intents(target: Generation, number: int) -> list[tuple[str, bytes]]:
    return [(id, intent(number)) for id in target.marks.intents]


def _barriers(target: Generation, barrier: Barrier) -> list[tuple[str, bytes]]:
    source = orjson.dumps(barrier.source())
    return [(id, source) for id in target.marks.barriers]


def _entry(got: Got) -> Entry:
    if "entry" not in got.source:
        raise Moved
    return Entry.of(got.source)


def _parts(documents: Mapping[str, bytes]) -> Iterator[Part]:
    most = max(-(-len(documents) // AT_THE_SAME_TIME), FEWEST)
    part: Part = []
    size = 0
    for document in documents.items():
        if part and (len(part) >= most or size + len(document[1]) > BULK_BYTES):
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document[1])
    if part:
        yield part


def _busy() -> StoreUnavailable:
    return StoreUnavailable("The store is busy with other writes; try again.", retry_after=RETRY_AFTER)


def _wait(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.5, 2))  # noqa: S311 - so that processes do not keep meeting
