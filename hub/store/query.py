"""The search language: Lucene syntax read once into a small tree that each engine compiles; never passed on as text.

``type:indicator AND value:184.105.*`` becomes ``And((Token("type", "indicator"), Prefix("value", "184.105.")))``. The
fields are those of `FIELDS`; docs/analyst/search.md explains the language to people. The parts behind this front door
are `query_tree` (the nodes and fields), `query_text` (bounds and grammar) and `query_terms` (what one term means).
"""

from __future__ import annotations

import difflib
from functools import partial

from luqum import tree as lucene

from hub.errors import BadQuery
from hub.store.query_terms import Wild, limits, read_term
from hub.store.query_text import QueryText
from hub.store.query_tree import (
    FIELDS,
    And,
    Attribute,
    Compare,
    Everything,
    Field,
    Node,
    Not,
    Or,
    Prefix,
    Token,
    Under,
)

__all__ = [
    "FIELDS",
    "And",
    "Attribute",
    "Compare",
    "Everything",
    "Field",
    "Node",
    "Not",
    "Or",
    "Prefix",
    "Token",
    "Under",
    "parse",
]

DEEPEST_TREE = 24
"""Levels of AND, OR and NOT inside one another at most: engines' own parsers end at some hundred open brackets."""

_LOWER_OPERATORS = frozenset({"and", "or", "not", "&&", "||"})
_NOT_OFFERED = {
    lucene.Fuzzy: "similar words (~) cannot be searched",
    lucene.Proximity: "words near one another (~) cannot be searched",
    lucene.Boost: "results come newest first, so ^ has no meaning",
    lucene.Regex: "regular expressions cannot be searched; put a text with / in quotes",
}


def parse(text: str) -> Node:
    """Read a query.

    Times such as ``now-7d`` are taken at the time of the call.

    Raises:
        BadQuery: it cannot be read or is too large; the message names the column and what to do.
    """
    query = QueryText(text)
    tree = _Reader(query).node(query.parse(), None)
    if _depth(tree) > DEEPEST_TREE:
        raise BadQuery(f"The query has more than {DEEPEST_TREE} levels of AND, OR and NOT; ask in several queries.")
    return tree


def _depth(tree: Node) -> int:
    match tree:
        case And(parts) | Or(parts):
            return 1 + max(_depth(part) for part in parts)
        case Not(part):
            return 1 + _depth(part)
    return 0


def _joined(operation: type[And | Or], parts: list[Node]) -> Node:
    """Join parts; what is joined by the same operation inside becomes part of it."""
    return operation(
        tuple(inner for part in parts for inner in (part.parts if isinstance(part, operation) else (part,)))
    )


class _Reader:
    """Turns luqum's tree into ours."""

    def __init__(self, query: QueryText) -> None:
        self._query = query

    def node(self, item: lucene.Item, field: Field | None) -> Node:
        match item:
            case lucene.Group() | lucene.FieldGroup() | lucene.Plus():
                return self.node(item.children[0], field)
            case lucene.AndOperation() | lucene.UnknownOperation():
                return _joined(And, [self.node(child, field) for child in item.children])
            case lucene.OrOperation():
                return _joined(Or, [self.node(child, field) for child in item.children])
            case lucene.Not() | lucene.Prohibit():
                part = self.node(item.children[0], field)
                return part.part if isinstance(part, Not) else Not(part)
            case lucene.SearchField():
                return self._under_field(item, field)
            case lucene.Range() | lucene.From() | lucene.To():
                return self._range(item, field)
            case lucene.Word() | lucene.Phrase():
                return self._term(item, field)
        raise self._query.fault(item.pos, _NOT_OFFERED.get(type(item), "this cannot be searched"))

    def _under_field(self, item: lucene.SearchField, outer: Field | None) -> Node:
        name = item.name.lower()
        if outer is not None:
            raise self._query.fault(item.pos, f"the field {item.name} stands inside the field {outer.name}")
        if name == "*" and isinstance(item.expr, lucene.Word) and item.expr.value == "*":
            return Everything()
        field = FIELDS.get(name)
        if field is None:
            near = difflib.get_close_matches(name, FIELDS, n=3, cutoff=0.5) or sorted(FIELDS)
            raise self._query.fault(item.pos, f"there is no field {item.name[:40]!r}; there are {', '.join(near)}")
        if isinstance(item.expr, lucene.Not | lucene.Prohibit | lucene.Plus):
            raise self._query.fault(item.pos, f"write the sign before the field: NOT {item.name}:…")
        return self.node(item.expr, field)

    def _term(self, item: lucene.Word | lucene.Phrase, field: Field | None) -> Node:
        fault = partial(self._query.fault, item.pos)
        if isinstance(item, lucene.Phrase):
            return read_term(field, Wild(item.value[1:-1], fault, quoted=True), fault)
        value = self._query.value(item.value)
        if value is not None:
            return read_term(field, Wild(value, fault, signs=False), fault)
        if item.value in _LOWER_OPERATORS or item.value.startswith("!"):
            raise fault("write AND, OR and NOT, in capitals, or put the term in quotes")
        return read_term(field, Wild(item.value, fault), fault)

    def _range(self, item: lucene.Range | lucene.From | lucene.To, field: Field | None) -> Node:
        if field is None:
            raise self._query.fault(item.pos, "a range needs a field, such as added:[2026-01-01 TO 2026-02-01]")
        if field.attribute is None:
            raise self._query.fault(item.pos, f"{field.name} takes no range; ranges work for times and numbers")
        match item:
            case lucene.From():
                return Compare(field.attribute, self._low(item.a, field, item.include), None)
            case lucene.To():
                return Compare(field.attribute, None, self._high(item.a, field, item.include))
        low = self._low(item.low, field, item.include_low)
        return Compare(field.attribute, low, self._high(item.high, field, item.include_high))

    def _low(self, item: lucene.Item, field: Field, inclusive: bool) -> int | None:
        """Return the least number in a range: what its bound means begins it, or ends before it."""
        bounds = self._limits(item, field)
        return bounds and (bounds[0] if inclusive else bounds[1] + 1)

    def _high(self, item: lucene.Item, field: Field, inclusive: bool) -> int | None:
        """Return the greatest number in a range."""
        bounds = self._limits(item, field)
        return bounds and (bounds[1] if inclusive else bounds[0] - 1)

    def _limits(self, item: lucene.Item, field: Field) -> tuple[int, int] | None:
        fault = partial(self._query.fault, item.pos)
        if not isinstance(item, lucene.Word | lucene.Phrase):
            raise fault(f"this cannot be a bound of {field.name}")
        text = item.value[1:-1] if isinstance(item, lucene.Phrase) else item.value
        return None if text == "*" else limits(field, text, fault)
