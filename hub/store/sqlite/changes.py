"""Appending to the change log: drafts and withdrawals of one batch, inside the write transaction."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.errors import Overtaken
from hub.model.observables import index_key
from hub.model.times import now
from hub.store.facets import counted_tokens
from hub.store.ports import Basis, Draft, Outcome, Withdrawal
from hub.store.sqlite.names import Names

INSERT = f"INSERT INTO changes VALUES ({','.join('?' * 19)})"
_REVIEW_ALL = """
    UPDATE changes AS c INDEXED BY identity SET superseded =
          EXISTS (SELECT 1 FROM changes AS n INDEXED BY identity WHERE n.state = 1 AND n.id = c.id
                  AND n.collection = c.collection AND n.spec_version = c.spec_version AND n.version > c.version)
        + 2 * EXISTS (SELECT 1 FROM changes AS n INDEXED BY identity WHERE n.state = 1 AND n.id = c.id
                  AND n.collection = c.collection AND n.spec_version > c.spec_version)
        + 4 * EXISTS (SELECT 1 FROM changes AS n INDEXED BY identity WHERE n.state = 1 AND n.id = c.id
                  AND n.collection = c.collection AND n.spec_version = c.spec_version AND n.version > c.version
                  AND n.audience = c.audience)
    WHERE c.state = 1 AND c.collection = ? AND c.id = ?
"""
_REVIEW = f"{_REVIEW_ALL} AND c.spec_version = ? AND c.version >= ?"
_STORED = "FROM changes AS c INDEXED BY identity WHERE c.state = 1 AND c.collection = i.collection AND c.id = i.id"


class _Key(NamedTuple):
    """What is unique among live versions."""

    collection: int
    id: str
    spec_version: str
    version: int


class _Held(NamedTuple):
    """The live version that has a key: in the store, or earlier in the batch."""

    position: int
    date_added: int
    body: bytes


class _Others(NamedTuple):
    """The stored live versions of an object in its collection."""

    oldest_specification: str
    latest_specification: str
    newest: int


def must_hold(db: sqlite3.Connection, basis: Basis) -> None:
    """Check that none of the objects that a batch was made from has changed since they were read.

    Raises:
        Overtaken: one has.
    """
    # Read to the end: a statement half-way through would hold a snapshot, and the next transaction could not begin.
    since = db.execute("SELECT id FROM changes WHERE position > ?", (basis.position,)).fetchall()
    if any(id in basis.ids for (id,) in since):
        raise Overtaken("Somebody else changed one of these objects first; try again.")


def facets(draft: Draft) -> str:
    """Return what a live version is counted by, as its row keeps it."""
    return " ".join(counted_tokens(draft.tokens))


class Appender:
    """Gives out positions and dates in one write transaction and writes what gets them."""

    def __init__(self, db: sqlite3.Connection, collections: Names, audiences: Names) -> None:
        self._db = db
        self._collections = collections
        self._audiences = audiences
        head = db.execute("SELECT position, date_added FROM changes ORDER BY position DESC LIMIT 1").fetchone()
        self._position: int = head[0] if head else 0
        self._date: int = head[1] if head else 0

    def _next(self) -> tuple[int, int]:
        self._position += 1
        self._date = max(now(), self._date + 1)
        return self._position, self._date

    def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """Store what is new; return one outcome for each draft, in order."""
        collections = self._collections.intern(self._db, {draft.collection for draft in drafts})
        labels = {audience: audience.label for audience in {draft.audience for draft in drafts}}
        audiences = self._audiences.intern(self._db, labels.values())
        keys = [_Key(collections[d.collection], d.id, d.spec_version, d.version) for d in drafts]
        others = self._others(keys)
        held = self._held() if others else {}
        outcomes: list[Outcome] = []
        stored: list[tuple[_Key, int, Draft]] = []
        rows = []
        for key, draft in zip(keys, drafts, strict=True):
            there = held.get(key)
            if there is not None:
                same = there.body == draft.body
                outcomes.append(Outcome("unchanged" if same else "conflict", there.position, there.date_added))
                continue
            position, date = self._next()
            held[key] = _Held(position, date, draft.body)
            stored.append((key, position, draft))
            rows.append(
                (
                    *(position, date, 1, key.collection, audiences[labels[draft.audience]], 0, draft.type, draft.id),
                    *(draft.spec_version, draft.version, draft.version_text, draft.source, draft.matchable),
                    *(draft.created, draft.valid_until, draft.revoked, draft.confidence, draft.body),
                    facets(draft),
                )
            )
            outcomes.append(Outcome("stored", position, date))
        if stored:
            self._db.executemany(INSERT, rows)
            self.write_finders([(position, draft) for _, position, draft in stored])
            self._review(stored, others)
        return outcomes

    def _others(self, keys: Sequence[_Key]) -> dict[tuple[int, str], _Others]:
        """Look all objects up at once; leaves the keys in a table for `_held`."""
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS incoming (collection INTEGER, id TEXT, spec_version TEXT, version INTEGER)"
        )
        self._db.execute("DELETE FROM incoming")
        self._db.executemany("INSERT INTO incoming VALUES (?, ?, ?, ?)", keys)
        # Three seeks for each object, however many versions it has.
        rows = self._db.execute(
            f"SELECT *, (SELECT max(c.version) {_STORED} AND c.spec_version = newest) FROM ("
            f" SELECT i.collection, i.id, (SELECT min(c.spec_version) {_STORED}),"
            f" (SELECT max(c.spec_version) {_STORED}) AS newest"
            " FROM (SELECT DISTINCT collection, id FROM incoming) AS i) AS i WHERE newest IS NOT NULL"
        )
        return {(collection, id_): _Others(*rest) for collection, id_, *rest in rows}

    def _held(self) -> dict[_Key, _Held]:
        rows = self._db.execute(
            "SELECT i.*, c.position, c.date_added, c.body"
            " FROM incoming AS i CROSS JOIN changes AS c INDEXED BY identity ON c.state = 1"
            " AND c.collection = i.collection AND c.id = i.id"
            " AND c.spec_version = i.spec_version AND c.version = i.version"
        )
        width = len(_Key._fields)
        return {_Key(*row[:width]): _Held(*row[width:]) for row in rows}

    def write_finders(self, stored: Sequence[tuple[int, Draft]]) -> None:
        """Write what drafts, stored at these positions, are found by: observables, words; and their originals."""
        observables, matchables, words, originals = [], [], [], []
        for position, draft in stored:
            for observable in draft.observables:
                observables.append((index_key(observable), position))
                if draft.matchable:
                    matchables.append((position, observable))
            if draft.tokens:
                words.append((position, " ".join(draft.tokens)))
            if draft.original is not None:
                originals.append((position, draft.original))
        # In the order of the index: neighbouring keys share pages.
        observables.sort()
        self._db.executemany("INSERT OR IGNORE INTO observables VALUES (?, ?)", observables)
        self._db.executemany("INSERT OR IGNORE INTO matchables VALUES (?, ?)", matchables)
        self._db.executemany("INSERT INTO words (rowid, tokens) VALUES (?, ?)", words)
        self._db.executemany("INSERT INTO originals VALUES (?, ?)", originals)

    def _review(self, stored: Sequence[tuple[_Key, int, Draft]], others: dict[tuple[int, str], _Others]) -> None:
        """Set ``superseded`` where objects now have several versions.

        All but the newest stored version carry the hint already, so rows from the newest stored or the oldest
        new version on are enough, unless specification versions mix.
        """
        low: dict[tuple[int, str], tuple[str, int]] = {}
        mixed: set[tuple[int, str]] = set()
        first: dict[tuple[int, str], _Key] = {}
        for key, _, _ in stored:
            object_ = (key.collection, key.id)
            before = others.get(object_) or first.setdefault(object_, key)
            if before is key:
                continue
            if isinstance(before, _Key):
                known, start = {before.spec_version}, before.version
            else:
                known, start = {before.oldest_specification, before.latest_specification}, before.newest
            if known != {key.spec_version}:
                mixed.add(object_)
            _, lowest = low.get(object_, ("", start))
            low[object_] = (key.spec_version, min(lowest, key.version))
        self._db.executemany(_REVIEW, [(*object_, *start) for object_, start in low.items() if object_ not in mixed])
        self._db.executemany(_REVIEW_ALL, sorted(mixed))

    def review(self, objects: Iterable[tuple[int, str]]) -> None:
        """Set ``superseded`` of all versions of objects, each a collection's number and an id."""
        self._db.executemany(_REVIEW_ALL, sorted(objects))

    def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Remove live versions: blank them and note it in the log; what is not there is passed over."""
        for withdrawal in withdrawals:
            collection = self._collections.find(self._db, withdrawal.collection)
            if collection is None:
                continue
            only = "" if withdrawal.version is None else " AND version = :version"
            values = {"collection": collection, "id": withdrawal.id, "version": withdrawal.version}
            removed = self._db.execute(
                "SELECT position, audience, type, spec_version, version_text, source FROM changes INDEXED BY identity"
                f" WHERE state = 1 AND collection = :collection AND id = :id{only} ORDER BY spec_version, version",
                values,
            ).fetchall()
            if removed:
                self._blank([row[0] for row in removed])
                self._note(collection, withdrawal, removed[-1])
                if withdrawal.version is not None:
                    self._db.execute(_REVIEW_ALL, (collection, withdrawal.id))

    def _blank(self, positions: Sequence[int]) -> None:
        each = [(position,) for position in positions]
        self._db.executemany("UPDATE changes SET state = 0, body = x'', facets = '' WHERE position = ?", each)
        self._db.executemany("DELETE FROM originals WHERE position = ?", each)
        self._db.executemany("DELETE FROM matchables WHERE position = ?", each)

    def _note(self, collection: int, withdrawal: Withdrawal, last: tuple[int, int, str, str, str, str]) -> None:
        _, audience, type_, spec_version, version_text, source = last
        text = "" if withdrawal.version is None else version_text
        row = (*self._next(), 2, collection, audience, 0, type_, withdrawal.id, spec_version)
        self._db.execute(INSERT, (*row, withdrawal.version, text, source, False, None, None, False, None, b"", ""))
