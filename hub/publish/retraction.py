"""What leaves must be seen to leave: objects go once more, revoked, to those who had them.

TAXII 2.1 has no message for "this is gone": a poller that asks for what was added never hears of a removal. So where
the hub publishes, an object that is taken back gets one more version, with the properties that its readers know
already, ``revoked`` set and ``modified`` a little later, for the same audience. Objects that STIX gives no ``revoked``
(SCOs and marking definitions, STIX 2.1 sections 3.2 and 7.2) can only be withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import orjson

from hub.access.accounts import Accounts
from hub.model.audience import TLP, Reader, may
from hub.model.objects import of_object
from hub.model.observables import Observable
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.stix import SCO_TYPES
from hub.model.times import format_timestamp
from hub.model.tokens import tokens_of
from hub.store.ports import Batch, Change, DocumentWrite, Draft, Scope, Store, Withdrawal

SOURCE = "hub:publish"
"""The source of revoked versions."""

_CURSOR = ("cursor", "retraction")
_MILLISECOND = 1000
_PAGE = 1000


def take_back(changes: Iterable[Change]) -> Batch:
    """Return what takes objects back from those who have these versions; nothing for what is revoked already."""
    drafts, gone = [], []
    for change in changes:
        draft = revoked_draft(change)
        if draft is not None:
            drafts.append(draft)
        elif not _can_be_revoked(change):
            gone.append(Withdrawal(change.collection, change.id))
    return Batch(drafts=drafts, withdrawals=gone)


def revoked_draft(change: Change) -> Draft | None:
    """Return a stored version once more, revoked, for its audience; None if it is so already or cannot be."""
    if change.action != "put" or change.version is None or not _can_be_revoked(change):
        return None
    obj = orjson.loads(change.body)
    if obj.get("revoked", False):
        return None
    version = change.version + _MILLISECOND
    text = format_timestamp(version, 6 if version % _MILLISECOND else 3)
    said = msgspec.json.decode(change.body, type=dict[str, msgspec.Raw])
    said |= {"modified": msgspec.Raw(b'"%s"' % text.encode()), "revoked": msgspec.Raw(b"true")}
    observables = _observables(obj)
    audience = change.audience
    extra = {"tlp": [audience.tlp.name.lower().replace("_", "+")], "owner": [audience.owner]}
    body = msgspec.json.encode(said)
    tokens = tokens_of(
        orjson.loads(body), collection=change.collection, source=SOURCE, observables=observables, extra=extra
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
        source=SOURCE,
        observables=tuple(one.key for one in observables),
        tokens=tokens,
        revoked=True,
        confidence=obj.get("confidence"),
    )


class Retraction:
    """Takes objects back from collections that the hub publishes.

    Args:
        store: where they are. accounts: who might have them. published: keys of the collections that pollers copy.
    """

    def __init__(self, store: Store, accounts: Accounts, published: frozenset[str]) -> None:
        self._store = store
        self._accounts = accounts
        self.published = published

    def retract(self, collection: str, ids: Iterable[str], documents: Sequence[DocumentWrite] = ()) -> int:
        """Take objects back from a collection, in one commit with the caller's documents; return how many.

        Doing it again changes nothing.

        Raises:
            Conflict: a document's expectation failed; nothing was taken back.
        """
        found = self._store.get(Scope(None, frozenset((collection,))), ids)
        batch = take_back(found.values())
        if batch.drafts or batch.withdrawals or documents:
            self._store.commit(_with(batch, documents))
        return len(batch.drafts) + len(batch.withdrawals)

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
        # Two that follow at once may move it back: what is read again changes nothing.
        move = DocumentWrite(*_CURSOR, b"%d" % changes[-1].position)
        batch = take_back(self._left_behind(changes))
        self._store.commit(_with(batch, [move]))
        return True

    def _left_behind(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield the versions that readers keep who were shut out by a later one."""
        closed = [
            one
            for one in changes
            if one.action == "put" and one.collection in self.published and one.audience.tlp > TLP.GREEN
        ]
        if not closed:
            return
        readers = set(self._readers())
        for collection in {one.collection for one in closed}:
            here = {one.id: one for one in closed if one.collection == collection}
            found: dict[tuple[str, int | None], Change] = {}
            for reader in readers:
                seen = self._store.get(Scope(reader, frozenset((collection,))), here)
                for id, old in seen.items():
                    new = here[id]
                    if (old.version or 0) < (new.version or 0) and not may(reader, new.audience).allowed:
                        found[id, old.version] = old
            yield from found.values()

    def _readers(self) -> Iterator[Reader]:
        """Yield every kind of reader there is; members differ by organisation, the city's people also by role."""
        yield Reader(organisation="")
        for one in self._accounts.organisations():
            home = one.kind == "city"
            for analyst in (False, True) if home else (False,):
                yield Reader(one.name, frozenset(one.groups), home=home, analyst=analyst)


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
