"""What must hold in a store file, each as a query that finds the rows that break it."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3

_LATER = (
    "EXISTS (SELECT 1 FROM changes AS n INDEXED BY identity WHERE n.state = 1 AND n.id = c.id"
    " AND n.collection = c.collection AND {})"
)
_NEWER = _LATER.format("n.spec_version = c.spec_version AND n.version > c.version")
_NEWER_SPECIFICATION = _LATER.format("n.spec_version > c.spec_version")
_COVERED = _LATER.format("n.spec_version = c.spec_version AND n.version > c.version AND n.audience = c.audience")

RULES: tuple[tuple[str, str], ...] = (
    (
        "positions in the change log have gaps",
        "SELECT 1 WHERE (SELECT count(*) <> max(position) OR min(position) <> 1 FROM changes)",
    ),
    (
        "date_added does not rise with the position",
        "SELECT 1 FROM changes AS c JOIN changes AS p ON p.position = c.position - 1"
        " WHERE p.date_added >= c.date_added",
    ),
    ("a live version has no content", "SELECT 1 FROM changes WHERE state = 1 AND length(body) = 0"),
    ("a removed version still has content", "SELECT 1 FROM changes WHERE state <> 1 AND length(body) > 0"),
    (
        "a newer version is not marked on the older one",
        f"SELECT 1 FROM changes AS c WHERE c.state = 1 AND c.superseded & 1 = 0 AND {_NEWER}",
    ),
    (
        "a newer specification version is not marked on the older one",
        f"SELECT 1 FROM changes AS c WHERE c.state = 1 AND c.superseded & 2 = 0 AND {_NEWER_SPECIFICATION}",
    ),
    (
        "a version is hidden by one that is not there",
        f"SELECT 1 FROM changes AS c WHERE c.state = 1 AND c.superseded >= 4 AND NOT {_COVERED}",
    ),
    (
        "a change names a collection or an audience that is not there",
        "SELECT 1 FROM changes WHERE collection NOT IN (SELECT number FROM collections)"
        " OR audience NOT IN (SELECT number FROM audiences)",
    ),
    (
        "an observable points at no change",
        "SELECT 1 FROM observables WHERE position NOT IN (SELECT position FROM changes)",
    ),
    (
        "a matchable key belongs to no live change",
        "SELECT 1 FROM matchables WHERE position NOT IN (SELECT position FROM changes WHERE state = 1)",
    ),
    ("a ledger row counts nothing or ends before it begins", "SELECT 1 FROM ledger WHERE number < 1 OR first > last"),
    ("a sample has no event", "SELECT 1 FROM samples WHERE event NOT IN (SELECT number FROM events)"),
    (
        "a control document is newer than the last write",
        "SELECT 1 FROM documents WHERE version > (SELECT number FROM document_writes)",
    ),
)
"""A sentence for each rule that can be broken, and a query that returns a row if it is."""


def faults(db: sqlite3.Connection) -> list[str]:
    """Return a sentence for each fault found in the file, in its pages and in what they say."""
    found = []
    for (line,) in db.execute("PRAGMA integrity_check(20)"):
        if line != "ok":
            found.append(f"The data file is damaged: {line}.")
    for sentence, query in RULES:
        number = db.execute(f"SELECT count(*) FROM ({query} LIMIT 1000)").fetchone()[0]
        if number:
            found.append(f"Broken rule: {sentence} ({number}{' or more' if number == 1000 else ''}).")
    return found
