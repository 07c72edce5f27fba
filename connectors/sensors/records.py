"""Cutting a log into records and reading it record by record, in bounded memory; shared by all formats.

A record that cannot be read is a `BadItem`, its neighbours go through. A log that is something else as a whole, or
breaks off, is `NotThatFormat`; what came before is yielded first.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import Enum, auto
from typing import BinaryIO, ClassVar

import msgspec

from hub.errors import NotThatFormat, Refused
from hub.model.events import Event
from hub.model.items import KEPT, BadItem, EventItem

MAX_RECORD = 1 << 20
"""Bytes of the longest record that is read; of longer ones `KEPT` bytes are kept for the quarantine."""

_CHUNK = 1 << 18
_HEAD = 4096
_UTF8_MARK = b"\xef\xbb\xbf"
_FOREIGN = (
    (re.compile(rb"\s*<(?:!doctype html|html|head|body)", re.IGNORECASE), "a web page (a login or error page?)"),
    (re.compile(rb"\s*<[?\w]"), "XML"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "text in UTF-16; it must be UTF-8"),
    (re.compile(rb"\x1f\x8b|BZh|PK\x03\x04|\xfd7zXZ|\x28\xb5\x2f\xfd"), "a compressed file"),
    (re.compile(rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a"), "a packet capture"),
    (re.compile(rb"%PDF"), "a PDF document"),
)


class Cut(Enum):
    """How much of a record there is."""

    WHOLE = auto()
    UNTERMINATED = auto()
    TOO_LONG = auto()


Record = tuple[int, bytes, int, Cut]
"""Its number from 1, its bytes (cut to `KEPT` if too long), the offset behind it, how much of it that is."""

Read = Callable[[bytes, bool], Event | None]
"""Reads one record; the flag says whether its line end is there. None: it says nothing about the network.

May raise `Refused`, or what msgspec raises.
"""


@dataclass(frozen=True)
class LogFormat(ABC):
    """Base of the sensor formats; keeps `connectors.contract.SensorFormat`.

    Attributes:
        zone: the time zone of times that name none.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    beginning: ClassVar[re.Pattern[bytes]]
    """Found in the first bytes of every log of this format, and of no other."""
    arrays: ClassVar[bool] = False
    """Whether a log may be one JSON array of records."""

    zone: tzinfo = UTC

    @abstractmethod
    def reader(self, sensor: str) -> Read:
        """Return the function that reads one log's records; it may remember what it saw."""

    def events(self, stream: BinaryIO, sensor: str, *, name: str = "", start: int = 0) -> Iterator[EventItem | BadItem]:
        """Yield the events of a log, in order, each with the byte offset ``end`` behind it.

        Args:
            stream: the log from its beginning, decompressed. sensor: the name of the sensor that wrote it.
            name: of the log, for places. start: an ``end`` of an earlier reading; what lies before it is not yielded.

        Raises:
            NotThatFormat: it is something else as a whole, or breaks off.
        """
        name = name or "the log"
        head, chunks = _beginning(stream)
        if not head:
            return
        self._check(head, name)
        if self.arrays and head.removeprefix(_UTF8_MARK).lstrip()[:1] == b"[":
            records, word = array_elements(chunks, name), "event"
        elif start == 0 or head[:1] == b"#":
            records, word = lines(chunks), "line"
        else:
            records, word = lines(_from(stream, start, chunks), start), f"after byte {start}, line"
        read = self.reader(sensor)
        for number, raw, end, cut in records:
            if end <= start and raw[:1] != b"#":
                continue
            try:
                if cut is Cut.TOO_LONG:
                    raise _TOO_LONG
                event = read(raw, cut is Cut.WHOLE)
            except (Refused, ValueError, RecursionError) as fault:
                place = f"{name} {word} {number}"
                if cut is Cut.UNTERMINATED:
                    yield _bad(_CUT_OFF, raw, place, end - len(raw))
                else:
                    yield _bad(fault, raw, place, end)
            else:
                if event is not None:
                    yield EventItem(event, end)

    def _check(self, head: bytes, name: str) -> None:
        for pattern, what in _FOREIGN:
            if pattern.match(head):
                raise NotThatFormat(f"{name} is not {self.title}: it is {what}")
        if self.beginning.search(head):
            return
        from connectors.sensors import recognise  # the formats are built on this module

        other = recognise(head)
        if other is not None:
            raise NotThatFormat(f"{name} is not {self.title}: it looks like {other.title} ({other.name})")
        first_line_is_cut = b"\n" not in head.strip() and len(head) >= _HEAD
        if not (first_line_is_cut and head.lstrip()[:1] in (b"{", b"[")):
            raise NotThatFormat(f"{name} is not {self.title}: nothing in its beginning looks like it")


_TOO_LONG = Refused("too-long", f"it is longer than {MAX_RECORD >> 20} MiB")
_CUT_OFF = Refused("cut-off", "the log ends in the middle of this record; it is read when the rest of it is there")


def _bad(fault: Exception, raw: bytes, place: str, end: int) -> BadItem:
    match fault:
        case Refused():
            reason, message = fault.reason, fault.message
        case msgspec.ValidationError():
            reason, message = "schema", str(fault)
        case msgspec.DecodeError():
            reason, message = "bad-json", str(fault)
        case UnicodeDecodeError():
            reason, message = "wrong-encoding", "it is not UTF-8"
        case RecursionError():
            reason, message = "too-deep", "it is nested too deeply"
        case _:
            reason, message = "bad-value", str(fault)[:200]
    return BadItem(raw[:KEPT], reason, message, place, end)


def _beginning(stream: BinaryIO) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, and all pieces including them; the fault of a stream that breaks off here comes last."""
    pieces = _pieces(stream)
    head = b""
    fault: NotThatFormat | None = None
    try:
        while len(head) < _HEAD and (piece := next(pieces, b"")):
            head += piece
    except NotThatFormat as broken:
        fault = broken

    def chunks() -> Iterator[bytes]:
        yield head
        if fault is not None:
            raise fault
        yield from pieces

    return head, chunks()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    # read() of a buffered stream would lose what it has when the decompressor below it meets a fault.
    read = getattr(stream, "read1", stream.read)
    while piece := read(_CHUNK):
        yield piece


def _from(stream: BinaryIO, start: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if stream.seekable():
        stream.seek(start)
        return _pieces(stream)
    return _without(chunks, start)


def _without(chunks: Iterator[bytes], start: int) -> Iterator[bytes]:
    for chunk in chunks:
        if start < len(chunk):
            yield chunk[start:]
        start = max(0, start - len(chunk))


def lines(chunks: Iterable[bytes], at: int = 0) -> Iterator[Record]:
    """Cut pieces into lines without their ends; ``at`` is the offset of the first piece."""
    number = 0
    rest = kept = b""
    dropped = 0
    whole = Cut.WHOLE
    for chunk in chunks:
        parts = (rest + chunk).split(b"\n")
        if at == 0 and len(parts) > 1 and parts[0].startswith(_UTF8_MARK):
            parts[0] = parts[0].removeprefix(_UTF8_MARK)
            at = len(_UTF8_MARK)
        rest = parts.pop()
        for line in parts:
            number += 1
            at += len(line) + 1
            if dropped or len(line) > MAX_RECORD:
                at += dropped
                yield number, kept or line[:KEPT], at, Cut.TOO_LONG
                kept, dropped = b"", 0
            else:
                yield number, line, at, whole
        if dropped or len(rest) > MAX_RECORD:
            kept = kept or rest[:KEPT]
            dropped += len(rest)
            rest = b""
    if dropped:
        yield number + 1, kept, at + dropped, Cut.TOO_LONG
    elif rest:
        end = at + len(rest)
        yield number + 1, rest.removeprefix(_UTF8_MARK) if at == 0 else rest, end, Cut.UNTERMINATED


_MARK = re.compile(rb'["{}\[\]]')
_IN_TEXT = re.compile(rb'\\.|"', re.DOTALL)


def array_elements(chunks: Iterable[bytes], name: str) -> Iterator[Record]:
    """Cut pieces of one JSON array of objects into these objects.

    Raises:
        NotThatFormat: the array has no end.
    """
    data = kept = b""
    base = position = depth = number = 0
    begin: int | None = None
    in_text = False
    for chunk in chunks:
        data += chunk
        while mark := (_IN_TEXT if in_text else _MARK).search(data, position):
            position = mark.end()
            match mark[0]:
                case b'"':
                    in_text = not in_text
                case b"{" | b"[":
                    depth += 1
                    if depth == 2:
                        begin = mark.start()
                case b"}" | b"]":
                    depth -= 1
                    if depth == 1 and begin is not None:
                        number += 1
                        cut = Cut.TOO_LONG if kept or position - begin > MAX_RECORD else Cut.WHOLE
                        yield number, kept or data[begin:position], base + position, cut
                        begin, kept = None, b""
        # A backslash at the very end, after the last pair, waits for the character that it escapes.
        position = len(data) - (in_text and data.endswith(b"\\", position))
        if begin is not None and position - begin > MAX_RECORD:
            kept = kept or data[begin : begin + KEPT]
            begin = position
        drop = position if begin is None else begin
        data = data[drop:]
        base, position, begin = base + drop, position - drop, None if begin is None else 0
    if depth:
        if begin is not None:
            yield number + 1, kept or data, base + len(data), Cut.TOO_LONG if kept else Cut.UNTERMINATED
        raise NotThatFormat(f"{name} breaks off: its JSON array has no end; {number} events were read")
