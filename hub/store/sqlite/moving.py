"""Reading a SQLite store whole, and filling one, for `hub.store.moving`."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Literal

from hub.model.audience import Audience
from hub.model.observables import index_key, key_of
from hub.store.moving import MARK, Extent, Portion, StoredChange, StoredDocument
from hub.store.ports import UNVERSIONED, Draft, LedgerRow
from hub.store.sqlite import ledger
from hub.store.sqlite.changes import INSERT, Appender, facets
from hub.store.sqlite.names import Names

_STATES = {"removed": 0, "live": 1, "removal": 2}
_NAMES: dict[int, Literal["live", "removed", "removal"]] = {0: "removed", 1: "live", 2: "removal"}
_AWAY = f"NOT (kind = '{MARK[0]}' AND key = '{MARK[1]}')"
_FINDERS = (
    # The search index keeps no texts; what it holds of each change is read off it from behind, once.
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words', 'instance')",
    "CREATE TEMP TABLE tokens_of (position INTEGER PRIMARY KEY, tokens TEXT NOT NULL)",
    "INSERT INTO tokens_of SELECT doc, group_concat(term, ' ') FROM temp.vocabulary GROUP BY doc",
    "CREATE TEMP TABLE keys_of (position INTEGER PRIMARY KEY, keys TEXT NOT NULL)",
    "INSERT INTO keys_of SELECT position, group_concat(index_key, x'00') FROM observables GROUP BY position",
)
_CHANGES = """
    SELECT c.position, c.date_added, c.state, l.text, c.id, c.type, c.spec_version, c.version, c.version_text, c.body,
        a.text, c.source, k.keys, c.matchable, t.tokens, c.created, c.valid_until, c.revoked, c.confidence, o.body
    FROM changes AS c JOIN collections AS l ON l.number = c.collection JOIN audiences AS a ON a.number = c.audience
        LEFT JOIN keys_of AS k ON k.position = c.position LEFT JOIN tokens_of AS t ON t.position = c.position
        LEFT JOIN originals AS o ON o.position = c.position
    WHERE c.position > ? ORDER BY c.position
"""


class SqliteSnapshot:
    """A `hub.store.moving.Snapshot`.

    Args:
        db: a connection of its own, in a read transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._found = False

    def extent(self) -> Extent:
        """See `hub.store.moving.Snapshot.extent`."""
        return Extent(
            *self._one("SELECT ifnull(max(position), 0) FROM changes"),
            *self._one(f"SELECT count(*) FROM ledger WHERE day >= {ledger.since(self._db)}"),
            *self._one(f"SELECT count(*) FROM documents WHERE {_AWAY}"),
            *self._one("SELECT ifnull(max(position), 0), ifnull(max(date_added), 0) FROM changes"),
            *self._one("SELECT number FROM document_writes"),
        )

    def _one(self, sql: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._db.execute(sql).fetchone()
        return row

    def changes(self, after: int) -> Iterator[StoredChange]:
        """See `hub.store.moving.Snapshot.changes`."""
        if not self._found:
            for statement in _FINDERS:
                self._db.execute(statement)
            self._found = True
        audiences: dict[str, Audience] = {}
        for row in self._db.execute(_CHANGES, (after,)):
            position, date, state, collection, id_, type_, spec, version, text, body, label, source, *rest = row
            keys, matchable, tokens, created, valid_until, revoked, confidence, original = rest
            live = _NAMES[state] == "live"
            draft = Draft(
                collection=collection,
                id=id_,
                type=type_,
                spec_version=spec,
                version=UNVERSIONED if version is None else version,
                version_text=text,
                body=body,
                audience=audiences.get(label) or audiences.setdefault(label, Audience.from_label(label)),
                source=source,
                observables=tuple(sorted(key_of(key) for key in keys.split("\0"))) if live and keys else (),
                matchable=bool(matchable),
                tokens=tuple(sorted(tokens.split(" "))) if live and tokens else (),
                created=created,
                valid_until=valid_until,
                revoked=bool(revoked),
                confidence=confidence,
                original=original,
            )
            yield StoredChange(position, date, _NAMES[state], draft, every_version=version is None)

    def ledger(self, after: str) -> Iterator[LedgerRow]:
        """See `hub.store.moving.Snapshot.ledger`."""
        return ledger.read_all(self._db, index_key(after) if after else "")

    def documents(self, after: tuple[str, str]) -> Iterator[StoredDocument]:
        """See `hub.store.moving.Snapshot.documents`."""
        rows = self._db.execute(
            "SELECT kind, key, version, value, expires FROM documents"
            f" WHERE (kind, key) > (?, ?) AND {_AWAY} ORDER BY kind, key",
            after,
        )
        return (StoredDocument(*row) for row in rows)


def receive(db: sqlite3.Connection, portion: Portion, collections: Names, audiences: Names, sensors: Names) -> None:
    """Write the records of a portion as they are, inside a write transaction; those that are there are passed over."""
    if portion.changes:
        _write_changes(db, portion.changes, collections, audiences)
    if portion.ledger:
        ledger.restore(db, sensors, portion.ledger)
    db.executemany(
        "INSERT OR REPLACE INTO documents (kind, key, version, value, expires) VALUES (?, ?, ?, ?, ?)",
        portion.documents,
    )
    if portion.document_version:
        db.execute("UPDATE document_writes SET number = max(number, ?)", (portion.document_version,))


def _write_changes(
    db: sqlite3.Connection, changes: Sequence[StoredChange], collections: Names, audiences: Names
) -> None:
    last: int = db.execute("SELECT ifnull(max(position), 0) FROM changes").fetchone()[0]
    changes = [one for one in changes if one.position > last]
    drafts = [one.draft for one in changes]
    places = collections.intern(db, {draft.collection for draft in drafts})
    labels = audiences.intern(db, {draft.audience.label for draft in drafts})
    rows = []
    for one in changes:
        draft = one.draft
        rows.append(
            (
                *(one.position, one.date_added, _STATES[one.state], places[draft.collection]),
                *(labels[draft.audience.label], 0, draft.type, draft.id, draft.spec_version),
                *(None if one.every_version else draft.version, draft.version_text, draft.source, draft.matchable),
                *(draft.created, draft.valid_until, draft.revoked, draft.confidence, draft.body),
                facets(draft) if one.state == "live" else "",
            )
        )
    db.executemany(INSERT, rows)
    appender = Appender(db, collections, audiences)
    appender.write_finders([(one.position, one.draft) for one in changes if one.state == "live"])
    appender.review({(places[draft.collection], draft.id) for draft in drafts})
