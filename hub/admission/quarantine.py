"""The quarantine: input that was refused, kept with reason and place, so that a person can look, mend and replay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from hub.admission.origin import Origin
from hub.errors import NotFound, Refused
from hub.model import times
from hub.model.items import KEPT, BadItem, IndicatorItem, StixItem
from hub.store.ports import Batch, Document, DocumentWrite, Store

if TYPE_CHECKING:
    from hub.admission.gate import Gate, Receipt

KIND = "quarantine"
LIFE = 90 * times.DAY
"""How long an entry is kept."""
_LONGEST = 1000


class Entry(msgspec.Struct, frozen=True):
    """One refused item.

    Attributes:
        id: its number for commands: the same input refused again by the same source keeps it.
        at: when it was refused, microseconds UTC. source: where it came from, by account.
        reason: stable code. message: for a person. place: where, in the source and in the item.
        raw: its bytes, cut to `KEPT`; ``cut`` says so.
        origin: what admission knew of the source, to replay it, or None. object, value: the item itself but its bytes,
            or None: what came from a log, or could not even be cut, is not replayed.
    """

    id: str
    at: int
    source: str
    reason: str
    message: str
    place: str
    raw: bytes
    cut: bool = False
    origin: Origin | None = None
    object: StixItem | None = None
    value: IndicatorItem | None = None


def quarantine_write(item: BadItem, *, source: str) -> DocumentWrite:
    """Return the write that keeps what could not be read; to go into the same commit as its accepted neighbours."""
    return _write(_entry(source, item.reason, item.message, item.place, item.raw))


def refusal_write(item: StixItem | IndicatorItem, fault: Refused, origin: Origin) -> DocumentWrite:
    """Return the write that keeps an item that admission refused, with all that is needed to replay it."""
    entry = msgspec.structs.replace(
        _entry(origin.source, fault.reason, fault.message, item.place, item.raw),
        place=_writable(" ".join(part for part in (item.place, fault.place) if part)),
        origin=origin,
    )
    if isinstance(item, StixItem):
        return _write(msgspec.structs.replace(entry, object=replace(item, place=_writable(item.place), raw=b"")))
    try:
        return _write(msgspec.structs.replace(entry, value=replace(item, raw=b"")))
    except UnicodeEncodeError:
        return _write(entry)  # half a surrogate pair in what the source said: it can be shown, not replayed


def _entry(source: str, reason: str, message: str, place: str, raw: bytes) -> Entry:
    place = _writable(place)
    # The same bytes refused again for the same reason are the same entry: trying again adds nothing.
    id = hashlib.sha256("\0".join((source, reason, place)).encode() + b"\0" + raw).hexdigest()[:16]
    return Entry(id, times.now(), source, reason, _writable(message), place, raw[:KEPT], len(raw) > KEPT)


def _writable(text: str) -> str:
    return text[:_LONGEST].encode(errors="replace").decode()


def _write(entry: Entry) -> DocumentWrite:
    return DocumentWrite(KIND, entry.id, msgspec.json.encode(entry), expires=entry.at + LIFE)


class Quarantine:
    """What was refused, for people."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, *, limit: int = 1000) -> list[Entry]:
        """Return entries, newest first."""
        found: list[Entry] = []
        after = ""
        while page := self._store.documents(KIND, after=after):
            found += [_read(document) for document in page]
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
        return _read(document)

    def drop(self, ids: Sequence[str]) -> None:
        """Forget entries.

        Raises:
            NotFound: one is not there; none is forgotten.
        """
        self._store.commit(Batch(documents=[DocumentWrite(KIND, self.show(id).id, None) for id in ids]))

    def replay(self, id: str, gate: Gate, raw: bytes | None = None) -> Receipt:
        """Send an entry through the gate again; it leaves the quarantine, or comes back with its new reason.

        Args:
            id: which. gate: what it goes through. raw: the mended object, or for a value from a list the mended value.

        Raises:
            NotFound: there is none, or it cannot be replayed as it is.
        """
        entry = self.show(id)
        if entry.origin is None or (entry.object is None and entry.value is None):
            raise NotFound(f"{id} could not be read as one item: mend the source and read it again")
        if entry.cut and raw is None:
            raise NotFound(f"{id} was too large to be kept whole: give the mended object with --file")
        if entry.object is not None:
            item: StixItem | IndicatorItem = replace(entry.object, raw=entry.raw if raw is None else raw)
        elif entry.value is not None:
            item = replace(entry.value, raw=entry.raw)
            if raw is not None:
                item = replace(item, value=raw.decode(errors="replace").strip())
        return gate.admit([item], entry.origin, [DocumentWrite(KIND, id, None)])


def _read(document: Document) -> Entry:
    return msgspec.json.decode(document.value, type=Entry)
