"""Farewells: an organisation that leaves a sharing group is told what it may see no more, and nobody else hears of it.

For each object of a published collection that it could see until then, and cannot now, one more version is appended:
with the properties that it knows, revoked, a little newer, and for this organisation alone. Not even the hub itself
sees it, so to everybody else the object is as it was. Where it joins again, the farewells go.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import msgspec

from hub.access.accounts import Accounts
from hub.access.departures import Departure, departures, version_of
from hub.errors import Conflict
from hub.model.audience import Audience, Reader, may
from hub.publish.receipts import last_poll
from hub.publish.retraction import Retraction, revoked_draft
from hub.store.ports import Batch, Change, DocumentWrite, Scope, SearchQuery, Store, Withdrawal
from hub.store.query import Token

SOURCE = "hub:farewell"
"""The source of farewells."""

_SLOTS = ("farewell-slots", "")
_PAGE = 1000
_MILLISECOND = 1000
_Commit = Callable[[Batch], object]
_Key = tuple[str, str, str]
"""Collection, id and specification version."""


class Farewells:
    """Tells organisations what they may see no more.

    Args:
        store, accounts: the hub's. retraction: knows which collections pollers copy.
    """

    def __init__(self, store: Store, accounts: Accounts, retraction: Retraction) -> None:
        self._store = store
        self._accounts = accounts
        self._published = retraction.published

    def run(self) -> bool:
        """Follow the changes of sharing groups since the last call; return whether there were any."""
        found = list(departures(self._store))
        with contextlib.suppress(Conflict):  # somebody else is at it
            for one in found:
                self._follow(one, _While(self._store, one))
        return bool(found)

    def _follow(self, one: Departure, listed: _While) -> None:
        organisation = self._accounts.organisation(one.organisation)
        if organisation is not None and organisation.kind != "city":  # the city sees what groups share anyway
            now = organisation.reader(analyst=False)
            if set(one.after) - set(one.before):
                self._take_back(now, listed.commit)
            self._tell(one, replace(now, groups=frozenset(one.before)), now, listed.commit)
        listed.done()

    def take_back(self) -> None:
        """Withdraw the farewells on objects that were opened again to those who had them."""
        for one in self._accounts.organisations():
            self._take_back(one.reader(analyst=False), self._store.commit)

    def _tell(self, departure: Departure, before: Reader, now: Reader, commit: _Commit) -> None:
        """Append farewells; what was told already is passed over, so that being killed costs nothing."""
        polled = last_poll(self._store, departure.organisation)
        if polled is None or not set(departure.before) - now.groups:
            return
        # What came after the last poll, or after the change, cannot have been pulled: nobody is told of what is new.
        lost = self._lost(before, now, min(departure.at, polled))
        # Even numbers: a revocation for all is one millisecond newer, and farewells may follow on either.
        later = _MILLISECOND * 2 * self._slot(departure.organisation)
        audience = Audience.farewell_to(departure.organisation)
        for portion in _portions(lost):
            drafts = [
                replace(draft, audience=audience)
                for change in self._still_unknown(portion, now)
                # A revocation that it could see it may not have pulled before it left.
                if (draft := revoked_draft(change, SOURCE, later, again=True)) is not None
            ]
            if drafts:
                commit(Batch(drafts=drafts))

    def _lost(self, before: Reader, now: Reader, until: int) -> Mapping[_Key, Change]:
        """Return the newest version of each object that one reader saw at a moment and another does not."""
        lost: dict[_Key, Change] = {}
        after = 0
        while changes := self._store.read_log(after, _PAGE):
            for one in changes:
                if one.date_added >= until:
                    return lost
                key = one.collection, one.id, one.spec_version
                if one.action == "put" and one.collection in self._published and may(before, one.audience).allowed:
                    known = lost.get(key)
                    if known is None or (known.version or 0) < (one.version or 0):
                        lost[key] = one
            lost = {key: one for key, one in lost.items() if not may(now, one.audience).allowed}
            after = changes[-1].position
        return lost

    def _still_unknown(self, lost: Mapping[_Key, Change], now: Reader) -> Iterator[Change]:
        """Yield what the reader has not been told yet, nor sees a newer version of."""
        for collection in {key[0] for key in lost}:
            here = {key: one for key, one in lost.items() if key[0] == collection}
            seen = self._store.get(Scope(now, frozenset((collection,))), {one.id for one in here.values()})
            for one in here.values():
                newest = seen.get(one.id)
                if newest is None or (newest.version or 0) < (one.version or 0):
                    yield one

    def _take_back(self, now: Reader, commit: _Commit) -> None:
        """Withdraw the farewells on objects that the organisation may see again."""
        for collection in sorted(self._published):
            place = frozenset((collection,))
            before: int | None = None
            more = True
            while more:
                page = self._store.search(Scope(now, place), SearchQuery(Token("source", SOURCE), before, _PAGE))
                there = self._store.get(Scope(None, place), {one.id for one in page.changes})
                gone = [
                    Withdrawal(collection, one.id, one.version)
                    for one in page.changes
                    if one.id in there and may(now, there[one.id].audience).allowed
                ]
                if gone:
                    commit(Batch(withdrawals=gone))
                before, more = page.before, page.before is not None

    def _slot(self, organisation: str) -> int:
        """Return the number of an organisation: farewells to two of them need two versions of an object."""
        document = self._store.document(*_SLOTS)
        slots = msgspec.json.decode(document.value, type=list[str]) if document is not None else []
        if organisation not in slots:
            slots.append(organisation)
            version = document.version if document is not None else 0
            self._store.commit(Batch(documents=[DocumentWrite(*_SLOTS, msgspec.json.encode(slots), expect=version)]))
        return slots.index(organisation) + 1


class _While:
    """Commits as long as a change of sharing groups is on the list and nobody else works on it."""

    def __init__(self, store: Store, departure: Departure) -> None:
        self._store = store
        self._departure = departure
        self._version = version_of(store, departure)

    def commit(self, batch: Batch) -> None:
        """Commit, or fail with Conflict."""
        self._store.commit(replace(batch, documents=[*batch.documents, self._departure.going_on(self._version)]))
        self._version = version_of(self._store, self._departure)

    def done(self) -> None:
        """Take it off the list."""
        self._store.commit(Batch(documents=[self._departure.done(self._version)]))


def _portions(lost: Mapping[_Key, Change]) -> Iterator[dict[_Key, Change]]:
    rest = iter(lost.items())
    while portion := dict(itertools.islice(rest, _PAGE)):
        yield portion
