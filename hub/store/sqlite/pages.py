"""Pages of a collection, cut and joined inside SQLite: keyset reads only, no JSON is rebuilt.

A page is made of *arms*, each the walk over one index from the query's position on; SQLite merges them in order of
position and stops at the limit. The plain page has one arm over the rows that can be somebody's latest version.
"""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from typing import Any

from hub.store.ports import ManifestEntry, ManifestPage, ObjectPage, PageQuery
from hub.store.sqlite.lists import as_list
from hub.store.sqlite.sight import Sight

_NEWER = (
    "SELECT 1 FROM changes AS n INDEXED BY identity WHERE n.state = 1 AND n.id = c.id AND n.collection = c.collection"
)
_LATEST = "c.state = 1 AND c.superseded < 4"
_OLDER = "c.state = 1 AND c.superseded >= 4"


def read_objects(db: sqlite3.Connection, sight: Sight, collection: int, query: PageQuery) -> ObjectPage:
    """Read a page as joined bytes; a page whose bytes would be too many for one value is cut shorter."""
    after = _start(db, query)
    values = _values(collection, query, after)
    page = (
        "SELECT count(*), min(date_added), max(date_added), max(position), CAST(group_concat(body, ',') AS BLOB)"
        f" FROM ({_rows('c.position, c.date_added, c.body', sight, query)})"
    )
    limit = query.limit
    while True:
        try:
            count, first, final, last, joined = db.execute(page, values | {"limit": limit}).fetchone()
            break
        except sqlite3.DataError:
            if limit == 1:
                raise
            limit //= 2
    if not count:
        return ObjectPage(b"", 0, query.after, None, None, False)
    more = count == limit and _more(db, sight, query, values | {"after": last})
    return ObjectPage(joined, count, last, first, final, more)


def read_manifest(db: sqlite3.Connection, sight: Sight, collection: int, query: PageQuery) -> ManifestPage:
    """Read what `read_objects` would, without bodies."""
    values = _values(collection, query, _start(db, query)) | {"limit": query.limit + 1}
    columns = "c.position, c.date_added, c.id, c.version_text, c.spec_version"
    rows = db.execute(_rows(columns, sight, query), values).fetchall()
    entries = tuple(ManifestEntry(*row) for row in rows[: query.limit])
    return ManifestPage(entries, entries[-1].position if entries else query.after, len(rows) > query.limit)


def count(db: sqlite3.Connection, sight: Sight, collection: int, key: str) -> int:
    """Count the latest visible objects of a collection."""
    query = PageQuery(key, limit=-1)
    values = _values(collection, query, 0) | {"limit": -1}
    number: int = db.execute(f"SELECT count(*) FROM ({_rows('c.position', sight, query)})", values).fetchone()[0]
    return number


def _start(db: sqlite3.Connection, query: PageQuery) -> int:
    """Return the position that the page begins behind: dates and positions rise together, so a date is a position."""
    if query.added_after is None:
        return query.after
    before = db.execute(
        "SELECT position FROM changes WHERE date_added <= ? ORDER BY date_added DESC LIMIT 1", (query.added_after,)
    ).fetchone()
    return max(query.after, before[0]) if before else query.after


def _more(db: sqlite3.Connection, sight: Sight, query: PageQuery, values: dict[str, Any]) -> bool:
    row = db.execute(_rows("c.position", sight, query), values | {"limit": 1}).fetchone()
    return row is not None


def _values(collection: int, query: PageQuery, after: int) -> dict[str, Any]:
    values: dict[str, Any] = {"collection": collection, "after": after}
    if query.ids:
        values["ids"] = as_list(query.ids)
    if query.spec_versions:
        values["specifications"] = as_list(query.spec_versions)
    if query.versions.exact:
        values["exact"] = as_list(query.versions.exact)
    values.update((f"type{number}", type_) for number, type_ in enumerate(sorted(query.types)))
    return values


def _rows(columns: str, sight: Sight, query: PageQuery) -> str:
    """Return the query for ``columns`` (``c.position`` first) of the page's rows, in order of position."""
    conditions = f"c.collection = :collection AND c.position > :after{sight.audience('c')}"
    conditions += _specification(sight, query) + _version(sight, query)
    arms = [
        f"SELECT {columns} FROM changes AS c INDEXED BY {index} WHERE {own} AND {conditions}"
        for index, own in _arms(query)
    ]
    return " UNION ALL ".join(arms) + " ORDER BY 1 LIMIT :limit"


def _arms(query: PageQuery) -> list[tuple[str, str]]:
    """Return the indexes to walk, each with the condition that says which rows it holds."""
    types = [f"c.type = :type{number}" for number in range(len(query.types))]
    of_type = f" AND ({' OR '.join(types)})" if types else ""
    if query.ids:
        return [("identity", f"c.state = 1 AND c.id IN (SELECT value FROM json_each(:ids)){of_type}")]
    if query.spec_versions and "2.1" not in query.spec_versions:
        return [("older_specification", f"c.state = 1 AND c.spec_version < '2.1'{of_type}")]
    arms = [("latest_of_type", f"{_LATEST} AND {one}") for one in types] or [("latest", _LATEST)]
    if query.versions.first or query.versions.all or query.versions.exact:
        arms.append(("older", f"{_OLDER}{of_type}"))
    return arms


def _specification(sight: Sight, query: PageQuery) -> str:
    """Return the condition on the specification version: those asked for, else the latest that the reader sees."""
    if query.spec_versions:
        return " AND c.spec_version IN (SELECT value FROM json_each(:specifications))"
    newer = f"{_NEWER} AND n.spec_version > c.spec_version{sight.audience('n')}"
    return f" AND (c.superseded & 2 = 0 OR NOT EXISTS ({newer}))"


def _version(sight: Sight, query: PageQuery) -> str:
    """Return the condition on the object's version: any of the alternatives of the query."""
    versions = query.versions
    if versions.all:
        return ""
    several = len(query.spec_versions) > 1
    same = "IN (SELECT value FROM json_each(:specifications))" if several else "= c.spec_version"
    others = f"{_NEWER} AND n.spec_version {same}{sight.audience('n')}"
    alternatives = []
    if versions.last:
        # Without a hint there is no newer version at all, so most rows need no look at their neighbours.
        hint = "" if several else "c.superseded & 5 = 0 OR "
        alternatives.append(f"({hint}NOT EXISTS ({others} AND n.version > c.version))")
    if versions.first:
        alternatives.append(f"NOT EXISTS ({others} AND n.version < c.version)")
    if versions.exact:
        alternatives.append("c.version IN (SELECT value FROM json_each(:exact))")
    return f" AND ({' OR '.join(alternatives) or 'c.position < 0'})"
