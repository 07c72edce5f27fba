"""Facets and histograms: one walk over what a search finds, counted on the way."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from hub.model import times
from hub.model.audience import Audience
from hub.store.facets import FacetQuery, Facets, Step, Tally, begins, facets_of, must_be_few
from hub.store.sqlite.costs import bounded
from hub.store.sqlite.names import Names
from hub.store.sqlite.search import select
from hub.store.sqlite.sight import Sight

_TIMES = {"added": "c.date_added", "created": "c.created"}
_COLUMNS = {"type": "c.type", "source": "c.source", "confidence": "c.confidence", "revoked": "c.revoked"}
_ROWS = 10_000


def facets(db: sqlite3.Connection, sight: Sight, query: FacetQuery, collections: Names, audiences: Names) -> Facets:
    """Count what a search finds.

    Raises:
        BadQuery: it takes too many steps, or there is too much to count.
    """
    with bounded(db):
        return facets_of(query, _tally(db, sight, query, collections, audiences))


def _tally(db: sqlite3.Connection, sight: Sight, query: FacetQuery, collections: Names, audiences: Names) -> Tally:
    names = [name for name in query.fields if name in _COLUMNS]
    moment = _TIMES[query.histogram.time] if query.histogram else "NULL"
    tokens = "c.facets" if query.tokens else "''"
    columns = (moment, tokens, "c.collection", "c.audience", *(_COLUMNS[name] for name in names))
    sql, parameters = select(query.tree, ", ".join(columns), sight.newest("c"))
    rows = db.execute(sql, (*parameters, 2**63 - 1, -1))
    days: Counter[int] = Counter()
    places: Counter[tuple[int, int]] = Counter()
    values: dict[str, Counter[str]] = {name: Counter() for name in (*names, *query.tokens)}
    while some := rows.fetchmany(_ROWS):
        moments, groups, *numbers = zip(*some, strict=True)
        days.update(moment // times.DAY for moment in moments if moment is not None)
        places.update(zip(*numbers[:2], strict=True))
        for name, column in zip(names, numbers[2:], strict=True):
            values[name].update(str(value) for value in column if value is not None)
        _add_tokens(values, query.tokens, Counter(groups))
        must_be_few(sum(map(len, values.values())))
    return Tally(
        {
            (collections.text(collection), Audience.from_label(audiences.text(audience))): count
            for (collection, audience), count in places.items()
        },
        values,
        _bars(days, query.histogram.step) if query.histogram else {},
    )


def _add_tokens(values: dict[str, Counter[str]], names: Sequence[str], groups: Counter[str]) -> None:
    """Count each token of fields, given how often tokens occur together."""
    for group, number in groups.items():
        for token in group.split():
            name, _, value = token.partition("=")
            if name in names:
                values[name][value] += number


def _bars(days: Counter[int], step: Step) -> dict[int, int]:
    bars: Counter[int] = Counter()
    for day, count in days.items():
        bars[begins(day, step)] += count
    return bars
