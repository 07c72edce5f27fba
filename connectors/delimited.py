"""Delimited text by declaration: CSV, plain lists, hosts and zone files. A feed's quirks are its TOML, never code."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.contract import Item, Portion
from connectors.documents import kept, portions, text_of
from connectors.http import Http
from connectors.rows import ONE_OF, ListSettings, Meaning, RowReader
from hub.errors import NotThatFormat
from hub.model.items import KEPT, BadItem

MAX_LINE = KEPT
"""Bytes of a line; a longer one is refused without being held in memory."""


class DelimitedSettings(ListSettings):
    """How the lines are cut into cells, and what the cells are.

    Either ``columns`` with a ``delimiter`` (without one the whole line is the first cell), or ``line``, a regular
    expression whose named groups are the meanings.
    """

    columns: tuple[Meaning, ...] | dict[str, Meaning] = Field(
        ("value",), description="Meaning of each column: in order, or by its name in the header."
    )
    delimiter: str = Field("", max_length=1, description="Character between cells; empty: the line is one cell.")
    quote: str = Field('"', max_length=1, description="Character around a cell; empty: cells are never quoted.")
    skip_initial_space: bool = Field(False, description="Whether blanks after a delimiter are dropped before quotes.")
    header: Literal["none", "first", "comment"] = Field(
        "none", description="Where the column names stand: nowhere, in the first line, or in a comment."
    )
    comments: tuple[str, ...] = Field(("#",), description="What a comment line begins with.")
    inline_comments: tuple[str, ...] = Field((), description="What ends a line's content when a blank is before it.")
    skip_rows: int = Field(0, ge=0, description="Lines to drop at the top, comments and empty lines not counted.")
    ignore: tuple[str, ...] = Field((), description="Regular expressions of lines that carry nothing.")
    line: str = Field("", description="Regular expression of a whole line; its named groups are the meanings.")
    encoding: str = Field("utf-8", description="Encoding of the text.")

    @field_validator("line", "ignore")
    @classmethod
    def _compiles(cls, patterns: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for pattern in (patterns,) if isinstance(patterns, str) else patterns:
            try:
                re.compile(pattern)
            except re.error as fault:
                raise ValueError(f"not a regular expression: {fault}") from None
        return patterns

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        by_name = isinstance(self.columns, dict)
        meanings = self.columns.values() if isinstance(self.columns, dict) else self.columns
        named = re.compile(self.line).groupindex if self.line else dict.fromkeys(meanings, 0)
        if not any(meaning in named for meaning in ONE_OF):
            raise ValueError("no column or group is the value")
        if by_name and self.header == "none":
            raise ValueError("columns by name need a header")
        return self


class Delimited:
    """The connector ``delimited``."""

    name: ClassVar[str] = "delimited"
    Settings: ClassVar[type[DelimitedSettings]] = DelimitedSettings

    def fetch(self, settings: DelimitedSettings, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield the items of each document that changed since the cursor."""
        return portions(self.read, settings, cursor, http)

    def read(self, settings: DelimitedSettings, stream: BinaryIO, name: str) -> Iterator[Item]:
        """Yield the items of one text; a bad line is a `BadItem` and its neighbours go through."""
        lines = _Lines(settings, name)
        rows = RowReader(settings)
        for place, raw, text in lines.of(stream):
            if text is None:
                yield BadItem(kept(raw), "bad-line", f"{place} is longer than {MAX_LINE} bytes or not text", place)
                continue
            try:
                found = lines.found(text, rows)
            except ValueError as fault:
                yield BadItem(kept(raw), "bad-line", f"{place}: {fault}", place)
                continue
            if found is not None:
                yield from rows.items(found, raw, place)


class _Lines:
    """Reads lines, finds the header, cuts cells."""

    def __init__(self, settings: DelimitedSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._line = re.compile(settings.line) if settings.line else None
        self._ignore = [re.compile(pattern) for pattern in settings.ignore]
        self._inline = (
            re.compile(r"\s(?:" + "|".join(re.escape(mark) for mark in settings.inline_comments) + ").*")
            if settings.inline_comments
            else None
        )
        self._names: list[str] | None = None
        self._plan: Sequence[Meaning] = () if isinstance(settings.columns, dict) else settings.columns
        self._skip_rows = settings.skip_rows

    def of(self, stream: BinaryIO) -> Iterator[tuple[str, bytes, str | None]]:
        """Yield place, bytes and text of each line that holds something; text is None for what is no line."""
        reader = text_of(stream, self._name)
        number = 0
        while raw := reader.readline(MAX_LINE + 2):
            number += 1
            whole = len(raw) <= MAX_LINE or raw.endswith(b"\n")
            while not whole and (more := reader.readline(MAX_LINE)):
                whole = more.endswith(b"\n")
            line = raw.rstrip(b"\r\n")
            try:
                text = line.decode(self._settings.encoding).strip() if len(line) <= MAX_LINE else None
            except UnicodeDecodeError:
                text = None
            if text is None or not self._dropped(text):
                yield f"{self._name} line {number}", line, text
        if self._settings.header != "none" and self._names is None and number:
            raise NotThatFormat(f"{self._name} has no header with the declared columns: {self._required()}")

    def found(self, text: str, rows: RowReader) -> list[tuple[str, Any]] | None:
        """Return meaning and cell of a line's cells, or None for a line that is not wanted."""
        if self._inline is not None:
            text = self._inline.sub("", text)
        if self._line is not None:
            match = self._line.fullmatch(text)
            if match is None:
                raise ValueError("the line has not the declared form")
            groups = match.groupdict()
            return list(groups.items()) if rows.wanted(groups) else None
        cells = self._cells(text)
        names = self._names or [str(position) for position in range(1, len(cells) + 1)]
        if len(cells) > max(len(self._plan), len(self._names or ())):
            raise ValueError(f"the line has {len(cells)} cells where {len(self._plan)} were declared")
        if not rows.wanted(dict(zip(names, cells, strict=False))):
            return None
        return list(zip(self._plan, cells, strict=False))

    def _dropped(self, text: str) -> bool:
        """Say whether a line is empty, a comment, the header or one that the declaration drops; learn the header."""
        settings = self._settings
        if not text:
            return True
        for mark in settings.comments:
            if text.startswith(mark):
                if settings.header == "comment" and self._names is None:
                    self._learn(text[len(mark) :].strip())
                return True
        if self._skip_rows:
            self._skip_rows -= 1
            return True
        if settings.header != "none" and self._names is None:
            if self._learn(text):
                return True
            raise NotThatFormat(f"{self._name} has no header with the declared columns: {self._required()}")
        return any(pattern.match(text) for pattern in self._ignore)

    def _learn(self, text: str) -> bool:
        """Take a line as the header if it names every column that a row needs."""
        try:
            names = [cell.strip() for cell in self._cells(text)]
        except ValueError:
            return False
        columns = self._settings.columns
        if isinstance(columns, dict):
            if not set(self._required()) <= set(names):
                return False
            self._plan = [columns.get(name, "ignore") for name in names]
        elif len(names) < len(columns):
            return False
        self._names = names
        return True

    def _required(self) -> list[str]:
        columns = self._settings.columns
        pairs = columns.items() if isinstance(columns, dict) else ()
        return [name for name, meaning in pairs if meaning in ONE_OF]

    def _cells(self, text: str) -> list[str]:
        settings = self._settings
        if not settings.delimiter:
            return [text]
        if not settings.quote or settings.quote not in text:
            return text.split(settings.delimiter)
        try:
            return next(
                csv.reader(
                    [text],
                    delimiter=settings.delimiter,
                    quotechar=settings.quote,
                    skipinitialspace=settings.skip_initial_space,
                    strict=True,
                )
            )
        except csv.Error as fault:
            raise ValueError(f"the quotes do not fit: {fault}") from None
