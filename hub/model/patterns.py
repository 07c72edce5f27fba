"""STIX patterns (STIX 2.1 section 9): which observables they name, whether one of them decides, canonical text.

The reader is a loop with its own stack over one regular expression for a comparison: time grows with the length of
the text, and nesting costs no Python frames, so a pattern of thousands of comparisons (they are published) is read
and none ends in a RecursionError. It takes what the grammar of STIX 2.1 takes (tested against stix2-patterns) and,
in START and STOP, the quoted times of STIX 2.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.model import hashes
from hub.model.canonical import Observable
from hub.model.pattern_grammar import (
    BLANKS,
    COMPARISON,
    EXISTS,
    LITERALS,
    NAME,
    OPERATOR,
    PATH_STEPS,
    QUALIFIER,
    quoted,
    unquoted,
)
from hub.model.pattern_paths import Path, is_hash_path, observable_of, path_of

MAX_LENGTH = 262_144
"""Characters of a pattern; the longest published one known has 57,120."""
MAX_COMPARISONS = 10_000
MAX_DEPTH = 100
"""Brackets inside brackets."""


_PLAIN = re.compile(r"\[(ipv4-addr|ipv6-addr|domain-name|url|email-addr):value = ('[^'\\]*+')\]")
"""The pattern that most indicators have; a test holds its reading and the full reader's together."""


class PatternRefused(ValueError):
    """A text is no STIX pattern, or one beyond the bounds.

    Attributes:
        reason: ``pattern-too-long``, ``pattern-too-deep``, ``bad-pattern`` or ``bad-pattern-hash``.
        place: the column (from 1) where reading stopped, or "".
    """

    def __init__(self, reason: str, message: str, place: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.place = place


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a pattern says.

    Attributes:
        text: as it was written.
        canonical: blanks, operators and the values of comparisons for equality in one spelling, alternatives of one
            observation sorted. Equal canonical texts ask for the same; the reverse need not hold.
        observables: the values asked for by ``=``, ``IN`` or (networks) ``ISSUBSET``, in order, without repeats.
        single: whether seeing any one of the observables fulfils the pattern.
        types: the object types that it names.
    """

    text: str
    canonical: str
    observables: tuple[Observable, ...]
    single: bool
    types: frozenset[str]


class _Comparison(NamedTuple):
    object_type: str
    path: Path
    decides: bool


@dataclass(slots=True)
class _Level:
    """An open bracket; ``inside`` ``[ ]`` operands are comparisons, elsewhere observations."""

    bracket: str
    inside: bool
    group: list[_Comparison | bool] = field(default_factory=list)
    decides: bool = True
    groups: int = 1

    def next_group(self) -> None:
        """Go on behind an OR."""
        self.decides = self.decides and _decides(self.group)
        self.groups += 1
        self.group = []


def _decides(group: list[_Comparison | bool]) -> bool:
    """Say whether any one observable in operands joined by AND fulfils all of them."""
    if len(group) == 1:
        return group[0] if isinstance(group[0], bool) else group[0].decides
    comparisons = [item for item in group if isinstance(item, _Comparison)]
    if len(comparisons) < len(group) or len({item.object_type for item in comparisons}) > 1:
        return False
    if all(item.decides and is_hash_path(item.path) for item in comparisons):
        return True  # several hashes of one file
    one, other = comparisons[0], comparisons[-1]
    return (  # MISP: [network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.7']
        len(comparisons) == 2
        and one.path[:-1] == other.path[:-1] != ()
        and {one.path[-1], other.path[-1]} == {"type", "value"}
        and (one.decides or other.decides)
    )


def read_pattern(text: str) -> Pattern:
    """Read a STIX pattern.

    Raises:
        PatternRefused: it is none, or one that is too long, too deep or holds an impossible hash.
    """
    if len(text) > MAX_LENGTH:
        raise PatternRefused("pattern-too-long", f"a pattern of more than {MAX_LENGTH} characters")
    plain = _PLAIN.fullmatch(text)
    if plain is not None and (one := _asked(plain[1], ("value",), plain[2])) is not None:
        return Pattern(text, pattern_for(one), (one,), True, frozenset((plain[1],)))
    return _Reader(text).read()


def pattern_for(observable: Observable) -> str:
    """Write the pattern that asks for one observable; a network is asked for by ``=``, as consumers expect it.

    Raises:
        NotObservable: there is no object path for its kind.
    """
    literal = observable.value if observable.kind == "autonomous-system" else quoted(observable.value)
    return f"[{path_of(observable.kind)} = {literal}]"


class _Reader:
    """One pass over one pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.observables: dict[Observable, None] = {}
        self.types: set[str] = set()
        self.words: list[str] = []
        self.comparisons = 0
        self.levels = [_Level("", inside=False)]
        self.qualified: set[str] | None = None

    def refuse(self, what: str, reason: str = "bad-pattern") -> PatternRefused:
        return PatternRefused(reason, f"{what} at column {self.at + 1}", str(self.at + 1))

    def match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        """Match at the present place and go behind it."""
        found = expression.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def read(self) -> Pattern:
        more = True
        while more:
            self.operand()
            more = self.operator()
        whole = self.levels[0]
        whole.next_group()
        observables = tuple(self.observables)
        single = whole.decides and bool(observables)
        canonical = pattern_for(observables[0]) if single and len(observables) == 1 else self.canonical()
        return Pattern(self.text, canonical, observables, single, frozenset(self.types))

    def canonical(self) -> str:
        inner = self.words[1:-1]
        flat = self.comparisons > 1 and len(inner) == 2 * self.comparisons - 1
        if flat and all(word == "OR" for word in inner[1::2]):
            return f"[{' OR '.join(sorted(set(inner[::2])))}]"
        text = ""
        for word in self.words:
            text += word if word in "])" or text.endswith(("[", "(")) or not text else " " + word
        return text

    def operand(self) -> None:
        """Read opening brackets and the comparison behind them."""
        while True:
            self.match(BLANKS)
            level = self.levels[-1]
            letter = self.text[self.at : self.at + 1]
            if letter != "(" and (letter != "[" or level.inside):
                break
            if len(self.levels) > MAX_DEPTH:
                raise self.refuse(f"more than {MAX_DEPTH} brackets inside one another", "pattern-too-deep")
            self.levels.append(_Level(letter, inside=level.inside or letter == "["))
            self.words.append(letter)
            self.at += 1
        if not level.inside:
            raise self.refuse("an observation in [ ] is missing")
        level.group.append(self.comparison())

    def operator(self) -> bool:
        """Read what stands behind an operand: closing brackets and qualifiers, then AND, OR or the end (False)."""
        while True:
            self.match(BLANKS)
            level = self.levels[-1]
            if not level.inside and level.group and self.qualifier(level):
                continue
            found = self.match(OPERATOR)
            if found is None:
                if self.at == len(self.text) and len(self.levels) == 1:
                    return False
                raise self.refuse("AND, OR, a closing bracket or the end is missing")
            word = found[0]
            if word in "])":
                self.close(word)
                continue
            if word == "FOLLOWEDBY":
                if level.inside:
                    raise self.refuse("FOLLOWEDBY between comparisons")
                level.decides = False
            if word != "AND":
                level.next_group()
            self.words.append(word)
            return True

    def close(self, bracket: str) -> None:
        level = self.levels.pop()
        if {"[": "]", "(": ")"}.get(level.bracket) != bracket:
            raise self.refuse("a closing bracket that nothing opened, just before")
        self.words.append(bracket)
        parent = self.levels[-1]
        if parent.inside and level.groups == 1:
            parent.group.extend(level.group)
        else:
            level.next_group()
            parent.group.append(level.decides)
        self.qualified = set() if bracket == "]" else None

    def qualifier(self, level: _Level) -> bool:
        found = self.match(QUALIFIER)
        if found is None:
            return False
        kind = found.lastgroup or ""
        if self.qualified is not None:
            if kind in self.qualified:
                raise self.refuse("a second qualifier of the same kind, just before")
            self.qualified.add(kind)
        if found["start"]:
            self.words.append(f"START t'{found['start']}' STOP t'{found['stop']}'")
        elif found["within"]:
            self.words.append(f"WITHIN {found['within']} SECONDS")
        else:
            self.words.append(f"REPEATS {found['repeats']} TIMES")
        level.group[-1] = False
        return True

    def comparison(self) -> _Comparison:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise self.refuse(f"more than {MAX_COMPARISONS} comparisons", "pattern-too-long")
        start = self.at
        found = self.match(COMPARISON)
        if found is None:
            found = self.match(EXISTS)
            if found is None:
                raise self.refuse("a comparison is missing or cannot be read")
            path, written = _path(found["path"])
            self.types.add(found["type"])
            self.words.append(f"EXISTS {found['type']}:{written}")
            return _Comparison(found["type"], path, decides=False)
        object_type = found["type"]
        self.types.add(object_type)
        path, written = _path(found["path"])
        negated = found["not"] is not None
        operator, literals = _operator(found)
        asked: list[Observable | None] = []
        if not negated and operator in {"=", "IN", "ISSUBSET"}:
            asked = [_asked(object_type, path, literal) for literal in literals]
            if operator == "ISSUBSET":
                asked = [one if one and one.kind in {"ipv4-addr", "ipv6-addr"} else None for one in asked]
        if operator == "=" and is_hash_path(path) and _impossible_hash(path[-1], literals[0]):
            self.at = start
            raise self.refuse(f"not a {path[-1][:20]} hash", "bad-pattern-hash")
        self.observables.update((one, None) for one in asked if one)
        values = [_written(one, literal) for one, literal in zip(asked, literals, strict=True)] if asked else literals
        value = f"({', '.join(sorted(set(values)))})" if operator == "IN" else values[0]
        self.words.append(f"{object_type}:{written} {'NOT ' if negated else ''}{operator} {value}")
        return _Comparison(object_type, path, decides=bool(asked) and None not in asked)


def _operator(found: re.Match[str]) -> tuple[str, list[str]]:
    """Return a comparison's operator in one spelling and its literals."""
    if found["equal"]:
        return ("=" if found["equal"] in {"=", "=="} else "!="), [found["value"]]
    if found["order"]:
        return found["order"], [found["bound"]]
    if found["likeness"]:
        return found["likeness"], [found["string"]]
    return "IN", LITERALS.findall(found["set"])


def _path(text: str) -> tuple[Path, str]:
    """Return a path's components and its canonical spelling: quotes only where needed, hashes by their STIX names."""
    if NAME.fullmatch(text):
        return (text,), text
    components: list[str] = []
    written = ""
    for step in PATH_STEPS.finditer(text):
        if step["index"]:
            written += f"[{step['index']}]"
            continue
        component = step["name"] or unquoted(step["quoted"])
        shown = hashes.spelled(component) if components and components[-1] == "hashes" else component
        components.append(component)
        written += ("." if written else "") + (shown if NAME.fullmatch(shown) else quoted(shown))
    return tuple(components), written


def _asked(object_type: str, path: Path, literal: str) -> Observable | None:
    if literal[0] == "'":
        return observable_of(object_type, path, unquoted(literal))
    return observable_of(object_type, path, literal) if object_type == "autonomous-system" else None


def _written(asked: Observable | None, literal: str) -> str:
    """Return a literal with its value in canonical form; what is no known kind keeps its spelling."""
    if asked is None or literal[0] != "'":
        return literal
    return quoted(asked.value)


def _impossible_hash(name: str, literal: str) -> bool:
    """Say whether a literal cannot be a hash of that algorithm; stix2-patterns, and so every client, refuses those."""
    length = hashes.LENGTHS.get(hashes.plain_name(name))
    if length is None:
        return False
    value = unquoted(literal) if literal[0] == "'" else literal
    return len(value) != length or re.fullmatch("[0-9A-Fa-f]+", value) is None
