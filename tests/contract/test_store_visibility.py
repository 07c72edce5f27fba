"""Every read of a store gives exactly what `may` allows: query and decision are one (invariant 4, FIELD T1, T2).

The brute force is a filter over the list of what was stored, written with `may` and nothing else of the hub.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.audience import PAP, TLP, Audience, Reader, may
from hub.store.facets import FacetQuery
from hub.store.ports import HUB, Batch, Draft, PageQuery, Scope, SearchQuery, Store, Versions, Withdrawal
from hub.store.query import Everything, parse
from tests.contract.conftest import ENGINES, forget
from tests.contract.drafts import ANALYST, CITY_ONLY, STRANGER, WATER, body_of, draft
from tests.store.facet_oracle import counted
from tests.store.search_oracle import Stored

ORGANISATIONS = ("city", "water", "bank")
COLLECTIONS = ("a", "b", "c")
IDS = tuple(f"{kind}--{n}" for kind in ("indicator", "report") for n in range(2))
KEYS = ("domain-name:a.example", "domain-name:b.example")
COUNTED = ("type", "collection", "tlp", "owner")
SEARCHES = ("type:indicator", "type:report OR type:indicator", "type:indicator AND NOT type:report")

audiences = st.builds(
    Audience,
    st.sampled_from((*ORGANISATIONS, "")),
    st.sampled_from(TLP),
    st.sampled_from(PAP),
    st.sets(st.sampled_from((*ORGANISATIONS, "utilities")), max_size=2).map(lambda names: tuple(sorted(names))),
)
readers = st.builds(
    lambda name, groups, analyst: Reader(name, groups, home=name == "city", analyst=analyst and name == "city"),
    st.sampled_from((*ORGANISATIONS, "")),
    st.frozensets(st.sampled_from(("utilities",))),
    st.booleans(),
)
scopes = st.builds(
    Scope,
    readers,
    st.none() | st.frozensets(st.sampled_from(COLLECTIONS)),
    st.sampled_from(("read", "block")),
)
drafts = st.builds(
    lambda id, version, collection, spec, audience, keys: draft(
        id,
        version,
        collection=collection,
        spec_version=spec,
        audience=audience,
        observables=keys,
        tokens=(f"type={id.partition('--')[0]}",),
        original=f"{id} {version} {collection}".encode(),
        body=body_of(id, version, f"{collection} {spec}"),
    ),
    st.sampled_from(IDS),
    st.integers(1, 3),
    st.sampled_from(COLLECTIONS),
    st.sampled_from(("2.1", "2.1", "2.0")),
    audiences,
    st.sets(st.sampled_from(KEYS), max_size=2).map(lambda keys: tuple(sorted(keys))),
)
withdrawals = st.builds(Withdrawal, st.sampled_from(COLLECTIONS), st.sampled_from(IDS), st.none() | st.integers(1, 3))
commits = st.lists(st.tuples(st.lists(drafts, max_size=6), st.lists(withdrawals, max_size=1)), min_size=1, max_size=4)


@dataclass(frozen=True)
class Kept:
    """One live version."""

    position: int
    draft: Draft

    @property
    def rank(self) -> tuple[str, int, int]:
        return self.draft.spec_version, self.draft.version, self.position


def fill(store: Store, batches: Iterable[tuple[list[Draft], list[Withdrawal]]]) -> list[Kept]:
    """Commit batches; return what is live then."""
    live: list[Kept] = []
    for put, gone in batches:
        outcomes = store.commit(Batch(put))
        live += [
            Kept(outcome.position, one) for one, outcome in zip(put, outcomes, strict=True) if outcome[0] == "stored"
        ]
        store.commit(Batch(withdrawals=gone))
        for one in gone:
            live = [
                kept
                for kept in live
                if (kept.draft.collection, kept.draft.id) != (one.collection, one.id)
                or one.version not in (None, kept.draft.version)
            ]
    return live


def visible(live: list[Kept], scope: Scope) -> list[Kept]:
    """Return what the scope may see, by the decision alone."""
    assert scope.reader is not None
    return [
        kept
        for kept in live
        if (scope.collections is None or kept.draft.collection in scope.collections)
        and may(scope.reader, kept.draft.audience, scope.purpose).allowed
    ]


def latest(seen: list[Kept]) -> dict[str, Kept]:
    """Return the latest version of each object anywhere."""
    return {kept.draft.id: kept for kept in sorted(seen, key=lambda kept: kept.rank)}


def page(seen: list[Kept], collection: str, asked: Versions) -> list[Kept]:
    """Return what a collection gives: the latest specification version of each object, those versions of it."""
    here = [kept for kept in seen if kept.draft.collection == collection]
    found = []
    for kept in here:
        same = [one.draft for one in here if one.draft.id == kept.draft.id]
        specification = max(one.spec_version for one in same)
        versions = [one.version for one in same if one.spec_version == specification]
        if kept.draft.spec_version == specification and (
            asked.all
            or (asked.last and kept.draft.version == max(versions))
            or (asked.first and kept.draft.version == min(versions))
            or kept.draft.version in asked.exact
        ):
            found.append(kept)
    return sorted(found, key=lambda kept: kept.position)


def check(store: Store, live: list[Kept], scope: Scope) -> None:
    seen = visible(live, scope)
    newest = latest(seen)
    assert {id: one.position for id, one in store.get(scope, IDS).items()} == {
        id: kept.position for id, kept in newest.items()
    }
    for id in IDS:
        history = sorted(kept.position for kept in seen if kept.draft.id == id)
        assert [one.position for one in store.history(scope, id)] == history
        for version in (1, 2, 3):
            carrying = [kept for kept in seen if (kept.draft.id, kept.draft.version) == (id, version)]
            expected = max(carrying, key=lambda kept: kept.position).draft.original if carrying else None
            assert store.original(scope, id, version) == expected
    for key, changes in store.lookup(scope, KEYS).items():
        found = [kept.position for kept in newest.values() if key in kept.draft.observables]
        assert [one.position for one in changes] == sorted(found, reverse=True)
    for text in SEARCHES:
        found = [kept.position for kept in newest.values() if kept.draft.type == "indicator" or "report" in text[:12]]
        got, before, more = [], None, True
        while more:
            part = store.search(scope, SearchQuery(parse(text), before, limit=2))
            got += [one.position for one in part.changes]
            before, more = part.before, part.before is not None
        assert got == sorted(found, reverse=True)
    facets = store.facets(scope, FacetQuery(Everything(), COUNTED, values=100))
    assert facets.total == len(newest)
    whole = [Stored(kept.draft, 0) for kept in newest.values()]
    for name in COUNTED:
        assert [one[:2] for one in facets.fields[name].values] == counted(whole, name)
    counts = {name: len(page(seen, name, Versions())) for name in COLLECTIONS}
    assert store.tally(scope) == {name: count for name, count in counts.items() if count}


def check_pages(store: Store, live: list[Kept], scope: Scope, asked: Versions) -> None:
    seen = visible(live, scope)
    for name in COLLECTIONS:
        expected = page(seen, name, asked)
        bodies: list[object] = []
        listed: list[int] = []
        after, more = 0, True
        while more:
            query = PageQuery(name, after, versions=asked, limit=2)
            objects, manifest = store.read_objects(scope, query), store.read_manifest(scope, query)
            bodies += json.loads(b"[%b]" % objects.joined)
            listed += [entry.position for entry in manifest.entries]
            assert (objects.last, objects.more, objects.count) == (manifest.last, manifest.more, len(manifest.entries))
            after, more = objects.last, objects.more
        assert bodies == [json.loads(kept.draft.body) for kept in expected]
        assert listed == [kept.position for kept in expected]


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_every_read_gives_what_may_allows(engine: str) -> None:
    @settings(max_examples=100 if engine == "sqlite" else 10, deadline=None)
    @given(
        commits,
        st.lists(scopes, min_size=1, max_size=3),
        st.builds(Versions, st.booleans(), st.booleans(), st.booleans(), st.frozensets(st.integers(1, 3), max_size=2)),
    )
    def holds(batches: list[tuple[list[Draft], list[Withdrawal]]], asking: list[Scope], asked: Versions) -> None:
        folder = Path(tempfile.mkdtemp())
        store = ENGINES[engine](folder)
        try:
            live = fill(store, batches)
            for scope in asking:
                check(store, live, scope)
                check_pages(store, live, scope, asked)
        finally:
            store.close()
            forget(engine, folder)
            shutil.rmtree(folder)

    holds()


def test_a_farewell_is_for_its_organisation_alone_and_not_even_for_the_hub(store: Store):
    told = Audience.farewell_to("waterworks")
    store.commit(Batch([draft(version=1, audience=CITY_ONLY, observables=("domain-name:evil.example",))]))
    store.commit(Batch([draft(version=2, audience=told, observables=("domain-name:evil.example",))]))
    for scope, version in ((HUB, 1), (ANALYST, 1), (WATER, 2)):
        assert store.get(scope, ["indicator--1"])["indicator--1"].version == version
        assert [one.version for one in store.history(scope, "indicator--1")] == [version]
        found = store.lookup(scope, ["domain-name:evil.example"])["domain-name:evil.example"]
        assert [one.version for one in found] == [version]
        assert [one.version for one in store.search(scope, SearchQuery(Everything())).changes] == [version]
        page = store.read_manifest(scope, PageQuery("a", versions=Versions(all=True)))
        assert len(page.entries) == 1
        assert store.tally(scope) == {"a": 1}
    assert store.get(STRANGER, ["indicator--1"]) == {}
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1", 2)]))
    assert store.get(WATER, ["indicator--1"]) == {}
    assert store.get(HUB, ["indicator--1"])["indicator--1"].version == 1
    assert store.verify() == []
