"""The ledger: how often each observable was seen by each sensor on each day, with sample events.

A commit reads the rows that it adds to, and its entry holds the rows with the new totals: applied twice, it counts
once.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from hub.model.events import Event
from hub.model.observables import index_key, key_of, span
from hub.store.elastic.cluster import Cluster, Source
from hub.store.elastic.entries import Barrier
from hub.store.elastic.faults import Missing, missing
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import PAGE, Generation
from hub.store.elastic.names import document_id, month_of, row_id
from hub.store.ports import SAMPLES, LedgerCount, LedgerKey, LedgerRow
from hub.store.retention import HORIZON, kept_since

HORIZON_ID = document_id(*HORIZON)
"""Id of the document that says what is kept."""
_KEYS_AT_ONCE = 10_000
_INTERVALS_AT_ONCE = 500
_LAST_DAY = 2**31
_IN_ORDER = [{"key": "asc"}, {"sensor": "asc"}, {"day": "asc"}]
_decode = msgspec.msgpack.Decoder(Event).decode
_encode = msgspec.msgpack.Encoder().encode


def id_of(key: LedgerKey) -> str:
    """Return the id of a row's document."""
    return row_id(index_key(key.observable), key.sensor, key.day)


class Rows:
    """The rows that a commit adds to, as they stand and as they become.

    Args:
        there: the rows as read, by their ids. since: the first day that is kept; others are dropped.
    """

    def __init__(self, there: Mapping[str, Source | None], since: int = 0) -> None:
        self._there = dict(there)
        self._since = since
        self._changed: dict[str, tuple[LedgerKey, list[int] | None, list[str]]] = {}

    def add(self, counts: Mapping[LedgerKey, LedgerCount], samples: Mapping[LedgerKey, Sequence[Event]]) -> None:
        """Add counts, and keep events as samples of rows that have fewer than `SAMPLES`."""
        for key, count in counts.items():
            if key.day < self._since:
                continue
            id, total, kept = self._row(key)
            number, first, last = total or (0, count.first, count.last)
            self._changed[id] = key, [number + count.number, min(first, count.first), max(last, count.last)], kept
        for key, events in samples.items():
            if key.day < self._since:
                continue
            id, total, kept = self._row(key)
            self._changed[id] = key, total, [*kept, *map(_written, events[: SAMPLES - len(kept)])]

    def put(self, row: LedgerRow) -> None:
        """Write a row as it is, in place of what is there."""
        self._changed[id_of(row.key)] = row.key, list(row.total), [_written(event) for event in row.samples]

    def changed(self) -> dict[str, dict[str, Source]]:
        """Return the documents of the rows as they become, by month and id."""
        months: dict[str, dict[str, Source]] = {}
        for id, (key, total, samples) in self._changed.items():
            document = _indexed(key, total) | {"doc": {"total": total, "samples": samples}}
            months.setdefault(month_of(key.day), {})[id] = document
        return months

    def _row(self, key: LedgerKey) -> tuple[str, list[int] | None, list[str]]:
        id = id_of(key)
        if id in self._changed:
            return id, *self._changed[id][1:]
        there = self._there.get(id)
        return (id, there["doc"]["total"], there["doc"]["samples"]) if there else (id, None, [])


def _written(event: Event) -> str:
    return b64encode(_encode(event)).decode()


def _indexed(key: LedgerKey, total: list[int] | None) -> Source:
    """Return what a row is found by: nothing while it has only samples."""
    return {"key": index_key(key.observable), "sensor": key.sensor, "day": key.day} if total else {}


def read(
    cluster: Cluster,
    generations: Generations,
    observables: Iterable[str],
    *,
    under: bool,
    since: int,
    until: int | None,
) -> list[LedgerRow]:
    """Read rows in order of key, sensor and day, each with its samples, earliest first.

    Raises:
        Missing: a month that is kept is not there.
    """
    conditions = list(_conditions(list(dict.fromkeys(observables)), under))
    hits = None
    while hits is None:
        # The barrier that comes with the horizon tells whether these indices are still the ones that are read.
        state, (horizon,) = generations.held([HORIZON_ID])
        days = max(since, since_of(horizon)), _LAST_DAY if until is None else until
        try:
            hits = _found(cluster, generations, state, conditions, days)
        except Missing:
            # Unless what was asked for has been forgotten meanwhile.
            if generations.documents([HORIZON_ID]) == [horizon]:
                raise
    found: dict[str, LedgerRow] = {}
    for hit in hits:
        row = row_of(hit["_source"])
        found[hit["_id"]] = LedgerRow(row.key, row.total, tuple(sorted(row.samples, key=attrgetter("time"))))
    return sorted(found.values(), key=lambda row: row.key)


def _found(
    cluster: Cluster,
    generations: Generations,
    state: Barrier,
    conditions: Sequence[dict[str, Any]],
    days: tuple[int, int],
) -> list[dict[str, Any]]:
    """Search rows of days that are kept."""
    first, last = days
    only = {"range": {"day": {"gte": first, "lte": last}}}
    queries = [{"bool": {"filter": [one, only]}} for one in conditions]
    months = sum(month >= month_of(first) for month, _ in state.months)
    return generations.reading(lambda asked: [hit for one in queries for hit in _all(cluster, asked, months, one)])


def row_of(source: Source) -> LedgerRow:
    """Return the row that a document holds, its samples in the order in which they came."""
    return LedgerRow(
        LedgerKey(key_of(source["key"]), source["sensor"], source["day"]),
        LedgerCount(*source["doc"]["total"]),
        tuple(_decode(b64decode(sample)) for sample in source["doc"]["samples"]),
    )


def _conditions(keys: Sequence[str], under: bool) -> Iterator[dict[str, Any]]:
    for at in range(0, len(keys), _KEYS_AT_ONCE):
        yield {"terms": {"key": [index_key(key) for key in keys[at : at + _KEYS_AT_ONCE]]}}
    intervals = list(dict.fromkeys(interval for key in keys for interval in span(key))) if under else []
    for at in range(0, len(intervals), _INTERVALS_AT_ONCE):
        some = intervals[at : at + _INTERVALS_AT_ONCE]
        yield {"bool": {"should": [{"range": {"key": {"gte": low, "lt": high}}} for low, high in some]}}


def since_of(horizon: Source | None) -> int:
    """Return the first day that is kept, from the horizon's document."""
    return kept_since(b64decode(horizon["doc"]["value"]) if horizon and "doc" in horizon else None)


def _all(cluster: Cluster, asked: Generation, months: int, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all rows that a query finds: they are never removed, so their order is a place to go on from.

    Raises:
        Missing: fewer months than there should be are there.
    """
    body: dict[str, Any] = {"query": query, "size": PAGE // 4, "sort": _IN_ORDER}
    while True:
        answer = cluster.search(asked.all_months, body)
        if answer["_shards"]["total"] < months * asked.shards:
            raise missing()
        hits = answer["hits"]["hits"]
        yield from hits
        if len(hits) < body["size"]:
            return
        body["search_after"] = hits[-1]["sort"]
