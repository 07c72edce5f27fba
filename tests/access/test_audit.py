"""The audit log: nothing changes without an entry, the chain shows tampering, several writers chain safely."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hub.access.accounts import Accounts
from hub.access.audit import Audit, Entry, Head, Wanted
from hub.errors import Conflict, StoreCorrupt
from hub.store.moving import Movable
from hub.store.ports import Batch, DocumentWrite
from tests.access.conftest import PASSWORD
from tests.stores import ABOUT_SQLITE, examples, store_in

ROOT = Path(__file__).parents[2]


@pytest.fixture
def audit(store: Movable) -> Audit:
    return Audit(store, "local:root")


def change(store: Movable, path: Path, statement: str) -> None:
    """Change the file behind the hub's back."""
    store.close()
    with sqlite3.connect(path / "hub.db") as db:
        assert db.execute(statement).rowcount == 1
    db.close()


def test_every_change_of_an_account_is_told_without_secrets(accounts: Accounts, store: Movable) -> None:
    token, text = accounts.add_token("leo", rights=("read",))
    accounts.change_user("leo", lambda user: replace(user, role="partner"))
    accounts.set_password("leo", "another long password")
    accounts.remove_token(token.id)
    accounts.remove_user("leo")
    accounts.remove_organisation("water")
    told = list(Audit(store).entries())
    assert [one.action for one in told][5:] == [
        "token.add",
        "user.change",
        "user.password",
        "token.revoke",
        "user.remove",
        "organisation.remove",
    ]
    assert told[6].details == {"organisation": "water", "role": "partner", "disabled": "False"}
    assert told[8] == replace(
        told[8], target=token.id, who="hub", where="local", result="done", details={"user": "leo"}
    )
    kept = repr(told)
    for secret in (PASSWORD, "another long password", text, text.split("_", 2)[2], token.digest, "argon2"):
        assert secret not in kept


def test_what_fails_leaves_no_entry_and_what_is_written_leaves_one(audit: Audit, store: Movable) -> None:
    write = DocumentWrite("thing", "a", b"1", expect=0)
    audit.record("thing.add", "a", batch=Batch(documents=[write]))
    with pytest.raises(Conflict):
        audit.record("thing.add", "a", batch=Batch(documents=[write]))
    assert audit.head().number == 1
    assert audit.verify() == audit.head()


def test_an_empty_log_is_whole(audit: Audit) -> None:
    assert audit.verify() == Head()
    assert list(audit.newest()) == []


def test_the_newest_come_first_and_filters_hold(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.access.audit._PORTION", 20)
    for number in range(46):
        audit.record("objects.post" if number % 2 else "user.add", f"t-{number}", who="leo" if number % 3 else "")
    found = list(audit.newest())
    assert [one.number for one in found] == list(range(46, 0, -1))
    wanted = Wanted(who="leo", action="objects", target="t-1", since=found[-1].at)
    expected = [one for one in found if one.who == "leo" and one.action == "objects.post" and one.target[:3] == "t-1"]
    assert list(audit.newest(wanted)) == expected
    wanted = Wanted(since=found[-10].at, until=found[-20].at)
    assert [one.number for one in audit.newest(wanted)] == list(range(19, 9, -1))
    audit.record("objects.delete", "inbox", where="192.0.2.7", details={"id": "indicator--AB"})
    (last,) = audit.newest(Wanted(about="INDICATOR--ab"))
    assert list(audit.newest(Wanted(where="192.0.2.7"))) == [last]
    assert last.number == 47
    assert audit.verify().number == 47


def test_strangers_cannot_fill_or_break_an_entry(audit: Audit) -> None:
    audit.record("signin.refused", "x" * 100_000, where="\ud800", details={"why": "\ud800" + "y" * 1000})
    (entry,) = audit.entries()
    assert len(entry.target) == 200
    assert len(entry.details["why"]) == 200
    audit.verify()


FORGED = "UPDATE documents SET value = CAST(replace(CAST(value AS TEXT), 'one-', 'two-') AS BLOB)"


@ABOUT_SQLITE
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        (f"{FORGED} WHERE kind = 'audit' AND key LIKE '%3'", 3),
        (f"{FORGED} WHERE kind = 'audit' AND key LIKE '%1'", 1),
        (f"{FORGED} WHERE kind = 'audit' AND key LIKE '%5'", 5),
        ("UPDATE documents SET value = CAST('no entry' AS BLOB) WHERE kind = 'audit' AND key LIKE '%2'", 2),
        ("DELETE FROM documents WHERE kind = 'audit' AND key LIKE '%4'", 4),
        ("DELETE FROM documents WHERE kind = 'audit' AND key LIKE '%5'", 5),
        ("UPDATE documents SET key = '000000000009' WHERE kind = 'audit' AND key LIKE '%3'", 3),
    ],
)
def test_tampering_is_found_at_its_place(
    audit: Audit, store: Movable, tmp_path: Path, statement: str, broken: int
) -> None:
    for number in range(1, 6):
        audit.record("test", f"one-{number}")
    change(store, tmp_path, statement)
    again = store_in(tmp_path)
    with pytest.raises(StoreCorrupt, match=f"^audit entry {broken} "):
        Audit(again).verify()
    again.close()


@ABOUT_SQLITE
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM documents WHERE kind = 'audit-head'", "entry 1 is behind the head"),
        ("UPDATE documents SET value = CAST('?' AS BLOB) WHERE kind = 'audit-head'", "head of the audit log"),
    ],
)
def test_a_head_that_was_tampered_with_is_found(
    audit: Audit, store: Movable, tmp_path: Path, statement: str, message: str
) -> None:
    audit.record("test")
    change(store, tmp_path, statement)
    again = store_in(tmp_path)
    with pytest.raises(StoreCorrupt, match=message):
        Audit(again).verify()
    again.close()


def test_a_head_that_was_written_down_shows_a_log_cut_short_or_replaced(store: Movable, tmp_path: Path) -> None:
    audit = Audit(store)
    for number in range(3):
        audit.record("test", str(number))
    known = audit.head()
    assert audit.verify(known) == known
    audit.record("later")
    audit.verify(known)
    other = store_in(tmp_path / "other")
    replaced = Audit(other)
    replaced.record("test", "0")
    with pytest.raises(StoreCorrupt, match="entry 2 is missing"):
        replaced.verify(known)
    replaced.record("test", "1")
    replaced.record("test", "2")
    with pytest.raises(StoreCorrupt, match="entry 3 is not the one"):
        replaced.verify(known)
    other.close()


def test_threads_and_processes_chain_without_a_gap(audit: Audit, store: Movable, tmp_path: Path) -> None:
    each = examples(40)
    program = (
        "import sys; from pathlib import Path; from hub.access.audit import Audit;"
        "from tests.stores import store_in; audit = Audit(store_in(Path(sys.argv[1])), sys.argv[2]);"
        f"[audit.record('test', str(number)) for number in range({each})]"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), f"process-{number}"], cwd=ROOT)
        for number in range(2)
    ]

    def write(name: str) -> None:
        for number in range(each):
            audit.record("test", str(number), who=name)

    threads = [threading.Thread(target=write, args=(f"thread-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.wait(60) for one in others] == [0, 0]
    assert audit.verify().number == 5 * each
    written: dict[str, list[Entry]] = {}
    for entry in audit.entries():
        written.setdefault(entry.who, []).append(entry)
    assert {name: [one.target for one in made] for name, made in written.items()} == {
        name: [str(number) for number in range(each)]
        for name in ("process-0", "process-1", "thread-0", "thread-1", "thread-2")
    }
