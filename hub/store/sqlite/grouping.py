"""Batches that threads commit at the same time go to disk together: one transaction, one wait for the disk.

Whoever gets the lead commits what is waiting, each batch under a savepoint: one that fails takes no other with it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable

from hub.errors import HubError, StoreUnavailable
from hub.store.ports import Batch, Outcome
from hub.store.sqlite.connections import Connections
from hub.store.sqlite.faults import RETRY_AFTER, hub_error

GROUP = 1000
"""Drafts of a group, about: more waiting batches are left for the next one."""


class _Turn:
    """A batch that waits, and what became of it; until its transaction is on disk that is: nothing."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.done = False
        self.outcomes: list[Outcome] = []
        self.error: Exception | None = StoreUnavailable(
            "The store could not write just now; nothing was lost, try again.", retry_after=RETRY_AFTER
        )


class GroupCommit:
    """Commits batches of many threads in few transactions.

    Args:
        connections: where to write.
        apply: writes one batch inside a transaction.
        patience: seconds to wait for the lead before `StoreUnavailable`.
    """

    def __init__(
        self,
        connections: Connections,
        apply: Callable[[sqlite3.Connection, Batch], list[Outcome]],
        patience: float,
    ) -> None:
        self._connections = connections
        self._apply = apply
        self._patience = patience
        self._waiting: deque[_Turn] = deque()
        self._lead = threading.Lock()

    def commit(self, batch: Batch) -> list[Outcome]:
        """Write a batch, with others or alone; on disk when this returns."""
        turn = _Turn(batch)
        self._waiting.append(turn)
        if not self._lead.acquire(timeout=self._patience):
            raise StoreUnavailable("The store is busy with other writes; try again.", retry_after=RETRY_AFTER)
        try:
            while not turn.done:
                self._write(self._group())
        finally:
            self._lead.release()
        if turn.error is not None:
            raise turn.error
        return turn.outcomes

    def _group(self) -> list[_Turn]:
        group = [self._waiting.popleft()]
        size = len(group[0].batch.drafts)
        while self._waiting and size + len(self._waiting[0].batch.drafts) <= GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].batch.drafts)
        return group

    def _write(self, group: list[_Turn]) -> None:
        written = []
        try:
            with self._connections.writing() as db:
                written = [turn for turn in group if self._one(db, turn)]
            for turn in written:
                turn.error = None
        except HubError as error:
            for turn in group:
                turn.error = error
        finally:
            for turn in group:
                turn.done = True

    def _one(self, db: sqlite3.Connection, turn: _Turn) -> bool:
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
