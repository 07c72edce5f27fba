"""What one question may cost: SQLite counts the steps of its virtual machine and stops beyond a bound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from hub.errors import BadQuery

_STEPS = 1_000_000
SEARCH_STEPS = 100 * _STEPS
"""Instructions of SQLite's virtual machine that one search may take: a second or two."""


@contextmanager
def bounded(db: sqlite3.Connection) -> Iterator[None]:
    """Run statements that together may take no more than `SEARCH_STEPS`.

    Raises:
        BadQuery: they would take more.
    """
    steps = 0

    def spent() -> bool:
        nonlocal steps
        steps += _STEPS
        return steps > SEARCH_STEPS

    db.set_progress_handler(spent, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise BadQuery("The search costs too much; name a field and more of the value.") from error
    finally:
        db.set_progress_handler(None, 0)
