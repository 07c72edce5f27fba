"""How members, accounts and tokens are kept: control documents, each change told in the audit log in its own commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from hub.access.audit import Audit
from hub.errors import Conflict, NotFound
from hub.store.ports import Batch, Document, DocumentWrite, Store

_TRIES = 5


class Telling(Protocol):
    """What can be kept: it says what the audit log may tell of it."""

    def told(self) -> dict[str, object]:
        """Return what the audit log tells of it: never a secret, a hash or a digest."""
        ...


_One = TypeVar("_One", bound=Telling)


class Kept(Generic[_One]):
    """All documents of one kind.

    Args:
        store, audit: where they are kept, and told of. kind: of the documents, also the word for people.
        of: what a document holds.

    Raises (all methods that write): `Conflict` when somebody else was faster.
    """

    def __init__(self, store: Store, audit: Audit, kind: str, of: type[_One]) -> None:
        self._store = store
        self._audit = audit
        self._kind = kind
        self._decoder = msgspec.json.Decoder(of)

    def find(self, key: str) -> tuple[_One, int] | None:
        """Return one and the version of its document."""
        return self.read(self._store.document(self._kind, key))

    def read(self, document: Document | None) -> tuple[_One, int] | None:
        """Return what a document of this kind holds, and its version."""
        return None if document is None else (self._decoder.decode(document.value), document.version)

    def get(self, key: str) -> tuple[_One, int]:
        """Return one that must be there, and the version of its document.

        Raises:
            NotFound: it is not.
        """
        found = self.find(key)
        if found is None:
            raise NotFound(f"there is no {self._kind} {key}")
        return found

    def all(self) -> Iterator[_One]:
        """Yield all in order of their keys."""
        after = ""
        while page := self._store.documents(self._kind, after=after):
            for document in page:
                yield self._decoder.decode(document.value)
            after = page[-1].key

    def must_be_new(self, key: str) -> None:
        """Check that there is none of this key.

        Raises:
            Conflict: there is.
        """
        if self.find(key) is not None:
            raise Conflict(f"there is a {self._kind} {key} already")

    def add(self, key: str, value: _One, also: Sequence[DocumentWrite] = ()) -> None:
        """Keep a new one, with other documents in the same commit.

        Raises:
            Conflict: it is there already.
        """
        self.must_be_new(key)
        self._commit("add", key, value, 0, also)

    def change(
        self,
        key: str,
        change: Callable[[_One], _One],
        action: str = "change",
        also: Callable[[_One, _One], Sequence[DocumentWrite]] = lambda _before, _after: (),
    ) -> _One:
        """Replace one by what ``change`` makes of it as it is now; what others change at once is not lost.

        ``also`` says what else is to be written in the same commit, from what it was and what it becomes.

        Raises:
            NotFound: there is none.
        """
        for _ in range(_TRIES):
            value, version = self.get(key)
            changed = change(value)
            try:
                self._commit(action, key, changed, version, also(value, changed))
            except Conflict:
                if self.get(key)[1] == version:
                    raise
            else:
                return changed
        raise Conflict(f"the {self._kind} {key} is being changed by others; try again")

    def remove(
        self, key: str, *, details: dict[str, object], also: Sequence[DocumentWrite] = (), action: str = "remove"
    ) -> None:
        """Remove one, whatever it is like now, with other documents in the same commit.

        Raises:
            NotFound: there is none.
        """
        self.get(key)
        batch = Batch(documents=[DocumentWrite(self._kind, key, None), *also])
        self._audit.record(f"{self._kind}.{action}", key, details=details, batch=batch)

    def _commit(self, action: str, key: str, value: _One, expect: int, also: Sequence[DocumentWrite] = ()) -> None:
        write = DocumentWrite(self._kind, key, msgspec.json.encode(value), expect=expect)
        batch = Batch(documents=[write, *also])
        self._audit.record(f"{self._kind}.{action}", key, details=value.told(), batch=batch)
