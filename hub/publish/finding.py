"""Search on behalf of accounts, and what is told of it: to programs over the API, and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from hub.access.principal import Principal
from hub.model import times
from hub.publish.collections import Collections
from hub.store.facets import FacetQuery, Facets, Histogram
from hub.store.ports import Change, SearchPage, SearchQuery, Store
from hub.store.query import And, Compare, parse


class Finder:
    """Searches for the city's analysts: sources and owners of objects are told, so it is not for partners.

    Args:
        store, collections: the hub's.

    Raises (all methods): `NotAllowed` to others, `BadQuery`.
    """

    def __init__(self, store: Store, collections: Collections) -> None:
        self._store = store
        self._collections = collections

    def page(self, who: Principal, text: str, *, before: int | None, limit: int) -> SearchPage:
        """Find what a query asks for, newest first; ``before`` is the date (microseconds) to go on from."""
        who.must_be_able("confidential")
        tree = parse(text)
        if before is not None:
            tree = And((tree, Compare("date_added", None, before - 1)))
        return self._store.search(self._collections.scope(who), SearchQuery(tree, limit=limit))

    def facets(
        self, who: Principal, text: str, *, fields: Sequence[str], values: int, histogram: Histogram | None
    ) -> Facets:
        """Count what a query asks for."""
        who.must_be_able("confidential")
        query = FacetQuery(parse(text), tuple(dict.fromkeys(fields)), values, histogram)
        return self._store.facets(self._collections.scope(who), query)


def title_of(change: Change) -> str:
    """Say in one line what an object is about."""
    if not change.body:
        return ""
    document = orjson.loads(change.body)
    for name in ("pattern", "name", "value", "relationship_type", "sighting_of_ref", "abstract", "description"):
        if isinstance(text := document.get(name), str):
            return text if len(text) <= 100 else text[:99] + "…"
    return ""


def facets_document(facets: Facets, histogram: Histogram | None) -> dict[str, Any]:
    """Return facets as JSON: times as text, and no histogram where none was asked for."""
    told: dict[str, Any] = {
        "total": facets.total,
        "facets": {
            name: {"values": [one._asdict() for one in facet.values], "more": facet.more, "others": facet.others}
            for name, facet in facets.fields.items()
        },
    }
    if histogram is not None:
        bars = [{"start": times.format_timestamp(bar.start), "number": bar.number} for bar in facets.bars]
        told["histogram"] = {**histogram._asdict(), "bars": bars}
    return told
