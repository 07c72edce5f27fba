"""The exact check: which live indicators do these observables really hit, and what is to be known of each hit.

The index says what to look up, the store says what is there now, and this module decides: latest version, not
revoked, one value suffices, valid at the event's time, neither side on a list that refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from hub.admission.mint import EXPIRED
from hub.admission.warninglists import Warning as ListWarning
from hub.admission.warninglists import WarningLists
from hub.correlate.city import SOURCE
from hub.correlate.score import Grounds, Score, Scorer
from hub.model.audience import TLP, Audience
from hub.model.observables import Observable
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.times import parse_timestamp
from hub.store.ports import HUB, Change, Store

EACH: Final = 1000
"""Objects looked at for one observable."""

BEFORE: Final = "before-valid-from"
"""Label of a hit by an event that is older than the indicator: it was there before anybody said so."""


class _Body(msgspec.Struct):
    pattern: str
    valid_from: str
    pattern_type: str = "stix"
    valid_until: str | None = None
    confidence: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Indicator:
    """A live indicator of which any one observable is a hit; times in microseconds UTC."""

    id: str
    version: int
    collection: str
    audience: Audience
    source: str
    observables: tuple[str, ...]
    valid_from: int
    valid_until: int | None
    confidence: int | None

    def live_at(self, moment: int) -> bool:
        """Whether an event of that time counts; one before ``valid_from`` does, and is labelled."""
        return self.valid_until is None or moment < self.valid_until


class Match(NamedTuple):
    """An indicator that an observable falls under; ``why`` is ``exact``, ``parent domain``, ``network`` and so on."""

    indicator: Indicator
    key: str
    why: str


class Hit(NamedTuple):
    """One event that hit one indicator, for people and for ``--json``; ``time`` in microseconds UTC."""

    time: int
    sensor: str
    observable: str
    indicator: str
    collection: str
    score: Score
    warnings: tuple[str, ...]
    why: str


_decoder = msgspec.json.Decoder(_Body)


def read_indicator(change: Change) -> Indicator | None:
    """Read a change as an indicator that can be matched, or None when it is something else, revoked or compound."""
    if change.type != "indicator" or change.action != "put":
        return None
    return _read(change.id, change.version or 0, change.collection, change.audience, change.source, change.body)


@lru_cache(maxsize=4096)
def _read(id: str, version: int, collection: str, audience: Audience, source: str, body: bytes) -> Indicator | None:
    try:
        read = _decoder.decode(body)
        # One whose time is over was right in its time: a log that comes late still hits it.
        over = source.startswith(EXPIRED) and read.valid_until is not None
        if (read.revoked and not over) or read.pattern_type != "stix":
            return None
        pattern = read_pattern(read.pattern)
        begin = parse_timestamp(read.valid_from)
        end = parse_timestamp(read.valid_until) if read.valid_until else None
    except (msgspec.DecodeError, PatternRefused, ValueError):
        return None
    if not pattern.single:
        return None
    keys = tuple(each.key for each in pattern.observables)
    return Indicator(id, version, collection, audience, source.removeprefix(EXPIRED), keys, begin, end, read.confidence)


class Matcher:
    """Confirms what the index found, and judges it."""

    def __init__(self, store: Store, lists: WarningLists, scorer: Scorer) -> None:
        self._store = store
        self._lists = lists
        self._scorer = scorer
        self.warnings = lru_cache(maxsize=65_536)(self._check)

    def _check(self, key: str) -> tuple[ListWarning, ...]:
        return tuple(self._lists.check(Observable.from_key(key)))

    def refused(self, key: str) -> bool:
        """Whether a list says that this value can never be an indicator (own, reserved, top site)."""
        return any(warning.effect == "refuse" for warning in self.warnings(key))

    def notes(self, keys: Iterable[str]) -> tuple[ListWarning, ...]:
        """Return the warnings that annotate any of these values, each label once."""
        found = {each.label: each for key in keys for each in self.warnings(key) if each.effect == "annotate"}
        return tuple(found[label] for label in sorted(found))

    def live(self, keys: Iterable[str]) -> dict[str, list[Indicator]]:
        """Look up the indicators that can be hit under each key; keys that a list refuses have none."""
        asked = [key for key in keys if not self.refused(key)]
        found = self._store.lookup(HUB, asked, limit_each=EACH) if asked else {}
        live = {key: [read for change in changes if (read := read_indicator(change))] for key, changes in found.items()}
        return {key: indicators for key, indicators in live.items() if indicators}

    def confirm(self, covered: Mapping[str, tuple[str, ...]]) -> dict[str, list[Match]]:
        """Turn what `KeySet.covered` found into matches, one for each observable and indicator, nearest key first."""
        wanted = {key for observable, over in covered.items() if not self.refused(observable) for key in over}
        live = self.live(wanted)
        confirmed: dict[str, list[Match]] = {}
        for observable, over in covered.items():
            if self.refused(observable):
                continue
            matches: dict[str, Match] = {}
            for key in over:
                for indicator in live.get(key, ()):
                    matches.setdefault(indicator.id, Match(indicator, key, _why(observable, key)))
            if matches:
                confirmed[observable] = list(matches.values())
        return confirmed

    def score(self, indicator: Indicator, seen: Iterable[str], moment: int, count: int, others: int) -> Score:
        """Score a hit: ``seen`` are the observables that hit, ``moment`` when (last), ``others`` further sources."""
        kind = indicator.observables[0].partition(":")[0]
        warnings = self.notes([*seen, *indicator.observables])
        return self._scorer.score(
            Grounds(
                indicator.source,
                kind,
                indicator.confidence,
                moment - indicator.valid_from,
                others,
                count,
                warnings,
            )
        )


def corroboration(indicator: Indicator, peers: Iterable[Indicator]) -> int:
    """Count the independent sources that name the same value.

    Only those count whose audience is no narrower than the indicator's own, so that a score never tells a reader of
    something that he may not see; what the hub itself concluded is no second source.
    """
    sources = {
        peer.source
        for peer in peers
        if peer.source != SOURCE and (peer.audience.tlp <= TLP.GREEN or peer.audience == indicator.audience)
    }
    return len(sources - {indicator.source})


def _why(observable: str, key: str) -> str:
    if observable == key:
        return "exact"
    kind = key.partition(":")[0]
    if kind in {"ipv4-addr", "ipv6-addr"}:
        return "network" if "/" in key else "host"
    if kind == "domain-name":
        return "parent domain" if observable.startswith("domain-name:") else "host"
    return "URL prefix"


def to_hit(matcher: Matcher, match: Match, peers: Iterable[Match], observable: str, time: int, sensor: str) -> Hit:
    """Describe one hit of one event."""
    indicator = match.indicator
    others = corroboration(indicator, (peer.indicator for peer in peers))
    labels = [note.label for note in matcher.notes([observable, *indicator.observables])]
    if time < indicator.valid_from:
        labels.append(BEFORE)
    score = matcher.score(indicator, [observable], time, 1, others)
    return Hit(time, sensor, observable, indicator.id, indicator.collection, score, tuple(labels), match.why)
