"""A small corpus of objects, queries about it, and what they must find."""

from __future__ import annotations

import random

from hub.model import times
from hub.model.audience import Audience
from hub.model.observables import Observable
from hub.model.tokens import tokens_of
from hub.store.ports import HUB, UNVERSIONED, Batch, Draft, SearchQuery, Store
from hub.store.query import parse
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


def filled(store: Store) -> list[Stored]:
    """Write the corpus into a store."""
    chance = random.Random(3)
    drafts = [made(number, chance) for number in range(300)]
    outcomes = [outcome for at in range(0, 300, 100) for outcome in store.commit(Batch(drafts=drafts[at : at + 100]))]
    assert {outcome.result for outcome in outcomes} == {"stored"}
    return [Stored(draft, outcome.date_added) for draft, outcome in zip(drafts, outcomes, strict=True)]


def generated(chance: random.Random, depth: int) -> str:
    shape = chance.randrange(6) if depth else 0
    if shape < 2:
        return chance.choice(TERMS)
    if shape == 2:
        return f"NOT ({generated(chance, depth - 1)})"
    operator = chance.choice((" AND ", " OR ", " ", " AND NOT "))
    return operator.join(f"({generated(chance, depth - 1)})" for _ in range(chance.randint(2, 3)))


def found(store: Store, text: str, limit: int = 1000) -> list[str]:
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
