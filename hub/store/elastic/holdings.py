"""What the index holds of the objects that a commit is about, read at one barrier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.store.elastic.cluster import Source
from hub.store.elastic.entries import Barrier
from hub.store.elastic.journal import Journal, Moved
from hub.store.elastic.names import change_id
from hub.store.elastic.places import Place, Places, Query
from hub.store.elastic.snapshots import Snapshots
from hub.store.elastic.versions import Live, Versions
from hub.store.ports import Batch, Draft

_READ_AT_ONCE = 5000
_IDS_AT_ONCE = 1000
_HELD = ("what", "id", "pos", "date", "doc.digest")
_LIVE: Query = {"filter": [{"term": {"what": "put"}}]}
_OUTERMOST: Query = {**_LIVE, "must_not": [{"term": {"inner": "yes"}}]}
_CHANGES: Query = {"filter": [{"terms": {"what": ["put", "withdraw"]}}]}


def change_id_of(draft: Draft) -> str:
    """Return the id of the document that a draft becomes."""
    return change_id(draft.collection, draft.id, draft.spec_version, draft.version)


def place_of(draft: Draft) -> Place:
    """Return the place that a draft goes to."""
    return Place(draft.collection, draft.spec_version, draft.audience.label)


@dataclass
class Holdings:
    """The live versions that matter to a commit.

    Attributes:
        held: documents of the very versions that the drafts are, with digest, position and date.
        versions: the objects that may change, with their versions.
        last: positions of the last change of objects, where they are known to have changed.
    """

    held: dict[str, Source] = field(default_factory=dict)
    versions: dict[str, Versions] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(
        cls, journal: Journal, snapshots: Snapshots, state: Barrier, batches: Sequence[Batch], places: Places
    ) -> Holdings:
        """Read them.

        Raises:
            Moved: the store is no longer in this state.
        """
        drafts = {change_id_of(draft): draft for batch in batches for draft in batch.drafts}
        withdrawn = {one.id for batch in batches for one in batch.withdrawals}
        reading = _Reading(journal, snapshots, state, places)
        found = reading.holdings(drafts, withdrawn)
        bases = [batch.basis for batch in batches if batch.basis]
        if bases:
            read = frozenset().union(*(one.ids for one in bases))
            found.last = reading.changed(read, min(one.position for one in bases))
        return found

    def add(self, id: str, live: Live) -> None:
        """Add a version of an object."""
        self.held[live.key] = live.source
        self.last[id] = live.source["pos"]
        self.versions.setdefault(id, Versions()).known[live.key] = live

    def pass_over(self, id: str, position: int) -> None:
        """Note a change of an object that leaves its versions as they are."""
        self.last[id] = position
        self.versions.setdefault(id, Versions())

    def remove(self, id: str, removed: Iterable[Live], position: int) -> None:
        """Take versions of an object away; the note of it has this position."""
        self.last[id] = position
        for one in removed:
            self.held.pop(one.key, None)
            del self.versions[id].known[one.key]


class _Reading:
    """The reads for one commit."""

    def __init__(self, journal: Journal, snapshots: Snapshots, state: Barrier, places: Places) -> None:
        self._journal = journal
        self._snapshots = snapshots
        self._state = state
        self._places = places

    def holdings(self, drafts: Mapping[str, Draft], withdrawn: set[str]) -> Holdings:
        """Return the versions that a commit of these drafts and withdrawals is about, by a search and what it finds."""
        held: dict[str, Source] = {}
        edges: dict[str, list[str]] = {}
        for hit in self._found(withdrawn.union(draft.id for draft in drafts.values()), _OUTERMOST, _HELD):
            edges.setdefault(hit["_source"]["id"], []).append(hit["_id"])
            held[hit["_id"]] = hit["_source"]
        # What is not outermost may be there all the same.
        others = [key for key, draft in drafts.items() if key not in held and draft.id in edges]
        there = zip(others, self._documents(others, _HELD), strict=True)
        held |= {key: source for key, source in there if source is not None and source["what"] == "put"}
        whole = withdrawn.intersection(edges)
        grown = {drafts[key].id for key in others if key not in held} - whole
        versions = self._outermost({id: edges[id] for id in grown})
        for key, draft in drafts.items():
            known = versions.get(draft.id)
            if known is not None and key not in held:
                place = place_of(draft)
                if known.lacks_others(self._number(place), place):
                    whole.add(draft.id)
        return Holdings(held, versions | self._whole(whole))

    def changed(self, ids: Iterable[str], after: int) -> dict[str, int]:
        """Return the positions of the last changes of objects, of those that changed after a position."""
        hits = self._found(ids, _CHANGES, ("id", "pos"), after)
        return {hit["_source"]["id"]: hit["_source"]["pos"] for hit in hits}

    def _number(self, place: Place) -> int:
        places = self._places.first(self._state.places)
        return places.index(place) + 1 if place in places else 0

    def _documents(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> list[Source | None]:
        found: list[Source | None] = []
        for at in range(0, len(ids), _READ_AT_ONCE):
            found += self._journal.read(self._state, ids[at : at + _READ_AT_ONCE], fields)
        return found

    def _outermost(self, edges: Mapping[str, Sequence[str]]) -> dict[str, Versions]:
        keys = [(id, key) for id, keys in edges.items() for key in keys]
        found = {id: Versions(complete=False) for id in edges}
        for (id, key), source in zip(keys, self._documents([key for _, key in keys]), strict=True):
            if source is None or source["what"] != "put":
                raise Moved
            found[id].known[key] = self._live(key, source)
        return found

    def _whole(self, ids: Iterable[str]) -> dict[str, Versions]:
        """Read all versions of objects."""
        found = {id: Versions() for id in ids}
        for hit in self._found(found, _LIVE):
            source = hit["_source"]
            found[source["id"]].known[hit["_id"]] = self._live(hit["_id"], source)
        return found

    def _found(
        self, ids: Iterable[str], query: Query, fields: Sequence[str] | None = None, after: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Search documents of objects at the barrier, those behind a position, each object's in order of position."""
        wanted = sorted(ids)
        for at in range(0, len(wanted), _IDS_AT_ONCE):
            some, behind = {"terms": {"id": wanted[at : at + _IDS_AT_ONCE]}}, after
            while True:
                only = [some, {"range": {"pos": {"gt": behind}}}, *query["filter"]]
                answer = self._snapshots.search(
                    {**query, "filter": only}, size=_READ_AT_ONCE, fields=fields, at_least=self._state.number
                )
                if answer.barrier.number != self._state.number:
                    raise Moved
                yield from answer.hits
                if len(answer.hits) < _READ_AT_ONCE:
                    break
                behind = answer.hits[-1]["_source"]["pos"]

    def _live(self, key: str, source: Source) -> Live:
        number = int(source["place"])
        return Live(key, source, number, self._places.place(number))
