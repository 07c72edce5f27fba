"""The values of a collection as a list may carry them: live, decided by one value, safe to block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from hub.model.observables import Observable
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.times import parse_timestamp
from hub.store.ports import PageQuery, Scope, Store

_INDICATORS = frozenset({"indicator"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One value with what is said of it; ``raw`` is the indicator's JSON as stored.

    ``valid_until`` is microseconds UTC or None; ``labels`` are the source's words.
    """

    observable: Observable
    indicator: dict[str, Any]
    valid_until: int | None
    confidence: int | None
    labels: tuple[str, ...]


def entries(
    store: Store, scope: Scope, collection: str, now: int, blockable: Callable[[Observable], bool]
) -> Iterator[Entry]:
    """Yield the values of a collection that a list may carry, each once, oldest first.

    Args:
        store: where from. scope: for whom, with the purpose ``block``. collection: its key. now: microseconds UTC.
        blockable: says whether a value is on no warning list.
    """
    seen: set[str] = set()
    after, more = 0, True
    while more:
        page = store.read_objects(scope, PageQuery(collection, after=after, types=_INDICATORS))
        after, more = page.last, page.more
        for indicator in orjson.loads(b"[" + page.joined + b"]"):
            for entry in _entries_of(indicator, now):
                if entry.observable.key not in seen and blockable(entry.observable):
                    seen.add(entry.observable.key)
                    yield entry


def _entries_of(indicator: dict[str, Any], now: int) -> Iterator[Entry]:
    until = parse_timestamp(indicator["valid_until"]) if "valid_until" in indicator else None
    if indicator.get("revoked") or indicator.get("pattern_type") != "stix" or (until is not None and until <= now):
        return
    try:
        pattern = read_pattern(indicator["pattern"])
    except PatternRefused:
        return
    if not pattern.single:
        return
    labels = tuple(str(label) for label in indicator.get("labels", ()))
    for observable in pattern.observables:
        yield Entry(observable, indicator, until, indicator.get("confidence"), labels)
