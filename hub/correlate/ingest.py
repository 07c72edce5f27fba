"""Sensor logs in: each slice of a log is counted, matched and judged by the rules, and committed as one batch.

The batch holds the ledger counts, the sample events, how far the file was read, the marks of what was touched
(`hub.correlate.sightings` works them off), the rules' states and the quarantine of unreadable lines. Killed at any
moment, the next run goes on behind the last commit, so every event counts once.

Events and indicators arrive at the same time. A slice is matched against the log up to a position and leaves a
request for `hub.correlate.retrohunt` to look again at whatever comes behind that position, so neither order of two
commits loses a hit.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Protocol, cast

import msgspec

from hub.admission.quarantine import quarantine_write
from hub.collector import no_collection
from hub.correlate.city import Sensor
from hub.correlate.index import MatchIndex
from hub.correlate.logfile import LogFile
from hub.correlate.marks import FINDING_DUE, RULE_STATE, rehunt_from, touch
from hub.correlate.matching import Hit, Match, Matcher, to_hit
from hub.correlate.rules import CityRules, Evidence, RuleState, Watch, advance
from hub.errors import Conflict, NoSuchFile, NotThatFormat
from hub.model.events import Event
from hub.model.items import BadItem, EventItem
from hub.model.times import DAY, now
from hub.store.ports import SAMPLES, Batch, DocumentWrite, LedgerCount, LedgerKey, Store

SLICE: Final = 20_000
"""Items of a log that are committed together."""

CUT_OFF: Final = "cut-off"
"""Reason of a `BadItem` that is the incomplete last record of a log."""

MATCHED: Final = 200
"""Events that `EventIngest.match` looks up together: few enough to die young (2 x faster than with thousands)."""

_UNFIRED_KEPT: Final = 30 * DAY
_ATTEMPTS: Final = 20
_SAMPLED_KEPT: Final = 100_000
_BROKEN: Final = (NotThatFormat, EOFError, gzip.BadGzipFile, zlib.error)


class SensorFormat(Protocol):
    """What this module needs of a log format (`connectors.sensors`)."""

    def events(self, stream: BinaryIO, sensor: str, *, name: str = "", start: int = 0) -> Iterator[EventItem | BadItem]:
        """Yield the events of a log in order, those behind byte ``start``."""
        ...


@dataclass(slots=True)
class EventReceipt:
    """What became of a log.

    Attributes:
        events: read and counted in this run; what an earlier run counted is not read again.
        bad: lines that went to quarantine. hits: observations that fell under a live indicator.
        indicators: how many distinct indicators were hit. findings: how many sources the city's rules spoke about.
        unfinished: whether the log ends in the middle of a record, which the next run reads if the rest has come.
        resumed_at: byte at which reading went on, 0 for a log that was never seen.
    """

    events: int = 0
    bad: int = 0
    hits: int = 0
    indicators: set[str] = field(default_factory=set)
    findings: set[str] = field(default_factory=set)
    unfinished: bool = False
    resumed_at: int = 0


@dataclass(slots=True)
class _Row:
    number: int
    first: int
    last: int
    samples: list[Event]


class _Slice:
    """The counts of some thousand events, and what the rules take from them; the events themselves are let go."""

    def __init__(self, watch: Watch) -> None:
        self.rows: dict[tuple[str, int], dict[str, _Row]] = {}
        self.watch = watch
        self.number = 0
        self.bad: list[BadItem] = []
        self.unfinished = False
        self.end = 0

    def add(self, items: Iterable[EventItem | BadItem]) -> None:
        """Take in items; a record that the log breaks off in is left for the next run."""
        rows_of, note = self.rows, self.watch.note
        sensor_day: tuple[str, int] | None = None
        rows: dict[str, _Row] = {}
        for item in items:
            if isinstance(item, BadItem):
                self.unfinished = item.reason == CUT_OFF
                if not self.unfinished:
                    self.bad.append(item)
                    self.end = item.end
                continue
            self.end = item.end
            event = item.event
            time = event.time
            self.number += 1
            note(event)
            if sensor_day is None or sensor_day[1] != time // DAY or sensor_day[0] != event.sensor:
                sensor_day = (event.sensor, time // DAY)
                rows = rows_of.setdefault(sensor_day, {})
            for observable in event.observables:
                row = rows.get(observable)
                if row is None:
                    rows[observable] = _Row(1, time, time, [event])
                    continue
                row.number += 1
                if time > row.last:
                    row.last = time
                elif time < row.first:
                    row.first = time
                if len(row.samples) < SAMPLES:
                    row.samples.append(event)

    def observables(self) -> set[str]:
        """Return every distinct observable of the slice."""
        return set().union(*self.rows.values())


class _Sampled:
    """Which ledger rows this run gave all their samples, so that they are not offered again and again."""

    def __init__(self) -> None:
        self._given: dict[LedgerKey, int] = {}

    def wants(self, key: LedgerKey, number: int) -> bool:
        """Whether the row may still lack samples; takes note that so many are offered now."""
        before = self._given.get(key, 0)
        if before >= SAMPLES:
            return False
        if len(self._given) >= _SAMPLED_KEPT:
            self._given.clear()
        self._given[key] = before + number
        return True


class EventIngest:
    """Reads logs of the city's sensors into the store.

    Args:
        store: the store. index: kept fresh here, slice by slice. matcher: confirms. rules: the city's own.
        slice_size: items in one commit.
    """

    def __init__(
        self, store: Store, index: MatchIndex, matcher: Matcher, rules: CityRules, *, slice_size: int = SLICE
    ) -> None:
        self._store = store
        self._index = index
        self._matcher = matcher
        self._rules = rules
        self._slice_size = slice_size

    def run(
        self,
        source: Path | BinaryIO,
        sensor_format: SensorFormat,
        sensor: Sensor,
        *,
        progress: Callable[[int], None] = lambda _: None,
    ) -> EventReceipt:
        """Read a log to its end, from where an earlier run of the same log stopped.

        Args:
            source: a file (``*.gz`` is unpacked on the way), or an open stream (copied to a temporary file first
                if it cannot be wound back).
            sensor_format: how to read it. sensor: which sensor wrote it.
            progress: told the byte position after each commit.

        Raises:
            NoSuchFile: the file cannot be read. NotThatFormat: it is something else as a whole; what was committed
            before stays. StoreUnavailable, StoreFull: run it again later.
        """
        with _opened(source) as stream:
            log = LogFile(self._store, stream, sensor.name)
            receipt = EventReceipt(resumed_at=log.offset)
            stream.seek(0)
            items = sensor_format.events(stream, sensor.name, name=log.name, start=log.offset)
            sampled = _Sampled()
            fault: Exception | None = None
            while fault is None:
                part = _Slice(self._rules.watch(sensor))
                with no_collection():
                    try:
                        part.add(islice(items, self._slice_size))
                    except _BROKEN as broken:
                        fault = broken
                    if part.number or part.bad:
                        self._commit(part, log, sensor, sampled, receipt)
                progress(log.offset)
                receipt.unfinished |= part.unfinished
                if fault is None and not part.number and not part.bad:
                    return receipt
            raise fault

    def match(self, source: Path | BinaryIO, sensor_format: SensorFormat, sensor: Sensor) -> Iterator[Hit]:
        """Yield the hits of a log without storing anything; unreadable lines are passed over.

        Raises:
            NoSuchFile, NotThatFormat: as `run`.
        """
        self._index.refresh()
        with _opened(source) as stream:
            events = (item.event for item in sensor_format.events(stream, sensor.name) if isinstance(item, EventItem))
            while part := list(islice(events, MATCHED)):
                matches = self._matches(set().union(*[event.observables for event in part]))
                for event in part if matches else ():
                    for observable in event.observables:
                        peers = matches.get(observable, ())
                        for match in peers:
                            if match.indicator.live_at(event.time):
                                yield to_hit(self._matcher, match, peers, observable, event.time, event.sensor)

    def _matches(self, observables: set[str]) -> dict[str, list[Match]]:
        return self._matcher.confirm(self._index.covered(observables))

    def _commit(self, part: _Slice, log: LogFile, sensor: Sensor, sampled: _Sampled, receipt: EventReceipt) -> None:
        counts: dict[LedgerKey, LedgerCount] = {}
        samples: dict[LedgerKey, list[Event]] = {}
        for (name, day), rows in part.rows.items():
            for observable, row in rows.items():
                key = LedgerKey(observable, name, day)
                counts[key] = LedgerCount(row.number, row.first, row.last)
                if sampled.wants(key, len(row.samples)):
                    samples[key] = row.samples
        quarantine = [quarantine_write(item, source=f"sensor:{sensor.name}") for item in part.bad]
        for attempt in range(_ATTEMPTS):
            self._index.refresh()
            seen = self._seen(part)
            documents = [
                *log.moved(part.end),
                rehunt_from(self._store, log.key, self._index.position),
                *(touch(key, day) for key, day in sorted(seen.touched)),
                *self._judged(part.watch.evidence, receipt),
                *quarantine,
            ]
            try:
                self._store.commit(Batch(ledger=counts, samples=samples, documents=documents))
                break
            except Conflict:
                log.check_unmoved()
                if attempt == _ATTEMPTS - 1:
                    raise
        log.committed()
        receipt.events += part.number
        receipt.bad += len(part.bad)
        receipt.hits += seen.hits
        receipt.indicators |= seen.indicators

    def _seen(self, part: _Slice) -> _Seen:
        seen = _Seen()
        for observable, matches in self._matches(part.observables()).items():
            for (_, day), rows in part.rows.items():
                row = rows.get(observable)
                if row is None:
                    continue
                live = [match for match in matches if match.indicator.live_at(row.first)]
                seen.touched.update((match.key, day) for match in live)
                seen.indicators.update(match.indicator.id for match in live)
                seen.hits += row.number if live else 0
        return seen

    def _judged(self, evidence: Mapping[Evidence, list[int]], receipt: EventReceipt) -> Iterator[DocumentWrite]:
        """Move the state of every rule that has new evidence; a state whose finding moved is marked as due."""
        for (rule, key), times in evidence.items():
            if self._matcher.refused(key):
                continue
            name = f"{rule}|{key}"
            saved = self._store.document(RULE_STATE, name)
            before = msgspec.json.decode(saved.value, type=RuleState) if saved else RuleState()
            after = advance(self._rules.rules[rule], before, times)
            if (after.first, after.last) != (before.first, before.last):
                receipt.findings.add(name)
                yield DocumentWrite(FINDING_DUE, name, b"{}")
            if after != before:
                expires = None if after.first is not None else now() + _UNFIRED_KEPT
                version = saved.version if saved else 0
                yield DocumentWrite(RULE_STATE, name, msgspec.json.encode(after), version, expires)


@dataclass(slots=True)
class _Seen:
    """What the observables of a slice fell under."""

    hits: int = 0
    touched: set[tuple[str, int]] = field(default_factory=set)
    indicators: set[str] = field(default_factory=set)


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        try:
            stream = gzip.open(source) if source.suffix == ".gz" else source.open("rb")  # noqa: SIM115 - closed below
        except OSError as fault:
            raise NoSuchFile(f"the log {source.name} cannot be read: {fault.strerror}") from fault
        try:
            with stream:
                yield cast("BinaryIO", stream)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            raise NotThatFormat(f"the compressed log {source.name} is damaged or breaks off: {fault}") from fault
    elif source.seekable():
        yield source
    else:
        with TemporaryFile() as spool:
            copyfileobj(source, spool)
            yield cast("BinaryIO", spool)
