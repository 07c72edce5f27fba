"""Pages of a collection: one search each, whatever the reader may see."""

from __future__ import annotations

from typing import Any

from hub.store.elastic.indices import PAGE
from hub.store.elastic.places import Query, Sight
from hub.store.elastic.snapshots import Answer, Snapshots
from hub.store.ports import ManifestEntry, ManifestPage, ObjectPage, PageQuery, Scope

PAGE_BYTES = 64 * 1024 * 1024
"""Bytes of the objects of a page at most, unless there is only one."""
LONGEST = PAGE - 3
"""Objects of a page at most."""
_NOTHING: Query = {"bool": {"must_not": [{"match_all": {}}]}}


def read_objects(snapshots: Snapshots, scope: Scope, query: PageQuery) -> ObjectPage:
    """Read a page as joined bytes; a page whose objects are very large is cut shorter."""
    limit = min(query.limit, LONGEST)
    if snapshots.latest.largest * limit > PAGE_BYTES:
        limit = _fitting(snapshots, scope, query)
    hits = _search(snapshots, scope, query, limit + 1, ("pos", "date", "doc.body")).hits
    if not hits:
        return ObjectPage(b"", 0, query.after, None, None, False)
    found: list[dict[str, Any]] = [hit["_source"] for hit in hits[:limit]]
    joined = ",".join([source["doc"]["body"] for source in found]).encode()
    return ObjectPage(joined, len(found), found[-1]["pos"], found[0]["date"], found[-1]["date"], len(hits) > limit)


def read_manifest(snapshots: Snapshots, scope: Scope, query: PageQuery) -> ManifestPage:
    """Read what `read_objects` would, without bodies."""
    limit = min(query.limit, LONGEST)
    hits = _search(snapshots, scope, query, limit + 1, ("pos", "date", "id", "place", "doc.text")).hits
    entries = []
    for hit in hits[:limit]:
        source = hit["_source"]
        specification = snapshots.places.place(int(source["place"])).spec_version
        entries.append(ManifestEntry(source["pos"], source["date"], source["id"], source["doc"]["text"], specification))
    return ManifestPage(tuple(entries), entries[-1].position if entries else query.after, len(hits) > limit)


def tally(snapshots: Snapshots, scope: Scope) -> dict[str, int]:
    """Count the latest visible objects of each collection that has any."""

    def ask(sight: Sight) -> dict[str, Any]:
        visible = sight.of()
        return {
            "query": {
                "filter": [_outermost("newer", _by_specification(sight, visible))],
                "must_not": [{"terms": {"newer_spec": visible}}],
            },
            "size": 0,
            "aggregations": {"places": {"terms": {"field": "place", "size": max(1, len(visible))}}},
        }

    counts: dict[str, int] = {}
    for bucket in snapshots.seen_by(scope, ask).aggregations["places"]["buckets"]:
        collection = snapshots.places.place(int(bucket["key"])).collection
        counts[collection] = counts.get(collection, 0) + bucket["doc_count"]
    return counts


def _fitting(snapshots: Snapshots, scope: Scope, query: PageQuery) -> int:
    """Return how many of the next objects make a page that is not too large."""
    room = PAGE_BYTES
    hits = _search(snapshots, scope, query, min(query.limit, LONGEST), ("doc.size",)).hits
    for number, hit in enumerate(hits):
        room -= hit["_source"]["doc"]["size"]
        if room < 0:
            return max(1, number)
    return query.limit


def _search(snapshots: Snapshots, scope: Scope, query: PageQuery, size: int, fields: tuple[str, ...]) -> Answer:
    return snapshots.seen_by(scope, lambda sight: {"query": _query(sight, query), "size": size, "fields": fields})


def _query(sight: Sight, query: PageQuery) -> Query:
    visible = sight.of(collection=query.collection, spec_versions=query.spec_versions)
    filters: list[Query] = [{"terms": {"place": visible}}, {"range": {"pos": {"gt": query.after}}}]
    if query.added_after is not None:
        filters.append({"range": {"date": {"gt": query.added_after}}})
    if query.ids:
        filters.append({"terms": {"id": sorted(query.ids)}})
    if query.types:
        filters.append({"terms": {"type": sorted(query.types)}})
    groups = [visible] if query.spec_versions else _by_specification(sight, visible)
    filters += _versions(query, groups)
    # Without a wish the latest specification version that the reader sees hides the others.
    hidden = [] if query.spec_versions else [{"terms": {"newer_spec": visible}}]
    return {"filter": filters, "must_not": hidden}


def _by_specification(sight: Sight, visible: list[str]) -> list[list[str]]:
    """Split places by specification version: versions are compared within one."""
    groups: dict[str, list[str]] = {}
    wanted = set(visible)
    for number, place in sight.places:
        if str(number) in wanted:
            groups.setdefault(place.spec_version, []).append(str(number))
    return list(groups.values())


def _versions(query: PageQuery, groups: list[list[str]]) -> list[Query]:
    """Return the condition on the object's version: any of the alternatives of the query."""
    versions = query.versions
    if versions.all:
        return []
    alternatives = []
    if versions.last:
        alternatives.append(_outermost("newer", groups))
    if versions.first:
        alternatives.append(_outermost("older", groups))
    if versions.exact:
        alternatives.append({"terms": {"version": sorted(versions.exact)}})
    return [{"bool": {"should": alternatives}}] if alternatives else [_NOTHING]


def _outermost(mark: str, groups: list[list[str]]) -> Query:
    """Return the condition that a version notes none of the places of its group under a mark."""
    parts = [{"bool": {"filter": [{"terms": {"place": one}}], "must_not": [{"terms": {mark: one}}]}} for one in groups]
    return {"bool": {"should": parts}} if parts else _NOTHING
