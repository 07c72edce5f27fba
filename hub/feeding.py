"""Feeds and imports by hand: what `connectors.runner` needs of the hub, over the gate and the store."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connectors.contract import Item
from connectors.feeds import Feed
from connectors.runner import FeedRecord
from hub.admission.gate import Gate, Origin, Receipt
from hub.errors import HubError
from hub.store.ports import Batch, DocumentWrite, Store

_FEED = "feed"
_FEED_SWITCH = "feed-switch"


class FeedRecords:
    """The feeds' records, one control document each, and the administrator's switches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, feed: str) -> FeedRecord:
        """Return the record of a feed, an empty one if it never ran."""
        document = self._store.document(_FEED, feed)
        return FeedRecord() if document is None else FeedRecord.model_validate_json(document.value)

    def save(self, feed: str, record: FeedRecord) -> None:
        """Replace the record of a feed."""
        self._store.commit(Batch(documents=[self.write(feed, record)]))

    def write(self, feed: str, record: FeedRecord) -> DocumentWrite:
        """Return the write that saves a record, to go into the commit of the feed's items."""
        return DocumentWrite(_FEED, feed, record.model_dump_json().encode())

    def enabled(self, feed: Feed) -> bool:
        """Say whether a feed is fetched: the administrator's switch, else the declaration."""
        switch = self._store.document(_FEED_SWITCH, feed.name)
        return feed.enabled if switch is None else switch.value == b"on"

    def switch(self, feed: Feed, on: bool) -> None:
        """Turn a feed on or off."""
        write = DocumentWrite(_FEED_SWITCH, feed.name, b"on" if on else b"off")
        self._store.commit(Batch(documents=[write]))


class ImportOnce:
    """Takes an import by hand in and keeps no record of it (`connectors.runner.Intake`, `FeedState`)."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admit(self, items: Sequence[Item], feed: Feed, record: FeedRecord) -> Receipt:  # noqa: ARG002
        """Take items through the gate."""
        return self._gate.admit(items, feed_origin(feed))

    def load(self, feed: str) -> FeedRecord:  # noqa: ARG002
        """Return an empty record: every import reads everything."""
        return FeedRecord()

    def save(self, feed: str, record: FeedRecord) -> None:
        """Nothing is kept of an import by hand."""


def feed_origin(feed: Feed) -> Origin:
    """Return what admission must know of a feed."""
    return Origin(
        source=f"feed:{feed.name}",
        organisation=feed.organisation,
        collections=feed.collections,
        marking=feed.marking,
        groups=feed.groups,
        trust=feed.trust,
        created_by=feed.created_by,
        keep_2_0=feed.keep_2_0,
        redistribute=feed.redistribute,
    )


def report_bug(feed: str, fault: BaseException) -> None:
    """Log what the caller is not told anyway: a bug, but no fault of the source."""
    if not isinstance(fault, HubError):
        report(feed, fault)


def report(feed: str, fault: BaseException) -> None:
    """Log why a feed failed."""
    log = structlog.get_logger()
    if isinstance(fault, HubError):
        log.warning("feed failed", feed=feed, code=fault.code, reason=fault.message)
    else:
        log.error("feed failed", feed=feed, exc_info=fault)
