"""CSV for people (RFC 4180): a cell that a spreadsheet would run as a formula is made harmless."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from hub.model.times import format_timestamp
from hub.publish.entries import Entry

NAME = "csv"
MEDIA_TYPE = "text/csv; charset=utf-8"

_COLUMNS = ("value", "type", "valid_until", "confidence", "labels", "indicator")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the header and one row a value."""
    yield _row(_COLUMNS)
    for entry in entries:
        until = format_timestamp(entry.valid_until, 3) if entry.valid_until is not None else ""
        confidence = "" if entry.confidence is None else str(entry.confidence)
        kind, value = entry.observable
        yield _row((value, kind, until, confidence, " ".join(entry.labels), entry.indicator["id"]))


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return line.getvalue()
