"""Facets and histograms on every engine count what the search finds, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from hub.errors import BadQuery
from hub.model import times
from hub.store import facets as facet_bounds
from hub.store.facets import FACETS, FacetQuery, Histogram, Step
from hub.store.ports import HUB, Batch, Draft, Scope, Store, Withdrawal
from hub.store.query import parse
from tests.contract.conftest import ENGINES, forget
from tests.contract.drafts import ANALYST, CITY_ONLY, STRANGER, WATER, draft
from tests.store.facet_oracle import bars, counted
from tests.store.search_corpus import filled, found, generated
from tests.store.search_oracle import Stored, finds

STEPS: tuple[Step, ...] = get_args(Step)
Corpus = tuple[Store, list[Stored]]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("facets")
    store = ENGINES[request.param](folder)
    yield store, filled(store)
    store.close()
    forget(request.param, folder)


def test_facets_count_the_whole_result(corpus: Corpus) -> None:
    store, stored = corpus
    chance = random.Random(11)
    for text in ("*", "nothing", *(generated(chance, 3) for _ in range(40))):
        histogram = Histogram(chance.choice(("added", "created")), chance.choice(("day", "week", "month")))
        tree = parse(text)
        whole = [one for one in stored if finds(tree, one)]
        facets = store.facets(HUB, FacetQuery(tree, values=3, histogram=histogram))
        assert facets.total == len(whole), text
        assert [tuple(bar) for bar in facets.bars] == bars(whole, histogram), text
        for name in FACETS:
            facet, wanted = facets.fields[name], counted(whole, name)
            assert [(value, number) for value, number, _ in facet.values] == wanted[:3], (text, name)
            rest = [number for _, number in wanted[3:]]
            assert (facet.more, facet.others) == (len(rest), sum(rest)), (text, name)


def test_every_value_is_a_search_for_what_it_counts(corpus: Corpus) -> None:
    store, _ = corpus
    for text in ("*", "type:indicator OR emotet"):
        facets = store.facets(HUB, FacetQuery(parse(text), values=100))
        for name, facet in facets.fields.items():
            # The corpus says other traffic lights and owners in its tokens than in its audiences.
            for value in () if name in {"tlp", "owner"} else facet.values:
                assert len(found(store, f"({text}) AND {value.query}")) == value.number, value


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
