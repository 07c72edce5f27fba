"""One object from untrusted bytes: strict JSON (RFC 8259, RFC 7493) within bounds, its own bytes kept.

What is refused: duplicate names, NaN and Infinity, lone surrogates, NUL, numbers that a double cannot hold, too much
depth or size. What is kept: the bytes as written, less the blanks between tokens, so that number spelling, escapes
and the order of names survive.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from hub.errors import Refused

MAX_BYTES = 1 << 20
"""Bytes of one object."""
MAX_DEPTH = 64
"""Levels of nesting of one object."""
EXACT = 2**53 - 1
"""Integers beyond this are not exact everywhere (RFC 7493 section 2.2)."""
_LONGEST_INTEGER = len(str(-EXACT))

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
"""A string, or one that is never closed up to the end: possessive, so linear in whatever it meets."""
_BLANKS = re.compile(b"(" + _STRING + rb")|[ \t\r\n]+", re.DOTALL)
_MARKS = re.compile(_STRING + rb"|[\[{]|[\]}]", re.DOTALL)
_NUMBER = re.compile(_STRING + rb"|(-?[0-9]++)([.eE][-+0-9eE]++)?", re.DOTALL)


def parse_object(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """Return an object and the bytes to keep of it.

    Raises:
        Refused: ``too-large``, ``too-deep``, ``bad-json``, ``not-an-object``, ``duplicate-name``, ``bad-number``,
            ``bad-text``.
    """
    if len(raw) > MAX_BYTES:
        raise Refused("too-large", f"the object has {len(raw)} bytes; at most {MAX_BYTES} are taken")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        raise Refused("too-deep", f"the object is nested more than {MAX_DEPTH} levels deep")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise Refused("bad-json", _not_json(raw, fault), place=f"line {fault.lineno} column {fault.colno}") from None
    if not isinstance(found, dict):
        raise Refused("not-an-object", f"a STIX object is a JSON object, not {_kind(found)}")
    if b"\\u0000" in raw:
        _check_text(found, "")
    try:
        if orjson.dumps(found, option=orjson.OPT_STRICT_INTEGER) == raw:
            return found, raw
    except orjson.JSONEncodeError:
        pass  # an integer that is too long: found below, with its place
    # Something is spelled otherwise than we would: only now can a name be there twice, or a number be rounded.
    _check_numbers(raw)
    _check_names(raw)
    return found, _BLANKS.sub(rb"\1", raw)


def _not_json(raw: bytes, fault: orjson.JSONDecodeError) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:4]:
        return "the text is UTF-16 or UTF-32; JSON is exchanged in UTF-8"
    if raw[:3] == b"\xef\xbb\xbf":
        return "the text begins with a byte order mark; leave it away"
    if raw.lstrip()[:1] == b"<":
        return "this is HTML or XML, not JSON"
    if "valid UTF-8" in fault.msg:
        return "the text is not UTF-8"
    return f"not JSON: {fault.msg}"


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for mark in _MARKS.finditer(raw):
        if mark[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in b"]}":
            depth -= 1
    return deepest


def _check_names(raw: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise Refused("duplicate-name", f"the name {twice[:60]!r} stands twice in one object")

    json.loads(raw, object_pairs_hook=once)


def _check_numbers(raw: bytes) -> None:
    for found in _NUMBER.finditer(raw):
        integer, rest = found.groups()
        if integer and not rest and (len(integer) > _LONGEST_INTEGER or abs(int(integer)) > EXACT):
            shown = integer[:40].decode()
            raise Refused("bad-number", f"the integer {shown} is outside plus or minus 2^53-1")


def _check_text(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _check_text(name, place)
            _check_text(item, f"{place}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_text(item, f"{place}/{number}")
    elif isinstance(value, str) and "\0" in value:
        raise Refused("bad-text", "a text holds the character NUL", place=place)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
