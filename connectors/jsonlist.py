"""JSON lists by declaration: records in an array, in an object of lists, or one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, Literal

import ijson
import orjson
from pydantic import Field, field_validator

from connectors.contract import Item, Portion
from connectors.documents import kept, portions, text_of
from connectors.http import Http
from connectors.rows import ONE_OF, ListSettings, Meaning, RowReader
from hub.errors import NotThatFormat
from hub.model.items import BadItem

MAX_RECORD = 1 << 20
"""Bytes of one record. It also bounds the memory of reading."""


class JsonListSettings(ListSettings):
    """Where the records are, and what their fields mean."""

    columns: dict[str, Meaning] = Field(description="Meaning of each field; `a.b` is field b of the object a.")
    layout: Literal["array", "object", "lines"] = Field(
        "array", description="An array of records, an object of records or of lists of them, or one record a line."
    )
    records: str = Field("", description="Names on the way to the records, with dots; empty: the document is it.")

    @field_validator("columns")
    @classmethod
    def _has_a_value(cls, columns: dict[str, Meaning]) -> dict[str, Meaning]:
        if not any(meaning in ONE_OF for meaning in columns.values()):
            raise ValueError("no field is the value")
        return columns


class JsonList:
    """The connector ``json-list``."""

    name: ClassVar[str] = "json-list"
    Settings: ClassVar[type[JsonListSettings]] = JsonListSettings

    def fetch(self, settings: JsonListSettings, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield the items of each document that changed since the cursor."""
        return portions(self.read, settings, cursor, http)

    def read(self, settings: JsonListSettings, stream: BinaryIO, name: str) -> Iterator[Item]:
        """Yield the items of one document, one record in memory at a time."""
        rows = RowReader(settings)
        for place, raw, record in _records(settings, stream, name):
            if not isinstance(record, dict):
                yield BadItem(kept(raw), "bad-record", f"{place} is not a JSON object", place)
                continue
            cells = {field: _field(record, field) for field in {**settings.columns, **settings.skip, **settings.keep}}
            if rows.wanted(cells):
                found = [(meaning, cells[field]) for field, meaning in settings.columns.items()]
                yield from rows.items(found, raw or _written(record), place)


def _records(settings: JsonListSettings, stream: BinaryIO, name: str) -> Iterator[tuple[str, bytes, Any]]:
    if settings.layout == "lines":
        yield from _lines(stream, name)
        return
    reader = BoundedReader(text_of(stream, name), name, MAX_RECORD)
    number = 0
    try:
        for record in _streamed(settings, reader):
            for one in record if isinstance(record, list) else (record,):
                number += 1
                yield f"{name} record {number}", b"", one
            reader.restart()
    except (ijson.JSONError, UnicodeDecodeError) as fault:
        raise NotThatFormat(f"{name} is not JSON behind record {number}: {str(fault).splitlines()[0][:120]}") from None
    if number == 0 and not reader.empty_list:
        raise NotThatFormat(f"{name} holds no records at {settings.records or 'its top'}")


def _streamed(settings: JsonListSettings, reader: BoundedReader) -> Iterator[Any]:
    if settings.layout == "array":
        prefix = f"{settings.records}.item" if settings.records else "item"
        yield from ijson.items(reader, prefix, use_float=True)
    else:
        for _, record in ijson.kvitems(reader, settings.records, use_float=True):
            yield record


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[str, bytes, Any]]:
    reader = text_of(stream, name)
    number = 0
    while line := reader.readline(MAX_RECORD + 1):
        number += 1
        whole = line.endswith(b"\n") or len(line) <= MAX_RECORD
        while not whole and (more := reader.readline(MAX_RECORD)):
            whole = more.endswith(b"\n")
        if raw := line.strip():
            try:
                record = orjson.loads(raw)
            except orjson.JSONDecodeError:
                record = None
            yield f"{name} line {number}", raw, record


class BoundedReader:
    """A reader that refuses to go on when a record is longer than ``most`` bytes, so that a parser cannot fill up."""

    def __init__(self, stream: Any, name: str, most: int) -> None:
        self._stream = stream
        self._name = name
        self._most = most
        self._since = 0
        self._head = b""

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes for the parser."""
        if self._since > self._most:
            raise NotThatFormat(f"{self._name} holds a record of more than {self._most >> 10} kB")
        data: bytes = self._stream.read(size)
        self._since += len(data)
        self._head = (self._head + data)[:64]
        return data

    def restart(self) -> None:
        """Say that a record ended."""
        self._since = 0

    @property
    def empty_list(self) -> bool:
        """Whether the document is short enough and shaped like a list without records."""
        return self._head.rstrip().endswith((b"[]", b"{}", b"[]}", b"{}}"))


def _field(record: Mapping[str, Any], path: str) -> Any:
    if path in record:
        return record[path]
    found: Any = record
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _written(record: Any) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:
        return b""
