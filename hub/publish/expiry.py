"""Indicators whose time is over go once more, revoked, where the hub publishes.

STIX says that whoever has an indicator stops using it at ``valid_until``. Many do not look. So some time later, when
nobody has prolonged it, it goes the way of all that leaves (`hub.publish.retraction`).
"""

from __future__ import annotations

from hub.model import times
from hub.publish.retraction import Retraction
from hub.store.ports import Scope, SearchQuery, Store
from hub.store.query import And, Compare

_PAGE = 1000


class Expiry:
    """Ends indicators.

    Args:
        store: the hub's. retraction: takes them back.
        grace: microseconds after ``valid_until`` in which a newer version can still prolong the indicator.
    """

    def __init__(self, store: Store, retraction: Retraction, grace: int) -> None:
        self._store = store
        self._retraction = retraction
        self._grace = grace

    def sweep(self) -> bool:
        """Take back some of those whose time is over; return whether there were any.

        Only the latest version counts, in each collection for itself. What is taken back is found no more, so being
        killed costs nothing.
        """
        over = And((Compare("valid_until", None, times.now() - self._grace), Compare("revoked", 0, 0)))
        any_over = False
        for collection in sorted(self._retraction.published):
            page = self._store.search(Scope(None, frozenset((collection,))), SearchQuery(over, limit=_PAGE))
            if page.changes:
                self._retraction.expire(page.changes)
                any_over = True
        return any_over
