"""Small control documents with optimistic concurrency: users, cursors, leases, quarantine."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hub.errors import Conflict
from hub.model.times import now
from hub.store.ports import Document, DocumentWrite

_LIVE = "(expires IS NULL OR expires > :now)"


def write(db: sqlite3.Connection, writes: Sequence[DocumentWrite]) -> None:
    """Write documents in order; what has expired is swept out on the way.

    Raises:
        Conflict: an ``expect`` does not hold.
    """
    moment = now()
    db.execute("DELETE FROM documents WHERE expires <= ?", (moment,))
    counter: int = db.execute("SELECT number FROM document_writes").fetchone()[0]
    for number, one in enumerate(writes, counter + 1):
        if one.expect is not None:
            row = db.execute("SELECT version FROM documents WHERE kind = ? AND key = ?", (one.kind, one.key)).fetchone()
            if (row[0] if row else 0) != one.expect:
                raise Conflict(f"Somebody else changed this {one.kind} first; read it again.")
        if one.value is None:
            db.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (one.kind, one.key))
        else:
            db.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (one.kind, one.key, number, one.value, one.expires),
            )
    db.execute("UPDATE document_writes SET number = ?", (counter + len(writes),))


def read(db: sqlite3.Connection, kind: str, key: str) -> Document | None:
    """Read one document unless it has expired."""
    row = db.execute(
        f"SELECT kind, key, value, version FROM documents WHERE kind = :kind AND key = :key AND {_LIVE}",
        {"kind": kind, "key": key, "now": now()},
    ).fetchone()
    return Document(*row) if row else None


def read_many(db: sqlite3.Connection, kind: str, prefix: str, after: str, limit: int) -> list[Document]:
    """Read documents of a kind in order of key."""
    values: dict[str, str | int | None] = {"kind": kind, "prefix": prefix, "after": after, "limit": limit, "now": now()}
    values["end"] = _behind(prefix)
    bound = "" if values["end"] is None else " AND key < :end"
    rows = db.execute(
        "SELECT kind, key, value, version FROM documents"
        f" WHERE kind = :kind AND key >= :prefix AND key > :after{bound} AND {_LIVE} ORDER BY key LIMIT :limit",
        values,
    )
    return [Document(*row) for row in rows]


def _behind(prefix: str) -> str | None:
    """Return the first text after all that begin with ``prefix``, or None if there is no such text."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    last = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if last == 0xD800 else last)
