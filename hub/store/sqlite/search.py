"""From the search tree to SQL: words by the full-text index, values by ranges of index keys, the rest by columns."""

from __future__ import annotations

from hub.model.observables import span
from hub.store.query import And, Compare, Node, Not, Or, Prefix, Token, Under

_Parameters = list[str | int]
_WORDS = "SELECT rowid FROM words WHERE words MATCH ?"
_RANGE = "SELECT position FROM observables WHERE index_key >= ? AND index_key < ?"


def select(tree: Node, columns: str, visible: str) -> tuple[str, _Parameters]:
    """Return a SELECT of what a tree finds, newest first, and its first parameters; two follow: before, and limit.

    When words decide, the full-text index leads: it gives its rows in falling order, so that a page ends when it is
    full, however many objects there are. Otherwise rows are sought by position. The planner has no choice, because it
    knows nothing of words and would go through a collection instead.

    Args:
        tree: what to find. columns: what to select of the change (alias ``c``).
        visible: a further condition on ``c``, beginning with AND.
    """
    words, rest = _leading(tree)
    if words is None:
        condition, parameters = _condition(tree)
        source, position = "changes AS c NOT INDEXED", "c.position"
        if _is_about_endings(tree):
            source, condition = "changes AS c INDEXED BY endings", f"c.revoked = 0 AND {condition}"
    else:
        condition, parameters = _joined(" AND ", rest)
        condition, parameters = f"words MATCH ? AND ({condition or '1'})", [words, *parameters]
        source, position = "words CROSS JOIN changes AS c NOT INDEXED ON c.position = words.rowid", "words.rowid"
    return (
        f"SELECT {columns} FROM {source} WHERE ({condition}) AND {position} < ?{visible}"  # noqa: S608 - no text of a query
        f" ORDER BY {position} DESC LIMIT ?"
    ), parameters


def _is_about_endings(tree: Node) -> bool:
    """Say whether a tree asks for what ended and was not revoked: few, with an index of their own."""
    parts = tree.parts if isinstance(tree, And) else ()
    ended = any(isinstance(one, Compare) and one.attribute == "valid_until" and one.high is not None for one in parts)
    return ended and Compare("revoked", 0, 0) in parts


def _leading(tree: Node) -> tuple[str | None, list[Node]]:
    """Return the expression that the full-text index can lead with, and what is left to check."""
    expression = _match(tree)
    if expression is not None:
        return expression, []
    if not isinstance(tree, And):
        return None, []
    first, *rest = _grouped(tree.parts)
    return (None, []) if any(_positions(part) for part in rest) else (_match(first), rest)


def _condition(tree: Node) -> tuple[str, _Parameters]:
    """Return a condition on rows of the change log (alias ``c``) and its parameters.

    The condition is never NULL, so it can be negated.
    """
    found = _positions(tree)
    if found is not None:
        return f"c.position IN ({found[0]})", found[1]
    match tree:
        case And(parts):
            return _all_of(parts)
        case Or(parts):
            return _joined(" OR ", _grouped(parts, Or))
        case Not(part):
            condition, parameters = _condition(part)
            return f"NOT ({condition})", parameters
        case Compare():
            return _compare(tree)
    return "1", []


def _all_of(parts: tuple[Node, ...]) -> tuple[str, _Parameters]:
    """Join by AND. Where values lie below something, that leads and not words, which may be in most objects."""
    first, *rest = _grouped(parts)
    words = _match(first)
    if words is None or not any(_positions(part) for part in rest):
        return _joined(" AND ", [first, *rest])
    condition, parameters = _joined(" AND ", rest)
    return f"+c.position IN ({_WORDS}) AND {condition}", [words, *parameters]


def _positions(tree: Node) -> tuple[str, _Parameters] | None:
    """Return a SELECT of the positions that an index alone finds, or None when columns must be looked at."""
    words = _match(tree)
    if words is not None:
        return _WORDS, [words]
    if isinstance(tree, Under):
        ranges = span(tree.key)
        return " UNION ALL ".join([_RANGE] * len(ranges)), [bound for limits in ranges for bound in limits]
    if not isinstance(tree, Or):
        return None
    selects, parameters = [], []
    for part in _grouped(tree.parts, Or):
        found = _positions(part)
        if found is None:
            return None
        selects.append(found[0])
        parameters += found[1]
    return " UNION ALL ".join(selects), parameters


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


def _grouped(parts: tuple[Node, ...], operation: type[And | Or] = And) -> list[Node]:
    """Put the parts that are about tokens together in front, so that they become one expression."""
    tokens = [part for part in parts if _match(part) is not None]
    if operation is And and tokens:
        tokens += [part for part in parts if isinstance(part, Not) and _match(part.part) is not None]
    if not tokens:
        return list(parts)
    together = tokens[0] if len(tokens) == 1 else operation(tuple(tokens))
    return [together, *(part for part in parts if part not in tokens)]


def _joined(operator: str, parts: list[Node]) -> tuple[str, _Parameters]:
    conditions, parameters = [], []
    for part in parts:
        condition, more = _condition(part)
        conditions.append(f"({condition})")
        parameters += more
    return operator.join(conditions), parameters


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
