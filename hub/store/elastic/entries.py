"""What goes through the log: an entry with all that one commit writes, and the barrier that says how far things are."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple
from zlib import compress, decompress

import orjson

from hub.store.elastic.cluster import Source

BULK_BYTES = 8_000_000
"""Bytes of documents in one request, about."""
_FARTHEST = 2**62


class Barrier(NamedTuple):
    """Where the store stands after an entry.

    Attributes:
        number: the entry that was applied last; 0 is none.
        position, date: of the newest change.
        places: how many places are interned. writes: how many control documents were written.
        months: the months of the ledger, in no order, each with the last entry that has rows of it.
        largest: bytes of the largest object there ever was.
        generation: the indices that are read. upcoming: those that are being filled to follow them, 0 is none.
        begun: the last generation that was ever begun.
    """

    number: int = 0
    position: int = 0
    date: int = 0
    places: int = 0
    writes: int = 0
    months: tuple[tuple[str, int], ...] = ()
    largest: int = 0
    generation: int = 1
    upcoming: int = 0
    begun: int = 1

    @classmethod
    def of(cls, source: Source) -> Barrier:
        """Read what `source` wrote."""
        return cls.read(source["doc"]["barrier"])

    @classmethod
    def read(cls, values: Sequence[Any]) -> Barrier:
        """Read the fields as JSON holds them."""
        barrier = cls(*values)
        return barrier._replace(months=tuple((month, number) for month, number in barrier.months))

    def source(self) -> Source:
        """Return the document."""
        return {"what": "barrier", "pos": -1, "back": 1 - _FARTHEST, "doc": {"barrier": list(self)}}

    @property
    def written(self) -> tuple[int, ...]:
        """The generations of indices that the next entry is written to; the one that is read comes last."""
        return (self.upcoming, self.generation) if self.upcoming else (self.generation,)


def intent(number: int) -> bytes:
    """Return the document that goes before everything an entry writes."""
    return orjson.dumps({"what": "intent", "pos": -2, "back": -_FARTHEST, "doc": {"number": number}})


class Entry(NamedTuple):
    """One commit: documents as they shall be, so that applying it again, by anybody, changes nothing.

    Attributes:
        barrier: where the store stands afterwards; its number is the entry's own.
        objects: documents of the objects' index as JSON, by id. rows: those of the ledger, by month and id.
        written: the generations of indices that it is written to, in this order (`Barrier.written` of the state
            before it).
    """

    barrier: Barrier
    objects: Mapping[str, bytes]
    rows: Mapping[str, Mapping[str, bytes]]
    written: tuple[int, ...] = (1,)

    def source(self, uid: str) -> bytes:
        """Return the document of the log; ``uid`` tells this attempt from all others.

        What is in it is packed: the log is indexed by nothing, and a third as much to send, write and merge.
        """
        content = orjson.dumps(
            {
                "barrier": list(self.barrier),
                "objects": _fragments(self.objects),
                "rows": {month: _fragments(rows) for month, rows in self.rows.items()},
                "written": self.written,
            }
        )
        documents = chain(self.objects.values(), *(rows.values() for rows in self.rows.values()))
        largest = max(map(len, documents), default=0)
        # A document that no request can carry must be refused here, not when the entry is applied.
        packed = (
            {"packed": b64encode(compress(content, 1)).decode()} if largest <= BULK_BYTES else orjson.Fragment(content)
        )
        return orjson.dumps({"uid": uid, "entry": packed})

    @classmethod
    def of(cls, source: Source) -> Entry:
        """Read what `source` wrote."""
        entry: dict[str, Any] = source["entry"]
        if "packed" in entry:
            entry = orjson.loads(decompress(b64decode(entry["packed"])))
        rows = {month: _written(some) for month, some in entry["rows"].items()}
        return cls(Barrier.read(entry["barrier"]), _written(entry["objects"]), rows, tuple(entry["written"]))


def _written(documents: Mapping[str, Source]) -> dict[str, bytes]:
    return {id: orjson.dumps(one) for id, one in documents.items()}


def _fragments(documents: Mapping[str, bytes]) -> dict[str, orjson.Fragment]:
    return {id: orjson.Fragment(source) for id, source in documents.items()}
