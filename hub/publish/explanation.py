"""Why an account sees an object, or does not; and what a partner would get.

Nothing is decided here. What an account gets is what the store gives for its scope; the reasons are those of the
functions that make the scope: `Collections.decide`, `hub.model.audience.may`, `hub.admission.levels.Levels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.access.principal import Principal
from hub.admission.levels import Level, Levels
from hub.admission.provenance import references
from hub.admission.readdressing import Readdressed, last_readdressed
from hub.errors import NotFound
from hub.model.audience import TLP, Audience, Decision, may
from hub.publish.collections import Collection, Collections
from hub.store.ports import HUB, Change, ManifestEntry, PageQuery, Scope, Store

_PORTION = 1000
_NOWHERE = "no version of it is stored: it never came, was refused, or was withdrawn"


@dataclass(frozen=True, slots=True)
class Access:
    """What an account may do with a collection, and why."""

    collection: str
    know: Decision
    read: Decision
    write: Decision


@dataclass(frozen=True, slots=True)
class Marking:
    """A marking on an object: what it restricts as it stands now, and who says so."""

    id: str
    level: Level
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One stored version.

    Attributes:
        collection, version, spec_version, position, date_added (microseconds), source: of the change.
        audience: the one it was stored with. markings: those on it; empty: the source's default counted.
        members: others' stricter objects that it refers to, for whose sake it may have been narrowed.
        read, block: whether its audience lets the account look at it, and put it into a list that a firewall obeys.
        got: whether the account gets it from the store, which also wants the right to read the collection.
    """

    collection: str
    version: str
    spec_version: str
    position: int
    date_added: int
    source: str
    audience: Audience
    markings: tuple[Marking, ...]
    members: tuple[str, ...]
    read: Decision
    block: Decision
    got: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an account may do with an object: the answers, and all that they follow from.

    Attributes:
        principal: the account. id: of the object.
        collections: those that carry it. versions: all that are stored, in order of arrival.
        read, block: the answers. readdressed: how it was tightened or loosened last, if it was.
    """

    principal: Principal
    id: str
    collections: tuple[Access, ...]
    versions: tuple[Seen, ...]
    read: Decision
    block: Decision
    readdressed: Readdressed | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """An object of a preview: the version that the account gets, or the newest of those it does not, and why."""

    change: Change
    why: str


@dataclass(frozen=True, slots=True)
class Portion:
    """What an account gets from one collection: number of objects, and of those that it holds for others."""

    access: Access
    got: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What an account would get: per collection, with a first page, and a first page of what it would not."""

    portions: tuple[Portion, ...]
    got: tuple[Sample, ...]
    hidden: tuple[Sample, ...]


class Explainer:
    """Explains the hub's decisions to those who run it; it tells all, so it is not for the accounts themselves.

    Args:
        store, collections: the hub's. home: the city's organisation.
    """

    def __init__(self, store: Store, collections: Collections, home: str) -> None:
        self._store = store
        self._collections = collections
        self._levels = Levels(store, home)

    def explain(self, principal: Principal, id: str) -> Explanation:
        """Say what an account may do with an object, also with one that does not exist."""
        got = {one.position: one for one in self._store.history(self._collections.scope(principal), id)}
        # The hub itself does not see farewells: what only this account gets is among its own.
        stored = {one.position: one for one in self._store.history(HUB, id)} | got
        changes = [stored[position] for position in sorted(stored)]
        versions = tuple(self._seen(principal, one, one.position in got) for one in changes)
        carrying = dict.fromkeys(one.collection for one in changes)
        accesses = tuple(self._access(principal, key) for key in carrying)
        blocked = self._store.history(self._collections.scope(principal, "block"), id)
        return Explanation(
            principal,
            id,
            accesses,
            versions,
            _answer(versions, accesses, bool(got), "read"),
            _answer(versions, accesses, bool(blocked), "block"),
            last_readdressed(self._store, id),
        )

    def preview(
        self, principal: Principal, *, collection: str = "", type: str = "", hidden: bool = False, limit: int = 20
    ) -> Preview:
        """Say what an account would get from every collection that it may read.

        Args:
            principal: the account. collection: only this one. type: only objects of this STIX type.
            hidden: also list what it would not get. limit: objects in a list at most.

        Raises:
            NotFound: there is no such collection.
        """
        named = [one for one in self._collections if collection in ("", one.key)]
        if not named:
            raise NotFound(f"there is no collection {collection}; `threathub collection list` shows all")
        scope = self._collections.scope(principal)
        portions: list[Portion] = []
        got: list[Sample] = []
        kept: list[Sample] = []
        for one in named:
            seen, all_ = self._count(scope, one, type), self._count(HUB, one, type)
            portions.append(Portion(self._access(principal, one.key), seen, all_ - seen))
            if len(got) < limit:
                got += self._page(principal, scope, one, type, limit - len(got))
            if hidden and len(kept) < limit and all_ > seen:
                kept += self._hidden(principal, scope, one, type, limit - len(kept))
        return Preview(tuple(portions), tuple(got), tuple(kept))

    def _access(self, principal: Principal, key: str) -> Access:
        if key not in {one.key for one in self._collections}:
            no = Decision(False, "the collection is not declared any more")
            return Access(key, no, no, no)
        one = self._collections[key]
        decide = self._collections.decide
        return Access(
            key, decide(principal, one, "know"), decide(principal, one, "read"), decide(principal, one, "write")
        )

    def _seen(self, principal: Principal, change: Change, got: bool) -> Seen:
        obj = orjson.loads(change.body)
        told = self._levels.told(obj, change.audience.owner)
        return Seen(
            change.collection,
            change.version_text,
            change.spec_version,
            change.position,
            change.date_added,
            change.source,
            change.audience,
            tuple(Marking(id, level, why) for id, (level, why) in told.items()),
            self._members(obj, change.audience.owner),
            may(principal.reader, change.audience),
            may(principal.reader, change.audience, "block"),
            got,
        )

    def _members(self, obj: Mapping[str, Any], owner: str) -> tuple[str, ...]:
        named = set(references(obj))
        found = self._store.get(HUB, named) if named else {}
        stricter = (id for id, one in found.items() if one.audience.tlp > TLP.GREEN and one.audience.owner != owner)
        return tuple(sorted(stricter))

    def _count(self, scope: Scope, collection: Collection, type: str) -> int:
        if scope.collections is not None and collection.key not in scope.collections:
            return 0
        if not type:
            alone = Scope(scope.reader, frozenset((collection.key,)), scope.purpose)
            return self._store.tally(alone).get(collection.key, 0)
        return sum(1 for _ in self._entries(scope, collection, type))

    def _entries(self, scope: Scope, collection: Collection, type: str) -> Iterator[ManifestEntry]:
        types, after, more = frozenset((type,) if type else ()), 0, True
        while more:
            query = PageQuery(collection.key, after, types=types, limit=_PORTION)
            page = self._store.read_manifest(scope, query)
            yield from page.entries
            after, more = page.last, page.more

    def _page(
        self, principal: Principal, scope: Scope, collection: Collection, type: str, limit: int
    ) -> Iterator[Sample]:
        for entry, _ in zip(self._entries(scope, collection, type), range(limit), strict=False):
            change = next((one for one in self._store.history(scope, entry.id) if one.position == entry.position), None)
            if change is not None:
                yield Sample(change, may(principal.reader, change.audience).reason)

    def _hidden(
        self, principal: Principal, scope: Scope, collection: Collection, type: str, limit: int
    ) -> Iterator[Sample]:
        """Yield what the collection holds and the account gets no version of, with the reason."""
        reading = self._collections.decide(principal, collection, "read")
        for entry in self._entries(HUB, collection, type):
            if limit <= 0:
                return
            versions = [one for one in self._store.history(HUB, entry.id) if one.collection == collection.key]
            seen = self._store.history(scope, entry.id)
            if not versions or any(one.collection == collection.key for one in seen):
                continue
            limit -= 1
            yield Sample(
                versions[-1], may(principal.reader, versions[-1].audience).reason if reading.allowed else reading.reason
            )


def _answer(versions: tuple[Seen, ...], accesses: tuple[Access, ...], got: bool, purpose: str) -> Decision:
    """Word the store's answer with the reason that decided it."""
    if not versions:
        return Decision(False, _NOWHERE)
    readable = {one.collection: one.read for one in accesses}
    reached = [one for one in versions if readable[one.collection].allowed]
    if not reached:
        collection, reading = next(iter(readable.items()))
        return Decision(got, f"{collection}: {reading.reason}")
    decisions = [(one, one.read if purpose == "read" else one.block) for one in reached]
    one, decision = next((pair for pair in reversed(decisions) if pair[1].allowed is got), decisions[-1])
    return Decision(got, f"{one.collection}, version {one.version}: {decision.reason}")
