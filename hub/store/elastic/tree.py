"""From the search tree to a query of Elasticsearch: exact terms, prefixes and ranges, never a text to be read."""

from __future__ import annotations

from typing import Any

from hub.model.observables import span
from hub.store.elastic.places import Query
from hub.store.query import And, Compare, Everything, Node, Not, Or, Prefix, Token, Under

_FIELDS = {"date_added": "date"}


def compiled(node: Node) -> Query:
    """Return the query that finds what a tree finds."""
    match node:
        case Token(field, term):
            return {"term": {"tokens": f"{field}={term}"}}
        case Prefix(field, text):
            return {"prefix": {"tokens": f"{field}={text}"}}
        case Under(key):
            return {"bool": {"should": [{"range": {"keys": {"gte": low, "lt": high}}} for low, high in span(key)]}}
        case And(parts):
            wanted = [compiled(part) for part in parts if not isinstance(part, Not)]
            unwanted = [compiled(part.part) for part in parts if isinstance(part, Not)]
            return {"bool": {"filter": wanted, "must_not": unwanted}}
        case Or(parts):
            return {"bool": {"should": [compiled(part) for part in parts]}}
        case Not(part):
            return {"bool": {"must_not": [compiled(part)]}}
        case Compare():
            return _compared(node)
        case Everything():
            return {"match_all": {}}
    raise TypeError(node)


def _compared(node: Compare) -> Query:
    name = _FIELDS.get(node.attribute, node.attribute)
    # All numbers are there or absent; a range without bounds finds those that are there.
    bounds: dict[str, Any] = {}
    if node.low is not None:
        bounds["gte"] = node.low
    if node.high is not None:
        bounds["lte"] = node.high
    found: Query = {"range": {name: bounds}}
    if node.attribute == "version":
        return {"bool": {"filter": [found], "must_not": [{"term": {name: 0}}]}}
    return found
