"""What must hold in a store, checked in one moment of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from hub.store.elastic.changes import digest
from hub.store.elastic.cluster import Source
from hub.store.elastic.frozen import Frozen
from hub.store.elastic.names import change_id
from hub.store.elastic.versions import Live, Versions

_CHANGES = {"terms": {"what": ["put", "removed", "withdraw"]}}
_PUTS = {"term": {"what": "put"}}


def faults(store: Frozen) -> list[str]:
    """Return a sentence for each rule that is broken."""
    broken: dict[str, int] = {}
    for fault in (*_of_the_log(store), *_of_objects(store), *_of_the_rest(store)):
        broken[fault] = broken.get(fault, 0) + 1
    return [f"Broken rule: {fault} ({number})." for fault, number in broken.items()]


def _of_the_log(store: Frozen) -> Iterator[str]:
    places, count, last = store.barrier.places, 0, (0, 0)
    order = ((source["pos"], source["date"]) for _, source in store.scan("objects", _CHANGES, ["pos"]))
    for (earlier, date), (position, later) in pairwise([(0, 0), *order]):
        count, last = count + 1, (position, later)
        if position != earlier + 1:
            yield "positions in the change log have gaps"
        if later <= date:
            yield "date_added does not rise with the position"
    if last != store.barrier[1:3]:
        yield "the barrier is not where the change log ends"
    for _, source in store.scan("objects", _PUTS, ["pos"]):
        if not 1 <= int(source["place"]) <= places:
            yield "a change names a collection or an audience that is not there"
        if digest(source["doc"]["body"].encode()) != source["doc"]["digest"] or not source["doc"]["body"]:
            yield "a live version has not its own content"


def _of_objects(store: Frozen) -> Iterator[str]:
    for id, found in groupby(store.scan("objects", _PUTS, ["id", "pos"]), key=lambda hit: str(hit[1]["id"])):
        versions = Versions({key: _live(store, key, source) for key, source in found})
        for key, one in versions.known.items():
            if key != change_id(one.place.collection, id, one.place.spec_version, one.version):
                yield "a version lies under another's name"
        inner = {key for key, one in versions.known.items() if one.source.get("inner")}
        for one in versions.settle():
            if bool(one.source.get("inner")) != (one.key in inner):
                yield "a version does not know whether it is between others"
            elif one.key not in inner:
                yield "a version does not note exactly the others that stand before or behind it"


def _live(store: Frozen, key: str, source: Source) -> Live:
    number = int(source["place"])
    return Live(key, source, number, store.places.place(number))


def _of_the_rest(store: Frozen) -> Iterator[str]:
    for _, source in store.scan("ledger", {"exists": {"field": "key"}}, ["key", "sensor", "day"]):
        number, first, last = source["doc"]["total"] or (1, 0, 0)
        if number < 1 or first > last:
            yield "a ledger row counts nothing or ends before it begins"
    for _, source in store.scan("objects", {"term": {"what": "document"}}, ["kind", "key"]):
        if source["doc"]["version"] > store.barrier.writes:
            yield "a control document is newer than the last write"
