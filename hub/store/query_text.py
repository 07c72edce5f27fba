"""The text of a query before its grammar: bounds, and values that hold signs of the grammar put aside.

luqum reads recursively and takes ``:``, ``[`` and ``/`` for signs; analysts paste ``hxxp://evil[.]example/a`` and
``2001:db8::1``. So lengths and depths are bounded first, and such values are replaced by placeholders of the same
length: columns stay.
"""

from __future__ import annotations

import re

from luqum import exceptions, thread, tree

from hub.errors import BadQuery
from hub.model.observables import refang

LONGEST_QUERY = 2000
"""Characters of a query at most."""
DEEPEST_QUERY = 20
"""Brackets inside one another at most."""
MOST_TERMS = 100
"""Terms of a query at most; also its NOT, + and - signs, and its colons."""
MOST_WILDCARDS = 10
"""Asterisks of a query at most."""
_MOST_DEFANGED = 64

_PLACEHOLDER, _FIRST, _FILLING = "\ue000", 0xE100, "\ue001"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ue000-\uf8ff]")
_RUN = re.compile(r'"(?:[^\\"]|\\.)*"|[^\s"]+', re.DOTALL)
# What stands before a value: brackets, signs, a field. Drive letters and schemes are no fields.
_BEFORE_VALUE = re.compile(r"[(+-]*(?:[A-Za-z_]{2,}:(?!//|:))?\(*")
# IPv6 and MAC addresses, also networks and beginnings of them.
_COLONS = r"(?=.*::|(?:[0-9a-f]*:){5})[0-9a-f.:]+(?:/[0-9]{1,3})?\*?"
_IPV6_OR_MAC = re.compile(rf"[(+-]*{_COLONS}\)*", re.IGNORECASE)
_SIGNS = re.compile(r"[(+-]*")
# Beginnings of what luqum would tear: URLs, addresses with colons, paths, registry keys, hosts with a port.
_VALUE = re.compile(
    rf"[a-z][a-z0-9+.-]*://.|{_COLONS}\Z|[a-z]:\\.|\\\\.|hk[a-z_]+\\.|%\w+%\\.|/."
    r"|[^:/\\]+\.[^:/\\]+:[0-9]{1,5}(?:/.*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_TERM = re.compile(r'"(?:[^\\"]|\\.)*"|(?:\\.|[^\s()\[\]{}:"+\-\\])(?:\\.|[^\s()\[\]{}:"\\])*+(?!:)', re.DOTALL)
_OPERATORS = frozenset({"AND", "OR", "NOT", "TO"})
_SIGN = re.compile(r"(?<![^\s(:+-])[+-]")
_POSITION = re.compile(r"position (\d+)")


class QueryText:
    """A query's text, within bounds, with the values that were put aside.

    Raises:
        BadQuery: it is empty, too long, too deep, or holds too many terms.
    """

    def __init__(self, text: str) -> None:
        self._values: list[str] = []
        if not text.strip():
            raise BadQuery("The query is empty; * finds everything.")
        if len(text) > LONGEST_QUERY:
            raise BadQuery(f"The query has {len(text)} characters; {LONGEST_QUERY} are allowed.")
        if forbidden := _FORBIDDEN.search(text):
            raise self.fault(forbidden.start(), "a control or private-use character; remove it")
        self._text = _RUN.sub(self._aside, text)
        self._bound()

    def fault(self, position: int | None, what: str) -> BadQuery:
        """Return the error that names the column of a position (0 is the first, None the end)."""
        place = "at the end of the query" if position is None else f"at column {position + 1}"
        return BadQuery(f"Cannot search, {place}: {what}.")

    def value(self, text: str) -> str | None:
        """Return the value that a term stands for, if it is a placeholder."""
        return self._values[ord(text[1]) - _FIRST] if text.startswith(_PLACEHOLDER) else None

    def parse(self) -> tree.Item:
        """Read the grammar. Blanks between terms come as `UnknownOperation`."""
        try:
            return thread.parse(self._text)
        except exceptions.ParseError as error:
            found = _POSITION.search(str(error))
            if found is None:
                raise self.fault(None, "something is missing: a term, a quotation mark or a closing bracket") from error
            position = int(found[1])
            shown = re.match(r"\w+|.?", self._text[position:])
            sign = shown[0] if shown and not shown[0].startswith(_PLACEHOLDER) else "this"
            if sign == '"':
                raise self.fault(position, "this quotation mark is never closed") from error
            raise self.fault(
                position, f"{sign} is not expected here; put values with special characters in quotes"
            ) from error
        except (ArithmeticError, ValueError) as error:
            weight = re.search("[~^]", self._text)
            raise self.fault(weight and weight.start(), "~ and ^ are not offered; put the text in quotes") from error

    def _aside(self, match: re.Match[str]) -> str:
        """Replace the value in a run of characters without blanks, if grammar would tear it."""
        run = match[0]
        if run.startswith('"'):
            return run
        start = _start(run)
        value = run[start:]
        while value.endswith(")") and value.count(")") > value.count("("):
            value = value[:-1]
        core = value.removeprefix("*")
        if len(value) < 2 or len(re.findall(r"[\[({]", value)) > _MOST_DEFANGED:
            return run
        under_field = ":" in run[:start] and ":" in value and value[0] not in "[{<>" and "\\" not in value
        if not (under_field or _VALUE.match(core) or _VALUE.match(refang(core)) or refang(core) != core):
            return run
        if len(self._values) == MOST_TERMS:
            raise self.fault(match.start(), f"more than {MOST_TERMS} terms")
        placeholder = _PLACEHOLDER + chr(_FIRST + len(self._values))
        self._values.append(value)
        return run[:start] + placeholder.ljust(len(value), _FILLING) + run[start + len(value) :]

    def _bound(self) -> None:
        plain = re.sub(r'"(?:[^\\"]|\\.)*"', lambda match: "_" * len(match[0]), self._text, flags=re.DOTALL)
        depth = 0
        for position, sign in enumerate(plain):
            depth += (sign == "(") - (sign == ")")
            if depth > DEEPEST_QUERY:
                raise self.fault(position, f"more than {DEEPEST_QUERY} brackets inside one another")
        terms = [match for match in _TERM.finditer(self._text) if match[0] not in _OPERATORS]
        negations = [match for match in _TERM.finditer(self._text) if match[0] == "NOT"] + list(_SIGN.finditer(plain))
        colons = list(re.finditer(":", plain))
        for found, what in ((terms, "terms"), (negations, "NOT, + and - signs"), (colons, "colons")):
            if len(found) > MOST_TERMS:
                raise self.fault(found[MOST_TERMS].start(), f"more than {MOST_TERMS} {what}; ask in several queries")
        if plain.count("*") + sum(value.count("*") for value in self._values) > MOST_WILDCARDS:
            raise self.fault(plain.rfind("*"), f"more than {MOST_WILDCARDS} asterisks")


def _start(run: str) -> int:
    """Return where in a run the value begins: behind brackets, signs and a field's name."""
    before = (_SIGNS if _IPV6_OR_MAC.fullmatch(run) else _BEFORE_VALUE).match(run)
    return before.end() if before else 0
