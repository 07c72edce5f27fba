"""What the city's rules found becomes indicators of the city, with ids that follow from rule and value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hub.admission.gate import Gate
from hub.admission.mint import EXPIRED
from hub.correlate.city import City
from hub.correlate.marks import FINDING_DUE, RULE_STATE, done, touch
from hub.correlate.matching import Matcher
from hub.correlate.rules import CityRules, Rule, RuleState
from hub.correlate.sightings import origin
from hub.errors import Conflict
from hub.model.ids import derived_id
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.model.observables import Observable
from hub.model.patterns import pattern_for
from hub.model.times import format_timestamp, now, parse_timestamp
from hub.store.ports import HUB, Batch, Change, Document, DocumentWrite, Store

COLLECTION: Final = "city-indicators"
NO_BLOCK: Final = "no-block"
"""Label of what a list annotates: never in a list that a firewall obeys."""

PAGE: Final = 400
_ATTEMPTS: Final = 10


class _Due(NamedTuple):
    """A rule, the value that it found, and what it knows of it."""

    name: str
    rule: Rule
    key: str
    state: RuleState


class Findings:
    """Works off the marks that `hub.correlate.ingest` left for rules whose state moved."""

    def __init__(self, store: Store, matcher: Matcher, gate: Gate, city: City, rules: CityRules) -> None:
        self._store = store
        self._matcher = matcher
        self._gate = gate
        self._city = city
        self._rules = rules

    def flush(self, mine: Callable[[str], bool] = lambda _: True) -> int:
        """Store the indicators of rules that are new or moved; return how many versions were written.

        Args:
            mine: says of a rule, by its id, whether it is worked on; marks of others stay.
        """
        written, after = 0, ""
        while marks := self._store.documents(FINDING_DUE, after=after, limit=PAGE):
            for _ in range(_ATTEMPTS):
                due = [mark for mark in marks if mine(mark.key.partition("|")[0])]
                try:
                    written += self._settle(due) if due else 0
                    break
                except Conflict:
                    marks = self._store.documents(FINDING_DUE, after=after, limit=PAGE)
            after = marks[-1].key if marks else "\U0010ffff"
        return written

    def _settle(self, marks: Sequence[Document]) -> int:
        due: dict[str, _Due] = {}
        for mark in marks:
            name, _, key = mark.key.partition("|")
            saved, rule = self._store.document(RULE_STATE, mark.key), self._rules.rules.get(name)
            if saved and rule and not self._matcher.refused(key):
                state = msgspec.json.decode(saved.value, type=RuleState)
                due[_indicator_id(name, key)] = _Due(name, rule, key, state)
        known = self._store.get(HUB, [self._city.identity, *due])
        due = self._moved_on(due, known)
        made = [
            indicator
            for id, one in due.items()
            if (indicator := self._indicator(id, one.rule, one.key, one.state, known.get(id)))
        ]
        documents: list[DocumentWrite] = [done(mark) for mark in marks]
        rows = self._store.ledger({one.key for one in due.values()}) if made else []
        documents += [touch(*pair) for pair in sorted({(row.key.observable, row.key.day) for row in rows})]
        if not made:
            self._store.commit(Batch(documents=documents))
            return 0
        objects = made if self._city.identity in known else [self._city.identity_object(), *made]
        items = [StixItem(msgspec.json.encode(each), each["id"]) for each in objects]
        self._gate.admit(items, origin(self._city, COLLECTION, self._city.marking), documents)
        return len(made)

    def _moved_on(self, due: Mapping[str, _Due], known: dict[str, Change]) -> dict[str, _Due]:
        """Return what is due, under the next id where the indicator ended and the value is seen again.

        In STIX revoked is final for an id. ``known`` gets what is stored under the next ids.
        """
        settled: dict[str, _Due] = {}
        generation = 0
        while due:
            ended = {id for id, one in due.items() if id in known and _is_over(known[id], one)}
            settled |= {id: one for id, one in due.items() if id not in ended}
            generation += 1
            due = {_indicator_id(due[id].name, due[id].key, generation): due[id] for id in ended}
            known |= self._store.get(HUB, due) if due else {}
        return settled

    def _indicator(
        self, id: str, rule: Rule, key: str, state: RuleState, before: Change | None
    ) -> dict[str, Any] | None:
        """Make the indicator, or None when there is nothing new to say."""
        if state.first is None or state.last is None:
            return None
        verdict = rule.indicator
        notes = self._matcher.notes([key])
        confidence = max(0, verdict.confidence - sum(note.penalty for note in notes))
        start, until = state.first, state.last + rule.validity
        previous = msgspec.json.decode(before.body, type=dict[str, Any]) if before else {}
        if previous.get("revoked"):
            return None
        if previous:
            ended = parse_timestamp(previous["valid_until"]) if "valid_until" in previous else 0
            surer = abs(confidence - previous.get("confidence", 0)) * 2 > previous.get("confidence", 0)
            if until - ended <= rule.validity // 2 and not surer:
                return None
            start, until = min(start, parse_timestamp(previous["valid_from"])), max(until, ended)
        modified = max(now(), (before.version or 0) + 1000 if before else 0)
        observable = Observable.from_key(key)
        labels = [*verdict.labels, *(note.label for note in notes), *([NO_BLOCK] if notes else [])]
        made: dict[str, Any] = {
            "type": "indicator",
            "spec_version": "2.1",
            "id": id,
            "created_by_ref": self._city.identity,
            "created": previous.get("created", format_timestamp(modified, 3)),
            "modified": format_timestamp(modified, 3),
            "name": f"{verdict.name}: {observable.value}",
            "description": verdict.description,
            "indicator_types": list(verdict.types),
            "pattern": pattern_for(observable),
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": format_timestamp(start, 3),
            "valid_until": format_timestamp(until, 3),
            "confidence": confidence,
            "labels": labels,
            "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": each} for each in verdict.tactics],
            "external_references": [
                {
                    "source_name": "mitre-attack",
                    "external_id": each,
                    "url": f"https://attack.mitre.org/techniques/{each.replace('.', '/')}/",
                }
                for each in verdict.techniques
            ],
            "object_marking_refs": [MARKING_ID[self._city.marking]],
        }
        return {name: value for name, value in made.items() if value != []}


def _indicator_id(rule: str, key: str, generation: int = 0) -> str:
    return derived_id("indicator", "rule", rule, key, *([str(generation)] if generation else ()))


def _is_over(before: Change, due: _Due) -> bool:
    """Say whether an indicator ended although nobody took it back, and what the rule saw since makes it live again."""
    last = due.state.last
    return before.source.startswith(EXPIRED) and last is not None and last + due.rule.validity > now()
