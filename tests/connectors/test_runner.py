"""The runner: slices, cursors with their items, counts that add up, failures counted and backed off from."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from connectors.contract import ConnectorSettings, Portion
from connectors.feeds import Feed
from connectors.http import Http
from connectors.runner import SLICE, SLICE_BYTES, FeedRecord, FeedStatus, next_due, run, with_end
from hub.errors import NotThatFormat, SourceUnreachable, StoreUnavailable
from hub.model.items import BadItem, IndicatorItem, StixItem
from hub.model.times import DAY, HOUR, MINUTE, SECOND, parse_timestamp

NOW = parse_timestamp("2026-11-23T07:00:30Z")


def feed(**more: Any) -> Feed:
    declared = {
        "name": "sample", "folder": Path(), "title": "Sample", "connector": "delimited", "organisation": "sample",
        "collections": ["partner-indicators"], "licence": "CC0-1.0", "revised": "2026-11-23", "schedule": "15 * * * *",
    }  # fmt: skip
    return Feed.model_validate({**declared, **more})


@dataclass
class Memory:
    """An intake and a state that commit together, as the hub's store does."""

    items: dict[Any, None] = field(default_factory=dict)
    records: dict[str, FeedRecord] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    fails_at: int | None = None

    def admit(self, items: Any, feed: Feed, record: FeedRecord) -> Any:
        if self.fails_at is not None and len(self.sizes) >= self.fails_at:
            raise StoreUnavailable("the store is locked")
        self.sizes.append(len(items))
        bad = sum(isinstance(item, BadItem) for item in items)
        new = [item for item in items if not isinstance(item, BadItem) and item not in self.items]
        self.items |= dict.fromkeys(new)
        self.records[feed.name] = copy.deepcopy(record)
        unchanged = len(items) - bad - len(new)
        return SimpleNamespace(fetched=len(items), stored=len(new), unchanged=unchanged, merged=0, quarantined=bad)

    def load(self, feed: str) -> FeedRecord:
        return self.records.get(feed, FeedRecord())

    def save(self, feed: str, record: FeedRecord) -> None:
        self.records[feed] = copy.deepcopy(record)


class Source:
    """A connector over portions that are given; a fault among the items is raised there."""

    name: ClassVar[str] = "source"
    Settings: ClassVar[type[ConnectorSettings]] = ConnectorSettings

    def __init__(self, *portions: tuple[list[Any], dict[str, Any]]) -> None:
        self.portions = portions
        self.seen_cursors: list[dict[str, Any]] = []

    def fetch(self, settings: Any, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        self.seen_cursors.append(cursor)
        for items, after in self.portions:
            yield Portion(self.read(items, None, ""), after)

    def read(self, settings: Any, stream: Any, name: str) -> Iterator[Any]:
        for item in settings:
            if isinstance(item, Exception):
                raise item
            yield item


def values(first: int, number: int) -> list[IndicatorItem]:
    return [IndicatorItem(f"host{index}.example", f"line {index}") for index in range(first, first + number)]


def go(source: Source, memory: Memory, **more: Any) -> Any:
    return run(feed(**more), source, memory, memory, Http(), lambda: NOW)


def test_portions_are_cut_into_slices_and_the_counts_add_up() -> None:
    memory = Memory()
    bad = BadItem(b"x", "bad-line", "line 9 is bad", "line 9")
    number = 2 * SLICE + 500
    status = go(Source(([*values(0, number), bad], {"page": 1}), ([], {"page": 2})), memory)
    assert memory.sizes == [SLICE, SLICE, 501]
    counts = status.last_counts
    assert (counts.fetched, counts.stored, counts.quarantined) == (number + 1, number, 1)
    assert memory.records["sample"].cursor == {"page": 2}
    assert (status.consecutive_failures, status.last_success, status.last_error) == (0, NOW, "")
    assert status.next_due == parse_timestamp("2026-11-23T07:15:00Z")


def test_large_items_are_committed_a_few_at_a_time() -> None:
    memory = Memory()
    large = [StixItem(b"x" * (SLICE_BYTES // 2), f"object {index}") for index in range(3)]
    go(Source(([*large, *values(0, 10)], {})), memory)
    assert memory.sizes == [2, 11]


def test_the_cursor_moves_with_the_last_slice_of_its_portion() -> None:
    memory = Memory(fails_at=2)
    go(Source((values(0, 10), {"page": 1}), (values(10, SLICE + 1), {"page": 2})), memory)
    assert memory.records["sample"].cursor == {"page": 1}
    memory.fails_at = None
    again = Source((values(10, SLICE + 1), {"page": 2}))
    status = go(again, memory)
    assert again.seen_cursors == [{"page": 1}]
    assert len(memory.items) == SLICE + 11
    assert status.last_counts.fetched == status.last_counts.stored + status.last_counts.unchanged == SLICE + 1


def test_what_came_before_a_fault_stays() -> None:
    memory = Memory()
    status = go(Source(([*values(0, 5), NotThatFormat("list.gz breaks off")], {"page": 1})), memory)
    assert len(memory.items) == 5
    assert memory.records["sample"].cursor == {}
    assert (status.last_error_code, status.last_error) == ("not-that-format", "list.gz breaks off")
    assert status.last_counts.stored == 5


def test_failures_are_counted_and_backed_off_from_and_a_success_ends_them() -> None:
    memory = Memory()
    down = Source(([SourceUnreachable("it is down")], {}))
    pauses = []
    for number in range(1, 12):
        status = go(down, memory)
        assert status.consecutive_failures == number
        pauses.append(status.next_due - NOW)
    assert pauses[:3] == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert pauses[-1] == 6 * HOUR
    status = go(Source((values(0, 1), {})), memory)
    assert status.consecutive_failures == 0
    assert status.last_error == "it is down"


def test_a_source_says_when_to_come_back() -> None:
    status = go(Source(([SourceUnreachable("busy", retry_after=7200)], {})), Memory())
    assert status.next_due == NOW + 7200 * SECOND


def test_a_bug_in_a_connector_is_reported_and_counted() -> None:
    memory, reports = Memory(), []
    source = Source((([*values(0, 3), ZeroDivisionError()]), {}))
    status = run(feed(), source, memory, memory, Http(), lambda: NOW, report=lambda *told: reports.append(told))
    assert status.last_error_code == "internal-error"
    assert len(memory.items) == 3
    assert [(name, type(fault)) for name, fault in reports] == [("sample", ZeroDivisionError)]


def test_values_without_an_end_get_one_that_moves_in_steps() -> None:
    timed = IndicatorItem("a.example", "1", seen=NOW - DAY)
    ended = IndicatorItem("b.example", "2", valid_until=NOW)
    listed = IndicatorItem("c.example", "3")
    found = list(with_end([timed, ended, listed], 10, NOW))
    assert [item.valid_until for item in found[:2] if isinstance(item, IndicatorItem)] == [NOW + 9 * DAY, NOW]
    ends = [next(iter(with_end([listed], 10, NOW + hour * HOUR))).valid_until for hour in range(24 * 30)]  # type: ignore[union-attr]
    assert len(set(ends)) == 7
    assert all(10 * DAY <= end - NOW - hour * HOUR <= 15 * DAY for hour, end in enumerate(ends) if end)
    assert list(with_end([listed], None, NOW)) == [listed]


@pytest.mark.parametrize(
    ("schedule", "due"), [("*/5 * * * *", "07:05"), ("0 6 * * *", "06:00"), ("30 7 * * 1", "07:30")]
)
def test_schedules_are_utc(schedule: str, due: str) -> None:
    moment = next_due(schedule, NOW)
    assert moment > NOW
    assert moment % DAY == parse_timestamp(f"1970-01-01T{due}:00Z")


def test_a_clock_that_was_set_back_does_not_keep_a_feed_waiting() -> None:
    status = FeedStatus(last_run=NOW, next_due=NOW + HOUR)
    assert [status.due(NOW + after) for after in (-DAY, 0, HOUR - 1, HOUR)] == [True, False, False, True]
    assert FeedStatus().due(NOW)
