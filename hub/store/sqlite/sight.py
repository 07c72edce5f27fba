"""What a scope may see, compiled into conditions on rows of the change log."""

# ruff: noqa: S608 - SQL is built from this program's own constants and numbers; values are always parameters.
from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from hub.model.audience import Audience, Purpose, Reader, may
from hub.store.ports import Scope
from hub.store.sqlite.names import Names

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Sight:
    """The audiences and collections that a scope may see, as lists of numbers for SQL; None is all of them."""

    audiences: str | None
    collections: str | None

    def audience(self, row: str) -> str:
        """Return the condition, beginning with AND, that the audience of ``row`` (a table alias) is allowed."""
        return "" if self.audiences is None else f" AND {row}.audience IN ({self.audiences})"

    def visible(self, row: str) -> str:
        """Return the condition that ``row`` is in the scope: audience and collection."""
        return self.audience(row) + (
            "" if self.collections is None else f" AND {row}.collection IN ({self.collections})"
        )

    def newest(self, row: str) -> str:
        """Return the condition that ``row`` is live, visible, and the latest such version of its object anywhere."""
        return (
            f" AND {row}.state = 1 AND {row}.superseded < 4{self.visible(row)} AND NOT EXISTS ("
            f"SELECT 1 FROM changes AS newer INDEXED BY identity WHERE newer.state = 1 AND newer.id = {row}.id"
            " AND (newer.spec_version, newer.version, newer.position)"
            f" > ({row}.spec_version, {row}.version, {row}.position)"
            f"{self.visible('newer')})"
        )


class Sights:
    """Makes `Sight`s, asking `hub.model.audience.may` once for each reader and distinct audience."""

    def __init__(self, audiences: Names, collections: Names) -> None:
        self._audiences = audiences
        self._collections = collections
        self._allowed: dict[tuple[Reader | None, Purpose], tuple[int, str | None]] = {}

    def of(self, scope: Scope, db: sqlite3.Connection) -> Sight:
        """Return what the scope sees in the snapshot of ``db``: no row in it has an audience not asked about."""
        audiences = self._audiences.refresh(db)
        self._collections.refresh(db)
        known, allowed = self._allowed.get((scope.reader, scope.purpose), (-1, None))
        if known < audiences:
            allowed = self._ask(scope.reader, scope.purpose, audiences)
        collections = None
        if scope.collections is not None:
            numbers = [self._collections.number(key) for key in scope.collections]
            collections = _numbered(number for number in numbers if number is not None)
        return Sight(allowed, collections)

    def _ask(self, reader: Reader | None, purpose: Purpose, count: int) -> str | None:
        known = [(number, Audience.from_label(self._audiences.text(number))) for number in range(1, count + 1)]
        if reader is None:
            seen = [number for number, audience in known if not audience.is_farewell]
        else:
            seen = [number for number, audience in known if may(reader, audience, purpose).allowed]
        allowed = None if reader is None and len(seen) == count else _numbered(seen)
        if len(self._allowed) >= _REMEMBERED:
            self._allowed.clear()
        self._allowed[reader, purpose] = (count, allowed)
        return allowed


def _numbered(numbers: Iterable[int]) -> str:
    """Return numbers as SQL; 0, which no row has, stands for none, because SQLite has no use for an index then."""
    return ",".join(str(number) for number in sorted(numbers)) or "0"
