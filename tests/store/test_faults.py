"""Every way in which SQLite can fail becomes one of the hub's errors, with a clear message, and loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hub.errors import (
    HubError,
    InternalError,
    OperatorError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from hub.store.ports import HUB, Batch, Outcome, PageQuery
from hub.store.sqlite import connections, engine, faults
from hub.store.sqlite.engine import SqliteStore
from tests.contract.drafts import STRANGER, draft, objects
from tests.stores import ABOUT_SQLITE

pytestmark = ABOUT_SQLITE

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is; the name must never show up in a message."""
    return tmp_path / "secret-place.sqlite"


def fill(store: SqliteStore, number: int = 300) -> list[Outcome]:
    """Store objects of 1000 bytes and more."""
    return store.commit(Batch([draft(f"x--{n}", body=b'"%0999d"' % n) for n in range(number)]))


def assert_discreet(error: HubError) -> None:
    """The message is a sentence for the administrator and gives nothing away."""
    assert error.message.endswith(".")
    assert "secret" not in error.message
    assert "sqlite" not in error.message.lower()


def codes() -> list[tuple[str, int]]:
    return [
        (name, value)
        for name, value in vars(sqlite3).items()
        if name.startswith("SQLITE_") and isinstance(value, int) and value > 0
    ]


def error_of(code: int) -> HubError:
    error = sqlite3.OperationalError("near /secret/place")
    error.sqlite_errorcode = code
    return faults.hub_error(error)


BUGS = {"ERROR", "INTERNAL", "ABORT", "NOTFOUND", "EMPTY", "CONSTRAINT", "MISMATCH", "MISUSE", "RANGE"}
"""Result codes that only a mistake in the hub's own SQL or calls can bring about."""


def test_every_result_code_has_an_error_and_only_mistakes_of_our_own_are_bugs():
    primary = [
        "ERROR",
        "INTERNAL",
        "PERM",
        "ABORT",
        "BUSY",
        "LOCKED",
        "NOMEM",
        "READONLY",
        "INTERRUPT",
        "IOERR",
        "CORRUPT",
    ]
    primary += [
        "NOTFOUND",
        "FULL",
        "CANTOPEN",
        "PROTOCOL",
        "EMPTY",
        "SCHEMA",
        "TOOBIG",
        "CONSTRAINT",
        "MISMATCH",
        "MISUSE",
    ]
    primary += ["NOLFS", "AUTH", "FORMAT", "RANGE", "NOTADB"]
    assert [getattr(sqlite3, f"SQLITE_{name}") for name in primary] == list(range(1, 27))
    for name in primary:
        error = error_of(getattr(sqlite3, f"SQLITE_{name}"))
        assert isinstance(error, InternalError) == (name in BUGS), name
        assert_discreet(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailable),
        (sqlite3.SQLITE_BUSY_RECOVERY, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_READ, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_WRITE, StoreFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFull),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreFull),
        (sqlite3.SQLITE_CORRUPT_VTAB, StoreCorrupt),
        (sqlite3.SQLITE_IOERR_SHORT_READ, StoreCorrupt),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, StoreUnavailable),
    ],
)
def test_extended_codes(code: int, kind: type[HubError]):
    assert type(error_of(code)) is kind


def test_only_a_lock_is_worth_another_try_soon():
    assert error_of(sqlite3.SQLITE_BUSY).retry_after
    assert error_of(sqlite3.SQLITE_FULL).retry_after is None


def test_a_file_that_may_not_grow(path: Path):
    """``max_page_count`` makes SQLite answer exactly as on a full disk."""
    with closing(SqliteStore(path)) as store:
        first = fill(store)
        limit = store._connections._writer.execute("PRAGMA page_count").fetchone()[0]
        store._connections._writer.execute(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(StoreFull) as caught:
            store.commit(Batch([draft(f"y--{n}", body=b'"%0999d"' % n) for n in range(300)]))
        assert_discreet(caught.value)
        assert store.head() == first[-1][1:]
        assert store.verify() == []
        store._connections._writer.execute(f"PRAGMA max_page_count = {limit * 10}")
        assert store.commit(Batch([draft("y--1")]))[0].result == "stored"


DISK = """
import resource, signal, sys
from pathlib import Path
from hub.errors import StoreFull
from hub.store.ports import Batch
from hub.store.sqlite.engine import SqliteStore
from tests.contract.drafts import draft

store = SqliteStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
acknowledged = 0
try:
    while True:
        store.commit(Batch([draft(f"x--{acknowledged + n}", body=b'"%0999d"' % n) for n in range(100)]))
        acknowledged += 100
except StoreFull as error:
    assert len(store.read_log(0, 100000)) == acknowledged
    print(acknowledged, error.message)
"""


def test_a_disk_that_really_takes_no_more(path: Path):
    """In a child process, the operating system refuses to write; everything acknowledged is there afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", DISK, str(path)], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    acknowledged, _, message = done.stdout.partition(" ")
    assert int(acknowledged) >= 100
    assert "room" in message
    with closing(SqliteStore(path)) as store:
        assert store.head().position == int(acknowledged)
        assert store.verify() == []


def test_a_file_locked_by_another_program(path: Path):
    with closing(SqliteStore(path, patience=0.05)) as store, closing(sqlite3.connect(path)) as other:
        store.commit(Batch([draft()]))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as caught:
            store.commit(Batch([draft("x--2")]))
        assert caught.value.retry_after
        assert_discreet(caught.value)
        assert store.read_objects(STRANGER, PageQuery("a")).count == 1
        other.execute("ROLLBACK")
        assert store.commit(Batch([draft("x--2")]))[0].result == "stored"


def test_a_file_locked_wholly_while_it_is_opened(path: Path):
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable) as caught:
            SqliteStore(path, patience=0.05)
        assert caught.value.retry_after


def test_a_store_opened_for_reading_writes_nothing(path: Path):
    with closing(SqliteStore(path)) as store:
        store.commit(Batch([draft()]))
    with closing(SqliteStore(path, read_only=True)) as store:
        assert objects(store.read_objects(STRANGER, PageQuery("a")).joined) == [("indicator--1", 1)]
        assert store.verify() == []
        with pytest.raises(OperatorError) as caught:
            store.commit(Batch([draft("x--1")]))
        assert_discreet(caught.value)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_that_is_not_there(path: Path, read_only: bool):
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path.parent / "secret" / "x.sqlite", read_only=read_only)
    assert_discreet(caught.value)


def test_a_file_that_is_no_database(path: Path):
    path.write_bytes(b"<html>this is not a database at all</html>" * 1000)
    with pytest.raises(StoreCorrupt) as caught:
        SqliteStore(path)
    assert_discreet(caught.value)
    assert path.read_bytes().startswith(b"<html>")


def test_a_file_cut_in_half(path: Path):
    with closing(SqliteStore(path)) as store:
        fill(store, 2000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreCorrupt) as caught, closing(SqliteStore(path)) as store:
        store.read_objects(HUB, PageQuery("a", limit=10000))
    assert_discreet(caught.value)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_pages_overwritten_with_rubbish_are_noticed(path: Path, place: float):
    with closing(SqliteStore(path)) as store:
        fill(store, 2000)
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place) // 16384 * 16384)
        file.write(b"\xa5" * 65536)
    with closing(SqliteStore(path)) as store:
        found = store.verify()
    assert found
    assert all("secret" not in sentence for sentence in found)


def test_a_page_larger_than_a_value_may_be_comes_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "VALUE_BYTES", 50_000)
    with closing(SqliteStore(path)) as store:
        fill(store, 100)
        seen, after = 0, 0
        while (page := store.read_objects(HUB, PageQuery("a", after=after))).more:
            seen, after = seen + page.count, page.last
        assert seen + page.count == 100
        with pytest.raises(TooLarge):
            store.commit(Batch([draft("y--1", body=b"1" * 60_000)]))


def test_a_closed_store_says_so(path: Path):
    store = SqliteStore(path)
    store.close()
    with pytest.raises(StoreUnavailable):
        store.head()
    with pytest.raises(StoreUnavailable):
        store.commit(Batch([draft()]))


def test_a_disk_that_is_nearly_full_is_told_before_a_write_fails(path: Path, monkeypatch: pytest.MonkeyPatch):
    with closing(SqliteStore(path)) as store:
        store.check_writes()
        monkeypatch.setattr(engine, "LEAST_ROOM", 1 << 62)
        with pytest.raises(StoreFull, match="room"):
            store.check_writes()
    with closing(SqliteStore(path, read_only=True)) as store, pytest.raises(StoreFull, match="reading only"):
        store.check_writes()
