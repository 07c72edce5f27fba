"""Search on SQLite reads by the index that selects, without reading the whole log."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import BadQuery
from hub.store.ports import HUB, SearchQuery
from hub.store.query import parse
from hub.store.sqlite import costs
from hub.store.sqlite.engine import SqliteStore
from hub.store.sqlite.search import select
from tests.store.search_corpus import expected, filled, generated
from tests.store.search_oracle import Stored
from tests.stores import ABOUT_SQLITE

pytestmark = ABOUT_SQLITE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "hub.sqlite"


@pytest.fixture(scope="module")
def corpus(path: Path) -> Iterator[tuple[SqliteStore, list[Stored]]]:
    store = SqliteStore(path)
    yield store, filled(store)
    store.close()


SEEN = (
    " AND c.state = 1 AND c.superseded < 4 AND c.audience IN (1) AND c.collection IN (1, 2) AND NOT EXISTS (SELECT 1"
    " FROM changes AS newer INDEXED BY identity WHERE newer.state = 1 AND newer.id = c.id"
    " AND newer.version > c.version)"
)


@pytest.mark.parametrize(
    ("text", "first"),
    (
        ("type:indicator AND value:184.105.*", "SCAN words VIRTUAL TABLE INDEX"),
        ("emotet NOT label:c2 AND confidence:>=70", "SCAN words VIRTUAL TABLE INDEX"),
        ("evil[.]example", "SCAN words VIRTUAL TABLE INDEX"),
        ("value:*.evil.example", "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"),
        ("type:indicator value:184.105.0.0/16 confidence:>=70", "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"),
        ("184.105.0.0/16 OR type:malware OR value:*.evil.example", "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"),
        ("added:>now-1h", "SEARCH c USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("NOT type:indicator", "SEARCH c USING INTEGER PRIMARY KEY (rowid<?)"),
    ),
)
def test_a_search_reads_by_the_index_that_selects_and_in_order(
    corpus: tuple[SqliteStore, list[Stored]], path: Path, text: str, first: str
) -> None:
    sql, parameters = select(parse(text), "c.body", SEEN)
    db = sqlite3.connect(path)
    steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (*parameters, 2**63 - 1, 50))]
    db.close()
    assert steps[0].startswith(first)
    assert not any(step.startswith(("SCAN c", "USE TEMP B-TREE")) for step in steps), steps


@pytest.mark.parametrize("seed", range(4))
def test_a_page_before_a_position_is_what_the_oracle_finds_there(
    corpus: tuple[SqliteStore, list[Stored]], path: Path, seed: int
) -> None:
    _, stored = corpus
    positions = {one.draft.id: at for at, one in enumerate(stored, start=1)}
    chance = random.Random(seed)
    db = sqlite3.connect(path)
    for _ in range(50):
        text = generated(chance, 3)
        sql, parameters = select(parse(text), "c.position", " AND c.state = 1")
        found = [row[0] for row in db.execute(sql, (*parameters, 250, 40))]
        assert found == [positions[id_] for id_ in expected(stored, text) if positions[id_] < 250][:40], text
    db.close()


def test_what_is_about_tokens_only_is_one_expression() -> None:
    sql, parameters = select(parse("(ab OR name:cd*) NOT (label:ef OR type:gh) xy"), "c.id", "")
    assert sql.count("MATCH") == 1
    assert parameters == ['((("w=ab" OR "name=cd" *) AND "w=xy") NOT (("label=ef" OR "type=gh")))']


def test_a_search_that_takes_too_many_steps_is_refused(
    corpus: tuple[SqliteStore, list[Stored]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stored = corpus
    query = SearchQuery(parse("NOT nothing"), limit=1000)
    with monkeypatch.context() as cheap:
        cheap.setattr(costs, "_STEPS", 10)
        cheap.setattr(costs, "SEARCH_STEPS", 1000)
        with pytest.raises(BadQuery, match="costs too much"):
            store.search(HUB, query)
    assert len(store.search(HUB, query).changes) == len(stored)
