"""What commands print: tables for people, JSON for programs, errors in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.errors import HubError
from hub.model import times
from hub.ops.logs import redact


def print_json(value: Any) -> None:
    """Print one JSON document, indented."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def print_json_lines(values: Iterable[Any]) -> None:
    """Print one JSON document a line, each as soon as it is there."""
    for value in values:
        sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def print_text(text: str = "") -> None:
    """Print a line as it is: no markup, control characters made visible."""
    sys.stdout.write("\n".join(redact_control(line) for line in text.split("\n")) + "\n")


def redact_control(text: str) -> str:
    """Make control characters visible, so that what strangers wrote cannot drive the terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or the sentence ``empty`` when there are no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(redact_control("" if cell is None else str(cell))) for cell in row))
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table)
    else:
        print_text(empty)


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, empty: str) -> None:
    """Print rows with the same names as a table, or as JSON."""
    if as_json:
        print_json(rows)
    else:
        columns = tuple(name.replace("_", " ") for name in rows[0]) if rows else ()
        print_table(columns, (tuple(cell(one) for one in row.values()) for row in rows), empty=empty)


def print_details(row: Mapping[str, Any], as_json: bool) -> None:
    """Print one thing, a property a line, or as JSON."""
    if as_json:
        print_json(row)
        return
    width = max(map(len, row)) + 1
    for name, value in row.items():
        shown = cell(value)
        print_text(f"{name.replace('_', ' '):<{width}} {'' if shown is None else shown}".rstrip())


def second(moment: int) -> str:
    """Write a time (microseconds UTC) for people, to the second."""
    return f"{times.format_timestamp(moment)[:19]}Z"


def cell(value: object) -> object:
    """Write a value of a row for people: yes and no, lists with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else value


def print_error(error: HubError, *, as_json: bool = False) -> None:
    """Say on standard error what was wrong and what to do, with the stable code."""
    if as_json:
        document = {"error": {"code": error.code, "message": redact(error.message), "actor": error.actor}}
        sys.stderr.write(orjson.dumps(document).decode() + "\n")
    else:
        sys.stderr.write(f"threathub: {redact(error.message)} [{error.code}]\n")
