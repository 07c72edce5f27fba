"""Two runs of one feed at once: one counts, and the other changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.feeds import Feed
from connectors.runner import FeedRecord
from hub.errors import Conflict
from hub.feeding import FeedRecords, FeedRun
from hub.model.items import IndicatorItem
from hub.store.ports import HUB
from tests.correlate.parts import open_parts

FEED = Feed.model_validate(
    {
        "name": "sample", "folder": Path(), "title": "Sample", "connector": "delimited", "organisation": "sample",
        "collections": ["partner-indicators"], "licence": "CC0-1.0", "revised": "2026-11-23",
    }
)  # fmt: skip


def items(*values: str) -> list[IndicatorItem]:
    return [IndicatorItem(value, "line") for value in values]


def test_a_run_that_was_held_up_stores_nothing_and_leaves_the_cursor(tmp_path: Path) -> None:
    parts = open_parts(tmp_path)
    late, other = (FeedRun(parts.gate, parts.store) for _ in range(2))
    assert late.load("sample") == other.load("sample") == FeedRecord()
    assert late.admit(items("198.51.100.1"), FEED, FeedRecord(cursor={"page": 1})).stored == 1
    other.load("sample")
    assert other.admit(items("198.51.100.2"), FEED, FeedRecord(cursor={"page": 2})).stored == 1
    assert other.admit(items("198.51.100.3"), FEED, FeedRecord(cursor={"page": 3})).stored == 1
    before = parts.store.head()
    with pytest.raises(Conflict, match="another run of the feed sample"):
        late.admit(items("198.51.100.4"), FEED, FeedRecord(cursor={"page": 2}))
    with pytest.raises(Conflict, match="another run of the feed sample"):
        late.save("sample", FeedRecord(cursor={"page": 2}))
    assert parts.store.head() == before
    assert parts.store.lookup(HUB, ["ipv4-addr:198.51.100.4"]) == {}
    other.save("sample", FeedRecord(cursor={"page": 4}))
    assert FeedRecords(parts.store).load("sample").cursor == {"page": 4}
    parts.store.close()
