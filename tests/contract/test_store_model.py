"""Any sequence of calls, on every engine, gives what a model of a few lines gives (invariants 1 to 3, 4 and 6)."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hub.model.audience import may
from hub.store.ports import HUB, Batch, Draft, PageQuery, Scope, Store, Versions, Withdrawal
from tests.contract.conftest import ENGINES, forget
from tests.contract.drafts import AUDIENCES, COLLECTIONS, SCOPES, draft, objects

KEYS = tuple(f"domain-name:{name}.example" for name in "abc")
IDS = tuple(f"indicator--{n}" for n in range(3))


@dataclass
class Kept:
    """One change as the model keeps it."""

    position: int
    date_added: int
    draft: Draft
    live: bool = True

    def rank(self) -> tuple[str, int, int]:
        return self.draft.spec_version, self.draft.version, self.position


drafts = st.builds(
    lambda id, version, note, collection, spec, audience, keys: draft(
        id,
        version,
        collection=collection,
        spec_version=spec,
        audience=audience,
        observables=keys,
        matchable=bool(keys),
        body=draft(id, version).body.replace(b'"note":""', b'"note":"%d"' % note),
    ),
    id=st.sampled_from(IDS),
    version=st.integers(1, 4),
    note=st.sampled_from((0, 0, 0, 1)),
    collection=st.sampled_from(("a", "a", "b")),
    spec=st.sampled_from(("2.1", "2.1", "2.1", "2.0")),
    audience=st.sampled_from(AUDIENCES),
    keys=st.sets(st.sampled_from(KEYS), max_size=2).map(lambda keys: tuple(sorted(keys))),
)
withdrawals = st.builds(Withdrawal, st.just("a"), st.sampled_from(IDS), st.none() | st.integers(1, 4))
versions = st.builds(
    Versions, st.booleans(), st.booleans(), st.booleans(), st.frozensets(st.integers(1, 4), max_size=2)
)
filters = st.fixed_dictionaries(
    {"versions": versions | st.just(Versions())},
    optional={
        "ids": st.frozensets(st.sampled_from(IDS), min_size=1, max_size=2),
        "types": st.frozensets(st.sampled_from(("indicator", "malware")), min_size=1),
        "spec_versions": st.frozensets(st.sampled_from(("2.0", "2.1")), min_size=1),
        "limit": st.integers(1, 4),
    },
)
scopes = st.sampled_from((*SCOPES, HUB))


def sees(scope: Scope, kept: Kept) -> bool:
    if scope.collections is not None and kept.draft.collection not in scope.collections:
        return False
    return kept.live and (scope.reader is None or may(scope.reader, kept.draft.audience, scope.purpose).allowed)


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and the model side by side."""

    engine: str

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store: Store = ENGINES[self.engine](self.folder)
        self.log: list[Kept] = []
        self.notes = 0
        self.followed: list[int] = []
        self.polled: dict[Scope, tuple[int, list[tuple[str, int]]]] = {scope: (0, []) for scope in SCOPES}

    def teardown(self) -> None:
        assert self.store.verify() == []
        self.store.close()
        forget(self.engine, self.folder)
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(drafts, min_size=1, max_size=4))
    def commit(self, batch: list[Draft]) -> None:
        before = self.store.head()
        outcomes = self.store.commit(Batch(batch))
        for one, outcome in zip(batch, outcomes, strict=True):
            held = next((kept for kept in self.log if kept.live and key(kept.draft) == key(one)), None)
            if held is None:
                assert outcome.result == "stored"
                assert outcome.position > before.position
                assert outcome.date_added > before.date_added
                before = outcome  # type: ignore[assignment]
                self.log.append(Kept(outcome.position, outcome.date_added, one))
            else:
                assert outcome.result == ("unchanged" if held.draft.body == one.body else "conflict")
                assert outcome[1:] == (held.position, held.date_added)

    @precondition(lambda self: self.log)
    @rule(withdrawal=withdrawals)
    def withdraw(self, withdrawal: Withdrawal) -> None:
        head = self.store.head()
        self.store.commit(Batch(withdrawals=[withdrawal]))
        gone = [
            kept
            for kept in self.log
            if kept.live
            and (kept.draft.collection, kept.draft.id) == (withdrawal.collection, withdrawal.id)
            and withdrawal.version in (None, kept.draft.version)
        ]
        for kept in gone:
            kept.live = False
        assert (self.store.head() != head) == bool(gone)
        self.notes += bool(gone)

    @rule(scope=scopes, filters=filters)
    def read_whole_collection(self, scope: Scope, filters: dict[str, Any]) -> None:
        query = PageQuery("a", **filters)
        expected = [
            kept
            for kept in self.log
            if sees(scope, kept) and kept.draft.collection == "a" and self.wanted(kept, scope, query)
        ]
        after, seen = 0, b""
        while True:
            page = self.store.read_objects(scope, PageQuery("a", after=after, **filters))
            assert page.count <= query.limit
            seen += (b"," if seen and page.joined else b"") + page.joined
            if not page.more:
                break
            assert page.count
            after = page.last
        assert seen == b",".join(kept.draft.body for kept in expected)

    def wanted(self, kept: Kept, scope: Scope, query: PageQuery) -> bool:
        """Decide as TAXII 2.1 section 3.4.1 says it, over all that the reader sees of the object."""
        one = kept.draft
        if (query.ids and one.id not in query.ids) or (query.types and one.type not in query.types):
            return False
        same = [
            k.draft for k in self.log if sees(scope, k) and (k.draft.collection, k.draft.id) == (one.collection, one.id)
        ]
        specifications = query.spec_versions or {max(other.spec_version for other in same)}
        versions = [other.version for other in same if other.spec_version in specifications]
        asked = query.versions
        return one.spec_version in specifications and (
            asked.all
            or (asked.last and one.version == max(versions))
            or (asked.first and one.version == min(versions))
            or one.version in asked.exact
        )

    @rule(scope=scopes)
    def find(self, scope: Scope) -> None:
        newest = {
            id: max(
                (kept for kept in self.log if sees(scope, kept) and kept.draft.id == id), key=Kept.rank, default=None
            )
            for id in IDS
        }
        found = self.store.get(scope, IDS)
        assert {id: c.position for id, c in found.items()} == {id: kept.position for id, kept in newest.items() if kept}
        by_key = self.store.lookup(scope, KEYS)
        for observable in KEYS:
            carriers = [kept.position for kept in newest.values() if kept and observable in kept.draft.observables]
            assert [change.position for change in by_key.get(observable, [])] == sorted(carriers, reverse=True)

    @rule(limit=st.integers(1, 5))
    def follow_the_log(self, limit: int) -> None:
        after = self.followed[-1] if self.followed else 0
        self.followed += [change.position for change in self.store.read_log(after, limit)]
        assert self.followed == sorted(set(self.followed))
        live = [kept.position for kept in self.log if kept.live and kept.position <= (self.followed or [0])[-1]]
        assert set(live) <= set(self.followed)

    @rule(scope=st.sampled_from(SCOPES), limit=st.integers(1, 5))
    def poll_all_versions(self, scope: Scope, limit: int) -> None:
        date, seen = self.polled[scope]
        everything = Versions(all=True)
        both = frozenset({"2.0", "2.1"})
        query = PageQuery("a", added_after=date, spec_versions=both, versions=everything, limit=limit)
        page = self.store.read_objects(scope, query)
        expected = [k for k in self.log if sees(scope, k) and k.draft.collection == "a" and k.date_added > date][:limit]
        assert objects(page.joined) == [(kept.draft.id, kept.draft.version) for kept in expected]
        self.polled[scope] = (page.last_added or date, [*seen, *objects(page.joined)])

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = ENGINES[self.engine](self.folder)

    @invariant()
    def tallies_agree(self) -> None:
        for scope in SCOPES[:1]:
            query = PageQuery("a")
            for collection in COLLECTIONS:
                expected = sum(
                    sees(scope, kept) and kept.draft.collection == collection and self.wanted(kept, scope, query)
                    for kept in self.log
                )
                assert self.store.tally(scope).get(collection, 0) == expected


def key(one: Draft) -> tuple[str, str, str, int]:
    return one.collection, one.id, one.spec_version, one.version


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_the_store_does_what_the_model_does(engine: str):
    machine: type[StoreMachine] = type("Machine", (StoreMachine,), {"engine": engine})
    # A node answers in milliseconds where a file answers in microseconds.
    examples = {"sqlite": 60, "elastic": 8}[engine]
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None))
