"""Run one feed once: fetch by its connector, hand over in slices, save the cursor with its items, count and back off.

The runner is the one place that knows about failures of a whole feed. It never stops a scheduler: what goes wrong is
counted, shown in `FeedStatus` and reported, and the next time is set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from cronsim import CronSim
from pydantic import BaseModel, ConfigDict

from connectors.contract import Connector, Item
from connectors.feeds import Feed
from connectors.http import Http
from hub.errors import Conflict, HubError
from hub.model.items import IndicatorItem
from hub.model.times import DAY, HOUR, MINUTE, SECOND

SLICE = 4000
"""Most items that are committed at once. A commit on Elasticsearch costs a refresh, whatever is in it."""
SLICE_BYTES = 20_000_000
"""Bytes of items after which no more are committed with them: an engine takes so much at once."""
FIRST_PAUSE = MINUTE
LONGEST_PAUSE = 6 * HOUR


class Counts(BaseModel):
    """What became of the items of a run. ``fetched`` is the sum of the others: nothing is lost without a trace."""

    model_config = ConfigDict(frozen=True)

    fetched: int = 0
    stored: int = 0
    unchanged: int = 0
    merged: int = 0
    quarantined: int = 0


class FeedStatus(BaseModel):
    """How a feed is doing; times are microseconds UTC, None when it never happened."""

    model_config = ConfigDict(frozen=True)

    consecutive_failures: int = 0
    last_run: int | None = None
    last_success: int | None = None
    last_new: int | None = None
    last_error_code: str = ""
    last_error: str = ""
    last_error_at: int | None = None
    next_due: int | None = None
    last_counts: Counts = Counts()
    total_stored: int = 0

    def due(self, now: int) -> bool:
        """Say whether the feed's time has come; at once, too, when the clock was set back to before its last run."""
        return self.next_due is None or self.next_due <= now or (self.last_run is not None and self.last_run > now)


class FeedRecord(BaseModel):
    """What is kept of a feed between runs: the connector's cursor, the status, and which run wrote it last."""

    model_config = ConfigDict(frozen=True)

    cursor: dict[str, Any] = {}
    status: FeedStatus = FeedStatus()
    run: str = ""


class Receipt(Protocol):
    """What admission says of one slice (`hub.admission.gate.Receipt`)."""

    @property
    def fetched(self) -> int: ...  # noqa: D102
    @property
    def stored(self) -> int: ...  # noqa: D102
    @property
    def unchanged(self) -> int: ...  # noqa: D102
    @property
    def merged(self) -> int: ...  # noqa: D102
    @property
    def quarantined(self) -> int: ...  # noqa: D102


class Intake(Protocol):
    """Takes items into the hub."""

    def admit(self, items: Sequence[Item], feed: Feed, record: FeedRecord) -> Receipt:
        """Commit the items and the feed's record together or not at all."""
        ...


class FeedState(Protocol):
    """Keeps the records of feeds."""

    def load(self, feed: str) -> FeedRecord:
        """Return the record of a feed, an empty one if there is none."""
        ...

    def save(self, feed: str, record: FeedRecord) -> None:
        """Replace the record of a feed."""
        ...


Progress = Callable[[Counts], None]
Report = Callable[[str, BaseException], None]
"""Called with the feed's name and what went wrong, for the log."""


def run(
    feed: Feed,
    connector: Connector,
    intake: Intake,
    state: FeedState,
    http: Http,
    clock: Callable[[], int],
    progress: Progress | None = None,
    report: Report | None = None,
) -> FeedStatus:
    """Fetch what is new and return how it went. It raises nothing that a source can cause.

    A slice is committed with the cursor that its portion began with, the last slice of a portion with the portion's own
    cursor. After a kill the feed goes on at the last portion that was whole, and items that come twice are unchanged.

    Raises:
        Conflict: ``intake`` or ``state`` says that another run is going on; that run counts.
    """
    return _Run(feed, connector, intake, state, http, clock, progress, report).go()


@dataclasses.dataclass
class _Run:
    feed: Feed
    connector: Connector
    intake: Intake
    state: FeedState
    http: Http
    clock: Callable[[], int]
    progress: Progress | None
    report: Report | None

    def go(self) -> FeedStatus:
        self.began = self.clock()
        self.counts = Counts()
        self.record = self.state.load(self.feed.name)
        try:
            settings = self.feed.parts()[1]
            for portion in self.connector.fetch(settings, self.record.cursor, self.http):
                self._take(portion.items, portion.cursor)
            status = self._succeeded()
        except Conflict:
            raise
        except HubError as fault:
            status = self._failed(fault, fault.code, fault.message, fault.retry_after)
        except Exception as fault:  # noqa: BLE001 - a connector's bug must be counted and shown, not end the scheduler
            status = self._failed(fault, "internal-error", f"the connector {self.connector.name} failed; see the log")
        self.record = self.record.model_copy(update={"status": status})
        self.state.save(self.feed.name, self.record)
        return status

    def _take(self, items: Iterable[Item], cursor: dict[str, Any]) -> None:
        for slice_, last in _slices(with_end(items, self.feed.ttl_days, self.began)):
            record = self.record.model_copy(update={"cursor": cursor}) if last else self.record
            if slice_:
                self._add(self.intake.admit(slice_, self.feed, record))
            self.record = record

    def _add(self, receipt: Receipt) -> None:
        names = Counts.model_fields
        self.counts = Counts(**{name: getattr(self.counts, name) + getattr(receipt, name) for name in names})
        if self.progress is not None:
            self.progress(self.counts)

    def _succeeded(self) -> FeedStatus:
        old = self.record.status
        return FeedStatus(
            last_run=self.began,
            last_success=self.clock(),
            last_new=self.began if self.counts.stored else old.last_new,
            last_error_code=old.last_error_code,
            last_error=old.last_error,
            last_error_at=old.last_error_at,
            next_due=next_due(self.feed.schedule, self.clock()),
            last_counts=self.counts,
            total_stored=old.total_stored + self.counts.stored,
        )

    def _failed(self, fault: Exception, code: str, message: str, retry_after: int | None = None) -> FeedStatus:
        if self.report is not None:
            self.report(self.feed.name, fault)
        old = self.record.status
        failures = old.consecutive_failures + 1
        pause = max(min(FIRST_PAUSE << min(failures - 1, 20), LONGEST_PAUSE), (retry_after or 0) * SECOND)
        return old.model_copy(
            update={
                "consecutive_failures": failures,
                "last_run": self.began,
                "last_new": self.began if self.counts.stored else old.last_new,
                "last_error_code": code,
                "last_error": message,
                "last_error_at": self.clock(),
                "next_due": self.clock() + pause,
                "last_counts": self.counts,
                "total_stored": old.total_stored + self.counts.stored,
            }
        )


def next_due(schedule: str, after: int) -> int:
    """Return the first time of a cron schedule after a moment, both in microseconds UTC."""
    return int(next(CronSim(schedule, datetime.fromtimestamp(after // SECOND, UTC))).timestamp()) * SECOND


def with_end(items: Iterable[Item], ttl_days: int | None, now: int) -> Iterator[Item]:
    """Give an end to values whose source gives neither an end nor a time of its own (FORMATS.md section 9).

    A value with a time of its own lives ``ttl_days`` from then. One without lives ``ttl_days`` to one and a half times
    that from now; the end moves in steps of half a life, so that a list that is fetched every hour does not make a new
    version of every value every hour, and one that left the list ends by itself.
    """
    if ttl_days is None:
        yield from items
        return
    life = ttl_days * DAY
    step = max(life // 2, DAY)
    listed_end = -(-now // step) * step + life
    for item in items:
        if isinstance(item, IndicatorItem) and item.valid_until is None:
            item = dataclasses.replace(item, valid_until=listed_end if item.seen is None else item.seen + life)
        yield item


def _slices(items: Iterable[Item]) -> Iterator[tuple[list[Item], bool]]:
    """Cut into lists by `SLICE` and `SLICE_BYTES` and say of each whether it is the last; no input is one empty slice.

    What was read before a fault is yielded before the fault goes on.
    """
    rest = iter(items)
    slice_: list[Item] = []
    size = 0
    while True:
        try:
            item = next(rest)
        except StopIteration:
            yield slice_, True
            return
        except Exception:
            yield slice_, False
            raise
        if len(slice_) == SLICE or size >= SLICE_BYTES:
            yield slice_, False
            slice_, size = [], 0
        slice_.append(item)
        size += len(item.raw)
