"""Zeek: tab-separated logs with a header, and JSON lines, each stream in its file or all in one (Corelight style).

Source: The Book of Zeek, "Zeek Log Formats" and the log reference; ICSNPP parsers' READMEs for industrial protocols.
What a stream's fields mean is in `connectors.sensors.zeek_streams`. A header directive is read where it stands, so
concatenated logs are read right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, ClassVar

import msgspec
from parsezeeklogs import ZeekHeader, decode_escapes

from connectors.sensors import zeek_streams
from connectors.sensors.records import LogFormat, Read
from connectors.sensors.values import Clock, KnownKeys, calendar_time
from connectors.sensors.zeek_streams import Row
from hub.errors import Refused
from hub.model.events import Event
from hub.model.times import SECOND

_TEXT_TIME = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?", re.ASCII)
_MILLISECONDS_FROM = 100_000_000_000
"""Seconds since the epoch stay below this until the year 5138; above it they are `JSON::TS_MILLIS`."""

_FLATTENED = {
    name.replace(".", "_"): name
    for name in (
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "seen.indicator",
        "seen.indicator_type",
        "certificate.serial",
    )
}
"""Corelight and some shippers write dots as underscores."""


class Zeek(LogFormat):
    """Zeek's logs."""

    name: ClassVar[str] = "zeek"
    title: ClassVar[str] = "a Zeek log"
    beginning: ClassVar[re.Pattern[bytes]] = re.compile(
        rb'\A(?:\xef\xbb\xbf)?#(?:separator|fields|path)\b|"(?:id[._]orig_h|_path|@stream|fuid)"\s*:|"ts"\s*:\s*[\d"]'
    )

    def reader(self, sensor: str) -> Read:
        """Return the function that reads one log's records, of either form."""
        known = KnownKeys()
        clock = Clock(self.zone)
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        table = _Table(self.zone, clock)

        def read(raw: bytes, whole: bool) -> Event | None:
            raw = raw.rstrip(b"\r")
            first = raw[:1]
            if first == b"{":
                row = decode(raw)
                if "id_orig_h" in row or "@stream" in row:
                    row = {_FLATTENED.get(name, name): value for name, value in row.items()}
                stream = row.get("_path") or row.get("@stream")
                if not isinstance(stream, str):
                    stream = zeek_streams.guess(row)
                return zeek_streams.event(stream, row, _json_time(row.get("ts"), clock), sensor, raw, known)
            if not whole:
                raise Refused("cut-off", "the line has no end")
            if not raw:
                return None
            if first == b"#":
                table.header(raw.decode())
                return None
            row, time = table.row(raw.decode())
            return zeek_streams.event(table.stream, row, time, sensor, raw, known)

        return read


def _json_time(ts: object, clock: Clock) -> int:
    if isinstance(ts, str):
        return clock.moment(ts)
    if isinstance(ts, bool) or not isinstance(ts, int | float) or not 0 <= ts < 1e15:
        raise Refused("bad-time", "the record has no time `ts`")
    return calendar_time(round(ts * (1000 if ts >= _MILLISECONDS_FROM else SECOND)))


class _Table:
    """The header that holds for the next lines of a tab-separated log, compiled into a plan for its columns."""

    def __init__(self, zone: tzinfo, clock: Clock) -> None:
        self._header = ZeekHeader()
        self._zone = zone
        self._clock = clock
        self._opened: int | None = None
        self._plan: list[tuple[str, int, Callable[[str], Any] | None]] = []
        self._width = 0
        self._time_column: int | None = None

    @property
    def stream(self) -> str:
        """The name of the log, such as ``conn``."""
        return self._header.path or ""

    def header(self, line: str) -> None:
        """Take in one line that begins with ``#``."""
        if line.startswith("#separator"):
            self._header = ZeekHeader()
            self._opened = None
        self._header.apply(line)
        if line.startswith("#open"):
            self._opened = self._opening_time(line)
        elif line.startswith(("#fields", "#types", "#set_separator")):
            self._compile()

    def _opening_time(self, line: str) -> int | None:
        try:
            when = datetime.strptime(line[len("#open") :].strip(), "%Y-%m-%d-%H-%M-%S")
        except ValueError:
            return None
        return self._clock.microseconds(when.replace(tzinfo=self._zone))

    def _compile(self) -> None:
        names, types = self._header.fields, self._header.types
        self._width = len(names)
        self._time_column = names.index("ts") if "ts" in names else None
        wanted = zeek_streams.fields_of(self.stream)
        self._plan = [
            (name, at, self._converter(kind))
            for at, (name, kind) in enumerate(zip(names, types, strict=False))
            if name in wanted
        ]

    def _converter(self, kind: str) -> Callable[[str], Any] | None:
        separator = self._header.set_separator
        if kind in ("port", "count", "int"):
            return int
        if kind == "bool":
            return "T".__eq__
        if "[" in kind:
            return lambda cell: [decode_escapes(part) for part in cell.split(separator)]
        return None

    def row(self, line: str) -> tuple[Row, int]:
        """Return the wanted fields of one line that are set, and its time.

        Raises:
            Refused: ``no-header``, ``columns``, ``bad-time`` or ``relative-time``.
        """
        header = self._header
        if not self._width:
            raise Refused("no-header", "no #fields line came before this line")
        cells = line.split(header.separator)
        if len(cells) != self._width:
            raise Refused("columns", f"it has {len(cells)} columns, the header names {self._width}")
        unset, empty = header.unset_field, header.empty_field
        row: Row = {}
        for name, at, convert in self._plan:
            cell = cells[at]
            if cell != unset and cell != empty:
                if convert is not None:
                    row[name] = convert(cell)
                else:
                    row[name] = decode_escapes(cell) if "\\" in cell else cell
        if self._time_column is None:
            raise Refused("bad-time", "the log has no column `ts`")
        return row, self._time(cells[self._time_column])

    def _time(self, text: str) -> int:
        match = _TEXT_TIME.fullmatch(text)
        if match is None:
            return self._clock.moment(text)
        whole, fraction = match.groups()
        moment = int(whole) * SECOND + (int(fraction[:6].ljust(6, "0")) if fraction else 0)
        try:
            return calendar_time(moment)
        except Refused:
            if self._opened is None:
                raise
            return self._opened + moment
