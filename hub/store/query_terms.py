"""The terms of a query: what one word, phrase or range under a field means."""

from __future__ import annotations

import re
from collections.abc import Callable

from hub.errors import BadQuery
from hub.model import times, tokens
from hub.model.observables import NotObservable, Observable, recognise, refang
from hub.store.query_tree import And, Compare, Everything, Field, Node, Or, Prefix, Token, Under

Fault = Callable[[str], BadQuery]
"""Makes the error of a term from what is wrong with it."""

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STIX_ID = re.compile(r"[a-z0-9-]{1,64}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORTEST_PREFIX = 2
_PERIOD = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?Z?)?)?)?", re.ASCII)
_AGO = re.compile(r"now(?:-(\d{1,5})([mhdw]))?", re.ASCII)
_AGO_UNITS = {"m": times.MINUTE, "h": times.HOUR, "d": times.DAY, "w": 7 * times.DAY}
_FLAGS = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}


class Wild:
    r"""A term as written, taken apart: an asterisk before, the text, an asterisk behind.

    Args:
        raw: the term. signs: whether ``\`` escapes and ``?`` is a wildcard in it; quoted: no sign means anything.
    """

    def __init__(self, raw: str, fault: Fault, *, signs: bool = True, quoted: bool = False) -> None:
        self.raw = raw
        self.quoted = quoted
        if quoted:
            self.before = self.behind = False
            self.text = re.sub(r"\\([\\\"])", r"\1", raw)
            return
        plain = _ESCAPED.sub("__", raw) if signs else raw
        self.before = plain.startswith("*")
        self.behind = len(plain) > 1 and plain.endswith("*")
        core = slice(self.before, len(raw) - self.behind)
        if "*" in plain[core] or (signs and "?" in plain[core]):
            raise fault("* works at the beginning or the end of a term and ? not at all; put literal ones in quotes")
        self.text = _ESCAPED.sub(r"\1", raw[core]) if signs else raw[core]
        if self.before and self.behind:
            raise fault("* works at one end of a term, not at both")


def read_term(field: Field | None, wild: Wild, fault: Fault) -> Node:
    """Return what a word or phrase means under a field (None: under none)."""
    if wild.raw == "*" and not wild.quoted:
        if field is None:
            return Everything()
        if field.attribute is not None:
            return Compare(field.attribute, None, None)
        raise fault(f"name at least {_SHORTEST_PREFIX} characters before *")
    if (wild.before or wild.behind) and len(wild.text) < _SHORTEST_PREFIX:
        raise fault(f"name at least {_SHORTEST_PREFIX} characters besides *")
    if field is not None and field.attribute is not None:
        if wild.before or wild.behind:
            raise fault(f"{field.name} takes no wildcard; use a range such as {field.name}:[… TO …]")
        low, high = limits(field, wild.text, fault)
        return Compare(field.attribute, low, high)
    if field is None or field.name == "text":
        return _text(wild, fault)
    if field.kind == "value":
        return _value(wild, fault)
    if wild.before:
        raise fault("* in front works for values only (value:*.example.com)")
    if field.kind == "word":
        return _words(field.name, wild, fault)
    text = tokens.term(_level(field.name, wild.text))
    return _prefix(field.name, text, fault) if wild.behind else Token(field.name, text)


def _prefix(field: str, text: str, fault: Fault) -> Prefix:
    if len(text.encode()) > tokens.LONGEST_PREFIX:
        raise fault(f"at most {tokens.LONGEST_PREFIX} bytes besides *")
    return Prefix(field, text)


def _level(field: str, text: str) -> str:
    """Write a traffic light as it is stored."""
    if field != "tlp":
        return text
    level = text.lower().removeprefix("tlp:").replace("+", "_").replace("-", "_")
    return "clear" if level == "white" else level


def _text(wild: Wild, fault: Fault) -> Node:
    """Read a term without a field: its words, or the value that it is."""
    if wild.before:
        return _value(wild, fault)
    found: list[Node] = []
    if wild.behind:
        found.append(_value(wild, fault))
    elif _STIX_ID.fullmatch(wild.text.lower()):
        return Or((Token("id", wild.text.lower()), Token("ref", wild.text.lower())))
    elif observable := _observable(wild.text):
        found.append(_at(observable))
    if not found or any(tokens.words(wild.text)):
        found.append(_words("w", wild, fault))
    return found[0] if len(found) == 1 else Or(tuple(found))


def _words(field: str, wild: Wild, fault: Fault) -> Node:
    """Read a term as words that must all be there; the last may be cut short."""
    terms = list(tokens.words(wild.text))
    if not terms:
        raise fault("there is no word in this term")
    parts: list[Node] = [Token(field, term) for term in terms]
    if wild.behind:
        last = terms[-1] + re.sub(r".*[^.@-]", "", wild.text, flags=re.DOTALL)
        parts[-1] = _prefix(field, last, fault)
    return parts[0] if len(parts) == 1 else And(tuple(dict.fromkeys(parts)))


def _observable(text: str) -> Observable | None:
    try:
        return recognise(text)
    except NotObservable:
        return None


def _at(observable: Observable) -> Node:
    if observable.kind in {"ipv4-addr", "ipv6-addr"} and "/" in observable.value:
        return Under(observable.key)
    return Token("value", tokens.term(observable.value))


def _value(wild: Wild, fault: Fault) -> Node:
    """Read a value: exact, a network, all below a domain, or open at one end."""
    if wild.behind:
        return _prefix("value", tokens.term(refang(wild.text)), fault)
    if wild.before:
        text = refang(wild.text)
        domain = _observable(text[1:]) if text.startswith(".") else None
        if domain is not None and domain.kind == "domain-name":
            return Under(domain.key)
        return _prefix("eulav", tokens.reversed_term(text), fault)
    observable = _observable(wild.text)
    return _at(observable) if observable else Token("value", tokens.term(wild.text.strip()))


def limits(field: Field, text: str, fault: Fault) -> tuple[int, int]:
    """Return the first and last number that a term means: microseconds of a period, a number, a flag."""
    if field.kind == "flag":
        flag = _FLAGS.get(text.lower())
        if flag is None:
            raise fault(f"{field.name} is true or false")
        return flag, flag
    if field.kind == "number":
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise fault(f"{field.name} takes a whole number such as 70")
        return int(text), int(text)
    if field.kind != "time":
        raise fault(f"{field.name} takes no range; ranges work for times and numbers")
    if ago := _AGO.fullmatch(text.lower()):
        moment = times.now() - (int(ago[1]) * _AGO_UNITS[ago[2]] if ago[1] else 0)
        return moment, moment
    period = _period(text)
    if period is None:
        raise fault(f"{field.name} takes a time in UTC such as 2026, 2026-01-31, 2026-01-31T12:00Z or now-7d")
    return period


def _period(text: str) -> tuple[int, int] | None:
    """Return the first and the last microsecond of a year, month, day, hour, minute, second or fraction."""
    match = _PERIOD.fullmatch(text.upper())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction = match.groups()
    try:
        first = times.parse_timestamp(
            f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}.{fraction or '0'}Z"
        )
        if not month:
            behind = (
                times.parse_timestamp(f"{int(year) + 1:04d}-01-01T00:00:00Z")
                if year != "9999"
                else first + 366 * times.DAY
            )
        elif not day:
            later = (int(year) * 12 + int(month)) % 120_000
            behind = (
                times.parse_timestamp(f"{later // 12:04d}-{later % 12 + 1:02d}-01T00:00:00Z")
                if later
                else first + 31 * times.DAY
            )
        else:
            smallest = 10 ** (6 - len(fraction)) if fraction else times.SECOND
            behind = first + (smallest if second else times.MINUTE if minute else times.HOUR if hour else times.DAY)
    except ValueError:
        return None
    return first, behind - 1
