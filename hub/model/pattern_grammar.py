"""The words of the STIX pattern language (STIX 2.1 section 9) as regular expressions; none of them backtracks far."""

from __future__ import annotations

import re

_KEYWORDS = "AND|OR|NOT|FOLLOWEDBY|LIKE|MATCHES|ISSUPERSET|ISSUBSET|EXISTS|IN|START|STOP|SECONDS|WITHIN|REPEATS|TIMES"
_B = r"(?:\s++|/\*[\s\S]*?\*/|//[^\r\n]*+)*+"  # blanks and comments
_E = r"(?![A-Za-z0-9_-])"  # end of a word
_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_STRING = r"'(?:[^'\\]++|\\['\\])*+'"
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = rf"{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?Z"
_BASE64 = "[A-Za-z0-9+/]"
_BINARY = rf"b'(?:{_BASE64}{{4}})*(?:{_BASE64}{{2}}==|{_BASE64}{{3}}=)?'"
_HEX = r"h'(?:[0-9A-Fa-f]{2})*'"
_WHOLE = "(?:0|[1-9][0-9]*)"
_NUMBER = rf"[+-]?(?:[0-9]*\.[0-9]+|{_WHOLE})"
_LITERAL = rf"(?:{_STRING}|t'{_TIME}'|{_HEX}|{_BINARY}|{_NUMBER}|true{_E}|false{_E})"
_STEP = rf"(?:\.{_B}(?:{_NAME}|{_STRING})|\[{_B}(?:\*|-?{_WHOLE}){_B}\])"
_PATH = (
    rf"(?P<type>(?!(?:{_KEYWORDS}){_E})[A-Za-z_][A-Za-z0-9_-]*+){_B}:{_B}"
    rf"(?P<path>(?:{_NAME}|{_STRING})(?:{_B}{_STEP})*+)"
)

BLANKS = re.compile(_B)

COMPARISON = re.compile(
    rf"{_PATH}{_B}(?P<not>NOT{_E}{_B})?"
    rf"(?:(?P<equal>==?|!=|<>){_B}(?P<value>{_LITERAL})"
    rf"|(?P<order>[<>]=?){_B}(?!true{_E}|false{_E})(?P<bound>{_LITERAL})"
    rf"|(?P<likeness>LIKE|MATCHES|ISSUBSET|ISSUPERSET){_E}{_B}(?P<string>{_STRING})"
    rf"|IN{_E}{_B}\({_B}(?P<set>(?:{_LITERAL}(?:{_B},{_B}{_LITERAL})*+)?){_B}\))"
)
EXISTS = re.compile(rf"EXISTS{_E}{_B}{_PATH}")
OPERATOR = re.compile(rf"(?:AND|OR|FOLLOWEDBY){_E}|[\])]")

# STIX 2.0 quotes the times without the t.
QUALIFIER = re.compile(
    rf"START{_E}{_B}t?'(?P<start>{_TIME})'{_B}STOP{_E}{_B}t?'(?P<stop>{_TIME})'"
    rf"|WITHIN{_E}{_B}(?P<within>\+?[0-9]*\.[0-9]+|\+?{_WHOLE}){_B}SECONDS{_E}"
    rf"|REPEATS{_E}{_B}(?P<repeats>\+?{_WHOLE}){_B}TIMES{_E}"
)

PATH_STEPS = re.compile(rf"(?P<quoted>{_STRING})|(?P<name>{_NAME})|\[{_B}(?P<index>\*|-?{_WHOLE}){_B}\]")
LITERALS = re.compile(_LITERAL)
NAME = re.compile(_NAME)
TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*+")

_ESCAPE = re.compile(r"\\(['\\])")


def quoted(text: str) -> str:
    """Write a string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def unquoted(literal: str) -> str:
    """Read a string literal."""
    return _ESCAPE.sub(r"\1", literal[1:-1]) if "\\" in literal else literal[1:-1]
