"""Places: the distinct (collection, specification version, audience) that changes have, numbered from 1 on.

They are few, so a reader's rights become a list of numbers: `hub.model.audience.may` is asked once for each place. The
barrier says how many there are; a query that was made when there were fewer is asked again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from hub.errors import StoreCorrupt
from hub.model.audience import Audience, Purpose, Reader, may
from hub.store.elastic.generations import Generations
from hub.store.elastic.names import PLACES
from hub.store.ports import Scope

Query = dict[str, Any]
_REMEMBERED = 4096


class Place(NamedTuple):
    """Where a change stands: what is the same for all changes with one number."""

    collection: str
    spec_version: str
    label: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a scope may see among the first ``known`` places.

    Attributes:
        places: number and place, in order. everything: whether that is all there is.
    """

    known: int
    places: tuple[tuple[int, Place], ...]
    everything: bool

    def of(self, *, collection: str | None = None, spec_versions: frozenset[str] = frozenset()) -> list[str]:
        """Return the visible places, only those of a collection and of specification versions if any are given."""
        return [
            str(number)
            for number, place in self.places
            if collection in (None, place.collection) and (not spec_versions or place.spec_version in spec_versions)
        ]

    def newest(self) -> Query:
        """Return the condition that a change is live, visible, and the latest such version of its object anywhere."""
        if self.everything:
            return {"filter": [{"term": {"what": "put"}}], "must_not": [{"exists": {"field": "later"}}]}
        visible = self.of()
        return {"filter": [{"terms": {"place": visible}}], "must_not": [{"terms": {"later": visible}}]}


class Places:
    """The places as far as this process knows them; they are only ever added to."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._places: list[Place] = []
        self._audiences: list[Audience] = []
        self._allowed: dict[tuple[Reader, Purpose], list[bool]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def place(self, number: int) -> Place:
        """Return the place of a number that a barrier has counted."""
        return self._places[number - 1]

    def audience(self, number: int) -> Audience:
        """Return the audience of a place."""
        return self._audiences[number - 1]

    def learn(self, count: int) -> None:
        """Learn the places that a barrier has counted.

        Raises:
            StoreCorrupt: they are not there.
        """
        if count <= len(self._places):
            return
        (source,) = self._generations.documents([PLACES])
        found = [Place(*one) for one in source["doc"]["places"]] if source else []
        if len(found) < count:
            raise StoreCorrupt("The hub's index in Elasticsearch has lost its places; restore it from a snapshot.")
        with self._lock:
            new = found[len(self._places) :]
            self._audiences += [Audience.from_label(place.label) for place in new]
            self._places += new

    def first(self, count: int) -> list[Place]:
        """Return the places that a barrier has counted."""
        self.learn(count)
        return self._places[:count]

    def sight(self, scope: Scope) -> Sight:
        """Return what a scope may see of the places known now."""
        known = len(self._places)
        if scope.reader is None:
            allowed = [not audience.is_farewell for audience in self._audiences[:known]]
        else:
            allowed = self._decided(scope.reader, scope.purpose, known)
        collections = scope.collections
        return Sight(
            known,
            tuple(
                (number, place)
                for number, place in enumerate(self._places[:known], 1)
                if allowed[number - 1] and (collections is None or place.collection in collections)
            ),
            scope.reader is None and collections is None and all(allowed),
        )

    def _decided(self, reader: Reader, purpose: Purpose, known: int) -> list[bool]:
        with self._lock:
            allowed = self._allowed.get((reader, purpose), [])
            if len(allowed) < known:
                new = self._audiences[len(allowed) : known]
                allowed = [*allowed, *(may(reader, audience, purpose).allowed for audience in new)]
                if len(self._allowed) >= _REMEMBERED:
                    self._allowed.clear()
                self._allowed[reader, purpose] = allowed
        return allowed


def places_source(places: Sequence[Place]) -> bytes:
    """Return the document that holds the places."""
    return orjson.dumps({"what": "places", "doc": {"places": [list(place) for place in places]}})
