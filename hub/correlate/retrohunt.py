"""The past under new indicators: a reader of the change log that looks every new key up in the ledger at once.

It only marks (key, day) as touched; `hub.correlate.sightings` does the rest, so hunting twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hub.correlate.index import KeySet
from hub.correlate.marks import CURSOR, REHUNT, done, position_of, position_write, touch
from hub.correlate.matching import Matcher
from hub.errors import Conflict
from hub.store.ports import HUB, Batch, Change, SearchQuery, Store
from hub.store.query import parse

NAME: Final = "retro-hunt"
PAGE: Final = 2000
"""Keys looked up in the ledger together."""

_ATTEMPTS: Final = 20


@dataclass(slots=True)
class HuntReceipt:
    """What a run did: ``keys`` looked up, ``marked`` pairs of key and day found in the ledger."""

    keys: int = 0
    marked: int = 0


class RetroHunt:
    """Looks new indicators up in the ledger."""

    def __init__(self, store: Store, matcher: Matcher) -> None:
        self._store = store
        self._matcher = matcher

    def run(self) -> HuntReceipt:
        """Hunt everything new to the end of the log, and again what logs that were read meanwhile ask for.

        Raises:
            Conflict: other hunters run at the same time and keep winning; they do the work.
        """
        receipt = HuntReceipt()
        for attempt in range(_ATTEMPTS):
            try:
                self._hunt(receipt)
                return receipt
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
        return receipt

    def _hunt(self, receipt: HuntReceipt) -> None:
        requests = self._store.documents(REHUNT)
        cursor = self._store.document(CURSOR, NAME)
        saved = position_of(cursor) if cursor else 0
        position = min([saved, *map(position_of, requests)])
        while page := self._store.match_keys(position, PAGE):
            marks = self._marks(dict.fromkeys(key for _, key in page))
            position = page[-1][0]
            documents = [touch(key, day) for key, day in marks]
            if position > saved:
                documents.append(position_write(CURSOR, NAME, position, expect=cursor.version if cursor else 0))
            if documents:
                self._store.commit(Batch(documents=documents))
            if position > saved:
                cursor = self._store.document(CURSOR, NAME)
                saved = position_of(cursor) if cursor else 0
            receipt.keys += len(page)
            receipt.marked += len(marks)
        for request in requests:
            with suppress(Conflict):  # asked again meanwhile: that is for the next run
                self._store.commit(Batch(documents=[done(request)]))

    def _marks(self, keys: dict[str, None]) -> list[tuple[str, int]]:
        asked = [key for key in keys if not self._matcher.refused(key)]
        rows = self._store.ledger(asked, under=True) if asked else []
        among = KeySet(asked)
        return sorted({(key, row.key.day) for row in rows for key in among.covers(row.key.observable)})


def unmatched(store: Store, *, page: int = 500) -> Iterator[Change]:
    """Yield the live indicators that are stored but never matched, because no single value decides them."""
    query = SearchQuery(parse("type:indicator AND match:no AND revoked:no"), limit=page)
    while True:
        found = store.search(HUB, query)
        yield from found.changes
        if found.before is None:
            return
        query = SearchQuery(query.tree, before=found.before, limit=page)
