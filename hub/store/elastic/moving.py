"""Reading an Elasticsearch store whole, and filling one, for `hub.store.moving`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Literal

from hub.model.observables import index_key, key_of
from hub.store.elastic.changes import change_of, restored
from hub.store.elastic.cluster import Source
from hub.store.elastic.controls import stored_document
from hub.store.elastic.counts import row_of
from hub.store.elastic.frozen import Frozen
from hub.store.elastic.places import Query
from hub.store.moving import MARK, Extent, StoredChange, StoredDocument
from hub.store.ports import UNVERSIONED, Draft, LedgerRow

_STATES: dict[str, Literal["live", "removed", "removal"]] = {
    "put": "live",
    "removed": "removed",
    "withdraw": "removal",
}
_DOCUMENTS: Query = {
    "bool": {
        "filter": [{"term": {"what": "document"}}],
        "must_not": [{"bool": {"filter": [{"term": {"kind": MARK[0]}}, {"term": {"key": MARK[1]}}]}}],
    }
}
_ROWS: Query = {"exists": {"field": "key"}}


class ElasticSnapshot:
    """A `hub.store.moving.Snapshot`.

    Args:
        moment: of the store.
    """

    def __init__(self, moment: Frozen) -> None:
        self._moment = moment

    def extent(self) -> Extent:
        """See `hub.store.moving.Snapshot.extent`."""
        barrier = self._moment.barrier
        rows = self._moment.count("ledger", _ROWS)
        documents = self._moment.count("objects", _DOCUMENTS)
        return Extent(barrier.position, rows, documents, barrier.position, barrier.date, barrier.writes)

    def changes(self, after: int) -> Iterator[StoredChange]:
        """See `hub.store.moving.Snapshot.changes`."""
        query = {"bool": {"filter": [{"terms": {"what": list(_STATES)}}, {"range": {"pos": {"gt": after}}}]}}
        for _, source in self._moment.scan("objects", query, ["pos"]):
            yield self._change(restored(source))

    def _change(self, source: Source) -> StoredChange:
        change, doc = change_of(source, self._moment.places), source["doc"]
        draft = Draft(
            collection=change.collection,
            id=change.id,
            type=change.type,
            spec_version=change.spec_version,
            version=UNVERSIONED if change.version is None else change.version,
            version_text=change.version_text,
            body=change.body,
            audience=change.audience,
            source=change.source,
            observables=tuple(sorted(key_of(index) for index in source.get("keys", ()))),
            matchable=change.matchable,
            tokens=tuple(sorted(source.get("tokens", ()))),
            created=source.get("created"),
            valid_until=source.get("valid_until"),
            revoked=bool(source.get("revoked", 0)),
            confidence=source.get("confidence"),
            original=b64decode(doc["original"]) if "original" in doc else None,
        )
        state = _STATES[source["what"]]
        return StoredChange(change.position, change.date_added, state, draft, every_version=change.version is None)

    def ledger(self, after: str) -> Iterator[LedgerRow]:
        """See `hub.store.moving.Snapshot.ledger`."""
        query = {"range": {"key": {"gt": index_key(after)}}} if after else _ROWS
        return (row_of(source) for _, source in self._moment.scan("ledger", query, ["key", "sensor", "day"]))

    def documents(self, after: tuple[str, str]) -> Iterator[StoredDocument]:
        """See `hub.store.moving.Snapshot.documents`."""
        order = ["kind", "key"]
        found = self._moment.scan("objects", _DOCUMENTS, order, after if any(after) else None)
        return (stored_document(source) for _, source in found)
