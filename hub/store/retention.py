"""From which day on a store keeps its ledger: a control document, so that moves and backups take it along."""

from __future__ import annotations

import orjson

from hub.store.ports import Batch, Document, DocumentWrite, Store

HORIZON = ("ledger", "horizon")
"""The control document with the first day that is kept, as JSON."""


def kept_since(value: bytes | None) -> int:
    """Return the first day (since the epoch, UTC) that the ledger keeps, from the horizon's value if there is one."""
    return int(orjson.loads(value)) if value is not None else 0


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
