"""From which day on a store keeps its ledger: a control document, so that moves and backups take it along."""

from __future__ import annotations

from datetime import date, timedelta

import orjson
import structlog

from hub.model import times
from hub.store.ports import Batch, Document, DocumentWrite, Store

HORIZON = ("ledger", "horizon")
"""The control document with the first day that is kept, as JSON."""


def kept_since(value: bytes | None) -> int:
    """Return the first day (since the epoch, UTC) that the ledger keeps, from the horizon's value if there is one."""
    return int(orjson.loads(value)) if value is not None else 0


class Retention:
    """Forgets what is older than so many days, once a day.

    Args:
        store: whose ledger. days: how many are kept; 0 is all.
    """

    def __init__(self, store: Store, days: int) -> None:
        self._store = store
        self._days = days
        self._done = 0

    def run(self) -> bool:
        """Forget what there is to forget now; True if there may be more, which is never."""
        first = times.now() // times.DAY - self._days
        if self._days and first > self._done:
            self._store.forget(first)
            self._done = first
            structlog.get_logger().info("ledger forgotten", before=day_text(first))
        return False


def day_text(day: int) -> str:
    """Return a day (since the epoch) as people write it."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def raise_horizon(store: Store, day: int) -> int:
    """See to it that nothing before a day is kept; return the first day that is.

    Raises:
        Conflict: somebody else does so too.
    """
    there: Document | None = store.document(*HORIZON)
    since = kept_since(there.value if there else None)
    if day <= since:
        return since
    store.commit(Batch(documents=[DocumentWrite(*HORIZON, orjson.dumps(day), there.version if there else 0)]))
    return day
