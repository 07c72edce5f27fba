"""A store moves into another engine, or another store of its own, and its readers notice nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Conflict, StoreCorrupt
from hub.model.events import Event
from hub.store.facets import FacetQuery, Histogram
from hub.store.moving import MARK, Movable, Part, Portion, move
from hub.store.ports import (
    HUB,
    Batch,
    DocumentWrite,
    Draft,
    LedgerCount,
    LedgerKey,
    PageQuery,
    SearchQuery,
    Versions,
    Withdrawal,
)
from hub.store.query import parse
from hub.store.sqlite.engine import SqliteStore
from tests.contract.conftest import ENGINES, forget
from tests.contract.drafts import AUDIENCES, FOR_WATER, SCOPES, STRANGER, WATER, draft, objects

KEY = "domain-name:a.example"
ALL = Versions(last=False, all=True)


@pytest.fixture(params=sorted(ENGINES))
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Movable]:
    """An empty store of every engine."""
    folder = tmp_path_factory.mktemp("target")
    store = ENGINES[request.param](folder)
    yield store
    store.close()
    forget(request.param, folder)


def filled(store: Movable) -> None:
    """Write something of everything a store keeps."""
    found = {"observables": (KEY,), "matchable": True, "tokens": ("w=storm", "type=indicator"), "confidence": 70}
    event = Event(5, "ids", "dns", (KEY,), {"src": "ipv4-addr:192.0.2.7"}, b"raw \xff line")
    key = LedgerKey(KEY, "ids", 20_000)
    store.commit(Batch(drafts=[draft("indicator--1", 1, **found), draft("indicator--2", 1, original=b"older")]))
    store.commit(Batch(drafts=[draft("indicator--1", 2, audience=FOR_WATER, **found), draft("indicator--3", 1)]))
    store.commit(
        Batch(drafts=[draft("indicator--4", 1), draft("indicator--4", 2), draft("indicator--4", 1, spec_version="2.0")])
    )
    store.commit(Batch(withdrawals=[Withdrawal("a", "indicator--3"), Withdrawal("a", "indicator--4", 2)]))
    store.commit(Batch(ledger={key: LedgerCount(3, 1, 9)}, samples={key: [event, event]}))
    store.commit(Batch(documents=[DocumentWrite("feed", "one", b"{}"), DocumentWrite("feed", "two", b"[]")]))
    store.commit(
        Batch(documents=[DocumentWrite("feed", "one", None), DocumentWrite("user", "eva", b"1", expires=2**60)])
    )


def seen(store: Movable) -> list[object]:
    """Return what every kind of read gives."""
    found: list[object] = [store.head(), store.read_log(0, 100), store.match_keys(0, 100), store.verify()]
    for scope in (*SCOPES, HUB):
        for versions in (Versions(), ALL, Versions(first=True)):
            found.append(store.read_objects(scope, PageQuery("a", versions=versions)))
        found += [store.read_manifest(scope, PageQuery("a", versions=ALL)), store.lookup(scope, [KEY])]
        found += [store.search(scope, SearchQuery(parse("storm"))), store.tally(scope)]
        found.append(store.facets(scope, FacetQuery(parse("*"), histogram=Histogram("added", "day"))))
        found += [store.original(scope, "indicator--2", 1), store.get(scope, ["indicator--1", "indicator--4"])]
    found += [store.ledger([KEY]), store.ledger(["domain-name:example"], under=True)]
    return [*found, store.document("user", "eva"), store.documents("feed")]


def test_everything_is_the_same_in_the_new_store(store: Movable, target: Movable) -> None:
    filled(store)
    before = seen(store)
    extent = move(store, target)
    assert seen(target) == before
    assert (extent.changes, extent.ledger, extent.documents) == (9, 1, 2)
    assert target.document(*MARK) is None


def test_a_poller_goes_on_in_the_new_store_and_new_changes_come_behind(store: Movable, target: Movable) -> None:
    store.commit(Batch(drafts=[draft(f"indicator--{n}") for n in range(5)]))
    page = store.read_objects(STRANGER, PageQuery("a", limit=2))
    move(store, target)
    [outcome] = target.commit(Batch(drafts=[draft("indicator--new")]))
    assert outcome.position == 6
    assert outcome.date_added > store.head().date_added
    rest = target.read_objects(STRANGER, PageQuery("a", after=page.last))
    assert [id for id, _ in objects(rest.joined)] == [f"indicator--{n}" for n in (2, 3, 4)] + ["indicator--new"]


def test_what_is_known_is_unchanged_there_and_documents_are_still_expected(store: Movable, target: Movable) -> None:
    filled(store)
    version = store.documents("feed")[0].version
    move(store, target)
    [outcome] = target.commit(Batch(drafts=[draft("indicator--2", original=b"older")]))
    assert outcome.result == "unchanged"
    target.commit(Batch(documents=[DocumentWrite("feed", "two", b"{}", expect=version)]))
    with pytest.raises(Conflict):
        target.commit(Batch(documents=[DocumentWrite("feed", "two", b"[]", expect=version)]))
    assert target.documents("feed")[0].version > version
    newer = draft("indicator--1", 3, audience=FOR_WATER)
    target.commit(Batch(drafts=[newer]))
    assert objects(target.read_objects(WATER, PageQuery("a", ids=frozenset({newer.id}))).joined) == [(newer.id, 3)]


class Stopped(Exception):
    """Thrown out of a move."""


@pytest.mark.parametrize("part", ["changes", "ledger", "documents"])
def test_a_move_that_was_interrupted_goes_on(store: Movable, target: Movable, part: Part) -> None:
    filled(store)

    def stop(now: Part, done: int, of: int) -> None:
        if now == part:
            raise Stopped

    with pytest.raises(Stopped):
        move(store, target, stop)
    assert target.document(*MARK) is not None
    move(store, target)
    assert seen(target) == seen(store)


def test_a_target_that_holds_something_is_left_alone(store: Movable, target: Movable) -> None:
    filled(store)
    target.commit(Batch(documents=[DocumentWrite("user", "bob", b"1")]))
    with pytest.raises(Conflict, match="holds data"):
        move(store, target)
    assert target.head().position == 0


def test_a_source_that_is_written_to_meanwhile_is_noticed(store: Movable, target: Movable) -> None:
    filled(store)

    def write(now: Part, done: int, of: int) -> None:
        store.commit(Batch(documents=[DocumentWrite("user", f"{now}{done}", b"1")]))

    with pytest.raises(Conflict, match="meanwhile"):
        move(store, target, write)
    with pytest.raises(Conflict, match="began"):
        move(store, target)
    assert target.document(*MARK) is not None


def test_a_copy_that_differs_is_noticed(store: Movable, target: Movable) -> None:
    filled(store)

    class Forgetful:
        """Passes everything on but changes one byte of one record."""

        def __getattr__(self, name: str) -> object:
            return getattr(target, name)

        def receive(self, portion: Portion) -> None:
            documents = [one._replace(value=b"?") if one.key == "eva" else one for one in portion.documents]
            target.receive(Portion(portion.changes, portion.ledger, documents, portion.document_version))

    with pytest.raises(StoreCorrupt, match="documents"):
        move(store, Forgetful())  # type: ignore[arg-type]


drafts = st.builds(
    draft,
    st.sampled_from([f"indicator--{n}" for n in range(4)]),
    st.integers(1, 4),
    collection=st.sampled_from("ab"),
    spec_version=st.sampled_from(("2.0", "2.1", "2.1")),
    audience=st.sampled_from(AUDIENCES),
    observables=st.sampled_from([(), (KEY,), (KEY, "ipv4-addr:192.0.2.0/24")]),
)
steps = st.lists(
    st.lists(drafts, max_size=4) | st.builds(Withdrawal, st.sampled_from("ab"), st.just("indicator--1"), st.none()),
    max_size=8,
)


@pytest.mark.parametrize(("source", "goal"), [("sqlite", "sqlite"), ("sqlite", "elastic"), ("elastic", "sqlite")])
def test_any_history_moves(source: str, goal: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=15 if source == goal else 3, deadline=None)
    @given(steps=steps)
    def moves(steps: list[list[Draft] | Withdrawal]) -> None:
        history_moves(source, goal, steps, tmp_path_factory)

    moves()


def history_moves(
    source: str, goal: str, steps: list[list[Draft] | Withdrawal], folders: pytest.TempPathFactory
) -> None:
    old, new = folders.mktemp("from"), folders.mktemp("to")
    one, two = ENGINES[source](old), ENGINES[goal](new)
    try:
        for step in steps:
            one.commit(Batch(withdrawals=[step]) if isinstance(step, Withdrawal) else Batch(drafts=step))
        move(one, two)
        assert seen(two) == seen(one)
    finally:
        one.close()
        two.close()
        forget(source, old)
        forget(goal, new)


def test_a_backup_holds_everything(store: Movable, tmp_path: Path) -> None:
    filled(store)
    store.backup(tmp_path / "backup.db")
    with pytest.raises(Conflict):
        store.backup(tmp_path / "backup.db")
    with closing(SqliteStore(tmp_path / "backup.db")) as copy:
        assert seen(copy) == seen(store)
