"""Facets: of how many of each type, source, label and so on the result of a search is, and when it came.

A facet is a field of the search language, so that each of its values is a search for less (`narrower`). Engines only
count (`Tally`); which values are shown, in which order, and what becomes of the rest is decided here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from hub.errors import BadQuery
from hub.model import times
from hub.model.audience import Audience

if TYPE_CHECKING:
    from hub.store.query import Node

TOKEN_FACETS = ("kind", "label", "category", "phase", "warning")
"""Facets that count tokens (`hub.model.tokens`): an object may have none or several of each."""
_STARTS = tuple(f"{name}=" for name in TOKEN_FACETS)
FacetName = Literal[
    "type",
    "kind",
    "label",
    "category",
    "phase",
    "source",
    "collection",
    "tlp",
    "owner",
    "confidence",
    "revoked",
    "warning",
]
FACETS: tuple[FacetName, ...] = get_args(FacetName)
"""Every facet. Those that are not `TOKEN_FACETS` have exactly one value for each object."""
MOST_SHOWN = 100
"""Values of a facet that may be asked for."""
MOST_VALUES = 10_000
"""Different values that one question may have to count, of all its facets together."""
MOST_BARS = 4000
"""Bars of a histogram: ten years of days."""
BANDS = (("70-100", 70, 100), ("30-69", 30, 69), ("1-29", 1, 29), ("0", 0, 0))
"""Bands of confidence: high, medium, low and none (STIX 2.1 appendix A)."""
NOT_STATED = "not-stated"
"""The band of objects that say nothing of it."""

Time = Literal["added", "created"]
Step = Literal["day", "week", "month"]
_EPOCH = date(1970, 1, 1).toordinal()


class Histogram(NamedTuple):
    """What a histogram counts: when the hub stored objects or when they were made, by day, week or month in UTC.

    Weeks begin on Monday. Objects without the time are in no bar.
    """

    time: Time
    step: Step


@dataclass(frozen=True, slots=True)
class FacetQuery:
    """Facets of what a search would find, whole.

    Attributes:
        tree: what to find (`hub.store.query.parse`). fields: which of `FACETS` to count.
        values: how many of each to show, `MOST_SHOWN` at most.
        histogram: what to count by time, or None.
    """

    tree: Node
    fields: tuple[str, ...] = FACETS
    values: int = 10
    histogram: Histogram | None = None

    @property
    def tokens(self) -> list[str]:
        """The fields that count tokens."""
        return [name for name in self.fields if name in TOKEN_FACETS]


class Value(NamedTuple):
    """One value of a facet, how many objects have it, and the query that finds just those."""

    value: str
    number: int
    query: str


@dataclass(frozen=True, slots=True)
class Facet:
    """Values of one field, most frequent first and then in order of their text.

    ``others`` is the sum of the counts of ``more`` values that are not shown.
    """

    values: tuple[Value, ...]
    more: int
    others: int


class Bar(NamedTuple):
    """How many objects fall into a day, week or month that begins at ``start`` (microseconds)."""

    start: int
    number: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Facets of a search: of how many objects in all, by field; and the bars of the histogram that are not empty."""

    total: int
    fields: Mapping[str, Facet]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What an engine counted.

    Attributes:
        places: how many objects there are of each collection and audience; together they are all.
        values: how many there are of each value of a field: type, source, `TOKEN_FACETS`, confidence and revoked as
            numbers.
        bars: how many there are of each start of a day, week or month (`begins`).
    """

    places: Mapping[tuple[str, Audience], int]
    values: Mapping[str, Mapping[str, int]]
    bars: Mapping[int, int]


def counted_tokens(tokens: Iterable[str]) -> list[str]:
    """Return those tokens of an object that are counted, each once."""
    return list(dict.fromkeys([one for one in tokens if one.startswith(_STARTS)]))


def facets_of(query: FacetQuery, tally: Tally) -> Facets:
    """Return the answer to a question from what was counted for it.

    Raises:
        BadQuery: that is too much.
    """
    must_be_few(sum(len(counts) for counts in tally.values.values()))
    bars_must_be_few(len(tally.bars))
    total = sum(tally.places.values())
    fields = {name: _cut(name, _counted(name, tally, total), query.values) for name in query.fields}
    return Facets(total, fields, tuple(Bar(*one) for one in sorted(tally.bars.items())))


def must_be_few(values: int) -> None:
    """Refuse to count more different values than is sensible.

    Raises:
        BadQuery: there are too many.
    """
    if values > MOST_VALUES:
        raise BadQuery(f"There are more than {MOST_VALUES} different values; search for less, or name fewer facets.")


def bars_must_be_few(bars: int) -> None:
    """Refuse a histogram with more bars than is sensible.

    Raises:
        BadQuery: there are too many.
    """
    if bars > MOST_BARS:
        raise BadQuery(f"There are more than {MOST_BARS} bars; take weeks or months, or search for less.")


def begins(day: int, step: Step) -> int:
    """Return the microsecond in which the day, week or month begins that a day (since the epoch) is in."""
    match step:
        case "week":
            day -= (day + 3) % 7
        case "month":
            day = date.fromordinal(day + _EPOCH).replace(day=1).toordinal() - _EPOCH
    return day * times.DAY


def narrower(name: str, value: str) -> str:
    """Return the query that finds the objects with a value of a facet."""
    if name == "confidence":
        found = next((f"confidence:[{low} TO {high}]" for band, low, high in BANDS if band == value), None)
        return found or "NOT confidence:*"
    if name == "revoked":
        return f"revoked:{value}"
    return '{}:"{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))


def _counted(name: str, tally: Tally, total: int) -> Mapping[str, int]:
    match name:
        case "collection":
            return _summed((place[0], count) for place, count in tally.places.items())
        case "tlp":
            return _summed((place[1].tlp.name.lower(), count) for place, count in tally.places.items())
        case "owner":
            return _summed((place[1].owner, count) for place, count in tally.places.items())
        case "confidence":
            stated = [(int(value), count) for value, count in tally.values.get(name, {}).items()]
            bands = {band: sum(count for value, count in stated if low <= value <= high) for band, low, high in BANDS}
            bands[NOT_STATED] = total - sum(bands.values())
            return {band: count for band, count in bands.items() if count}
        case "revoked":
            return _summed(
                (("false", "true")[int(value)], count) for value, count in tally.values.get(name, {}).items()
            )
    return tally.values.get(name, {})


def _summed(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value, count in counts:
        found[value] = found.get(value, 0) + count
    return found


def _cut(name: str, counts: Mapping[str, int], shown: int) -> Facet:
    ranked: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rest = ranked[shown:]
    values = tuple(Value(value, count, narrower(name, value)) for value, count in ranked[:shown])
    return Facet(values, len(rest), sum(count for _, count in rest))
