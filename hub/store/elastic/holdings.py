"""What the index holds of the objects that a commit is about, read at one barrier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.store.elastic.cluster import Source
from hub.store.elastic.entries import Barrier
from hub.store.elastic.journal import Journal, Moved
from hub.store.elastic.names import change_id, head_id
from hub.store.elastic.places import Place, Places
from hub.store.elastic.snapshots import Snapshots
from hub.store.elastic.versions import Live, Versions
from hub.store.ports import Batch, Draft

_READ_AT_ONCE = 5000
_IDS_AT_ONCE = 500
_HELD = ("what", "pos", "date", "doc.digest")


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
        last: positions of the last change of objects.
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
        read = {id for batch in batches if batch.basis for id in batch.basis.ids}
        if not drafts and not withdrawn and not read:
            return cls()
        return _Reading(journal, snapshots, state, places).holdings(drafts, withdrawn, read)

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

    def holdings(self, drafts: Mapping[str, Draft], withdrawn: set[str], read: set[str]) -> Holdings:
        ids = list(withdrawn.union(read, (draft.id for draft in drafts.values())))
        keys = list(drafts)
        found = self._documents([*keys, *map(head_id, ids)], (*_HELD, "doc.edges", "doc.last"))
        held = {key: source for key, source in zip(keys, found, strict=False) if source and source["what"] == "put"}
        heads = {id: head["doc"] for id, head in zip(ids, found[len(keys) :], strict=True) if head is not None}
        edges = {id: frozenset(head["edges"]) for id, head in heads.items()}
        grown = {draft.id for key, draft in drafts.items() if key not in held and edges.get(draft.id)}
        whole = {id for id in withdrawn if edges.get(id)}
        versions = self._outermost({id: edges[id] for id in grown - whole})
        for key, draft in drafts.items():
            known = versions.get(draft.id)
            place = place_of(draft)
            if known is not None and key not in held and known.lacks_others(self._number(place), place):
                whole.add(draft.id)
        versions |= self._whole(whole)
        return Holdings(held, versions, {id: head["last"] for id, head in heads.items()})

    def _number(self, place: Place) -> int:
        places = self._places.first(self._state.places)
        return places.index(place) + 1 if place in places else 0

    def _documents(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> list[Source | None]:
        found: list[Source | None] = []
        for at in range(0, len(ids), _READ_AT_ONCE):
            found += self._journal.read(self._state, ids[at : at + _READ_AT_ONCE], fields)
        return found

    def _outermost(self, edges: Mapping[str, frozenset[str]]) -> dict[str, Versions]:
        keys = [(id, key) for id, keys in edges.items() for key in sorted(keys)]
        found = {id: Versions(complete=False) for id in edges}
        for (id, key), source in zip(keys, self._documents([key for _, key in keys]), strict=True):
            if source is None or source["what"] != "put":
                raise Moved
            found[id].known[key] = self._live(key, source)
        return found

    def _whole(self, ids: Iterable[str]) -> dict[str, Versions]:
        """Read all versions of objects, by searches at the same barrier."""
        wanted = sorted(ids)
        found = {id: Versions() for id in wanted}
        for at in range(0, len(wanted), _IDS_AT_ONCE):
            only = [{"term": {"what": "put"}}, {"terms": {"id": wanted[at : at + _IDS_AT_ONCE]}}]
            after = 0
            while True:
                answer = self._snapshots.search(
                    {"filter": [*only, {"range": {"pos": {"gt": after}}}]},
                    size=_READ_AT_ONCE,
                    at_least=self._state.number,
                )
                if answer.barrier.number != self._state.number:
                    raise Moved
                for hit in answer.hits:
                    source = hit["_source"]
                    found[source["id"]].known[hit["_id"]] = self._live(hit["_id"], source)
                if len(answer.hits) < _READ_AT_ONCE:
                    break
                after = answer.hits[-1]["_source"]["pos"]
        return found

    def _live(self, key: str, source: Source) -> Live:
        number = int(source["place"])
        return Live(key, source, number, self._places.place(number))
