"""Batches that threads of a process commit at the same time are written together: one wait for the disk.

Whoever gets the lead writes what is waiting, each batch for itself: one that fails takes no other with it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from hub.errors import HubError, StoreUnavailable
from hub.store.ports import Batch, Outcome

GROUP = 1000
"""Drafts of a group, about: more waiting batches are left for the next one."""
RETRY_AFTER = 2
"""Seconds after which a store that is busy is worth another try."""


class Turn:
    """A batch that waits, and what became of it; until it is on disk that is: nothing.

    Attributes:
        batch: what to write. outcomes: of its drafts. error: what its committer gets instead, or None.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.done = False
        self.outcomes: list[Outcome] = []
        self.error: Exception | None = StoreUnavailable(
            "The store could not write just now; nothing was lost, try again.", retry_after=RETRY_AFTER
        )


class GroupCommit:
    """Lets threads commit together.

    Args:
        write: writes all batches of a group and says in each turn what became of it; an error is that of all.
        patience: seconds to wait for the lead before `StoreUnavailable`.
    """

    def __init__(self, write: Callable[[Sequence[Turn]], None], patience: float) -> None:
        self._write = write
        self._patience = patience
        self._waiting: deque[Turn] = deque()
        self._lead = threading.Lock()

    def commit(self, batch: Batch) -> list[Outcome]:
        """Write a batch, with others or alone; on disk when this returns."""
        turn = Turn(batch)
        self._waiting.append(turn)
        if not self._lead.acquire(timeout=self._patience):
            raise StoreUnavailable("The store is busy with other writes; try again.", retry_after=RETRY_AFTER)
        try:
            while not turn.done:
                self._write_group(self._group())
        finally:
            self._lead.release()
        if turn.error is not None:
            raise turn.error
        return turn.outcomes

    def _group(self) -> list[Turn]:
        group = [self._waiting.popleft()]
        size = len(group[0].batch.drafts)
        while self._waiting and size + len(self._waiting[0].batch.drafts) <= GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].batch.drafts)
        return group

    def _write_group(self, group: Sequence[Turn]) -> None:
        try:
            self._write(group)
        except HubError as error:
            for turn in group:
                turn.error = error
        finally:
            for turn in group:
                turn.done = True
