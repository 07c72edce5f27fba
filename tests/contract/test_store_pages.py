"""Pages of a collection, on every engine: order, limits, filters, and nobody sees what he may not."""

from __future__ import annotations

from typing import Any

import pytest

from hub.model.audience import Reader
from hub.store.ports import HUB, Batch, PageQuery, Scope, Store, Versions
from tests.contract.drafts import (
    ANALYST,
    CITY_ONLY,
    COLLECTIONS,
    FOR_WATER,
    STRANGER,
    WATER,
    draft,
    objects,
)


def ids(store: Store, scope: Scope = STRANGER, **filters) -> list[tuple[str, int]]:
    """Return what a page holds, after checking that the manifest says the same."""
    query = PageQuery("a", **filters)
    page = store.read_objects(scope, query)
    manifest = store.read_manifest(scope, query)
    found = objects(page.joined)
    assert page.count == len(found)
    assert [(entry.id, entry.version_text) for entry in manifest.entries] == [(id, f"v{v}") for id, v in found]
    assert (manifest.last, manifest.more) == (page.last, page.more)
    if found:
        assert (page.first_added, page.last_added) == (manifest.entries[0].date_added, manifest.entries[-1].date_added)
        assert page.last == manifest.entries[-1].position
    else:
        assert (page.joined, page.first_added, page.last_added, page.more) == (b"", None, None, False)
        assert page.last == query.after
    return found


def test_no_collection_no_objects(store: Store):
    assert ids(store) == []
    assert store.read_objects(HUB, PageQuery("nowhere")).count == 0


def test_pages_follow_each_other_by_position_and_by_date(store: Store):
    store.commit(Batch([draft(f"indicator--{n}") for n in range(10)]))
    everything = ids(store)
    for step in ("after", "added_after"):
        seen: list[tuple[str, int]] = []
        place: dict[str, Any] = {}
        while True:
            page = store.read_objects(STRANGER, PageQuery("a", limit=3, **place))
            seen += objects(page.joined)
            if not page.more:
                break
            place = {"after": page.last} if step == "after" else {"added_after": page.last_added}
        assert seen == everything == [(f"indicator--{n}", 1) for n in range(10)]


@pytest.mark.parametrize(("limit", "more"), [(1, True), (2, True), (3, False), (4, False)])
def test_more_says_exactly_whether_there_is_more(store: Store, limit: int, more: bool):
    store.commit(Batch([draft(f"indicator--{n}") for n in range(3)] + [draft("x--1", collection="b")]))
    page = store.read_objects(STRANGER, PageQuery("a", limit=limit))
    assert (page.count, page.more) == (min(limit, 3), more)


def test_added_after_is_exclusive_and_combines_with_after(store: Store):
    outcomes = store.commit(Batch([draft(f"indicator--{n}") for n in range(4)]))
    assert ids(store, added_after=outcomes[1].date_added) == [("indicator--2", 1), ("indicator--3", 1)]
    assert len(ids(store, added_after=outcomes[0].date_added - 1)) == 4
    assert ids(store, added_after=outcomes[0].date_added, after=outcomes[2].position) == [("indicator--3", 1)]
    assert ids(store, added_after=outcomes[3].date_added) == []


def test_a_collection_outside_the_scope_is_empty(store: Store):
    store.commit(Batch([draft()]))
    scope = Scope(Reader("shop"), frozenset({"b"}))
    assert ids(store, scope) == []
    assert store.tally(scope) == store.tally(Scope(None, frozenset()))


def test_audiences_decide_what_is_on_a_page(store: Store):
    store.commit(Batch([draft("x--1"), draft("x--2", audience=FOR_WATER), draft("x--3", audience=CITY_ONLY)]))
    assert ids(store, STRANGER) == [("x--1", 1)]
    assert ids(store, WATER) == [("x--1", 1), ("x--2", 1)]
    assert ids(store, ANALYST) == ids(store, HUB) == [("x--1", 1), ("x--2", 1), ("x--3", 1)]


def test_an_audience_first_used_after_a_reader_was_known_is_asked_about(store: Store):
    store.commit(Batch([draft("x--1")]))
    assert ids(store, WATER) == [("x--1", 1)]
    store.commit(Batch([draft("x--2", audience=CITY_ONLY), draft("x--3", audience=FOR_WATER)]))
    assert ids(store, WATER) == [("x--1", 1), ("x--3", 1)]


def test_only_the_latest_version_comes_unless_asked(store: Store):
    store.commit(Batch([draft(version=2), draft("x--1"), draft(version=3)]))
    store.commit(Batch([draft(version=1)]))
    assert ids(store) == [("x--1", 1), ("indicator--1", 3)]
    assert ids(store, versions=Versions(last=False, first=True)) == [("x--1", 1), ("indicator--1", 1)]
    everything = [("indicator--1", 2), ("x--1", 1), ("indicator--1", 3), ("indicator--1", 1)]
    assert ids(store, versions=Versions(all=True)) == everything
    assert ids(store, versions=Versions(last=False, exact=frozenset({2, 9}))) == [("indicator--1", 2)]
    both = Versions(last=True, first=True, exact=frozenset({2}))
    assert ids(store, versions=both, ids=frozenset({"indicator--1"})) == [
        ("indicator--1", 2),
        ("indicator--1", 3),
        ("indicator--1", 1),
    ]
    assert ids(store, versions=Versions(last=False)) == []


def test_latest_means_latest_that_the_reader_may_see(store: Store):
    store.commit(Batch([draft(version=1), draft(version=2, audience=FOR_WATER), draft(version=3, audience=CITY_ONLY)]))
    assert [ids(store, scope) for scope in (STRANGER, WATER, ANALYST)] == [
        [("indicator--1", 1)],
        [("indicator--1", 2)],
        [("indicator--1", 3)],
    ]
    assert store.tally(STRANGER) == store.tally(ANALYST) == {"a": 1}


def test_an_object_comes_in_its_latest_specification_version(store: Store):
    store.commit(Batch([draft(version=5, spec_version="2.0"), draft("x--1", spec_version="2.0"), draft(version=3)]))
    assert ids(store) == [("x--1", 1), ("indicator--1", 3)]
    assert ids(store, spec_versions=frozenset({"2.0"})) == [("indicator--1", 5), ("x--1", 1)]
    assert ids(store, spec_versions=frozenset({"2.1"})) == [("indicator--1", 3)]
    assert ids(store, spec_versions=frozenset({"2.0", "2.1"})) == [("indicator--1", 5), ("x--1", 1)]
    assert ids(store, spec_versions=frozenset({"3.7"})) == []


def test_a_specification_version_that_the_reader_may_not_see_hides_nothing(store: Store):
    store.commit(Batch([draft(spec_version="2.0"), draft(audience=CITY_ONLY)]))
    assert ids(store, STRANGER) == ids(store, ANALYST) == [("indicator--1", 1)]
    assert store.read_manifest(STRANGER, PageQuery("a")).entries[0].spec_version == "2.0"
    assert store.read_manifest(ANALYST, PageQuery("a")).entries[0].spec_version == "2.1"


def test_filters_by_id_and_type(store: Store):
    store.commit(Batch([draft("indicator--1"), draft("malware--1"), draft("tool--1"), draft("indicator--2")]))
    assert ids(store, types=frozenset({"indicator"})) == [("indicator--1", 1), ("indicator--2", 1)]
    assert ids(store, types=frozenset({"tool", "malware", "x"})) == [("malware--1", 1), ("tool--1", 1)]
    assert ids(store, ids=frozenset({"tool--1", "indicator--2", "no--1"})) == [("tool--1", 1), ("indicator--2", 1)]
    assert ids(store, ids=frozenset({"tool--1"}), types=frozenset({"malware"})) == []
    assert ids(store, types=frozenset({"indicator", "tool"}), limit=2) == [("indicator--1", 1), ("tool--1", 1)]


def test_hostile_filter_texts_match_nothing_and_harm_nothing(store: Store):
    store.commit(Batch([draft()]))
    hostile = frozenset({"'", '"', "x' OR 1=1 --", "\\", "%", "indicator--1\x00", "\U0001f600", "null"})
    assert ids(store, ids=hostile) == ids(store, types=hostile) == ids(store, spec_versions=hostile) == []


def test_many_versions_and_many_filter_values(store: Store):
    store.commit(Batch([draft(version=n) for n in range(1, 60)]))
    assert ids(store) == [("indicator--1", 59)]
    many = frozenset({f"indicator--{n}" for n in range(2000)})
    assert ids(store, ids=many, types=frozenset({"indicator"}), versions=Versions(first=True)) == [
        ("indicator--1", 1),
        ("indicator--1", 59),
    ]


def test_the_tally_counts_what_the_scope_may_see(store: Store):
    store.commit(
        Batch([draft("x--1"), draft("x--2", audience=CITY_ONLY), draft("x--1", 2), draft("x--1", collection="b")])
    )
    assert store.tally(STRANGER) == {"a": 1, "b": 1}
    assert store.tally(ANALYST) == store.tally(HUB) == {"a": 2, "b": 1}
    assert store.tally(Scope(None, COLLECTIONS - {"a"})) == {"b": 1}
