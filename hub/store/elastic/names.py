"""Ids of the documents that the engine keeps: digests, because Elasticsearch takes 512 bytes at most."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

import mmh3

BARRIER = "~barrier"
"""Up to which entry of the log everything is in a shard (`hub.store.elastic.journal`); see `marks`."""
INTENT = "~intent"
"""Which entry somebody began to write into a shard; see `marks`."""
BLANKED = "~blanked"
"""Up to which entry the log's old entries have lost their content."""
PLACES = "~places"
"""The interned places (`hub.store.elastic.places`)."""


_EPOCH = date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (date(2020, 1, 1) - _EPOCH).days, (date(2100, 1, 1) - _EPOCH).days


class Marks(NamedTuple):
    """Ids of the documents that say how far things are, in the order of the shards that they lie in."""

    intents: tuple[str, ...]
    barriers: tuple[str, ...]


def shard_of(id: str, shards: int) -> int:
    """Return the shard that a document lies in, as Elasticsearch computes it (the field ``_routing`` of its manual)."""
    return mmh3.hash(id.encode("utf-16-le")) % shards


@cache
def marks(shards: int) -> Marks:
    """Return ids for an intent and a barrier in each shard."""
    return Marks(_one_in_each(INTENT, shards), _one_in_each(BARRIER, shards))


def _one_in_each(stem: str, shards: int) -> tuple[str, ...]:
    found: dict[int, str] = {}
    for number in count():
        id = f"{stem}-{number}"
        found.setdefault(shard_of(id, shards), id)
        if len(found) == shards:
            break
    return tuple(found[shard] for shard in range(shards))


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


def change_id(collection: str, id: str, spec_version: str, version: int) -> str:
    """Return the id of the document of an object's version, the same each time it comes."""
    return f"c{_digest(collection, id, spec_version, str(version))}"


def note_id(position: int) -> str:
    """Return the id of the note of a withdrawal."""
    return f"w{position}"


def removed_id(position: int) -> str:
    """Return the id of what is left of a version that was taken away."""
    return f"x{position}"


def document_id(kind: str, key: str) -> str:
    """Return the id of a control document."""
    return f"d{_digest(kind, key)}"


def row_id(index_key: str, sensor: str, day: int) -> str:
    """Return the id of a ledger row."""
    return f"r{_digest(index_key, sensor, str(day))}"


def month_of(day: int) -> str:
    """Return the month that a day of the ledger (since the epoch, UTC) lies in; all that clocks cannot mean are one."""
    if not _FIRST_DAY <= day < _LAST_DAY:
        return "0000.00" if day < _FIRST_DAY else "9999.99"
    return (_EPOCH + timedelta(days=day)).strftime("%Y.%m")


def entry_id(number: int) -> str:
    """Return the id of an entry of the log."""
    return f"{number:012d}"
