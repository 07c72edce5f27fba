"""Facets and histograms on every engine count what the search finds, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from hub.store.facets import FACETS, FacetQuery, Histogram
from hub.store.ports import HUB, Store
from hub.store.query import parse
from tests.contract.conftest import ENGINES, forget
from tests.store.facet_oracle import bars, counted
from tests.store.search_corpus import filled, generated
from tests.store.search_oracle import Stored, finds

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
        found = [one for one in stored if finds(tree, one)]
        facets = store.facets(HUB, FacetQuery(tree, values=3, histogram=histogram))
        assert facets.total == len(found), text
        assert [tuple(bar) for bar in facets.bars] == bars(found, histogram), text
        for name in FACETS:
            facet, whole = facets.fields[name], counted(found, name)
            assert [(value, number) for value, number, _ in facet.values] == whole[:3], (text, name)
            assert (facet.more, facet.others) == (len(whole[3:]), sum(number for _, number in whole[3:])), (text, name)
