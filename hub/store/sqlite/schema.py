"""The tables of the SQLite store: made and brought up to date by numbered migrations, safely by several processes."""

from __future__ import annotations

import sqlite3
from importlib import resources

from hub.errors import StoreVersion

APPLICATION = 0x43544842
"""``CTHB`` in the file header: this SQLite file is a City Threat Hub store."""
PAGE_SIZE = 16384


def _migrations() -> list[tuple[int, str, str]]:
    folder = resources.files("hub.store.sqlite.migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name, (folder / name).read_text(encoding="utf-8")) for name in names]


def _statements(script: str) -> list[str]:
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _applied(db: sqlite3.Connection) -> int:
    """Return the number of the newest migration in the file, 0 for an empty file.

    Raises:
        StoreVersion: the file is somebody else's, or newer than this program.
    """
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0:
        return 0
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise StoreVersion("The data file is a database, but not one of City Threat Hub; choose another data folder.")
    number: int = db.execute("SELECT max(number) FROM migrations").fetchone()[0]
    if number > _migrations()[-1][0]:
        raise StoreVersion("The data was written by a newer version of City Threat Hub; install that version or newer.")
    return number


def check(db: sqlite3.Connection) -> None:
    """Check that a file opened for reading only has the tables of this version.

    Raises:
        StoreVersion: it has not, or it is no hub store.
    """
    if _applied(db) != _migrations()[-1][0]:
        raise StoreVersion("The data was written by an older version of City Threat Hub; open it for writing once.")


def migrate(db: sqlite3.Connection) -> None:
    """Create the tables in an empty file, or bring an older file up to date, in one transaction.

    Raises:
        StoreVersion: the file is not a hub store, or is newer than this program.
    """
    migrations = _migrations()
    if _applied(db) == migrations[-1][0]:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        present = _applied(db)
        if present == 0:
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        for number, name, script in migrations:
            if number > present:
                for statement in _statements(script):
                    db.execute(statement)
                db.execute("INSERT INTO migrations VALUES (?, ?)", (number, name))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
