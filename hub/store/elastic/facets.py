"""Facets and histograms: counted by the cluster, over the same snapshot and the same condition as a search."""

from __future__ import annotations

from typing import Any

from hub.errors import BadQuery
from hub.model.audience import Audience
from hub.store.elastic.faults import TooSlow
from hub.store.elastic.places import Query, Sight
from hub.store.elastic.snapshots import Answer, Snapshots
from hub.store.elastic.tree import compiled
from hub.store.facets import MOST_BARS, MOST_VALUES, FacetQuery, Facets, Tally, bars_must_be_few, facets_of, must_be_few
from hub.store.ports import Scope

_OF_A_PLACE = frozenset({"collection", "tlp", "owner"})
_TIMES = {"added": "date_ms", "created": "created_ms"}
_MICROSECONDS = 1000
_NOTHING: Query = {"buckets": ()}


def facets(snapshots: Snapshots, scope: Scope, query: FacetQuery, timeout: str) -> Facets:
    """Count what a search finds.

    Args:
        snapshots: where to search. scope: on whose behalf. query: what to count.
        timeout: how long the cluster may take.

    Raises:
        BadQuery: it takes too long, or there is too much to count.
    """

    def ask(sight: Sight) -> dict[str, Any]:
        condition = sight.newest()
        condition["filter"].append(compiled(query.tree))
        return {"query": condition, "size": 0, "aggregations": _aggregations(query, sight), "timeout": timeout}

    try:
        answer = snapshots.seen_by(scope, ask)
    except TooSlow as error:
        raise BadQuery("The search costs too much; name a field and more of the value.") from error
    return facets_of(query, _tally(snapshots, answer))


def _aggregations(query: FacetQuery, sight: Sight) -> Query:
    """Return what to count. Every shard tells all its values, so that their sums are exact."""
    most = {"size": max(1, sight.known)}
    found: Query = {"places": {"terms": {"field": "place", **most, "shard_size": most["size"]}}}
    if names := [name for name in query.fields if name not in _OF_A_PLACE]:
        found["values"] = {
            "terms": {
                "field": "facets",
                "include": f"({'|'.join(names)})=.*",
                "size": MOST_VALUES + 1,
                "shard_size": MOST_VALUES + 1,
            }
        }
    if query.histogram:
        dates = {"field": _TIMES[query.histogram.time], "calendar_interval": query.histogram.step}
        found["bars"] = {"composite": {"size": MOST_BARS + 1, "sources": [{"start": {"date_histogram": dates}}]}}
    return found


def _tally(snapshots: Snapshots, answer: Answer) -> Tally:
    places: dict[tuple[str, Audience], int] = {}
    for bucket in answer.aggregations["places"]["buckets"]:
        number = int(bucket["key"])
        place = snapshots.places.place(number).collection, snapshots.places.audience(number)
        places[place] = places.get(place, 0) + bucket["doc_count"]
    counted = answer.aggregations.get("values", _NOTHING)["buckets"]
    must_be_few(len(counted))
    values: dict[str, dict[str, int]] = {}
    for bucket in counted:
        name, _, value = bucket["key"].partition("=")
        values.setdefault(name, {})[value] = bucket["doc_count"]
    bars = answer.aggregations.get("bars", _NOTHING)["buckets"]
    bars_must_be_few(len(bars))
    return Tally(places, values, {one["key"]["start"] * _MICROSECONDS: one["doc_count"] for one in bars})
