"""What a row of a list means: cells with a declared meaning become an `IndicatorItem`. Shared by all list formats."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from connectors.contract import Item
from connectors.documents import DocumentSettings, kept
from hub.model.audience import TLP
from hub.model.items import BadItem, IndicatorItem
from hub.model.times import SECOND

Meaning = Literal[
    "value",
    "type",
    "first_seen",
    "last_seen",
    "valid_until",
    "labels",
    "confidence",
    "reference",
    "description",
    "port",
    "marking",
    "start",
    "end",
    "prefix",
    "ignore",
]
"""What a column holds. ``start``, ``end`` and ``prefix`` describe an address range; ``confidence`` is any number."""

ONE_OF = ("value", "start")
"""Meanings of which a row must have one."""

_RANGE = re.compile(r"([0-9a-f:.]+)\s*-\s*([0-9a-f:.]+)", re.IGNORECASE | re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_NETWORKS = 64
_TLP = {"white": TLP.CLEAR, **{level.name.lower().replace("_", "+"): level for level in TLP if level != TLP.UNKNOWN}}


class ListSettings(DocumentSettings):
    """How the rows of a list are to be understood, whatever they are written in."""

    value_type: str = Field("", description="The type of every value, when no column says it.")
    types: dict[str, str] = Field(default_factory=dict, description="The source's type words, in the hub's words.")
    empty: frozenset[str] = Field(
        frozenset({"", "None", "null", "-", "N/A", ">>UNKNOWN<<"}), description="Words that mean an empty cell."
    )
    skip: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Rows to leave out: column and the values that do."
    )
    keep: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Rows to take: column and the values that do; others are left out."
    )
    value_separators: str = Field("", description="Characters between several values in one cell.")
    label_separators: str = Field(",", description="Characters between labels in one cell.")
    confidence_factor: float = Field(1.0, gt=0, description="Makes the source's number a confidence of 0 to 100.")
    time_format: str = Field("", description="strptime format of times that are neither ISO nor epoch; read as UTC.")
    labels: tuple[str, ...] = Field((), description="Labels that every value gets.")
    description: str = Field("", description="A sentence that every value gets, when no column has one.")
    kind: str = Field("malicious-activity", description="STIX indicator type of every value.")


class RowReader:
    """Turns rows into items by declaration."""

    def __init__(self, settings: ListSettings) -> None:
        self._settings = settings

    def wanted(self, cells: Mapping[str, Any]) -> bool:
        """Say whether a row, by column name, passes the declared ``skip`` and ``keep``."""
        settings = self._settings
        if any(_is_one(cells.get(column), words) for column, words in settings.skip.items()):
            return False
        return all(_is_one(cells.get(column), words) for column, words in settings.keep.items())

    def items(self, found: Sequence[tuple[str, Any]], raw: bytes, place: str) -> Iterator[Item]:
        """Yield the items of one row: one for each value that it holds, or one that says what is wrong with it.

        Args:
            found: meaning and cell; a cell is text, or what JSON allows. raw: the row as written.
        """
        texts: dict[str, list[str]] = {}
        for meaning, cell in found:
            if meaning != "ignore":
                texts.setdefault(meaning, []).extend(self._texts(cell))
        try:
            yield from self._items(texts, raw, place)
        except _BadCellError as fault:
            yield BadItem(kept(raw), fault.reason, f"{place}: {fault}", place)

    def _items(self, texts: dict[str, list[str]], raw: bytes, place: str) -> Iterator[Item]:
        settings = self._settings
        values = self._values(texts)
        if not values:
            raise _BadCellError("no-value", "the row has no value")
        word = _first(texts, "type")
        seen = self._time(_first(texts, "first_seen") or _first(texts, "last_seen"))
        valid_until = self._time(_first(texts, "valid_until"))
        labels = tuple(dict.fromkeys((*settings.labels, *self._labels(texts.get("labels", ())))))
        said = [*texts.get("description", ()), *(f"port {port}" for port in texts.get("port", ()))]
        for value in values:
            yield IndicatorItem(
                value=value,
                place=place,
                hint=settings.types.get(word, word) or settings.value_type,
                raw=kept(raw),
                seen=seen,
                valid_until=valid_until,
                labels=labels,
                description=", ".join(said) or settings.description,
                confidence=self._confidence(_first(texts, "confidence")),
                references=tuple(one for one in texts.get("reference", ()) if one.startswith(("https://", "http://"))),
                marking=_marking(_first(texts, "marking")),
                kind=settings.kind,
            )

    def _texts(self, cell: Any) -> list[str]:
        if isinstance(cell, str):
            text = cell.strip()
            return [] if text in self._settings.empty else [text]
        if cell is None:
            return []
        if isinstance(cell, list):
            return [text for one in cell if not isinstance(one, list | dict) for text in self._texts(one)]
        if isinstance(cell, dict):
            raise _BadCellError("bad-cell", "a cell holds an object where text was declared")
        return [str(cell)]

    def _values(self, texts: dict[str, list[str]]) -> list[str]:
        values = texts.get("value", [])
        if self._settings.value_separators:
            values = [part for value in values for part in _split(value, self._settings.value_separators)]
        values = [part for value in values for part in _unrolled(value)]
        if start := _first(texts, "start"):
            values = [*values, *networks(start, _first(texts, "end"), _first(texts, "prefix"))]
        return values

    def _labels(self, cells: Sequence[str]) -> Iterator[str]:
        for cell in cells:
            for label in _split(cell, self._settings.label_separators):
                if (bare := label.strip("# ")) not in self._settings.empty:
                    yield bare

    def _confidence(self, text: str) -> int | None:
        if not text:
            return None
        try:
            number = float(text) * self._settings.confidence_factor
            return max(0, min(100, round(number)))
        except (ValueError, OverflowError):
            raise _BadCellError("bad-number", f"the confidence {text[:40]!r} is not a number") from None

    def _time(self, text: str) -> int | None:
        if not text:
            return None
        try:
            return moment(text, self._settings.time_format)
        except (ValueError, OverflowError):
            raise _BadCellError("bad-time", f"the time {text[:40]!r} cannot be read") from None


class _BadCellError(ValueError):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def moment(text: str, pattern: str = "") -> int:
    """Read a source's time as microseconds UTC: ISO in its many spellings, epoch seconds or milliseconds, or a pattern.

    Times without a zone mean UTC (FORMATS.md section 7).

    Raises:
        ValueError: it is none of these.
    """
    if pattern:
        read = datetime.strptime(text, pattern)
    elif text.isdigit() and len(text) in (10, 13):
        return int(text) * (SECOND if len(text) == 10 else 1000)
    else:
        read = datetime.fromisoformat(text.removesuffix(" UTC"))
    return ((read if read.tzinfo else read.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def networks(start: str, end: str = "", prefix: str = "") -> list[str]:
    """Write an address range as few networks, never as single addresses; one address stays one.

    Args:
        start: first address. end: last address, or "". prefix: length of the network at ``start``, or "".

    Raises:
        ValueError: it is no range, or needs more than 64 networks.
    """
    try:
        if prefix and not end:
            return [str(ipaddress.ip_network(f"{start}/{prefix}"))]
        first, last = ipaddress.ip_address(start), ipaddress.ip_address(end or start)
        found: list[str] = []
        for network in ipaddress.summarize_address_range(first, last):
            found.append(str(network.network_address) if network.num_addresses == 1 else str(network))
            if len(found) > _MOST_NETWORKS:
                raise ValueError("too many networks")
    except (ValueError, TypeError):
        until = end[:45] or f"/{prefix[:5]}"
        raise _BadCellError("bad-range", f"{start[:45]} to {until} is no address range") from None
    if prefix and not found[0].endswith(f"/{prefix}"):
        raise _BadCellError("bad-range", f"{start[:45]} to {end[:45]} is not the network /{prefix[:5]} that it says")
    return found


def _unrolled(value: str) -> list[str]:
    match = _RANGE.fullmatch(value) if "-" in value else None
    if match is None or not ("." in match[1] or ":" in match[1]):
        return [value]
    return networks(match[1], match[2])


def _split(text: str, separators: str) -> list[str]:
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    return [part.strip() for part in (text.split(separators[0]) if separators else [text]) if part.strip()]


def _first(texts: Mapping[str, Sequence[str]], meaning: str) -> str:
    found = texts.get(meaning)
    return found[0] if found else ""


def _is_one(cell: Any, words: Sequence[str]) -> bool:
    return (cell.strip() if isinstance(cell, str) else str(cell)) in words


def _marking(text: str) -> TLP | None:
    return _TLP.get(text.lower().removeprefix("tlp:"), TLP.UNKNOWN) if text else None
