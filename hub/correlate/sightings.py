"""Sightings: one object for each (indicator, organisation, day), always computed from the ledger, never added up.

Work arrives as marks (`hub.correlate.marks`); what an object may show is decided in `hub.correlate.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hub.admission.gate import Gate, Origin
from hub.correlate.city import SOURCE, City
from hub.correlate.evidence import MOST, seen_on_day, shown_objects, with_observed_data
from hub.correlate.marks import TOUCHED, done, touched
from hub.correlate.matching import BEFORE, Indicator, Matcher, corroboration
from hub.errors import Conflict
from hub.model.audience import TLP
from hub.model.ids import derived_id
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.model.times import MINUTE, format_day, format_timestamp, now
from hub.store.ports import HUB, Batch, Change, Document, DocumentWrite, Store

COLLECTION: Final = "sightings"
PAGE: Final = 200
"""Marks worked off together."""

_ATTEMPTS: Final = 10
_ITEMS: Final = 900


class Sightings:
    """Works off the marks of what was touched.

    Args:
        store: the store. matcher: confirms and scores. gate: what admits the objects. city: who saw it.
        interval: microseconds that must pass before a sighting gets another version.
    """

    def __init__(self, store: Store, matcher: Matcher, gate: Gate, city: City, *, interval: int = 5 * MINUTE) -> None:
        self._store = store
        self._matcher = matcher
        self._gate = gate
        self._city = city
        self._interval = interval
        self._due: dict[str, int] = {}

    def flush(self, *, force: bool = False) -> int:
        """Store every sighting that changed; return how many versions were written.

        ``force`` disregards the interval, for the end of an import. Marks of sightings that must wait stay.
        """
        written, after = 0, ""
        while marks := self._store.documents(TOUCHED, after=after, limit=PAGE):
            for _ in range(_ATTEMPTS):
                moment = now()
                due = [mark for mark in marks if force or self._due.get(mark.key, 0) <= moment]
                try:
                    written += self._settle(due, moment, force=force) if due else 0
                    break
                except Conflict:
                    marks = self._store.documents(TOUCHED, after=after, limit=PAGE)
            after = marks[-1].key if marks else "\U0010ffff"
        return written

    def _settle(self, marks: Sequence[Document], moment: int, *, force: bool) -> int:
        by_mark = {mark.key: touched(mark) for mark in marks}
        live = self._matcher.live({key for key, _ in by_mark.values()})
        wanted = {
            derived_id("sighting", indicator.id, self._city.organisation, format_day(day)): (indicator, day)
            for key, day in by_mark.values()
            for indicator in live.get(key, ())
        }
        others = {key for indicator, _ in wanted.values() for key in indicator.observables} - live.keys()
        live |= self._matcher.live(others)
        read_at = self._store.head().position
        known = self._store.get(HUB, wanted)
        waiting: dict[tuple[str, int], int] = {}
        made: dict[tuple[TLP, tuple[str, ...]], list[dict[str, Any]]] = {}
        for name, (indicator, day) in wanted.items():
            before = known.get(name)
            due = (before.version or 0) + self._interval if before else 0
            if due > moment and not force:
                waiting.update({(key, day): due for key in indicator.observables})
            elif objects := self._objects(name, indicator, day, before, live, moment):
                made.setdefault(_audience(indicator, self._city), []).extend(objects)
        self._admit(made, [done(mark) for mark in marks if by_mark[mark.key] not in waiting], read_at)
        for name, pair in by_mark.items():
            self._due.pop(name, None)
            if pair in waiting:
                self._due[name] = waiting[pair]
        return sum(each["type"] == "sighting" for objects in made.values() for each in objects)

    def _objects(
        self,
        id: str,
        indicator: Indicator,
        day: int,
        before: Change | None,
        live: Mapping[str, list[Indicator]],
        moment: int,
    ) -> list[dict[str, Any]]:
        """Make the sighting and its evidence, or nothing when nothing changed."""
        seen = seen_on_day(
            row
            for row in self._store.ledger(indicator.observables, under=True, since=day, until=day)
            if not self._matcher.refused(row.key.observable) and indicator.live_at(row.total.first)
        )
        if seen is None:
            return []
        peers = [peer for key in indicator.observables for peer in live.get(key, ())]
        score = self._matcher.score(indicator, seen.observables, seen.last, seen.count, corroboration(indicator, peers))
        labels = [note.label for note in self._matcher.notes([*seen.observables, *indicator.observables])]
        if seen.last < indicator.valid_from:
            labels.append(BEFORE)
        said: dict[str, Any] = {
            "first_seen": format_timestamp(seen.first, 3),
            "last_seen": format_timestamp(seen.last, 3),
            "count": min(seen.count, MOST),
            "confidence": score.value,
            "description": str(score),
            **({"labels": labels} if labels else {}),
        }
        previous = msgspec.json.decode(before.body, type=dict[str, Any]) if before else {}
        if before and all(previous.get(name) == said.get(name) for name in ("labels", *said)):
            return []
        modified = format_timestamp(max(moment, (before.version or 0) + 1000 if before else 0), 3)
        common = {
            "spec_version": "2.1",
            "created_by_ref": self._city.identity,
            "created": previous.get("created", modified),
            "modified": modified,
            "object_marking_refs": [MARKING_ID[_audience(indicator, self._city)[0]]],
        }
        sighting = {
            "type": "sighting",
            "id": id,
            **common,
            **said,
            "sighting_of_ref": indicator.id,
            "where_sighted_refs": [self._city.identity],
        }
        evidence = shown_objects(indicator.observables, seen, self._matcher.refused)
        return [*evidence, *with_observed_data(sighting, common, evidence)]

    def _admit(
        self,
        made: Mapping[tuple[TLP, tuple[str, ...]], list[dict[str, Any]]],
        finished: Sequence[DocumentWrite],
        read_at: int,
    ) -> None:
        calls: list[tuple[Origin, list[dict[str, Any]]]] = []
        for (tlp, groups), objects in made.items():
            there = self._store.get(HUB, [self._city.identity, *(each["id"] for each in objects if _is_sco(each))])
            objects = [each for each in objects if each["id"] not in there]
            if self._city.identity not in there and not calls:
                objects.insert(0, self._city.identity_object())
            calls += [(origin(self._city, COLLECTION, tlp, groups), part) for part in _parts(objects)]
        for number, (source, objects) in enumerate(calls, 1):
            items = [StixItem(msgspec.json.encode(each), each["id"]) for each in objects]
            self._gate.admit(items, source, finished if number == len(calls) else (), read_at=read_at)
        if not calls and finished:
            self._store.commit(Batch(documents=finished))


def origin(city: City, collection: str, marking: TLP, groups: tuple[str, ...] = ()) -> Origin:
    """Return on whose account correlation stores what it made."""
    return Origin(
        source=SOURCE,
        organisation=city.organisation,
        collections=(collection,),
        marking=marking,
        groups=groups,
        created_by=city.identity,
    )


def _audience(indicator: Indicator, city: City) -> tuple[TLP, tuple[str, ...]]:
    """Return marking and groups of what says something of an indicator: never looser than the indicator's own."""
    tlp = max(city.marking, min(indicator.audience.tlp, TLP.RED))
    owner = {indicator.audience.owner} - {city.organisation}
    return tlp, tuple(sorted({*indicator.audience.groups, *owner})) if tlp > TLP.GREEN else ()


def _is_sco(made: Mapping[str, Any]) -> bool:
    return "created" not in made


def _parts(objects: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [objects[start : start + _ITEMS] for start in range(0, len(objects), _ITEMS)]
