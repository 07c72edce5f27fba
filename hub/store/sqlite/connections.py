"""Connections to one SQLite file: one writer and a few readers for each process, and how the file is first opened."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from hub.errors import StoreUnavailable
from hub.store.sqlite import schema
from hub.store.sqlite.faults import RETRY_AFTER, hub_error, mapped
from hub.store.sqlite.turns import Turns

READERS = max(2, os.cpu_count() or 2)
"""Reads that run at the same time in a process: more threads around SQLite make each page slower, not faster."""
VALUE_BYTES = 64 * 1024 * 1024
"""The largest value, and so the largest page, that SQLite may build."""
CHECKPOINT_PAGES = 4000
"""Pages in the write-ahead log before it is copied into the file: rare checkpoints halve the cost of bulk writes."""


class Connections:
    """The connections of one process to one store file.

    Args:
        path: the file; made if it is not there, unless ``read_only``.
        read_only: never write.
        patience: seconds to wait for a lock or a free connection before `StoreUnavailable`.

    Raises:
        StoreUnavailable, StoreFull, StoreCorrupt, StoreVersion: it cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False, patience: float = 30.0) -> None:
        self._path = path
        self._read_only = read_only
        self._patience = patience
        self._turns = Turns(READERS)
        self._idle: list[sqlite3.Connection] = []
        self._writer_lock = threading.Lock()
        self._closed = False
        if not read_only:
            _create_private(path)
        with mapped():
            self._writer = self._prepared()

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through these connections."""
        return self._read_only

    def borrowed(self) -> AbstractContextManager[sqlite3.Connection]:
        """Borrow a reading connection, in its turn, outside any transaction: every statement sees the newest."""
        return _Borrowed(self)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Borrow a connection inside a read transaction: one snapshot of the store for the whole block."""
        return _Borrowed(self, transaction=True)

    def take(self) -> sqlite3.Connection:
        """Return a reading connection when it is this thread's turn; to be given back."""
        if not self._turns.take(self._patience):
            raise StoreUnavailable("The store is busy with other reads; try again.", retry_after=RETRY_AFTER)
        try:
            self._check_open()
            return self._idle.pop() if self._idle else self._open()
        except BaseException:
            self._turns.give_back()
            raise

    def give_back(self, db: sqlite3.Connection) -> None:
        """Take a reading connection back."""
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if self._closed:
                db.close()
            else:
                self._idle.append(db)
        finally:
            self._turns.give_back()

    @contextmanager
    def apart(self) -> Iterator[sqlite3.Connection]:
        """Open a connection of its own for one long read transaction, whose temporary tables may be large."""
        with mapped():
            self._check_open()
            db = self._open()
            try:
                db.execute("PRAGMA temp_store = FILE")
                db.execute("BEGIN")
                yield db
            finally:
                db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the store's write lock in a transaction; on disk when the block ends well, undone when it does not."""
        if not self._writer_lock.acquire(timeout=self._patience):
            raise StoreUnavailable("The store is busy with other writes; try again.", retry_after=RETRY_AFTER)
        try:
            with mapped():
                self._check_open()
                db = self._writer
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
        finally:
            self._writer_lock.release()

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        with self._writer_lock:
            self._closed = True
            self._writer.close()
        while self._idle:
            self._idle.pop().close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed.")

    def _prepared(self) -> sqlite3.Connection:
        """Open the writing connection and see to the schema.

        Several processes may do this with a new file at once. SQLite does not wait when two of them switch it to
        write-ahead logging at the same moment, hence the loop.
        """
        deadline = time.monotonic() + self._patience
        while True:
            db = self._open()
            try:
                if self._read_only:
                    schema.check(db)
                else:
                    db.execute(f"PRAGMA page_size = {schema.PAGE_SIZE}")
                    db.execute("PRAGMA journal_mode = WAL")
                    schema.migrate(db)
                return db
            except sqlite3.OperationalError as error:
                db.close()
                if not isinstance(hub_error(error), StoreUnavailable) or time.monotonic() > deadline:
                    raise
                if hub_error(error).retry_after is None:
                    raise
                time.sleep(0.01)
            except BaseException:
                db.close()
                raise

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?mode={'ro' if self._read_only else 'rw'}",
            uri=True,
            timeout=self._patience,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
        for pragma in (
            "synchronous = FULL",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {CHECKPOINT_PAGES * schema.PAGE_SIZE}",
            "temp_store = MEMORY",
            "cache_size = -65536",
        ):
            db.execute(f"PRAGMA {pragma}")
        return db


class _Borrowed:
    """A reading connection for one block. A class, because every read of every request passes here."""

    __slots__ = ("_connections", "_db", "_transaction")

    def __init__(self, connections: Connections, *, transaction: bool = False) -> None:
        self._connections = connections
        self._transaction = transaction

    def __enter__(self) -> sqlite3.Connection:
        try:
            db = self._connections.take()
        except sqlite3.Error as error:
            raise hub_error(error) from error
        self._db = db
        if self._transaction:
            try:
                db.execute("BEGIN")
            except sqlite3.Error as error:
                self.__exit__(None, None, None)
                raise hub_error(error) from error
        return db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            self._connections.give_back(self._db)
        except sqlite3.Error as fault:
            error = error or fault
        if isinstance(error, sqlite3.Error):
            raise hub_error(error) from error


def _create_private(path: Path) -> None:
    """Make the file if it is not there, readable by its owner only (SQLite gives its companions the same rights).

    Raises:
        StoreUnavailable: the folder is missing or may not be written to.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            "The store's data file cannot be opened; check that the data folder exists and its rights."
        ) from error
