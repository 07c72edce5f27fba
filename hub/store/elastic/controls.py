"""Small control documents with optimistic concurrency, beside the changes: so that one commit decides over both."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from hub.errors import Conflict, TooLarge
from hub.model.times import now
from hub.store.elastic.cluster import Source
from hub.store.elastic.entries import Barrier
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import LONGEST_TERM, PAGE
from hub.store.elastic.names import document_id
from hub.store.elastic.snapshots import Snapshots
from hub.store.moving import StoredDocument
from hub.store.ports import Document, DocumentWrite

GONE: Source = {"what": "gone"}
"""What stays of a document that was taken away: its id, so that nobody who is late can bring it back."""
_IN_ORDER = ({"key": {"order": "asc", "missing": "_first"}}, {"pos": {"order": "asc"}})


class Controls:
    """The control documents that a commit is about, as they stand and as they become.

    Args:
        there: the documents as read, by their ids. writes: how many were ever written: their versions are drawn from
            that one counter, so they rise across deletes.
    """

    def __init__(self, there: Mapping[str, Source | None], writes: int) -> None:
        self._there = dict(there)
        self.writes = writes
        self.changed: dict[str, Source] = {}

    def write(self, writes: Sequence[DocumentWrite]) -> None:
        """Write documents in order.

        Raises:
            Conflict: an ``expect`` does not hold; nothing was written. TooLarge: a key is too long.
        """
        moment = now()
        there, changed = dict(self._there), {}
        for number, one in enumerate(writes, self.writes + 1):
            if len(one.key) > LONGEST_TERM:
                raise TooLarge(f"The key of a {one.kind} is too long.")
            id = document_id(one.kind, one.key)
            if one.expect is not None and _version(there[id], moment) != one.expect:
                raise Conflict(f"Somebody else changed this {one.kind} first; read it again.")
            there[id] = changed[id] = GONE if one.value is None else _source(one, one.value, number)
        self._there = there
        self.changed |= changed
        self.writes += len(writes)

    def sweep(self, expired: Iterable[str]) -> None:
        """Take documents away that have expired, except those that are written anyway."""
        self.changed |= {id: GONE for id in expired if id not in self._there}

    def put(self, documents: Sequence[StoredDocument], writes: int) -> None:
        """Write documents as they are, with their versions; later ones go on counting from there."""
        self.changed |= {document_id(one.kind, one.key): _source(one, one.value, one.version) for one in documents}
        self.writes = max(self.writes, writes, *(one.version for one in documents))


def _source(one: DocumentWrite | StoredDocument, value: bytes, number: int) -> Source:
    source: Source = {"what": "document", "kind": one.kind, "key": one.key}
    if one.expires is not None:
        source["expires"] = one.expires
    source["doc"] = {"value": b64encode(value).decode(), "version": number}
    return source


def stored_document(source: Source) -> StoredDocument:
    """Return the control document that a document of the index holds."""
    kind, key, value, version = astuple(_document(source))
    return StoredDocument(kind, key, version, value, source.get("expires"))


def _version(source: Source | None, moment: int) -> int:
    if source is None or source["what"] != "document" or source.get("expires", moment + 1) <= moment:
        return 0
    version: int = source["doc"]["version"]
    return version


def _document(source: Source) -> Document:
    doc: dict[str, Any] = source["doc"]
    return Document(source["kind"], source["key"], b64decode(doc["value"]), doc["version"])


def expired(snapshots: Snapshots, state: Barrier) -> list[str]:
    """Return the ids of some documents that have expired in a state, none if searches do not see that state."""
    only = [{"term": {"what": "document"}}, {"range": {"expires": {"lte": now()}}}]
    answer = snapshots.search({"filter": only}, size=1000, fields=())
    return [hit["_id"] for hit in answer.hits] if answer.barrier.number == state.number else []


def read_at(generations: Generations, places: Sequence[tuple[str, str]]) -> list[Document | None]:
    """Read several documents at once; None for what is not there or has expired."""
    ids = [document_id(kind, key) for kind, key in places]
    moment, found = now(), generations.documents(ids) if ids else []
    return [_document(one) if one is not None and _version(one, moment) else None for one in found]


def read_many(snapshots: Snapshots, kind: str, prefix: str, after: str, limit: int) -> list[Document]:
    """Read documents of a kind in order of key."""
    found: list[Document] = []
    while len(found) < limit:
        size = min(limit - len(found), PAGE - 2)
        only: list[Source] = [{"term": {"kind": kind}}, *([{"prefix": {"key": prefix}}] if prefix else [])]
        if after:
            only.append({"range": {"key": {"gt": after}}})
        answer = snapshots.search(
            {"filter": only, "must_not": [{"range": {"expires": {"lte": now()}}}]}, size=size, sort=_IN_ORDER
        )
        found += [_document(hit["_source"]) for hit in answer.hits]
        if len(answer.hits) < size:
            break
        after = found[-1].key
    return found
