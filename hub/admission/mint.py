"""Values from lists become indicators of their source: one id for one value, stable times, an end to each."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from hub.model.audience import TLP
from hub.model.ids import derived_id
from hub.model.items import IndicatorItem
from hub.model.markings import MARKING_ID
from hub.model.observables import Observable, recognise
from hub.model.patterns import pattern_for
from hub.model.times import DAY, format_timestamp, parse_timestamp

LIFE = 30 * DAY
"""How long a value stays valid when neither its source nor its feed's declaration says so."""

EXPIRED = "expired:"
"""Stands before the source of a version that was revoked because its time was over, not because it was wrong.

In STIX revoked is final for an id. So where the value comes back, it comes under the next id (`indicator_id`).
"""

_MOST = {"name": 200, "description": 4000}


def read_value(item: IndicatorItem) -> Observable:
    """Return what a list's value is, refanged and canonical.

    Raises:
        NotObservable: it is nothing that can be looked for.
    """
    return recognise(item.value, item.hint or None)


def indicator_id(source: str, observable: Observable, attempt: int = 0) -> str:
    """Return the id of the indicator that a source has for a value; ``attempt`` counts ids that are used up.

    An id is used up when somebody else has taken it, or when the indicator that had it ended (`EXPIRED`).
    """
    return derived_id("indicator", source, observable.key, *([str(attempt)] if attempt else ()))


def mint(
    item: IndicatorItem,
    observable: Observable,
    *,
    id: str,
    source: str,
    trust: int,
    created_by: str | None,
    before: dict[str, Any] | None,
    now: int,
) -> bytes | None:
    """Make the STIX 2.1 indicator of a list's value, or None when the stored version says it all.

    Args:
        item: the value as the source gave it. observable: what it is. id: of the indicator.
        source: by account. trust: 0-100. created_by: the source's identity.
        before: the stored version, parsed. now: microseconds UTC.

    A value that is seen again gets a new version only when less than half of its life is left, so that a list that
    is read every hour does not make every value new every hour.
    """
    times = _times_of(item, before, now)
    if times is None:
        return None
    document: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": id,
        "created": format_timestamp(times.created, 3),
        "modified": format_timestamp(times.modified, 3),
        "name": observable.value[: _MOST["name"]],
        "indicator_types": [item.kind],
        "pattern": pattern_for(observable),
        "pattern_type": "stix",
        "valid_from": format_timestamp(times.start, 3),
        "valid_until": format_timestamp(times.until, 3),
        "confidence": trust if item.confidence is None else item.confidence,
    }
    if created_by is not None:
        document["created_by_ref"] = created_by
    if item.description:
        document["description"] = item.description[: _MOST["description"]]
    if item.labels:
        document["labels"] = list(dict.fromkeys(item.labels))
    if item.references:
        document["external_references"] = [
            {"source_name": source.partition(":")[2] or source, "url": reference} for reference in item.references
        ]
    if item.marking is not None:
        # A level that nobody knows is passed on as the tightest there is.
        document["object_marking_refs"] = [MARKING_ID[min(item.marking, TLP.RED)]]
    return orjson.dumps(document)


class _Times(NamedTuple):
    created: int
    modified: int
    start: int
    until: int


def _times_of(item: IndicatorItem, before: dict[str, Any] | None, now: int) -> _Times | None:
    """Return the times of the version to write, or None when the stored one will do."""
    start = item.seen if item.seen is not None else now
    until = item.valid_until if item.valid_until is not None else max(start, now) + LIFE
    if until <= start:
        until = start + DAY
    if before is None:
        return _Times(start, start, start, until)
    if before.get("revoked", False):
        return None  # taken back by its owner: that the list still has it does not bring it back
    known_start = parse_timestamp(before["valid_from"])
    known_until = parse_timestamp(before["valid_until"]) if "valid_until" in before else 0
    if until - known_until < min(max(until - known_start, DAY), LIFE) // 2:
        return None
    modified = max(now, parse_timestamp(before["modified"]) + 1000)
    return _Times(parse_timestamp(before["created"]), modified, min(start, known_start), until)
