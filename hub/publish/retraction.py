"""What leaves must be seen to leave: objects go once more, revoked, to those who had them.

TAXII 2.1 has no message for "this is gone": a poller that asks for what was added never hears of a removal. So where
the hub publishes, an object that is taken back gets one more version, with the properties that its readers know
already, ``revoked`` set and ``modified`` a little later, for the same audience. Objects that STIX gives no ``revoked``
(SCOs and marking definitions, STIX 2.1 sections 3.2 and 7.2) can only be withdrawn. A STIX 2.0 copy that is kept beside
its 2.1 twin goes the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import msgspec
import orjson

from hub.admission.mint import EXPIRED
from hub.errors import Conflict
from hub.model.audience import TLP, Reader, may
from hub.model.objects import of_object
from hub.model.observables import Observable
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.stix import SCO_TYPES
from hub.model.times import format_timestamp, parse_timestamp
from hub.model.tokens import tokens_of
from hub.store.ports import (
    Batch,
    Change,
    DocumentWrite,
    Draft,
    PageQuery,
    Scope,
    Store,
    Versions,
    Withdrawal,
)

SOURCE = "hub:publish"
"""The source of revoked versions."""

_CURSOR = ("cursor", "retraction")
_MILLISECOND = 1000
_PAGE = 1000
_OLDER = frozenset({"2.0"})


def take_back(changes: Iterable[Change], *, expired: bool = False) -> Batch:
    """Return what takes objects back from those who have these versions; nothing for what is revoked already.

    With ``expired`` the revoked versions say that nobody took them back: their time was over (`hub.admission.mint`).
    """
    drafts, gone = [], []
    for change in changes:
        draft = revoked_draft(change, EXPIRED + change.source if expired else SOURCE)
        if draft is not None:
            drafts.append(draft)
        elif not _can_be_revoked(change):
            gone.append(Withdrawal(change.collection, change.id))
    return Batch(drafts=drafts, withdrawals=gone)


def revoked_draft(
    change: Change, source: str = SOURCE, later: int = _MILLISECOND, *, again: bool = False
) -> Draft | None:
    """Return a stored version once more, revoked, for its audience; None if it is so already or cannot be.

    Args:
        change: the version. source: of the new one. later: microseconds that it is newer.
        again: also what is revoked already.
    """
    if change.action != "put" or change.version is None or not _can_be_revoked(change):
        return None
    obj = orjson.loads(change.body)
    if obj.get("revoked", False) and not again:
        return None
    version = change.version + later
    text = format_timestamp(version, 6 if version % _MILLISECOND else 3)
    said = msgspec.json.decode(change.body, type=dict[str, msgspec.Raw])
    said |= {"modified": msgspec.Raw(b'"%s"' % text.encode()), "revoked": msgspec.Raw(b"true")}
    observables = _observables(obj) if change.spec_version not in _OLDER else ()
    audience = change.audience
    extra = {"tlp": [audience.tlp.name.lower()], "owner": [audience.owner]}
    body = msgspec.json.encode(said)
    tokens = tokens_of(
        orjson.loads(body), collection=change.collection, source=source, observables=observables, extra=extra
    )
    return Draft(
        collection=change.collection,
        id=change.id,
        type=change.type,
        spec_version=change.spec_version,
        version=version,
        version_text=text,
        body=body,
        audience=audience,
        source=source,
        observables=tuple(one.key for one in observables),
        # As the gate does it: a 2.0 copy is found by its 2.1 twin.
        tokens=tokens if change.spec_version not in _OLDER else (),
        revoked=True,
        confidence=obj.get("confidence"),
    )


class Retraction:
    """Takes objects back from collections that the hub publishes.

    Args:
        store: where they are. published: keys of the collections that pollers copy.
    """

    def __init__(self, store: Store, published: frozenset[str]) -> None:
        self._store = store
        self.published = published

    def retract(self, collection: str, ids: Iterable[str], documents: Sequence[DocumentWrite] = ()) -> int:
        """Take objects back from a collection, in one commit with the caller's documents; return how many.

        Doing it again changes nothing.

        Raises:
            Conflict: a document's expectation failed; nothing was taken back.
        """
        found = self._store.get(Scope(None, frozenset((collection,))), ids)
        batch = take_back(self._with_twins(found.values()))
        if batch.drafts or batch.withdrawals or documents:
            self._store.commit(_with(batch, documents))
        return len(batch.drafts) + len(batch.withdrawals)

    def expire(self, changes: Sequence[Change]) -> None:
        """Take back these very versions because their time is over; one that is no longer the latest does no harm."""
        batch = take_back(self._with_twins(changes), expired=True)
        if batch.drafts:
            self._store.commit(batch)

    def follow(self) -> bool:
        """Read on in the change log and take back what somebody has an older version of, and may see no more.

        Returns:
            Whether there was anything to read.
        """
        cursor = self._store.document(*_CURSOR)
        after = int(cursor.value) if cursor is not None else 0
        changes = self._store.read_log(after, _PAGE)
        if not changes:
            return False
        move = DocumentWrite(*_CURSOR, b"%d" % changes[-1].position, expect=cursor.version if cursor is not None else 0)
        batch = take_back(self._with_twins(self._left_behind(changes)))
        with contextlib.suppress(Conflict):  # somebody else has read on
            self._store.commit(_with(batch, [move]))
        return True

    def _with_twins(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield changes, and with each the STIX 2.0 copy of the same version that lies beside it."""
        listed = list(changes)
        yield from listed
        for collection in {one.collection for one in listed}:
            here = {(one.id, one.version): one for one in listed if one.collection == collection}
            for body in self._older(collection, here):
                obj = orjson.loads(body)
                twin = here.get((obj["id"], parse_timestamp(obj["modified"]) if "modified" in obj else 0))
                if twin is not None and twin.spec_version not in _OLDER:
                    yield replace(twin, spec_version="2.0", body=body)

    def _older(self, collection: str, wanted: Iterable[tuple[str, int | None]]) -> Iterator[bytes]:
        """Yield the STIX 2.0 copies of objects that have one of the versions."""
        keys = list(wanted)
        exact = Versions(last=False, exact=frozenset(version or 0 for _, version in keys))
        after, more = 0, True
        while more:
            query = PageQuery(
                collection, after, ids=frozenset(id for id, _ in keys), spec_versions=_OLDER, versions=exact
            )
            page = self._store.read_objects(Scope(None, frozenset((collection,))), query)
            yield from map(bytes, msgspec.json.decode(b"[%b]" % page.joined, type=list[msgspec.Raw]))
            after, more = page.last, page.more

    def _left_behind(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield the versions that readers keep who were shut out by a later one."""
        closed = [
            one
            for one in changes
            if one.action == "put"
            and one.collection in self.published
            and one.audience.tlp > TLP.GREEN
            and not one.audience.is_farewell
        ]
        found: dict[tuple[str, str, int | None], Change] = {}
        for collection, id in {(one.collection, one.id) for one in closed}:
            history = self._store.history(Scope(None, frozenset((collection,))), id)
            for old in _kept(history):
                found[collection, id, old.version] = old
        yield from found.values()


def _kept(history: Sequence[Change]) -> Iterator[Change]:
    """Yield the versions that somebody has as the latest who may not see the latest of all."""
    newest = max(history, key=_age, default=None)
    for reader in _readers(history) if newest is not None else ():
        seen = max((one for one in history if may(reader, one.audience).allowed), key=_age, default=None)
        if newest is not None and seen is not None and (seen.version or 0) < (newest.version or 0):
            yield seen


def _age(change: Change) -> tuple[str, int, int]:
    return change.spec_version, change.version or 0, change.position


def _readers(history: Iterable[Change]) -> set[Reader]:
    """Return every kind of reader that the audiences of an object tell apart.

    Whether there is one just now does not matter: who joins a group tomorrow must not find what was taken from it.
    """
    audiences = {one.audience for one in history}
    members = {name for audience in audiences for name in audience.groups}
    return {
        Reader(""),
        Reader("", home=True),
        Reader("", home=True, analyst=True),
        *(Reader(audience.owner) for audience in audiences),
        *(Reader("", frozenset((name,))) for name in members),
    }


def _with(batch: Batch, documents: Sequence[DocumentWrite]) -> Batch:
    return Batch(drafts=batch.drafts, withdrawals=batch.withdrawals, documents=documents)


def _can_be_revoked(change: Change) -> bool:
    return change.type not in SCO_TYPES and change.type != "marking-definition"


def _observables(obj: dict[str, object]) -> tuple[Observable, ...]:
    if obj["type"] != "indicator":
        return of_object(obj)
    try:
        return read_pattern(str(obj["pattern"])).observables if obj.get("pattern_type", "stix") == "stix" else ()
    except PatternRefused:
        return ()
