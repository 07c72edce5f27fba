"""Texts that stand in many rows, kept once and named by small numbers: collections, audiences, sensors.

What a process remembers of them comes from committed snapshots only: a batch that is undone leaves nothing behind.
"""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal


class Names:
    """One table of interned texts, remembered by the process: rows are only ever added, numbered 1, 2, 3 ….

    Args:
        table: which of the tables.
    """

    def __init__(self, table: Literal["audiences", "collections", "sensors"]) -> None:
        self._table = table
        self._texts: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def refresh(self, db: sqlite3.Connection) -> int:
        """Learn what other processes added; return how many there are in the transaction of ``db``."""
        count: int = db.execute(f"SELECT ifnull(max(number), 0) FROM {self._table}").fetchone()[0]
        if count > len(self._texts):
            rows = db.execute(
                f"SELECT number, text FROM {self._table} WHERE number > ?", (len(self._texts),)
            ).fetchall()
            self._numbers.update((text, number) for number, text in rows)
            self._texts.update(rows)
        return count

    def text(self, number: int) -> str:
        """Return the text of a number that a row holds."""
        return self._texts[number]

    def number(self, text: str) -> int | None:
        """Return the number of a text, or None if no row can hold it."""
        return self._numbers.get(text)

    def all(self) -> list[tuple[str, int]]:
        """Return all texts with their numbers, in order of number."""
        return [(text, number) for number, text in sorted(self._texts.items())]

    def find(self, db: sqlite3.Connection, text: str) -> int | None:
        """Look a text up inside a write transaction, whose own additions nobody else may learn yet."""
        row = db.execute(f"SELECT number FROM {self._table} WHERE text = ?", (text,)).fetchone()
        return row[0] if row else None

    def intern(self, db: sqlite3.Connection, texts: Iterable[str]) -> dict[str, int]:
        """Return a number for each text, adding rows inside the write transaction of ``db`` where needed."""
        numbers: dict[str, int] = {}
        for text in sorted(set(texts)):
            number = self.find(db, text)
            if number is None:
                # SQLite gives the next number itself; a transaction that is undone leaves no gap.
                number = db.execute(f"INSERT INTO {self._table} (text) VALUES (?)", (text,)).lastrowid or 0
            numbers[text] = number
        return numbers
