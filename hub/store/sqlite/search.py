"""From the search tree to SQL: words by the full-text index, values by ranges of index keys, the rest by columns."""

from __future__ import annotations

from hub.model.observables import span
from hub.store.query import And, Compare, Node, Not, Or, Prefix, Token, Under

_Parameters = list[str | int]


def compile(tree: Node) -> tuple[str, _Parameters]:  # noqa: A001 - the name says it best
    """Return a condition on rows of the change log (alias ``c``) and its parameters.

    The condition is never NULL, so it can be negated. What is only about tokens becomes one expression of the full-text
    index, so that a search reads no more than its answer and the row numbers of the words it names.
    """
    expression = _match(tree)
    if expression is not None:
        return "c.position IN (SELECT rowid FROM words WHERE words MATCH ?)", [expression]
    match tree:
        case And(parts):
            return _joined(" AND ", _grouped(parts, And))
        case Or(parts):
            return _joined(" OR ", _grouped(parts, Or))
        case Not(part):
            condition, parameters = compile(part)
            return f"NOT ({condition})", parameters
        case Under(key):
            return _under(key)
        case Compare():
            return _compare(tree)
    return "1", []


def _match(tree: Node) -> str | None:
    """Return the tree as an FTS5 expression, or None when it is not, or not only, about tokens."""
    match tree:
        case Token(field, term):
            return f'"{field}={term}"'
        case Prefix(field, text):
            return f'"{field}={text}" *'
        case Or(parts):
            expressions = [_match(part) for part in parts]
            return None if None in expressions else f"({' OR '.join(filter(None, expressions))})"
        case And(parts):
            wanted = [_match(part) for part in parts if not isinstance(part, Not)]
            unwanted = [_match(part.part) for part in parts if isinstance(part, Not)]
            if not wanted or None in wanted or None in unwanted:
                return None
            expression = f"({' AND '.join(filter(None, wanted))})"
            return f"({expression} NOT ({' OR '.join(filter(None, unwanted))}))" if unwanted else expression
    return None


def _grouped(parts: tuple[Node, ...], operation: type[And | Or]) -> list[Node]:
    """Put the parts that are about tokens together, so that they become one expression."""
    tokens = [part for part in parts if _match(part) is not None]
    if operation is And and tokens:
        tokens += [part for part in parts if isinstance(part, Not) and _match(part.part) is not None]
    if len(tokens) < 2:
        return list(parts)
    return [operation(tuple(tokens)), *(part for part in parts if part not in tokens)]


def _joined(operator: str, parts: list[Node]) -> tuple[str, _Parameters]:
    conditions, parameters = [], []
    for part in parts:
        condition, more = compile(part)
        conditions.append(f"({condition})")
        parameters += more
    return operator.join(conditions), parameters


def _under(key: str) -> tuple[str, _Parameters]:
    ranges = span(key)
    rows = " UNION ALL ".join("SELECT position FROM observables WHERE index_key >= ? AND index_key < ?" for _ in ranges)
    return f"c.position IN ({rows})", [bound for limits in ranges for bound in limits]


def _compare(node: Compare) -> tuple[str, _Parameters]:
    if node.attribute == "date_added":
        return _added(node)
    column = f"c.{node.attribute}"
    conditions, parameters = [f"{column} IS NOT NULL"], []
    if node.attribute == "version":
        conditions.append(f"{column} <> 0")
    for operator, bound in ((">=", node.low), ("<=", node.high)):
        if bound is not None:
            conditions.append(f"{column} {operator} ?")
            parameters.append(bound)
    return " AND ".join(conditions), list(parameters)


def _added(node: Compare) -> tuple[str, _Parameters]:
    """Compare dates by position: they rise together, and results are read in that order anyway."""
    last = "IFNULL((SELECT d.position FROM changes AS d WHERE d.date_added {} ? ORDER BY d.date_added DESC LIMIT 1), 0)"
    conditions, parameters = ["1"], []
    if node.low is not None:
        conditions.append(f"c.position > {last.format('<')}")
        parameters.append(node.low)
    if node.high is not None:
        conditions.append(f"c.position <= {last.format('<=')}")
        parameters.append(node.high)
    return " AND ".join(conditions), list(parameters)
