"""A group of batches in one transaction: one wait for the disk, each batch under a savepoint of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from hub.errors import HubError
from hub.store.grouping import Turn
from hub.store.ports import Batch, Outcome
from hub.store.sqlite.connections import Connections
from hub.store.sqlite.faults import hub_error


class Transactions:
    """Writes groups of batches (`hub.store.grouping.GroupCommit`).

    Args:
        connections: where to write.
        apply: writes one batch inside a transaction.
    """

    def __init__(self, connections: Connections, apply: Callable[[sqlite3.Connection, Batch], list[Outcome]]) -> None:
        self._connections = connections
        self._apply = apply

    def write(self, group: Sequence[Turn]) -> None:
        """Write a group; on disk when this returns."""
        with self._connections.writing() as db:
            written = [turn for turn in group if self._one(db, turn)]
        for turn in written:
            turn.error = None

    def _one(self, db: sqlite3.Connection, turn: Turn) -> bool:
        """Write one batch; when it fails, undo it alone and keep its error."""
        db.execute("SAVEPOINT batch")
        try:
            turn.outcomes = self._apply(db, turn.batch)
        except (HubError, sqlite3.Error, ValueError, OverflowError) as error:
            # Some faults, such as a full disk, make SQLite undo the whole transaction by itself.
            if not db.in_transaction:
                raise
            db.execute("ROLLBACK TO batch")
            turn.error = error
            if isinstance(error, sqlite3.Error):
                turn.error = hub_error(error)
                turn.error.__cause__ = error
            return False
        finally:
            if db.in_transaction:
                db.execute("RELEASE batch")
        return True
