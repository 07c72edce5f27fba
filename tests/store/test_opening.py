"""Opening a store file: by many processes at once, of another version, of another program; copying it; its plans."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hub.errors import Conflict, StoreUnavailable, StoreVersion
from hub.model.audience import TLP, Audience, Decision, Purpose, Reader, may
from hub.store.facets import FacetQuery
from hub.store.ports import HUB, Batch, PageQuery, Scope, Versions, Withdrawal
from hub.store.query import Everything
from hub.store.sqlite import connections, schema
from hub.store.sqlite.engine import SqliteStore
from hub.store.sqlite.pages import _rows
from hub.store.sqlite.sight import Sight
from tests.contract.drafts import ANALYST, STRANGER, draft
from tests.stores import ABOUT_SQLITE

pytestmark = ABOUT_SQLITE

PROJECT = Path(__file__).parents[2]

OPEN = """
import sys
from pathlib import Path
from hub.store.ports import Batch
from hub.store.sqlite.engine import SqliteStore
from tests.contract.drafts import draft
store = None
sys.stdin.readline()
store = SqliteStore(Path(sys.argv[1]))
for number in range(20):
    store.commit(Batch([draft(f"x--{sys.argv[2]}-{number}", collection=f"c{number % 3}")]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def test_several_processes_may_open_a_new_file_at_once(path: Path):
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path), str(n)], cwd=PROJECT, stdin=subprocess.PIPE)
        for n in range(4)
    ]
    for child in children:
        assert child.stdin
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0] * len(children)
    with closing(SqliteStore(path)) as store:
        assert store.head().position == 20 * len(children)
        assert store.verify() == []


def test_threads_share_one_store(path: Path):
    with closing(SqliteStore(path)) as store:

        def work(name: str) -> None:
            for number in range(20):
                store.commit(Batch([draft(f"x--{name}-{number}")]))
                assert store.read_objects(STRANGER, PageQuery("a")).count > number

        threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.tally(HUB) == {"a": 160}
        assert store.verify() == []


def test_reads_wait_for_their_turn_and_give_up_in_the_end(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "READERS", 1)
    with closing(SqliteStore(path, patience=0.01)) as store, store._connections.reading():
        with pytest.raises(StoreUnavailable) as caught:
            store.head()
        assert caught.value.retry_after


def test_the_file_is_private_and_has_large_pages(path: Path):
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft()]))
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        with store._connections.reading() as db:
            asked = {
                name: db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_size", "journal_mode", "synchronous")
            }
    assert asked == {"page_size": schema.PAGE_SIZE, "journal_mode": "wal", "synchronous": 2}


def test_a_database_of_another_program_is_left_alone(path: Path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreVersion, match="not one of City Threat Hub"):
        SqliteStore(path)
    with pytest.raises(StoreVersion):
        SqliteStore(path, read_only=True)
    with closing(sqlite3.connect(path)) as db:
        assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["theirs"]
    assert len(path.read_bytes()) == len(before)


def test_data_of_a_newer_version_is_refused(path: Path):
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO migrations VALUES (9999, 'from the future')")
    for read_only in (False, True):
        with pytest.raises(StoreVersion, match="newer"):
            SqliteStore(path, read_only=read_only)


def test_data_of_an_older_version_is_brought_up_to_date_and_stays(path: Path, monkeypatch: pytest.MonkeyPatch):
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft()]))
    released = schema._migrations()
    added = (released[-1][0] + 1, "later.sql", "CREATE TABLE later (x);\nINSERT INTO later\nVALUES (';');\n")
    monkeypatch.setattr(schema, "_migrations", lambda: [*released, added])
    with pytest.raises(StoreVersion, match="older"):
        SqliteStore(path, read_only=True)
    with closing(SqliteStore(path)) as store:
        assert store.get(HUB, ["indicator--1"])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT x FROM later").fetchall() == [(";",)]
        assert db.execute("SELECT max(number) FROM migrations").fetchone()[0] == added[0]


def test_what_is_counted_of_older_data_is_found_when_it_is_brought_up_to_date(path: Path):
    tokens = (
        "label=c2",
        "kind=url",
        "w=c2",
        "label=botnet",
        "value=x",
        "category=y",
        "phase=z",
        "warning=w",
        "labels=",
    )
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft("indicator--1", tokens=tokens), draft("indicator--2", tokens=tokens[:2])]))
        store.commit(Batch([draft("indicator--3", tokens=tokens)], withdrawals=[Withdrawal("a", "indicator--1")]))
        before = store.facets(HUB, FacetQuery(Everything()))
        assert [value.number for value in before.fields["label"].values] == [2, 1]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE changes DROP COLUMN facets")
        db.execute("DELETE FROM migrations WHERE number >= 3")
    with closing(SqliteStore(path)) as store:
        assert store.facets(HUB, FacetQuery(Everything())) == before
        assert store.verify() == []


def test_a_migration_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch):
    SqliteStore(path).close()
    released = schema._migrations()
    broken = (released[-1][0] + 1, "broken.sql", "CREATE TABLE half (x);\nDROP TABLE no_such_table;\n")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_migrations", lambda: [*released, broken])
        with pytest.raises(Exception, match="bug"):
            SqliteStore(path)
    with closing(SqliteStore(path)) as store:
        assert store.verify() == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []


def test_a_backup_is_a_whole_store_and_overwrites_nothing(path: Path, tmp_path: Path):
    target = tmp_path / "copy.sqlite"
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft(observables=("domain-name:evil.example",), tokens=("word",))]))
        log = store.read_log(0, 10)
        store.backup(target)
        with pytest.raises(Conflict):
            store.backup(target)
    with closing(SqliteStore(target)) as copy:
        assert copy.read_log(0, 10) == log
        assert copy.verify() == []
        assert list(copy.lookup(ANALYST, ["domain-name:evil.example"])) == ["domain-name:evil.example"]
        assert copy.commit(Batch([draft("x--1")]))[0].position == log[-1].position + 1


PAGES = {
    "plain": PageQuery("a"),
    "typed": PageQuery("a", types=frozenset({"indicator"})),
    "two types": PageQuery("a", types=frozenset({"indicator", "tool"})),
    "all versions": PageQuery("a", versions=Versions(all=True)),
    "first versions of a type": PageQuery("a", versions=Versions(first=True), types=frozenset({"tool"})),
    "older specification": PageQuery("a", spec_versions=frozenset({"2.0"})),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_a_walk_along_indexes_without_scan_or_sort(path: Path, name: str):
    query = PAGES[name]
    sql = _rows("c.position, c.body", Sight("1,2", None), query)
    values = {"collection": 1, "after": 0, "limit": 10, "type0": "", "type1": "", "specifications": "[]"}
    with closing(SqliteStore(path)) as store, store._connections.reading() as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in plan if "TEMP B-TREE" in step]
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step]


def test_visibility_is_decided_once_for_each_distinct_audience(path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Audience] = []

    def counting(reader: Reader, audience: Audience, purpose: Purpose) -> Decision:
        asked.append(audience)
        return may(reader, audience, purpose)

    monkeypatch.setattr("hub.store.sqlite.sight.may", counting)
    audiences = [Audience("city", TLP.AMBER), Audience("shop")]
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft(f"x--{n}", audience=audiences[n % 2]) for n in range(100)]))
        for _ in range(5):
            assert store.read_objects(STRANGER, PageQuery("a")).count == 50
        assert sorted(asked) == sorted(audiences)
        store.read_objects(Scope(STRANGER.reader, STRANGER.collections, "block"), PageQuery("a"))
        assert len(asked) == 4
