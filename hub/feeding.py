"""Feeds and imports by hand: what `connectors.runner` needs of the hub, over the gate and the store."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from connectors.contract import Item
from connectors.feeds import Feed
from connectors.runner import FeedRecord
from hub.admission.gate import Gate, Origin, Receipt
from hub.errors import Conflict, HubError, Overtaken
from hub.store.ports import Batch, Document, DocumentWrite, Store

_FEED = "feed"
_FEED_SWITCH = "feed-switch"


def _record(document: Document | None) -> FeedRecord:
    return FeedRecord() if document is None else FeedRecord.model_validate_json(document.value)


class FeedRecords:
    """The feeds' records, one control document each, and the administrator's switches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, feed: str) -> FeedRecord:
        """Return the record of a feed, an empty one if it never ran."""
        return self.load_all([feed])[feed]

    def load_all(self, feeds: Iterable[str]) -> dict[str, FeedRecord]:
        """Return the records of feeds, asking once for all of them."""
        asked = list(feeds)
        records = self._store.documents_at([(_FEED, feed) for feed in asked])
        return {feed: _record(document) for feed, document in zip(asked, records, strict=True)}

    def enabled(self, feed: Feed) -> bool:
        """Say whether a feed is fetched: the administrator's switch, else the declaration."""
        return bool(self.switched_on([feed]))

    def switched_on(self, feeds: Iterable[Feed]) -> list[Feed]:
        """Return the feeds that are fetched, asking once for all of them."""
        asked = list(feeds)
        switches = self._store.documents_at([(_FEED_SWITCH, feed.name) for feed in asked])
        return [
            feed
            for feed, switch in zip(asked, switches, strict=True)
            if (feed.enabled if switch is None else switch.value == b"on")
        ]

    def switch(self, feed: Feed, on: bool) -> None:
        """Turn a feed on or off."""
        write = DocumentWrite(_FEED_SWITCH, feed.name, b"on" if on else b"off")
        self._store.commit(Batch(documents=[write]))


class FeedRun:
    """One run of a feed (`connectors.runner.Intake`, `FeedState`): its record goes into the commit of its items.

    Each commit is conditional on the record being the one that this run wrote last. So of two runs at once one is
    refused, and none that was held up can set the cursor of a later one back.
    """

    def __init__(self, gate: Gate, store: Store) -> None:
        self._gate = gate
        self._store = store
        self._nonce = uuid.uuid4().hex
        self._version = 0

    def load(self, feed: str) -> FeedRecord:
        """Return the record of a feed, an empty one if it never ran."""
        document = self._store.document(_FEED, feed)
        self._version = 0 if document is None else document.version
        return _record(document)

    def admit(self, items: Sequence[Item], feed: Feed, record: FeedRecord) -> Receipt:
        """Take items through the gate, with the record in the same commit.

        Raises:
            Conflict: another run of the feed wrote its record meanwhile; nothing was stored.
        """
        with self._written(feed.name, record) as write:
            return self._gate.admit(items, feed_origin(feed), [write])

    def save(self, feed: str, record: FeedRecord) -> None:
        """Replace the record of a feed.

        Raises:
            Conflict: another run of the feed wrote it meanwhile.
        """
        with self._written(feed, record) as write:
            self._store.commit(Batch(documents=[write]))

    @contextmanager
    def _written(self, feed: str, record: FeedRecord) -> Iterator[DocumentWrite]:
        value = record.model_copy(update={"run": self._nonce}).model_dump_json().encode()
        taken = Conflict(f"another run of the feed {feed} is going on; it keeps the record")
        try:
            yield DocumentWrite(_FEED, feed, value, expect=self._version)
        except Overtaken:
            raise
        except Conflict as fault:
            raise taken from fault
        document = self._store.document(_FEED, feed)
        if document is None or document.value != value:
            raise taken
        self._version = document.version


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
