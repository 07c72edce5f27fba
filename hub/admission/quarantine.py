"""The quarantine: input that was refused, kept with reason and place, so that a person can look, mend and replay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from hub.errors import NotFound
from hub.model import times
from hub.model.items import KEPT, BadItem, StixItem
from hub.store.ports import Batch, Document, DocumentWrite, Store

if TYPE_CHECKING:
    from hub.admission.gate import Gate, Receipt

KIND = "quarantine"
LIFE = 90 * times.DAY
"""How long an entry is kept."""


class Entry(msgspec.Struct, frozen=True):
    """One refused item.

    Attributes:
        id: its number for commands: the same input refused again by the same source keeps it.
        at: when it was refused, microseconds UTC. source: where it came from, by account.
        reason: stable code. message: for a person. place: where, in the source and in the item.
        raw: its bytes, cut to `KEPT`. origin: what admission knew of the source, to replay it, or None.
    """

    id: str
    at: int
    source: str
    reason: str
    message: str
    place: str
    raw: bytes
    cut: bool = False
    origin: dict[str, Any] | None = None


def quarantine_write(item: BadItem, *, source: str, origin: dict[str, Any] | None = None) -> DocumentWrite:
    """Return the write that keeps a refused item; to go into the same commit as its accepted neighbours."""
    moment = times.now()
    # The same bytes refused again for the same reason are the same entry: trying again adds nothing.
    name = "\0".join((source, item.reason, item.place)).encode() + b"\0" + item.raw
    id = hashlib.sha256(name).hexdigest()[:16]
    entry = Entry(
        id, moment, source, item.reason, item.message, item.place, item.raw[:KEPT], len(item.raw) > KEPT, origin
    )
    return DocumentWrite(KIND, id, msgspec.json.encode(entry), expires=moment + LIFE)


class Quarantine:
    """What was refused, for people."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, *, limit: int = 1000) -> list[Entry]:
        """Return entries, newest first."""
        found: list[Entry] = []
        after = ""
        while page := self._store.documents(KIND, after=after):
            found += [_entry(document) for document in page]
            after = page[-1].key
        return sorted(found, key=lambda entry: -entry.at)[:limit]

    def show(self, id: str) -> Entry:
        """Return one entry.

        Raises:
            NotFound: there is none.
        """
        document = self._store.document(KIND, id)
        if document is None:
            raise NotFound(f"there is nothing numbered {id} in the quarantine")
        return _entry(document)

    def drop(self, ids: Sequence[str]) -> None:
        """Forget entries.

        Raises:
            NotFound: one is not there; none is forgotten.
        """
        self._store.commit(Batch(documents=[DocumentWrite(KIND, self.show(id).id, None) for id in ids]))

    def replay(self, id: str, gate: Gate, raw: bytes | None = None) -> Receipt:
        """Send an entry through the gate again, mended if ``raw`` is given; it leaves when it is accepted.

        Raises:
            NotFound: there is none, or it was cut and ``raw`` is not given, or it is no STIX object.
        """
        from hub.admission.gate import Origin

        entry = self.show(id)
        if entry.origin is None:
            raise NotFound(f"{id} came from a log or a list, not as an object: mend the source and read it again")
        if entry.cut and raw is None:
            raise NotFound(f"{id} was too large to be kept whole: give the mended object with --file")
        items = [StixItem(entry.raw if raw is None else raw, entry.place)]
        return gate.admit(items, msgspec.convert(entry.origin, Origin), [DocumentWrite(KIND, id, None)])


def _entry(document: Document) -> Entry:
    return msgspec.json.decode(document.value, type=Entry)
