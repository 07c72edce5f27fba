"""Reading changes: the log, objects by id, by observable and by search."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hub.errors import BadQuery
from hub.model.observables import index_key, key_of
from hub.store.elastic.changes import FIELDS, change_of
from hub.store.elastic.cluster import Source
from hub.store.elastic.faults import TooSlow
from hub.store.elastic.pages import LONGEST
from hub.store.elastic.places import Query, Sight
from hub.store.elastic.snapshots import BACKWARD, Snapshots
from hub.store.elastic.tree import compiled
from hub.store.ports import HUB, Change, Scope, SearchPage, SearchQuery

SEARCH_TIME = "5s"
"""How long one search may take."""
_AT_ONCE = 5000
_KEYS_AT_ONCE = 1000
_WINDOW = 20_000
_PARTS = 8
"""Into how many parts keys are divided that find too much together."""


class Objects:
    """Reads of changes.

    Args:
        snapshots: to search in.
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def _changes(self, hits: Iterable[dict[str, Any]]) -> list[Change]:
        return [change_of(hit["_source"], self._snapshots.places) for hit in hits]

    def _all(self, scope: Scope, conditions: Sequence[Query], fields: Sequence[str]) -> Iterator[Source]:
        """Yield all live visible versions that meet conditions, in order of position."""
        after = 0
        while True:

            def ask(sight: Sight, behind: int = after) -> dict[str, Any]:
                only = [{"terms": {"place": sight.of()}}, {"range": {"pos": {"gt": behind}}}, *conditions]
                return {"query": {"filter": only}, "size": _AT_ONCE, "fields": fields}

            hits = self._snapshots.seen_by(scope, ask).hits
            yield from (hit["_source"] for hit in hits)
            if len(hits) < _AT_ONCE:
                return
            after = hits[-1]["_source"]["pos"]

    def log(self, after: int, limit: int, types: frozenset[str]) -> list[Change]:
        """Read the log in order; removed versions are passed over, their removal is not."""
        found: list[Change] = []
        while len(found) < limit:
            size = min(limit - len(found), _AT_ONCE)
            only: list[Query] = [{"terms": {"what": ["put", "withdraw"]}}, {"range": {"pos": {"gt": after}}}]
            if types:
                only.append({"terms": {"type": sorted(types)}})
            query = {"filter": only}
            hits = self._snapshots.seen_by(HUB, lambda _: {"query": query, "size": size, "fields": FIELDS}).hits  # noqa: B023
            found += self._changes(hits)
            if len(hits) < size:
                break
            after = found[-1].position
        return found

    def get(self, scope: Scope, ids: Iterable[str]) -> dict[str, Change]:
        """Read the latest visible version of each id."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Change] = {}
        for at in range(0, len(wanted), _AT_ONCE):
            some = {"terms": {"id": wanted[at : at + _AT_ONCE]}}
            answer = self._snapshots.seen_by(scope, lambda sight: _newest(sight, some, _AT_ONCE))  # noqa: B023
            found |= {change.id: change for change in self._changes(answer.hits)}
        return found

    def history(self, scope: Scope, id: str) -> list[Change]:
        """Read every visible version of an object."""
        sources = self._all(scope, [{"term": {"id": id}}], FIELDS)
        return [change_of(source, self._snapshots.places) for source in sources]

    def original(self, scope: Scope, id: str, version: int) -> bytes | None:
        """Read what an upgraded version was made from."""
        conditions: list[Query] = [{"term": {"id": id}}, {"term": {"version": version}}]
        found = None
        for source in self._all(scope, conditions, ("pos", "doc.original")):
            found = source.get("doc", {}).get("original") or found
        return None if found is None else b64decode(found)

    def lookup(self, scope: Scope, observables: Iterable[str], limit_each: int) -> dict[str, list[Change]]:
        """Find the latest visible versions that carry each observable, newest first."""
        keys = {index_key(key): key for key in observables}
        wanted = list(keys)
        found: dict[str, list[Change]] = {}
        for at in range(0, len(wanted), _KEYS_AT_ONCE):
            self._look_up(scope, wanted[at : at + _KEYS_AT_ONCE], limit_each, found)
        return {keys[index]: found[index] for index in wanted if found.get(index)}

    def _look_up(self, scope: Scope, keys: Sequence[str], limit: int, found: dict[str, list[Change]]) -> None:
        """Look keys up together. Where they find too much for that, what is found is enough for the common ones.

        Every key is answered from one search, so that nothing that changes meanwhile is missed.
        """
        groups = [keys]
        while groups:
            wanted = groups.pop()
            size = min(limit, LONGEST) if len(wanted) == 1 else _AT_ONCE
            carriers, whole = self._carriers(scope, wanted, size)
            answered = [key for key in wanted if whole or len(carriers[key]) >= limit]
            found.update({key: self._changes(carriers[key][:limit]) for key in answered})
            rest = sorted(set(wanted).difference(answered))
            parts = 1 if answered else _PARTS
            groups += filter(None, (rest[at::parts] for at in range(parts)))

    def _carriers(self, scope: Scope, keys: Sequence[str], size: int) -> tuple[dict[str, list[dict[str, Any]]], bool]:
        """Return the newest hits for each key, so many in all, and whether that is all that is asked for."""
        some, fields = {"terms": {"keys": list(keys)}}, (*FIELDS, "keys")
        hits = self._snapshots.seen_by(scope, lambda sight: _newest(sight, some, size, fields)).hits
        carriers: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
        for hit in hits:
            for key in carriers.keys() & hit["_source"]["keys"]:
                carriers[key].append(hit)
        return carriers, len(hits) < size or len(keys) == 1

    def search(self, scope: Scope, query: SearchQuery) -> SearchPage:
        """Find objects, newest first.

        Raises:
            BadQuery: it takes too long.
        """
        wanted, limit = compiled(query.tree), min(query.limit, LONGEST)
        before = [] if query.before is None else [{"range": {"back": {"gt": -query.before}}}]

        def ask(sight: Sight) -> dict[str, Any]:
            asked = _newest(sight, wanted, limit + 1)
            asked["query"]["filter"] += before
            return asked | {"timeout": SEARCH_TIME}

        try:
            hits = self._snapshots.seen_by(scope, ask).hits
        except TooSlow as error:
            raise BadQuery("The search costs too much; name a field and more of the value.") from error
        changes = tuple(self._changes(hits[:limit]))
        return SearchPage(changes, changes[-1].position if len(hits) > limit else None)

    def match_keys(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Read matchable keys in order of position, never splitting a position.

        It looks from window to window: all that lies behind a position would have to be gathered first.
        """
        found: list[tuple[int, str]] = []
        window = _WINDOW
        while len(found) < limit:
            size, last = min(limit - len(found), LONGEST), after + window
            only = [
                {"term": {"match": "yes"}},
                {"term": {"what": "put"}},
                {"range": {"pos": {"gt": after, "lte": last}}},
            ]
            answer = self._snapshots.search({"filter": only}, size=size, columns=("pos", "keys"))
            for hit in answer.hits:
                if len(found) >= limit:
                    return found
                ((after,), indexed) = hit["fields"]["pos"], hit["fields"].get("keys", ())
                found += [(after, key) for key in sorted(map(key_of, indexed))]
            if len(answer.hits) == size:
                continue
            if last >= answer.barrier.position:
                break
            after, window = last, window * (1 if len(answer.hits) > size // 4 else 4)
        return found


def _newest(sight: Sight, condition: Query, size: int, fields: Sequence[str] = FIELDS) -> dict[str, Any]:
    """Return a search for the latest visible versions of objects, newest first."""
    query = sight.newest()
    query["filter"].append(condition)
    return {"query": query, "size": size, "sort": BACKWARD, "fields": fields}
