"""Reading changes: the log, objects by id, by observable and by search."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from hub.model.audience import Audience
from hub.model.observables import index_key
from hub.store.ports import Change, Head, SearchPage, SearchQuery
from hub.store.sqlite.costs import bounded
from hub.store.sqlite.lists import as_list
from hub.store.sqlite.names import Names
from hub.store.sqlite.search import select
from hub.store.sqlite.sight import Sight

_COLUMNS = (
    "c.position, c.date_added, c.state, c.collection, c.id, c.type, c.spec_version, c.version, c.version_text, c.body,"
    " c.audience, c.source, c.matchable"
)


class Objects:
    """Reads of changes in a transaction that the caller holds open."""

    def __init__(self, collections: Names, audiences: Names) -> None:
        self._collections = collections
        self._audiences = audiences
        self._parsed: dict[int, Audience] = {}

    def _audience(self, number: int) -> Audience:
        audience = self._parsed.get(number)
        if audience is None:
            audience = self._parsed[number] = Audience.from_label(self._audiences.text(number))
        return audience

    def _change(self, row: tuple[int, int, int, int, str, str, str, int | None, str, bytes, int, str, int]) -> Change:
        position, date, state, collection, id_, type_, spec, version, text, body, audience, source, matchable = row
        return Change(
            position,
            date,
            "put" if state == 1 else "withdraw",
            self._collections.text(collection),
            id_,
            type_,
            spec,
            version,
            text,
            body,
            self._audience(audience),
            source,
            bool(matchable),
        )

    def log(self, db: sqlite3.Connection, after: int, limit: int, types: frozenset[str]) -> list[Change]:
        """Read the log in order; removed versions are passed over, their removal is not."""
        only = " AND c.type IN (SELECT value FROM json_each(:types))" if types else ""
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM changes AS c WHERE c.position > :after AND c.state > 0{only}"
            " ORDER BY c.position LIMIT :limit",
            {"after": after, "limit": limit, "types": as_list(types)} if types else {"after": after, "limit": limit},
        )
        return [self._change(row) for row in rows]

    def get(self, db: sqlite3.Connection, sight: Sight, ids: Iterable[str]) -> dict[str, Change]:
        """Read the latest visible version of each id."""
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM json_each(?) AS wanted CROSS JOIN changes AS c ON c.position = ("
            " SELECT b.position FROM changes AS b INDEXED BY identity WHERE b.state = 1 AND b.id = wanted.value"
            f" AND b.superseded < 4{sight.visible('b')}"
            " ORDER BY b.spec_version DESC, b.version DESC, b.position DESC LIMIT 1)",
            (as_list(ids),),
        )
        return {row[4]: self._change(row) for row in rows}

    def history(self, db: sqlite3.Connection, sight: Sight, id: str) -> list[Change]:
        """Read every visible version of an object."""
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM changes AS c INDEXED BY identity"
            f" WHERE c.state = 1 AND c.id = ?{sight.visible('c')} ORDER BY c.position",
            (id,),
        )
        return [self._change(row) for row in rows]

    def lookup(
        self, db: sqlite3.Connection, sight: Sight, observables: Iterable[str], limit_each: int
    ) -> dict[str, list[Change]]:
        """Find the latest visible versions that carry each observable, newest first."""
        keys = list(dict.fromkeys(observables))
        rows = db.execute(
            f"SELECT wanted.key, {_COLUMNS} FROM json_each(?) AS wanted CROSS JOIN changes AS c ON c.position IN ("
            " SELECT o.position FROM observables AS o CROSS JOIN changes AS l ON l.position = o.position"
            f" WHERE o.index_key = wanted.value{sight.newest('l')} ORDER BY o.position DESC LIMIT ?)"
            " ORDER BY wanted.key, c.position DESC",
            (as_list(index_key(key) for key in keys), limit_each),
        )
        found: dict[str, list[Change]] = {}
        for number, *row in rows:
            found.setdefault(keys[number], []).append(self._change(tuple(row)))
        return found

    def original(self, db: sqlite3.Connection, sight: Sight, id: str, version: int) -> bytes | None:
        """Read what an upgraded version was made from."""
        row = db.execute(
            "SELECT o.body FROM changes AS c INDEXED BY identity CROSS JOIN originals AS o ON o.position = c.position"
            f" WHERE c.state = 1 AND c.id = ? AND c.version = ?{sight.visible('c')} ORDER BY c.position DESC LIMIT 1",
            (id, version),
        ).fetchone()
        return None if row is None else row[0]

    def search(self, db: sqlite3.Connection, sight: Sight, query: SearchQuery) -> SearchPage:
        """Find objects, newest first.

        Raises:
            BadQuery: it takes too many steps.
        """
        sql, parameters = select(query.tree, _COLUMNS, sight.newest("c"))
        before = 2**63 - 1 if query.before is None else query.before
        with bounded(db):
            rows = db.execute(sql, (*parameters, before, query.limit + 1)).fetchall()
        changes = tuple(self._change(row) for row in rows[: query.limit])
        return SearchPage(changes, changes[-1].position if len(rows) > query.limit else None)


def head(db: sqlite3.Connection) -> Head:
    """Read where the log ends."""
    row = db.execute("SELECT position, date_added FROM changes ORDER BY position DESC LIMIT 1").fetchone()
    return Head(*row) if row else Head(0, 0)


def match_keys(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, str]]:
    """Read matchable keys in order of position, never splitting a position."""
    rows: list[tuple[int, str]] = db.execute(
        "SELECT position, key FROM matchables WHERE position > ? ORDER BY position, key LIMIT ?", (after, limit)
    ).fetchall()
    if len(rows) == limit:
        rest = "SELECT position, key FROM matchables WHERE position = ? AND key > ? ORDER BY key"
        rows += db.execute(rest, rows[-1]).fetchall()
    return rows
