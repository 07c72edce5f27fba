"""What committing promises, on every engine: positions, dates, idempotence, withdrawals, all or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.errors import Conflict, Overtaken
from hub.model import times
from hub.store.ports import (
    HUB,
    Basis,
    Batch,
    DocumentWrite,
    LedgerCount,
    LedgerKey,
    PageQuery,
    Store,
    Versions,
    Withdrawal,
)
from tests.contract.drafts import ANALYST, CITY_ONLY, OPEN, STRANGER, body_of, draft, objects


def test_an_empty_store_has_an_empty_log(store: Store):
    assert store.head() == (0, 0)
    assert store.read_log(0, 10) == []
    assert store.verify() == []


def test_positions_and_dates_rise_and_the_head_is_the_last(store: Store):
    first = store.commit(Batch([draft("indicator--1"), draft("indicator--2")]))
    second = store.commit(Batch([draft("indicator--3")]))
    outcomes = [*first, *second]
    assert [outcome.result for outcome in outcomes] == ["stored"] * 3
    assert all(a.position < b.position and a.date_added < b.date_added for a, b in itertools.pairwise(outcomes))
    assert store.head() == outcomes[-1][1:]


def test_the_log_gives_back_what_was_put_in(store: Store):
    one = draft("indicator--1", 7, audience=CITY_ONLY, matchable=True)
    (outcome,) = store.commit(Batch([one]))
    (change,) = store.read_log(0, 10)
    assert (change.position, change.date_added) == outcome[1:]
    assert (change.action, change.collection, change.id, change.type) == ("put", "a", "indicator--1", "indicator")
    assert (change.spec_version, change.version, change.version_text) == ("2.1", 7, "v7")
    assert (change.body, change.audience, change.source, change.matchable) == (one.body, CITY_ONLY, "feed:test", True)


def test_bytes_come_back_untouched(store: Store):
    body = '{"id":"x--1","n":1.50,"t":"2020-01-01T00:00:00.10Z","u":"\\u00e9é\U0001f600","x_custom":{"a":[]}}'.encode()
    store.commit(Batch([draft("x--1", body=body)]))
    assert store.read_objects(STRANGER, PageQuery("a")).joined == body
    assert store.get(HUB, ["x--1"])["x--1"].body == body


def test_the_log_is_read_in_steps_and_by_type(store: Store):
    store.commit(Batch([draft(f"{kind}--{n}") for n in range(3) for kind in ("indicator", "malware")]))
    whole = store.read_log(0, 100)
    stepwise, after = [], 0
    while page := store.read_log(after, 2):
        stepwise += page
        after = page[-1].position
    assert stepwise == whole
    assert [c.id for c in store.read_log(0, 2, types=frozenset({"malware"}))] == ["malware--0", "malware--1"]


def test_the_same_again_is_unchanged_and_adds_nothing(store: Store):
    batch = Batch([draft("indicator--1"), draft("indicator--2")])
    first = store.commit(batch)
    head = store.head()
    again = store.commit(batch)
    assert [outcome.result for outcome in again] == ["unchanged"] * 2
    assert [outcome[1:] for outcome in again] == [outcome[1:] for outcome in first]
    assert store.head() == head


def test_other_content_under_the_same_version_is_a_conflict_and_the_first_stays(store: Store):
    (first,) = store.commit(Batch([draft()]))
    (second,) = store.commit(Batch([draft(body=b'{"other":1}')]))
    assert second == ("conflict", *first[1:])
    assert store.get(HUB, ["indicator--1"])["indicator--1"].body == body_of("indicator--1", 1)


def test_repeats_within_one_batch(store: Store):
    outcomes = store.commit(Batch([draft(), draft(), draft(body=b'{"other":1}'), draft(version=2)]))
    assert [outcome.result for outcome in outcomes] == ["stored", "unchanged", "conflict", "stored"]
    assert len({outcome.position for outcome in outcomes}) == 2


def test_a_version_is_one_thing_in_each_collection_and_specification(store: Store):
    outcomes = store.commit(Batch([draft(), draft(collection="b"), draft(spec_version="2.0")]))
    assert [outcome.result for outcome in outcomes] == ["stored"] * 3


def test_dates_rise_although_the_clock_falls_back(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.commit(Batch([draft("indicator--1")]))
    before = store.head().date_added
    monkeypatch.setattr("time.time_ns", lambda: (before - times.DAY) * 1000)
    outcomes = store.commit(Batch([draft("indicator--2"), draft("indicator--3")]))
    assert [outcome.date_added for outcome in outcomes] == [before + 1, before + 2]


def test_a_failed_expectation_writes_nothing_at_all(store: Store):
    key = LedgerKey("domain-name:evil.example", "dns", 1)
    batch = Batch(
        [draft()],
        [],
        {key: LedgerCount(1, 1, 1)},
        {},
        [DocumentWrite("k", "1", b"x"), DocumentWrite("k", "2", b"x", expect=3)],
    )
    with pytest.raises(Conflict):
        store.commit(batch)
    assert store.head() == (0, 0)
    assert store.document("k", "1") is None
    assert store.ledger([key.observable]) == []


def test_withdrawal_of_an_object_takes_every_version(store: Store):
    store.commit(Batch([draft(version=1), draft(version=2), draft("indicator--2")]))
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1")]))
    assert objects(store.read_objects(ANALYST, PageQuery("a")).joined) == [("indicator--2", 1)]
    assert store.get(HUB, ["indicator--1"]) == {}
    (kept, note) = store.read_log(0, 10)
    assert (kept.action, kept.id) == ("put", "indicator--2")
    assert (note.action, note.id, note.version, note.body) == ("withdraw", "indicator--1", None, b"")
    assert store.verify() == []


def test_withdrawal_of_one_version_brings_the_older_one_back(store: Store):
    store.commit(Batch([draft(version=1), draft(version=2)]))
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1", 2)]))
    assert objects(store.read_objects(STRANGER, PageQuery("a")).joined) == [("indicator--1", 1)]
    assert store.read_log(0, 10)[-1].version == 2
    assert store.verify() == []


def test_a_withdrawn_version_can_come_again_and_is_new(store: Store):
    (first,) = store.commit(Batch([draft()]))
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1")]))
    (again,) = store.commit(Batch([draft()]))
    assert again.result == "stored"
    page = store.read_objects(STRANGER, PageQuery("a", after=first.position))
    assert (objects(page.joined), page.last) == ([("indicator--1", 1)], again.position)
    assert store.verify() == []


def test_withdrawals_come_after_the_drafts_of_their_batch_and_only_in_their_collection(store: Store):
    store.commit(Batch([draft(), draft(collection="b")], [Withdrawal("a", "indicator--1")]))
    assert store.get(HUB, ["indicator--1"])["indicator--1"].collection == "b"


def test_withdrawing_what_is_not_there_leaves_no_trace(store: Store):
    store.commit(Batch([draft()]))
    head = store.head()
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--9"), Withdrawal("a", "indicator--1", 9)]))
    store.commit(Batch(withdrawals=[Withdrawal("nowhere", "indicator--1")]))
    assert store.head() == head


def test_what_one_handle_commits_another_sees(store: Store, reopen: Callable[[], Store]):
    other = reopen()
    store.commit(Batch([draft("indicator--1")]))
    other.commit(Batch([draft("indicator--2", collection="b", audience=CITY_ONLY)]))
    assert store.read_log(0, 10) == other.read_log(0, 10)
    assert set(store.get(ANALYST, ["indicator--1", "indicator--2"])) == {"indicator--1", "indicator--2"}


def test_what_was_committed_is_there_when_the_store_is_opened_again(store: Store, reopen: Callable[[], Store]):
    store.commit(Batch([draft()]))
    log = store.read_log(0, 10)
    store.close()
    assert reopen().read_log(0, 10) == log


def test_what_was_overtaken_is_not_written(store: Store):
    basis = Basis(store.head().position, frozenset({"indicator--1"}))
    store.commit(Batch([draft("indicator--2")]))
    documents = [DocumentWrite("cursor", "x", b"1")]
    store.commit(Batch([draft("indicator--1", 2)], documents=documents, basis=basis))
    before = store.head()
    for overtaken in (draft("indicator--1", 3), draft("indicator--3")):
        with pytest.raises(Overtaken):
            store.commit(Batch([overtaken], documents=[DocumentWrite("cursor", "x", b"2")], basis=basis))
    assert (store.head(), store.document("cursor", "x").value) == (before, b"1")  # type: ignore[union-attr]
    store.commit(Batch([draft("indicator--1", 3)], basis=Basis(before.position, basis.ids)))
    before = store.head()
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--1", 3)]))
    with pytest.raises(Overtaken):
        store.commit(Batch([draft("indicator--1", 4)], basis=Basis(before.position, basis.ids)))


def test_a_version_can_come_again_at_once_for_another_audience(store: Store):
    one, other = draft("indicator--1", 1, audience=CITY_ONLY, original=b"o"), draft("indicator--1", 2)
    store.commit(Batch([one, other]))
    again = replace(one, audience=OPEN)
    (outcome,) = store.commit(Batch([again], [Withdrawal("a", "indicator--1", 1)], replaces=True))
    assert outcome.result == "stored"
    assert outcome[1:] == store.head()
    page = store.read_objects(STRANGER, PageQuery("a", versions=Versions(all=True)))
    assert objects(page.joined) == [("indicator--1", 2), ("indicator--1", 1)]
    assert [change.position for change in store.history(HUB, "indicator--1")][-1] == outcome.position
    assert store.original(STRANGER, "indicator--1", 1) == b"o"
    assert objects(store.read_objects(STRANGER, PageQuery("a")).joined) == [("indicator--1", 2)]
    assert store.verify() == []
