"""Finding objects by id, by observable and for matching, on every engine."""

from __future__ import annotations

import random

import pytest

from hub.model.audience import Reader
from hub.store.elastic import objects as elastic_objects
from hub.store.ports import HUB, Batch, PageQuery, Scope, SearchQuery, Store, Withdrawal
from hub.store.query import Everything
from tests.contract.drafts import ANALYST, CITY_ONLY, FOR_WATER, STRANGER, WATER, draft

EVIL = "domain-name:evil.example"
ADDRESS = "ipv4-addr:192.0.2.7"
NOBODY = Scope(Reader("shop"), frozenset())


def found(store: Store, scope: Scope, *keys: str, **options) -> dict[str, list[tuple[str, int]]]:
    """Return what a look-up finds, as (id, version)."""
    answer = store.lookup(scope, keys, **options)
    return {key: [(change.id, change.version or 0) for change in changes] for key, changes in answer.items()}


def test_get_gives_the_latest_visible_version_and_leaves_out_what_is_not_there(store: Store):
    store.commit(Batch([draft(version=1), draft(version=2, audience=CITY_ONLY), draft("x--1", audience=FOR_WATER)]))
    wanted = ["indicator--1", "x--1", "no--1", "indicator--1"]
    assert {id: c.version for id, c in store.get(STRANGER, wanted).items()} == {"indicator--1": 1}
    assert {id: c.version for id, c in store.get(WATER, wanted).items()} == {"indicator--1": 1, "x--1": 1}
    assert {id: c.version for id, c in store.get(ANALYST, wanted).items()} == {"indicator--1": 2, "x--1": 1}
    assert store.get(NOBODY, wanted) == store.get(HUB, []) == {}


def test_get_looks_into_every_collection_of_the_scope(store: Store):
    store.commit(Batch([draft(version=3, collection="c"), draft(version=2, collection="b"), draft(version=1)]))
    assert store.get(STRANGER, ["indicator--1"])["indicator--1"].collection == "b"
    assert store.get(HUB, ["indicator--1"])["indicator--1"].collection == "c"


def test_of_equal_versions_the_later_change_is_given(store: Store):
    store.commit(Batch([draft(), draft(collection="b")]))
    assert store.get(STRANGER, ["indicator--1"])["indicator--1"].collection == "b"


def test_lookup_finds_by_canonical_key_newest_first(store: Store):
    store.commit(
        Batch(
            [
                draft("x--1", observables=(EVIL, ADDRESS)),
                draft("x--2", observables=(EVIL,), collection="b"),
                draft("x--3", observables=("domain-name:www.evil.example", "domain-name:evil.example.org")),
            ]
        )
    )
    assert found(store, STRANGER, EVIL, ADDRESS, "domain-name:no.example") == {
        EVIL: [("x--2", 1), ("x--1", 1)],
        ADDRESS: [("x--1", 1)],
    }
    assert found(store, STRANGER, EVIL, limit_each=1) == {EVIL: [("x--2", 1)]}
    assert found(store, NOBODY, EVIL) == found(store, STRANGER) == {}


def test_however_many_are_asked_for_there_is_an_answer(store: Store):
    store.commit(Batch([draft(observables=(EVIL,))]))
    assert len(store.search(HUB, SearchQuery(Everything(), limit=50_000)).changes) == 1
    assert len(store.lookup(HUB, [EVIL], limit_each=50_000)[EVIL]) == 1
    assert store.read_objects(HUB, PageQuery("a", limit=50_000)).count == 1


@pytest.mark.parametrize(("limit", "at_once"), ((1, 7), (6, 40), (100, 7)))
def test_lookup_of_common_keys_and_rare_ones_together(
    store: Store, limit: int, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    chance = random.Random(at_once)
    monkeypatch.setattr(elastic_objects, "_AT_ONCE", at_once)
    keys = [f"domain-name:d{number}.example" for number in range(30)]
    drafts = [
        draft(f"x--{number}", observables=tuple({keys[0], *chance.choices(keys, weights=range(30), k=number % 3)}))
        for number in range(70)
    ]
    store.commit(Batch(drafts))
    carriers = {key: [(one.id, 1) for one in reversed(drafts) if key in one.observables] for key in keys}
    wanted = {key: some[:limit] for key, some in carriers.items() if some}
    given = store.lookup(STRANGER, [*keys, ADDRESS], limit_each=limit)
    assert {key: [(one.id, one.version) for one in changes] for key, changes in given.items()} == wanted


def test_lookup_knows_only_the_latest_visible_version(store: Store):
    store.commit(Batch([draft(version=1, observables=(EVIL,))]))
    store.commit(Batch([draft(version=2, observables=(ADDRESS,), audience=CITY_ONLY)]))
    assert found(store, STRANGER, EVIL, ADDRESS) == {EVIL: [("indicator--1", 1)]}
    assert found(store, ANALYST, EVIL, ADDRESS) == {ADDRESS: [("indicator--1", 2)]}


def test_lookup_gives_a_published_copy_once(store: Store):
    store.commit(Batch([draft(observables=(EVIL,)), draft(observables=(EVIL,), collection="b")]))
    assert found(store, STRANGER, EVIL) == {EVIL: [("indicator--1", 1)]}
    assert found(store, Scope(None, frozenset({"a"})), EVIL) == {EVIL: [("indicator--1", 1)]}


def test_what_is_withdrawn_is_found_by_nothing(store: Store):
    store.commit(Batch([draft(observables=(EVIL,), matchable=True, original=b"{}")]))
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1")]))
    assert found(store, HUB, EVIL) == {}
    assert store.match_keys(0, 10) == []
    assert store.original(HUB, "indicator--1", 1) is None


def test_match_keys_gives_matchable_changes_and_never_splits_one(store: Store):
    keys = tuple(f"ipv4-addr:192.0.2.{n}" for n in range(5))
    outcomes = store.commit(
        Batch(
            [
                draft("x--1", observables=keys, matchable=True),
                draft("x--2", observables=(EVIL,)),
                draft("x--3", observables=(EVIL, EVIL), matchable=True),
            ]
        )
    )
    first, last = outcomes[0].position, outcomes[2].position
    assert store.match_keys(0, 2) == [(first, key) for key in keys]
    assert store.match_keys(first, 2) == [(last, EVIL)]
    assert store.match_keys(last, 2) == []
    assert store.match_keys(0, 100) == [*((first, key) for key in keys), (last, EVIL)]


def test_the_original_of_an_upgraded_object(store: Store):
    store.commit(
        Batch([draft(original=b'{"old":1}'), draft("x--1", original=b"{}", audience=CITY_ONLY), draft("x--2")])
    )
    assert store.original(STRANGER, "indicator--1", 1) == b'{"old":1}'
    assert store.original(STRANGER, "x--1", 1) is None
    assert store.original(ANALYST, "x--1", 1) == b"{}"
    assert store.original(ANALYST, "x--2", 1) is None
    assert store.original(ANALYST, "indicator--1", 2) is None
