"""What facets must say, counted object by object: the oracle for every engine's facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hub.store.facets import TOKEN_FACETS, Histogram
from hub.store.ports import Draft
from tests.store.search_oracle import Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def values_of(draft: Draft, name: str) -> set[str]:
    """Return the values that an object has of a facet."""
    if name in TOKEN_FACETS:
        return {token.partition("=")[2] for token in draft.tokens if token.startswith(f"{name}=")}
    match name:
        case "tlp":
            return {draft.audience.tlp.name.lower()}
        case "owner":
            return {draft.audience.owner}
        case "confidence":
            return {_band(draft.confidence)}
        case "revoked":
            return {"true" if draft.revoked else "false"}
    return {str(getattr(draft, name))}


def _band(confidence: int | None) -> str:
    if confidence is None:
        return "not-stated"
    bands = (("70-100", 70), ("30-69", 30), ("1-29", 1), ("0", 0))
    return next(band for band, low in bands if confidence >= low)


def counted(found: Iterable[Stored], name: str) -> list[tuple[str, int]]:
    """Return all values of a facet with how many objects have each, most frequent first."""
    counts = Counter(value for one in found for value in values_of(one.draft, name))
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def bars(found: Iterable[Stored], histogram: Histogram) -> list[tuple[int, int]]:
    """Return the bars of a histogram that are not empty."""
    moments = [one.date_added if histogram.time == "added" else one.draft.created for one in found]
    return sorted(Counter(_begin(moment, histogram.step) for moment in moments if moment is not None).items())


def _begin(moment: int, step: str) -> int:
    day = (_EPOCH + timedelta(microseconds=moment)).replace(hour=0, minute=0, second=0, microsecond=0)
    if step == "week":
        day -= timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    return (day - _EPOCH) // timedelta(microseconds=1)
