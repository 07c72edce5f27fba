"""The live versions of one object, and what each must know of the others so that a query can say which is the latest.

A version notes the *places* (collection, specification version, audience) of others:

* ``newer``, ``older``: of higher and lower versions in its collection; ``newer_spec``: of higher specification versions
  there; ``later``: of whatever ranks higher in any collection.

The latest that a reader sees is the one that notes none of his places. Versions above or below another of their very
own place are the latest or the first for nobody, whoever reads; so only the outermost of each place need be kept up to
date, and only they are read when a version is added. The others are marked as ``inner``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.store.elastic.cluster import Source
from hub.store.elastic.places import Place

MARKS = ("newer", "older", "newer_spec", "later", "inner")
_NO_MARKS: dict[str, list[str]] = {name: [] for name in MARKS}


class Extent(NamedTuple):
    """The lowest and the highest version of an object in one place."""

    lowest: Live
    highest: Live


@dataclass(slots=True)
class Live:
    """A live version.

    Attributes:
        key: id of its document. source: the document; marks in it may be out of date.
        number: its place. stale: whether the document must be written.
    """

    key: str
    source: Source
    number: int
    place: Place
    stale: bool = False

    @property
    def version(self) -> int:
        """The object's version."""
        value: int = self.source["version"]
        return value

    @property
    def rank(self) -> tuple[str, int, int]:
        """By what the latest of all is decided (`hub.store.ports.Store.get`)."""
        return self.place.spec_version, self.source["version"], self.source["pos"]


@dataclass(slots=True)
class Versions:
    """The versions of one object that are known: all, or at least the outermost of each place."""

    known: dict[str, Live] = field(default_factory=dict)
    complete: bool = True

    def lacks_others(self, number: int, place: Place) -> bool:
        """Say whether a version in this place would change others than the outermost."""
        if self.complete:
            return False
        there = [one for one in self.known.values() if one.place.collection == place.collection]
        return all(one.number != number for one in there) and any(
            one.place.spec_version < place.spec_version for one in there
        )

    def in_collection(self, collection: str, version: int | None) -> list[Live]:
        """Return the versions in a collection, or the one of that number in each specification version, in order."""
        found = [
            one for one in self.known.values() if one.place.collection == collection and version in (None, one.version)
        ]
        return sorted(found, key=lambda one: (one.place.spec_version, one.version))

    def settle(self) -> Iterable[Live]:
        """Bring the marks up to date; return the versions whose documents must be written."""
        alone = len(self.known) == 1
        extents = {} if alone else self._extents()
        for one in self.known.values():
            for name, marks in (_NO_MARKS if alone else _marks(one, extents)).items():
                if one.source.get(name, []) != marks:
                    one.source[name] = marks
                    one.stale = True
        return [one for one in self.known.values() if one.stale]

    def _extents(self) -> dict[int, Extent]:
        extents: dict[int, Extent] = {}
        for one in self.known.values():
            there = extents.get(one.number)
            if there is None:
                extents[one.number] = Extent(one, one)
            elif one.version < there.lowest.version:
                extents[one.number] = Extent(one, there.highest)
            elif one.version > there.highest.version:
                extents[one.number] = Extent(there.lowest, one)
        return extents


def _marks(one: Live, extents: dict[int, Extent]) -> dict[str, list[str]]:
    marks: dict[str, Any] = {name: [] for name in MARKS}
    for number, extent in sorted(extents.items()):
        text = str(number)
        place = extent.highest.place
        if place.collection == one.place.collection:
            if extent.highest.version > one.version:
                marks["newer"].append(text)
            if extent.lowest.version < one.version:
                marks["older"].append(text)
            if place.spec_version > one.place.spec_version:
                marks["newer_spec"].append(text)
        if extent.highest.rank > one.rank:
            marks["later"].append(text)
    if one.key not in {edge.key for edge in extents[one.number]}:
        marks["inner"].append("yes")
    return marks
