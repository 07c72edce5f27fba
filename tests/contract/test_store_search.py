"""Search on every engine finds what the oracle finds, newest first, in pages."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from hub.errors import BadQuery
from hub.store.ports import Store
from hub.store.query import parse
from tests.contract.conftest import ENGINES, forget
from tests.store.search_corpus import TERMS, VALUES, expected, filled, found, generated
from tests.store.search_oracle import Stored

Corpus = tuple[Store, list[Stored]]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("search")
    store = ENGINES[request.param](folder)
    yield store, filled(store)
    store.close()
    forget(request.param, folder)


@pytest.mark.parametrize("term", TERMS)
def test_every_kind_of_term_finds_what_the_oracle_finds(corpus: Corpus, term: str) -> None:
    store, stored = corpus
    ids = found(store, term)
    assert ids == expected(stored, term)
    assert ids or term in {"nothing", "added:<2026"}


def test_generated_queries_find_what_the_oracle_finds(corpus: Corpus) -> None:
    store, stored = corpus
    chance = random.Random(7)
    answers = set()
    for _ in range(80):
        text = generated(chance, 3)
        ids = found(store, text)
        assert ids == expected(stored, text), text
        answers.add(tuple(ids))
    assert len(answers) > 30


def test_pages_join_to_the_whole_newest_first(corpus: Corpus) -> None:
    store, _ = corpus
    whole = found(store, "type:indicator OR confidence:>=70")
    assert len(whole) > 50
    assert found(store, "type:indicator OR confidence:>=70", limit=7) == whole


def test_values_that_differ_behind_the_longest_term_are_told_apart(corpus: Corpus) -> None:
    store, _ = corpus
    one, other = (set(found(store, f"value:{VALUES[at].value}")) for at in (17, 18))
    assert one != other
    assert one | other == set(found(store, "value:https://long.example/aaa*"))


@pytest.mark.parametrize(
    ("level", "levels"),
    (
        ("(emotet OR loader AND NOT {})", 8),
        ("(emotet AND (loader OR {}))", 10),
        ("(confidence:>3 OR emotet AND NOT {})", 8),
        ("(value:184.0.0.0/8 OR revoked:true (type:report OR {}))", 10),
        ("(emotet NOT {})", 12),
    ),
)
def test_the_deepest_queries_can_be_answered(corpus: Corpus, level: str, levels: int) -> None:
    store, stored = corpus
    text = "loader"
    for _ in range(levels):
        text = level.format(text)
    assert found(store, text) == expected(stored, text)
    with pytest.raises(BadQuery):
        for _ in range(levels):
            text = level.format(text)
        parse(text)


def test_the_widest_queries_can_be_answered(corpus: Corpus) -> None:
    store, stored = corpus
    for operator in (" OR ", " ", " AND NOT "):
        for term in ("word{}", "type:t{}", "confidence:{}", "10.{}.0.0/16"):
            text = operator.join(term.format(number) for number in range(95 if operator != " AND NOT " else 60))
            assert found(store, text) == expected(stored, text)


@pytest.mark.parametrize("text", ('"a\\" OR \\"b"', 'name:x\\"y', "a';--", 'label:"x\\" OR w=*"', "NEAR"))
def test_no_text_of_a_query_is_read_as_syntax_by_the_engine(corpus: Corpus, text: str) -> None:
    store, stored = corpus
    assert found(store, text) == expected(stored, text)
