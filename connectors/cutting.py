"""Cut a JSON document of any length into the values of one list of it: bytes untouched, one value in memory at a time.

Only strings and brackets are looked at. What stands inside a value is for its reader to judge: one bad value does not
lose its neighbours, however deep or broken it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from hub.errors import NotThatFormat

MAX_VALUE = 4 << 20
"""Bytes of one value, and of what stands before the list."""

_CHUNK = 1 << 18
_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL)
"""Everything up to and with the next bracket that is not in a string; possessive, so linear in the input."""
_BETWEEN = b" \t\r\n,"
_LIST, _OBJECT = b"["[0], b"{"[0]


class Value(NamedTuple):
    """The bytes of one object or list of the list, or with ``stray`` of what stands between such and is neither."""

    raw: bytes
    stray: bool = False


class Cutter:
    """One pass over one document.

    The list is the array that the document is, or the array under ``key`` of the object that it is. With ``members`` it
    is instead the object that the document is, or the one under ``key``, and the values are its members'.

    Attributes:
        found: whether the list was met. head: what stands before it; without a list the whole document.
        tail: what stands from the list's end on.
    """

    def __init__(self, stream: BinaryIO, name: str, *, key: str = "", members: bool = False) -> None:
        self.found = False
        self.head = b""
        self.tail = b""
        self._stream = stream
        self._name = name
        self._key = re.compile(b'"' + re.escape(key.encode()) + rb'"\s*:\s*\Z') if key else None
        self._members = members
        self._opener = _OBJECT if members else _LIST
        self._number = 0

    def values(self) -> Iterator[Value]:
        """Yield the values in order.

        Raises:
            NotThatFormat: the document breaks off, goes on behind its end, is no JSON, or holds something too long;
                what came before was yielded.
        """
        buffer, at, since, begin = b"", 0, 0, 0
        depth = inside = 0
        while True:
            match = _BRACKET.match(buffer, at)
            if match is None:
                kept = 0 if not self.found else begin if inside and depth > inside else since
                buffer, at, since, begin = buffer[kept:], at - kept, since - kept, begin - kept
                buffer = self._more(buffer, depth)
                continue
            at = match.end()
            bracket = buffer[at - 1]
            if bracket in (_LIST, _OBJECT):
                depth += 1
                if inside:
                    if depth == inside + 1:
                        yield from self._between(buffer[since : at - 1])
                        begin = at - 1
                elif not self.found and self._opens(bracket, depth, buffer, at - 1):
                    inside, since, self.found, self.head = depth, at, True, buffer[: at - 1]
                continue
            depth -= 1
            if inside and depth == inside:
                self._number += 1
                yield Value(buffer[begin:at])
                since = at
            elif inside and depth == inside - 1:
                yield from self._between(buffer[since : at - 1])
                inside, since = 0, at - 1
            if depth <= 0:
                break
        if self.found:
            self.tail = buffer[since:at]
        else:
            self.head = buffer[:at]
        if depth < 0 or (buffer[at:] + self._stream.read(_CHUNK)).strip():
            raise NotThatFormat(f"{self._name} goes on behind its end: it must be one JSON document")

    def _more(self, buffer: bytes, depth: int) -> bytes:
        if len(buffer) > MAX_VALUE:
            raise NotThatFormat(f"{self._name} holds a value of more than {MAX_VALUE >> 20} MB")
        more = self._stream.read(max(_CHUNK, len(buffer)))
        if more:
            return buffer + more
        if depth:
            raise NotThatFormat(f"{self._name} breaks off behind record {self._number}; fetch it again")
        raise NotThatFormat(f"{self._name} is not JSON" if buffer.strip() else f"{self._name} is empty")

    def _opens(self, bracket: int, depth: int, buffer: bytes, at: int) -> bool:
        if bracket != self._opener:
            return False
        if depth == 1:
            return self._key is None or not self._members
        return depth == 2 and self._key is not None and self._key.search(buffer, max(0, at - 300), at) is not None

    def _between(self, text: bytes) -> Iterator[Value]:
        stray = b"" if self._members else text.strip(_BETWEEN)
        if stray:
            yield Value(stray, stray=True)
