"""The audit log: who did what, from where, with what result. Entries are only ever added, each bound to the last.

An entry is a control document on a running number, which must not exist yet; its text carries the SHA-256 of the text
of the entry before it. A second document, the head, carries the number and digest of the last entry and is written in
the same commit, so several processes chain safely: whoever read an old head fails and reads again. Changing, removing
or inserting an entry breaks the chain at that place; cutting off its end, or replacing the whole of it, shows against
a head that was written down elsewhere (`Audit.verify` takes it).

What is done by one store commit is audited in that very commit (`Audit.record` with a batch). Secrets never get here.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from hub.errors import Conflict, StoreCorrupt
from hub.model import times
from hub.store.ports import Batch, Document, DocumentWrite, Store

_KIND = "audit"
_HEAD = "audit-head"
_BEGINNING = "0" * 64
_LONGEST = 200
_PORTION = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        number: counts from 1 without a gap. at: microseconds UTC, by the clock of the process that wrote it.
        who: the account, ``local:NAME`` for a person at the command line. where: network address, or ``local``.
        action: what was done: ``user.add``, ``objects.post``. target: what to. result: ``done`` or an error's code.
        details: more to know of it. before: digest of the entry before, 64 zeros for the first.
    """

    number: int
    at: int
    who: str
    where: str
    action: str
    target: str
    result: str
    details: dict[str, str]
    before: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: number and digest of the last entry."""

    number: int = 0
    digest: str = _BEGINNING


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to list; what is empty or 0 does not matter.

    Attributes:
        who, where, result: exactly. action, target: beginnings. about: anywhere in target or details, in any case.
        since, until: from and before this moment, microseconds UTC.
    """

    who: str = ""
    where: str = ""
    action: str = ""
    target: str = ""
    result: str = ""
    about: str = ""
    since: int = 0
    until: int = 0

    def fits(self, entry: Entry) -> bool:
        """Say whether an entry is wanted."""
        return (
            self.who in ("", entry.who)
            and self.where in ("", entry.where)
            and entry.action.startswith(self.action)
            and entry.target.startswith(self.target)
            and self.result in ("", entry.result)
            and self.about.lower() in "\n".join((entry.target, *entry.details.values())).lower()
            and entry.at >= self.since
            and (not self.until or entry.at < self.until)
        )


@dataclass(frozen=True)
class Audit:
    """The audit log of a store, as one process writes it.

    Attributes:
        store: where it is kept. who, where: what entries say when a call does not: whose process it is.
    """

    store: Store
    who: str = "hub"
    where: str = "local"
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def record(
        self,
        action: str,
        target: str = "",
        *,
        result: str = "done",
        who: str = "",
        where: str = "",
        details: Mapping[str, object] | None = None,
        batch: Batch | None = None,
    ) -> Entry:
        """Add an entry, in one commit with what it tells of when that is given as a batch.

        Raises:
            Conflict: the batch's own; neither it nor the entry was written.
        """
        batch = batch or Batch()
        told = {name: _short(value) for name, value in (details or {}).items()}
        with self._turn:
            while True:
                head, version = self._head()
                entry = Entry(
                    head.number + 1,
                    times.now(),
                    _short(who or self.who),
                    _short(where or self.where),
                    action,
                    _short(target),
                    result,
                    told,
                    head.digest,
                )
                text = msgspec.json.encode(entry)
                chained = (
                    DocumentWrite(_KIND, _key(entry.number), text, expect=0),
                    DocumentWrite(_HEAD, "", msgspec.json.encode(Head(entry.number, _digest(text))), expect=version),
                )
                try:
                    self.store.commit(_with(batch, chained))
                except Conflict:
                    if self._head()[1] == version:
                        raise
                else:
                    return entry

    def head(self) -> Head:
        """Return where the log ends now."""
        return self._head()[0]

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, the oldest first."""
        return (msgspec.json.decode(document.value, type=Entry) for document in self._documents())

    def newest(self, wanted: Wanted | None = None) -> Iterator[Entry]:
        """Yield entries that are wanted, the newest first."""
        wanted = wanted or Wanted()
        end = self.head().number
        while end > 0:
            start = max(end - _PORTION, 0)
            page = self.store.documents(_KIND, after=_key(start), limit=end - start)
            for document in reversed(page):
                entry = msgspec.json.decode(document.value, type=Entry)
                if wanted.fits(entry):
                    yield entry
            end = start

    def verify(self, known: Head | None = None) -> Head:
        """Check every link from the first to the head, and that the log went on from a ``known`` one.

        Raises:
            StoreCorrupt: the log was tampered with; the message names the first entry that is not as it was written.
        """
        head = self.head()
        number, digest = 0, _BEGINNING
        for document in self._documents():
            entry = _entry(document)
            if document.key != _key(number + 1):
                raise StoreCorrupt(f"audit entry {number + 1} is missing")
            if entry is None or entry.number != number + 1:
                raise StoreCorrupt(f"audit entry {number + 1} was changed: it cannot be read")
            if entry.before != digest:
                raise StoreCorrupt(f"audit entry {max(number, 1)} was changed: the next one was written after another")
            number, digest = entry.number, _digest(document.value)
            if number == head.number and digest != head.digest:
                raise StoreCorrupt(f"audit entry {number} was changed: it is not the one that the head names")
            if known is not None and number == known.number and digest != known.digest:
                raise StoreCorrupt(f"audit entry {number} is not the one that was written down elsewhere")
        if number < max(head.number, known.number if known else 0):
            raise StoreCorrupt(f"audit entry {number + 1} is missing: the log once went further")
        if number > self.head().number:
            raise StoreCorrupt(f"audit entry {head.number + 1} is behind the head: the head was changed")
        return head

    def _head(self) -> tuple[Head, int]:
        document = self.store.document(_HEAD, "")
        if document is None:
            return Head(), 0
        try:
            return msgspec.json.decode(document.value, type=Head), document.version
        except msgspec.DecodeError:
            raise StoreCorrupt("the head of the audit log was changed: it cannot be read") from None

    def _documents(self) -> Iterator[Document]:
        after = ""
        while page := self.store.documents(_KIND, after=after, limit=_PORTION):
            yield from page
            after = page[-1].key


def person() -> str:
    """Return who sits at the command line, as entries name him; root's host decides what that name is worth."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):  # in a container the user often has no name
        return f"local:{os.getuid()}"


def _with(batch: Batch, more: tuple[DocumentWrite, ...]) -> Batch:
    return replace(batch, documents=(*batch.documents, *more))


def _entry(document: Document) -> Entry | None:
    try:
        return msgspec.json.decode(document.value, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _key(number: int) -> str:
    return f"{number:012d}"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _short(value: object) -> str:
    # What strangers send (a user name, an id) must neither fill the log nor break it.
    return str(value).encode(errors="replace").decode()[:_LONGEST]
