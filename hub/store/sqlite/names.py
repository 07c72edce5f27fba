"""Texts that stand in many rows, kept once and named by small numbers: collections, audiences, sensors."""

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

    def intern(self, db: sqlite3.Connection, texts: Iterable[str]) -> dict[str, int]:
        """Return a number for each text, adding rows inside the write transaction of ``db`` where needed.

        What is added is not remembered until it is read back: the transaction may yet be undone.
        """
        count = self.refresh(db)
        numbers: dict[str, int] = {}
        for text in texts:
            known = self._numbers.get(text)
            if known is None and text not in numbers:
                count += 1
                db.execute(f"INSERT INTO {self._table} VALUES (?, ?)", (count, text))
                known = count
            if known is not None:
                numbers[text] = known
        return numbers
