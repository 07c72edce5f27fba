"""The SQLite engine: `hub.store.ports.Store` on one file, for any number of threads and processes of one machine."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hub.errors import Conflict, HubError, StoreCorrupt, StoreFull
from hub.store.facets import FacetQuery, Facets
from hub.store.grouping import GroupCommit
from hub.store.moving import Portion, Progress
from hub.store.ports import (
    HUB,
    Batch,
    Change,
    Document,
    Head,
    LedgerRow,
    ManifestPage,
    ObjectPage,
    Outcome,
    PageQuery,
    Scope,
    SearchPage,
    SearchQuery,
)
from hub.store.retention import raise_horizon
from hub.store.sqlite import changes, documents, facets, invariants, ledger, objects, pages
from hub.store.sqlite.changes import Appender
from hub.store.sqlite.connections import Connections
from hub.store.sqlite.faults import no_room
from hub.store.sqlite.grouping import Transactions
from hub.store.sqlite.moving import SqliteSnapshot, receive
from hub.store.sqlite.names import Names
from hub.store.sqlite.objects import Objects
from hub.store.sqlite.sight import Sights

LEAST_ROOM = 16 << 20
"""Bytes that must be free on the disk: a commit of the largest body needs some of them."""


class SqliteStore:
    """A `hub.store.ports.Store` in one SQLite file.

    Args:
        path: the file, made if it is not there.
        read_only: never write; the file must be there and up to date.
        patience: seconds to wait for other writers, or for a turn to read, before `StoreUnavailable`.

    Raises:
        StoreUnavailable, StoreFull, StoreCorrupt, StoreVersion: it cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False, patience: float = 30.0) -> None:
        self._folder = path.absolute().parent
        self._connections = Connections(path, read_only=read_only, patience=patience)
        self._collections = Names("collections")
        self._audiences = Names("audiences")
        self._sensors = Names("sensors")
        self._sights = Sights(self._audiences, self._collections)
        self._objects = Objects(self._collections, self._audiences)
        self._commits = GroupCommit(Transactions(self._connections, self._apply).write, patience)

    def commit(self, batch: Batch) -> list[Outcome]:
        """See `hub.store.ports.Store.commit`."""
        if self._connections.read_only:
            raise StoreFull("The store was opened for reading only; nothing was written.")
        return self._commits.commit(batch)

    def _apply(self, db: sqlite3.Connection, batch: Batch) -> list[Outcome]:
        outcomes: list[Outcome] = []
        if batch.basis is not None:
            changes.must_hold(db, batch.basis)
        if batch.documents:
            documents.write(db, batch.documents)
        if batch.drafts or batch.withdrawals:
            appender = Appender(db, self._collections, self._audiences)
            if batch.replaces:
                appender.withdraw(batch.withdrawals)
            if batch.drafts:
                outcomes = appender.append(batch.drafts)
            if not batch.replaces:
                appender.withdraw(batch.withdrawals)
        if batch.ledger or batch.samples:
            ledger.add(db, self._sensors, batch.ledger, batch.samples)
        return outcomes

    def head(self) -> Head:
        """See `hub.store.ports.Store.head`."""
        with self._connections.borrowed() as db:
            return objects.head(db)

    def check_writes(self) -> None:
        """See `hub.store.ports.Store.check_writes`."""
        if self._connections.read_only:
            raise StoreFull("The store was opened for reading only; nothing was written.")
        if shutil.disk_usage(self._folder).free < LEAST_ROOM:
            raise no_room()

    def read_log(self, after: int, limit: int, *, types: frozenset[str] = frozenset()) -> list[Change]:
        """See `hub.store.ports.Store.read_log`."""
        with self._connections.reading() as db:
            self._sights.of(HUB, db)
            return self._objects.log(db, after, limit, types)

    def read_objects(self, scope: Scope, query: PageQuery) -> ObjectPage:
        """See `hub.store.ports.Store.read_objects`."""
        with self._connections.reading() as db:
            sight = self._sights.of(scope, db)
            collection = self._collection(scope, query.collection)
            if collection is None:
                return ObjectPage(b"", 0, query.after, None, None, False)
            return pages.read_objects(db, sight, collection, query)

    def read_manifest(self, scope: Scope, query: PageQuery) -> ManifestPage:
        """See `hub.store.ports.Store.read_manifest`."""
        with self._connections.reading() as db:
            sight = self._sights.of(scope, db)
            collection = self._collection(scope, query.collection)
            if collection is None:
                return ManifestPage((), query.after, False)
            return pages.read_manifest(db, sight, collection, query)

    def _collection(self, scope: Scope, key: str) -> int | None:
        if scope.collections is not None and key not in scope.collections:
            return None
        return self._collections.number(key)

    def get(self, scope: Scope, ids: Iterable[str]) -> dict[str, Change]:
        """See `hub.store.ports.Store.get`."""
        with self._connections.reading() as db:
            return self._objects.get(db, self._sights.of(scope, db), ids)

    def history(self, scope: Scope, id: str) -> list[Change]:
        """See `hub.store.ports.Store.history`."""
        with self._connections.reading() as db:
            return self._objects.history(db, self._sights.of(scope, db), id)

    def original(self, scope: Scope, id: str, version: int) -> bytes | None:
        """See `hub.store.ports.Store.original`."""
        with self._connections.reading() as db:
            return self._objects.original(db, self._sights.of(scope, db), id, version)

    def search(self, scope: Scope, query: SearchQuery) -> SearchPage:
        """See `hub.store.ports.Store.search`."""
        with self._connections.reading() as db:
            return self._objects.search(db, self._sights.of(scope, db), query)

    def facets(self, scope: Scope, query: FacetQuery) -> Facets:
        """See `hub.store.ports.Store.facets`."""
        with self._connections.reading() as db:
            sight = self._sights.of(scope, db)
            return facets.facets(db, sight, query, self._collections, self._audiences)

    def lookup(self, scope: Scope, observables: Iterable[str], *, limit_each: int = 100) -> dict[str, list[Change]]:
        """See `hub.store.ports.Store.lookup`."""
        with self._connections.reading() as db:
            return self._objects.lookup(db, self._sights.of(scope, db), observables, limit_each)

    def match_keys(self, after: int, limit: int) -> list[tuple[int, str]]:
        """See `hub.store.ports.Store.match_keys`."""
        with self._connections.reading() as db:
            return objects.match_keys(db, after, limit)

    def ledger(
        self, observables: Iterable[str], *, under: bool = False, since: int = 0, until: int | None = None
    ) -> list[LedgerRow]:
        """See `hub.store.ports.Store.ledger`."""
        with self._connections.reading() as db:
            return ledger.read(db, self._sensors, observables, under=under, first=since, until=until)

    def forget(self, before: int) -> None:
        """See `hub.store.ports.Store.forget`."""
        raise_horizon(self, before)
        with self._connections.reading() as found:
            for keys in ledger.forgotten(found):
                with self._connections.writing() as db:
                    ledger.remove(db, keys)

    def document(self, kind: str, key: str) -> Document | None:
        """See `hub.store.ports.Store.document`."""
        with self._connections.borrowed() as db:
            return documents.read(db, kind, key)

    def documents_at(self, places: Sequence[tuple[str, str]]) -> list[Document | None]:
        """See `hub.store.ports.Store.documents_at`."""
        with self._connections.borrowed() as db:
            return [documents.read(db, kind, key) for kind, key in places]

    def documents(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Document]:
        """See `hub.store.ports.Store.documents`."""
        with self._connections.borrowed() as db:
            return documents.read_many(db, kind, prefix, after, limit)

    def tally(self, scope: Scope) -> dict[str, int]:
        """See `hub.store.ports.Store.tally`."""
        with self._connections.reading() as db:
            sight = self._sights.of(scope, db)
            found = {}
            for key, number in self._collections.all():
                if scope.collections is None or key in scope.collections:
                    found[key] = pages.count(db, sight, number, key)
            return {key: number for key, number in found.items() if number}

    def verify(self) -> list[str]:
        """See `hub.store.ports.Store.verify`."""
        try:
            with self._connections.reading() as db:
                return invariants.faults(db)
        except StoreCorrupt as error:
            return [error.message]

    def backup(self, target: Path) -> None:
        """See `hub.store.ports.Store.backup`."""
        if target.exists():
            raise Conflict("There is a file of that name already; nothing was copied.")
        try:
            with self._connections.borrowed() as db:
                db.execute("VACUUM INTO ?", (str(target),))
        except HubError:
            target.unlink(missing_ok=True)
            raise

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """See `hub.store.moving.Movable.snapshot`."""
        with self._connections.apart() as db:
            yield SqliteSnapshot(db)

    def receive(self, portion: Portion) -> None:
        """See `hub.store.moving.Movable.receive`."""
        with self._connections.writing() as db:
            receive(db, portion, self._collections, self._audiences, self._sensors)

    def upgrade(self, progress: Progress) -> bool:  # noqa: ARG002 - there is never anything to tell
        """See `hub.store.moving.Movable.upgrade`; opening a file does all there is to do."""
        return False

    def abandon_upgrade(self) -> bool:
        """See `hub.store.moving.Movable.abandon_upgrade`."""
        return False

    def close(self) -> None:
        """See `hub.store.ports.Store.close`."""
        self._connections.close()
