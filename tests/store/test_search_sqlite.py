"""Search on SQLite finds what the oracle finds, newest first, in pages, without reading the whole log."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import BadQuery
from hub.model import times
from hub.model.audience import Audience
from hub.model.observables import Observable
from hub.model.tokens import tokens_of
from hub.store.ports import HUB, UNVERSIONED, Batch, Draft, SearchQuery
from hub.store.query import parse
from hub.store.sqlite.engine import SqliteStore
from hub.store.sqlite.search import select
from tests.store.search_oracle import Stored, finds

START = times.parse_timestamp("2026-01-01T00:00:00Z")
TYPES = ("indicator", "malware", "report", "domain-name", "url")
WORDS = ("emotet", "loader", "phishing", "Cobalt Strike", "evil.example", "CVE-2024-1234", "readme.md", "Zürich", "ab")
LABELS = ("c2", "command and control", "scanner")
VALUES = (
    Observable("ipv4-addr", "184.105.139.67"),
    Observable("ipv4-addr", "184.105.247.194"),
    Observable("ipv4-addr", "184.106.0.1"),
    Observable("ipv4-addr", "184.105.139.0/24"),
    Observable("ipv4-addr", "184.0.0.0/8"),
    Observable("ipv6-addr", "2001:db8::1"),
    Observable("ipv6-addr", "2001:db8:1::/48"),
    Observable("domain-name", "evil.example"),
    Observable("domain-name", "www.evil.example"),
    Observable("domain-name", "notevil.example"),
    Observable("domain-name", "evil.example.org"),
    Observable("url", "https://www.evil.example/a/b.php?x=1"),
    Observable("url", "http://184.105.139.67:8080/bin.sh"),
    Observable("url", "http://[2001:db8::1]/"),
    Observable("email-addr", "someone@evil.example"),
    Observable("file-md5", "d41d8cd98f00b204e9800998ecf8427e"),
    Observable("file-name", "readme.md"),
    Observable("url", "https://long.example/" + "a" * 150),
    Observable("url", "https://long.example/" + "a" * 150 + "b"),
)
TERMS = (
    *(
        "emotet",
        '"cobalt strike"',
        "loader",
        "zürich",
        "evil[.]example",
        "CVE-2024-1234",
        "readme.m*",
        "184.105.*",
        "ab*",
    ),
    *(
        "name:emotet",
        'name:"cobalt strike loader"',
        "text:phishing",
        "type:indicator",
        "type:mal*",
        "label:c2",
        "nothing",
    ),
    *('label:"command and control"', "label:(c2 OR scanner)", "source:feed:none", "source:fe*", "collection:two"),
    *("value:184.105.*", "value:184.105.0.0/16", "value:184.105.139.67", "184.0.0.0/8", "value:2001:db8::/32"),
    *("value:*.evil.example", "*.example", "value:*example", "value:evil*", "value:hxxps://www[.]evil[.]example/*"),
    *("value:D41D8CD98F00B204E9800998ECF8427E", "kind:url", "kind:file-*", "value:0.0.0.0/0", "value:2001:db8::1"),
    *("modified:2026-01", "modified:[2026-01-05 TO 2026-01-20}", "modified:<2026-01-10", "created:>=2026-01-15"),
    *("added:>now-1h", "added:<2026", "added:*", "added:[* TO *]", "valid_until:*", "valid_until:<2026-02-01"),
    *(
        "confidence:>=70",
        "confidence:[20 TO 60]",
        "confidence:*",
        "confidence:0",
        "revoked:true",
        "match:no",
        "tlp:green",
    ),
    *("*", f"value:{VALUES[17].value}", f"value:{VALUES[18].value}", "id:indicator--*", "value:*md"),
)


def made(number: int, chance: random.Random) -> Draft:
    type_ = chance.choice(TYPES)
    values = tuple(chance.sample(VALUES, chance.choice((0, 1, 1, 1, 2, 4))))
    version = UNVERSIONED if type_ in {"domain-name", "url"} else START + chance.randrange(30) * times.DAY
    obj = {
        "type": type_,
        "id": f"{type_}--00000000-0000-4000-8000-{number:012d}",
        "name": " ".join(chance.sample(WORDS, 2)),
        "description": f"seen hxxp://{chance.choice(('evil[.]example', 'other.test'))}/ {chance.choice(WORDS)}.",
        "labels": chance.sample(LABELS, chance.randrange(3)),
    }
    collection, source = chance.choice((("one", "feed:none"), ("two", "user:maria")))
    return Draft(
        collection=collection,
        id=str(obj["id"]),
        type=type_,
        spec_version="2.1",
        version=version,
        version_text=times.format_timestamp(version),
        body=b"{}",
        audience=Audience("city"),
        source=source,
        observables=tuple(value.key for value in values),
        matchable=bool(values) and type_ == "indicator",
        tokens=tokens_of(
            obj,
            collection=collection,
            source=source,
            observables=values,
            extra={"tlp": [chance.choice(("green", "red"))], "match": [chance.choice(("yes", "no"))]},
        ),
        created=version or None,
        valid_until=chance.choice((None, START + 20 * times.DAY, START + 40 * times.DAY)),
        revoked=chance.random() < 0.2,
        confidence=chance.choice((None, 0, 30, 60, 70, 100)),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "hub.sqlite"


@pytest.fixture(scope="module")
def corpus(path: Path) -> Iterator[tuple[SqliteStore, list[Stored]]]:
    chance = random.Random(3)
    drafts = [made(number, chance) for number in range(300)]
    store = SqliteStore(path)
    outcomes = [outcome for at in range(0, 300, 100) for outcome in store.commit(Batch(drafts=drafts[at : at + 100]))]
    assert {outcome.result for outcome in outcomes} == {"stored"}
    yield store, [Stored(draft, outcome.date_added) for draft, outcome in zip(drafts, outcomes, strict=True)]
    store.close()


def generated(chance: random.Random, depth: int) -> str:
    shape = chance.randrange(6) if depth else 0
    if shape < 2:
        return chance.choice(TERMS)
    if shape == 2:
        return f"NOT ({generated(chance, depth - 1)})"
    operator = chance.choice((" AND ", " OR ", " ", " AND NOT "))
    return operator.join(f"({generated(chance, depth - 1)})" for _ in range(chance.randint(2, 3)))


def found(store: SqliteStore, text: str, limit: int = 1000) -> list[str]:
    query = SearchQuery(parse(text), limit=limit)
    ids = []
    while True:
        page = store.search(HUB, query)
        assert len(page.changes) <= limit
        ids += [change.id for change in page.changes]
        if page.before is None:
            return ids
        query = SearchQuery(query.tree, before=page.before, limit=limit)


def expected(stored: list[Stored], text: str) -> list[str]:
    tree = parse(text)
    return [one.draft.id for one in reversed(stored) if finds(tree, one)]


@pytest.mark.parametrize("term", TERMS)
def test_every_kind_of_term_finds_what_the_oracle_finds(corpus: tuple[SqliteStore, list[Stored]], term: str) -> None:
    store, stored = corpus
    ids = found(store, term)
    assert ids == expected(stored, term)
    assert ids or term in {"nothing", "added:<2026"}


def test_generated_queries_find_what_the_oracle_finds(corpus: tuple[SqliteStore, list[Stored]]) -> None:
    store, stored = corpus
    chance = random.Random(7)
    answers = set()
    for _ in range(200):
        text = generated(chance, 3)
        ids = found(store, text)
        assert ids == expected(stored, text), text
        answers.add(tuple(ids))
    assert len(answers) > 60


def test_pages_join_to_the_whole_newest_first(corpus: tuple[SqliteStore, list[Stored]]) -> None:
    store, _ = corpus
    whole = found(store, "type:indicator OR confidence:>=70")
    assert len(whole) > 50
    assert found(store, "type:indicator OR confidence:>=70", limit=7) == whole


def test_values_that_differ_behind_the_longest_term_are_told_apart(corpus: tuple[SqliteStore, list[Stored]]) -> None:
    store, _ = corpus
    one, other = (set(found(store, f"value:{VALUES[at].value}")) for at in (17, 18))
    assert one != other
    assert one | other == set(found(store, "value:https://long.example/aaa*"))


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
def test_the_deepest_queries_can_be_answered(corpus: tuple[SqliteStore, list[Stored]], level: str, levels: int) -> None:
    store, stored = corpus
    text = "loader"
    for _ in range(levels):
        text = level.format(text)
    assert found(store, text) == expected(stored, text)
    with pytest.raises(BadQuery):
        for _ in range(levels):
            text = level.format(text)
        parse(text)


def test_the_widest_queries_can_be_answered(corpus: tuple[SqliteStore, list[Stored]]) -> None:
    store, stored = corpus
    for operator in (" OR ", " ", " AND NOT "):
        for term in ("word{}", "type:t{}", "confidence:{}", "10.{}.0.0/16"):
            text = operator.join(term.format(number) for number in range(95 if operator != " AND NOT " else 60))
            assert found(store, text) == expected(stored, text)


def test_what_is_about_tokens_only_is_one_expression() -> None:
    sql, parameters = select(parse("(ab OR name:cd*) NOT (label:ef OR type:gh) xy"), "c.id", "")
    assert sql.count("MATCH") == 1
    assert parameters == ['((("w=ab" OR "name=cd" *) AND "w=xy") NOT (("label=ef" OR "type=gh")))']


@pytest.mark.parametrize("text", ('"a\\" OR \\"b"', 'name:x\\"y', "a';--", 'label:"x\\" OR w=*"', "NEAR"))
def test_no_text_of_a_query_is_read_as_syntax_by_the_engine(
    corpus: tuple[SqliteStore, list[Stored]], text: str
) -> None:
    store, stored = corpus
    assert found(store, text) == expected(stored, text)
