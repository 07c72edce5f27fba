"""Facets and histograms on every engine count what the search finds, and nothing else."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hub.errors import BadQuery
from hub.model import times
from hub.store import facets as facet_bounds
from hub.store.elastic import engine as elastic_engine
from hub.store.facets import FacetQuery, Histogram, Step
from hub.store.ports import HUB, Batch, Draft, Scope, SearchQuery, Store, Withdrawal
from hub.store.query import parse
from hub.store.sqlite import costs
from tests.contract.drafts import ANALYST, CITY_ONLY, STRANGER, WATER, draft
from tests.store.facet_oracle import bars
from tests.store.search_oracle import Stored

STEPS: tuple[Step, ...] = get_args(Step)


def test_bars_begin_with_days_weeks_and_months_far_in_the_past_and_in_the_future(store: Store) -> None:
    moments: tuple[str, ...] = (
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "2024-02-29T12:00:00Z",
    )
    moments += ("2026-11-22T23:59:59.999999Z", "2026-11-23T00:00:00Z", "9999-12-31T23:59:59.999999Z")
    drafts = [
        draft(f"indicator--{at}", created=times.parse_timestamp(text)) for at, text in enumerate((*moments, moments[4]))
    ]
    store.commit(Batch([*drafts, draft("indicator--without")]))
    stored = [Stored(one, 0) for one in drafts]
    for step in STEPS:
        histogram = Histogram("created", step)
        told = store.facets(HUB, FacetQuery(parse("*"), (), histogram=histogram))
        assert [tuple(bar) for bar in told.bars] == bars(stored, histogram)
        assert told.total == 9


def test_only_the_latest_visible_version_counts_and_what_is_taken_away_does_not(store: Store) -> None:
    def version(number: int, label: str, **changes: Any) -> Draft:
        return draft(version=number, tokens=(f"label={label}",), **changes)

    store.commit(Batch([version(1, "old"), version(2, "new"), version(3, "secret", audience=CITY_ONLY)]))
    for scope, label in ((STRANGER, "new"), (WATER, "new"), (ANALYST, "secret"), (HUB, "secret")):
        told = store.facets(scope, FacetQuery(parse("*")))
        assert told.total == 1
        assert [value.value for value in told.fields["label"].values] == [label]
    assert store.facets(Scope(None, frozenset({"b"})), FacetQuery(parse("*"))).total == 0
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1")]))
    assert store.facets(HUB, FacetQuery(parse("*"))) == store.facets(STRANGER, FacetQuery(parse("nothing")))


def test_no_more_values_and_bars_are_counted_than_is_sensible(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        draft(f"indicator--{at}", tokens=tuple(f"label=l{at}-{n}" for n in range(40)), created=at * times.DAY)
        for at in range(260)
    ]
    store.commit(Batch(many))
    with pytest.raises(BadQuery, match="10000 different values"):
        store.facets(HUB, FacetQuery(parse("*"), ("label", "type")))
    told = store.facets(HUB, FacetQuery(parse("*"), ("type",), histogram=Histogram("created", "day")))
    assert (told.total, len(told.bars)) == (260, 260)
    monkeypatch.setattr(facet_bounds, "MOST_BARS", 259)
    with pytest.raises(BadQuery, match="weeks or months"):
        store.facets(HUB, FacetQuery(parse("*"), (), histogram=Histogram("created", "day")))


def test_what_costs_too_much_is_refused_and_the_store_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit(Batch([draft(f"indicator--{at}", tokens=(f"label=l{at}",)) for at in range(50)]))
    query = FacetQuery(parse("*"))
    with monkeypatch.context() as cheap:
        cheap.setattr(costs, "_STEPS", 10)
        cheap.setattr(costs, "SEARCH_STEPS", 100)
        cheap.setattr(elastic_engine, "SEARCH_TIME", "0ms")
        with pytest.raises(BadQuery, match="costs too much"):
            # A cluster looks at the time now and then only.
            for _ in range(2000):
                store.facets(HUB, query)
    assert store.facets(HUB, query).total == len(store.search(HUB, SearchQuery(query.tree)).changes) == 50
