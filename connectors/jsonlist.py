"""JSON lists by declaration: records in an array, in an object of lists, or one a line."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, Literal, cast

import orjson
from pydantic import Field, field_validator

from connectors.contract import Item, Portion
from connectors.cutting import MAX_VALUE, Cutter
from connectors.documents import kept, portions, text_of
from connectors.http import Http
from connectors.rows import ONE_OF, ListSettings, Meaning, RowReader
from hub.errors import NotThatFormat
from hub.model.items import BadItem


class JsonListSettings(ListSettings):
    """Where the records are, and what their fields mean."""

    columns: dict[str, Meaning] = Field(description="Meaning of each field; `a.b` is field b of the object a.")
    layout: Literal["array", "object", "lines"] = Field(
        "array", description="An array of records, an object of records or of lists of them, or one record a line."
    )
    records: str = Field("", description="Name of the member that holds the records; empty: the document does.")

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
                yield from rows.items(found, raw, place)


def _records(settings: JsonListSettings, stream: BinaryIO, name: str) -> Iterator[tuple[str, bytes, Any]]:
    """Yield place, bytes and content of each record; what cannot be read is None."""
    reader = text_of(stream, name)
    if settings.layout == "lines":
        for number, line in enumerate(_lines(reader), 1):
            if line.strip():
                yield f"{name} line {number}", line.strip(), _content(line)
        return
    cutter = Cutter(cast(BinaryIO, reader), name, key=settings.records, members=settings.layout == "object")
    number = 0
    for value in cutter.values():
        content = None if value.stray else _content(value.raw)
        for record in content if isinstance(content, list) else (content,):
            number += 1
            yield f"{name} record {number}", value.raw, record
    if not cutter.found:
        raise NotThatFormat(f"{name} holds no records at {settings.records or 'its top'}")


def _lines(reader: io.BufferedReader) -> Iterator[bytes]:
    """Yield lines, of one that is too long only its beginning."""
    while line := reader.readline(MAX_VALUE + 1):
        whole = line.endswith(b"\n")
        while not whole and (more := reader.readline(MAX_VALUE)):
            whole = more.endswith(b"\n")
        yield line


def _content(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _field(record: Mapping[str, Any], path: str) -> Any:
    if path in record:
        return record[path]
    found: Any = record
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found
