"""Moving a whole store into another one, of the same engine or not, so that its readers notice nothing.

Positions, dates and the versions of documents stay as they are: a poller half-way through its pages, a feed's cursor
and a lease go on in the new store where they were in the old one. A move that was interrupted goes on where it ended;
at its end both stores are read once more and compared, record by record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple, Protocol, TypeVar

import msgspec

from hub.errors import Conflict, StoreCorrupt
from hub.store.ports import Batch, DocumentWrite, Draft, LedgerRow, Store

MARK = ("moving", "target")
"""The control document that a store has while it is being filled; it must not be used before it is gone."""

PORTION = 1000
"""Records that are written at a time."""

Part = Literal["changes", "ledger", "documents"]
PARTS: tuple[Part, ...] = ("changes", "ledger", "documents")


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One entry of the change log, with all that a store keeps of it.

    Attributes:
        position, date_added: its place.
        state: ``live``; ``removed`` (withdrawn since, without content); ``removal``: the note of a withdrawal.
        draft: what was committed; observables and tokens are sorted, both empty for what is not live.
        every_version: of a removal, that it took all versions.
    """

    position: int
    date_added: int
    state: Literal["live", "removed", "removal"]
    draft: Draft
    every_version: bool = False


class StoredDocument(NamedTuple):
    """A control document with its version and, in microseconds or None, when it may be forgotten."""

    kind: str
    key: str
    version: int
    value: bytes
    expires: int | None


class Extent(NamedTuple):
    """How much a store holds, and the counters that it goes on counting from."""

    changes: int
    ledger: int
    documents: int
    position: int
    date_added: int
    document_version: int


@dataclass(frozen=True, slots=True)
class Portion:
    """Records to be written as they are, in one transaction.

    Attributes:
        changes, ledger, documents: in the order in which a `Snapshot` gives them.
        document_version: the number that the versions of later documents go on from.
    """

    changes: Sequence[StoredChange] = ()
    ledger: Sequence[LedgerRow] = ()
    documents: Sequence[StoredDocument] = ()
    document_version: int = 0


class Snapshot(Protocol):
    """One moment of a store, however long it is read. Marks are texts that only the engine understands."""

    def extent(self) -> Extent:
        """Return how much there is; the mark of a move does not count."""
        ...

    def changes(self, after: int) -> Iterator[StoredChange]:
        """Yield the change log behind a position, without gaps."""
        ...

    def ledger(self, after: str) -> Iterator[LedgerRow]:
        """Yield ledger rows behind an observable's canonical key, in one order that every engine keeps."""
        ...

    def documents(self, after: tuple[str, str]) -> Iterator[StoredDocument]:
        """Yield control documents behind (kind, key) in that order, without the mark of a move."""
        ...


class Progress(Protocol):
    """Told how far a move is."""

    def __call__(self, part: Part, done: int, of: int, /) -> None:
        """So many records of a part are written or compared, of so many."""
        ...


class Movable(Store, Protocol):
    """A store that can be moved out of and into."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Hold one moment of the store for reading it whole."""
        ...

    def receive(self, portion: Portion) -> None:
        """Write records as they are; those that are there already are passed over."""
        ...

    def upgrade(self, progress: Progress) -> bool:
        """Bring what holds the data to the form of this program and of the settings, while readers and writers go on.

        One that was interrupted goes on when it is asked for again.

        Returns:
            Whether there was anything to do.

        Raises:
            Conflict: one to another form is not finished. StoreCorrupt: the new form does not hold what the old does.
        """
        ...

    def abandon_upgrade(self) -> bool:
        """Give up an upgrade that is not finished; say whether there was one."""
        ...


_Record = TypeVar("_Record", StoredChange, LedgerRow, StoredDocument)
_encode = msgspec.msgpack.Encoder().encode


class _Marked(msgspec.Struct):
    """What the mark says: which moment of which store is being copied."""

    extent: Extent


def move(source: Movable, target: Movable, progress: Progress = lambda *_: None) -> Extent:
    """Copy everything from one store into another that is empty, or go on with a copy that was interrupted.

    Nobody may write to either meanwhile; what was written to the source is noticed.

    Returns:
        What was moved.

    Raises:
        Conflict: the target holds something else, or the source went on since the move began.
        StoreCorrupt: the copy is not equal to its source.
    """
    extent = _copied(source, target, progress)
    with source.snapshot() as snapshot:
        if snapshot.extent() != extent:
            raise Conflict("the source was written to meanwhile: stop its hub, empty the target and begin again")
    _finish(target)
    return extent


def copy_snapshot(source: Movable, target: Movable) -> None:
    """Copy one moment of a store into another that is empty, while writers go on in the source.

    Raises:
        Conflict: the target holds something. StoreCorrupt: the copy is not equal to its source.
    """
    _copied(source, target, lambda *_: None)
    _finish(target)


def _copied(source: Movable, target: Movable, progress: Progress) -> Extent:
    with source.snapshot() as snapshot:
        extent = snapshot.extent()
        _claim(target, extent)
        _copy(snapshot, target, extent, progress)
        with target.snapshot() as copied:
            _compare(snapshot, copied, extent, progress)
    return extent


def _finish(target: Movable) -> None:
    # The versions of documents rise by this one write; nobody expects an exact one.
    target.commit(_batch(None))


def _claim(target: Movable, extent: Extent) -> None:
    """Mark the target as being filled from this moment of the source."""
    mark = target.document(*MARK)
    if mark is not None:
        if msgspec.json.decode(mark.value, type=_Marked).extent != extent:
            raise Conflict("the source is not as it was when this move began: empty the target and begin again")
        return
    with target.snapshot() as found:
        if any(found.extent()):
            raise Conflict("the target holds data already: name an empty store")
    target.commit(_batch(msgspec.json.encode(_Marked(extent))))


def _copy(snapshot: Snapshot, target: Movable, extent: Extent, progress: Progress) -> None:
    with target.snapshot() as there:
        done = there.extent()
    written = done.changes
    for changes in _portions(snapshot.changes(done.position)):
        target.receive(Portion(changes=changes))
        written += len(changes)
        progress("changes", written, extent.changes)
    for number, rows in _counted(_portions(snapshot.ledger(""))):
        target.receive(Portion(ledger=rows))
        progress("ledger", number, extent.ledger)
    for number, documents in _counted(_portions(snapshot.documents(("", "")))):
        target.receive(Portion(documents=documents))
        progress("documents", number, extent.documents)
    target.receive(Portion(document_version=extent.document_version))


def _compare(source: Snapshot, target: Snapshot, extent: Extent, progress: Progress) -> None:
    copied = target.extent()
    if copied[:5] != extent[:5]:
        raise StoreCorrupt("the copy does not hold as much as its source: empty the target and begin again")
    for part in PARTS:
        if _digest(source, part, extent, progress) != _digest(target, part, extent, progress):
            raise StoreCorrupt(f"the {part} of the copy differ from the source's: empty the target and begin again")


def _digest(snapshot: Snapshot, part: Part, extent: Extent, progress: Progress) -> bytes:
    records: Iterable[StoredChange | LedgerRow | StoredDocument]
    match part:
        case "changes":
            records, number = snapshot.changes(0), extent.changes
        case "ledger":
            records, number = snapshot.ledger(""), extent.ledger
        case "documents":
            records, number = snapshot.documents(("", "")), extent.documents
    digest = hashlib.sha256()
    for done, record in enumerate(records, 1):
        digest.update(_encode(record))
        if done % PORTION == 0:
            progress(part, done, number)
    return digest.digest()


def _portions(records: Iterator[_Record]) -> Iterator[list[_Record]]:
    while portion := list(islice(records, PORTION)):
        yield portion


def _counted(portions: Iterator[list[_Record]]) -> Iterator[tuple[int, list[_Record]]]:
    done = 0
    for portion in portions:
        done += len(portion)
        yield done, portion


def _batch(mark: bytes | None) -> Batch:
    return Batch(documents=[DocumentWrite(*MARK, mark)])
