"""400 queries about the real sample data: on every engine readers find what the oracle finds, in that order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import get_args

import pytest

from hub.errors import BadQuery
from hub.store.facets import FacetQuery, Histogram, Step
from hub.store.ports import Batch, Scope, SearchQuery, Store
from hub.store.query import Node, parse
from tests.contract.conftest import ENGINES, forget
from tests.store.facet_oracle import bars, counted
from tests.store.sample_corpus import READERS, batches, filled
from tests.store.sample_queries import generated, written_by_hand
from tests.store.search_oracle import Stored, finds, seen_by

Corpus = tuple[Store, list[Stored]]
STEPS: tuple[Step, ...] = get_args(Step)
BY_HAND = written_by_hand()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    return batches(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module", params=sorted(ENGINES))
def corpus(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, written: list[Batch]
) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("samples")
    store = ENGINES[request.param](folder)
    yield store, filled(store, written)
    store.close()
    forget(request.param, folder)


def _found(store: Store, scope: Scope, tree: Node, limit: int) -> list[str]:
    ids: list[str] = []
    page = store.search(scope, SearchQuery(tree, limit=limit))
    while True:
        assert len(page.changes) <= limit
        ids += [change.id for change in page.changes]
        if page.before is None:
            return ids
        assert len(page.changes) == limit
        page = store.search(scope, SearchQuery(tree, before=page.before, limit=limit))


def _agree(corpus: Corpus, queries: list[str]) -> list[int]:
    """Ask every query, for one reader after the other, page by page; return how many objects each found."""
    store, stored = corpus
    visible = {name: seen_by(scope, stored) for name, scope in READERS.items()}
    assert len({len(seen) for seen in visible.values()}) == len(READERS)
    numbers = []
    for at, text in enumerate(queries):
        tree, name = parse(text), sorted(READERS)[at % len(READERS)]
        wanted = [one.draft.id for one in visible[name] if finds(tree, one)]
        assert _found(store, READERS[name], tree, (150, 1000, 1000)[at % 3]) == wanted, (text, name)
        numbers.append(len(wanted) or sum(finds(tree, one) for one in visible["hub"]))
    return numbers


def test_100_queries_written_by_hand(corpus: Corpus) -> None:
    asked = [(query, reason) for query, reason in BY_HAND if not reason.endswith("refused")]
    assert len(asked) >= 100
    numbers = _agree(corpus, [query for query, _ in asked])
    empty = [query for (query, _), number in zip(asked, numbers, strict=True) if not number]
    assert empty == [query for query, reason in asked if reason.endswith("finds nothing")]


@pytest.mark.parametrize("query", [query for query, reason in BY_HAND if reason.endswith("refused")])
def test_what_no_index_can_answer_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        parse(query)


def test_300_generated_queries(corpus: Corpus) -> None:
    queries = generated(corpus[1], 300, seed=5)
    assert len(set(queries)) > 290
    numbers = _agree(corpus, queries)
    assert sum(map(bool, numbers)) > 280
    assert len(set(numbers)) > 60


def test_facets_count_all_that_a_search_finds(corpus: Corpus) -> None:
    store, stored = corpus
    visible = {name: seen_by(scope, stored) for name, scope in READERS.items()}
    asked = [query for query, reason in BY_HAND[::4] if not reason.endswith("refused")]
    chance = random.Random(11)
    for at, text in enumerate(["*", "*", "*", "*", "NOT *", *asked, *generated(stored, 25, seed=6)]):
        name = sorted(READERS)[at % len(READERS)]
        histogram, shown = Histogram(chance.choice(("added", "created")), chance.choice(STEPS)), chance.choice((3, 100))
        tree = parse(text)
        found = [one for one in visible[name] if finds(tree, one)]
        facets = store.facets(READERS[name], FacetQuery(tree, values=shown, histogram=histogram))
        assert facets.total == len(found), (text, name)
        assert [tuple(bar) for bar in facets.bars] == bars(found, histogram), (text, name)
        for field, facet in facets.fields.items():
            wanted = counted(found, field)
            assert [(value, number) for value, number, _ in facet.values] == wanted[:shown], (text, name, field)
            rest = [number for _, number in wanted[shown:]]
            assert (facet.more, facet.others) == (len(rest), sum(rest)), (text, name, field)


def test_every_value_of_a_facet_is_a_search_for_what_it_counts(corpus: Corpus) -> None:
    store, _ = corpus
    facets = store.facets(READERS["operator"], FacetQuery(parse("*"), values=100))
    values = [value for facet in facets.fields.values() for value in facet.values]
    assert len(values) > 100
    for value in values:
        assert store.facets(READERS["operator"], FacetQuery(parse(value.query), ())).total == value.number, value
