"""Every error that SQLite can raise, as one of the hub's own: the only place that knows result codes.

Messages never hold a path or SQL: SQLite's own text is kept as the cause, for the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.errors import (
    HubError,
    InternalError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)

RETRY_AFTER = 2
"""Seconds after which a locked store is worth another try."""


def _locked() -> HubError:
    return StoreUnavailable(
        "The store is locked by another program; nothing was lost, try again.", retry_after=RETRY_AFTER
    )


def no_room() -> HubError:
    """Return the error of a disk that is full."""
    return StoreFull("There is no room left to write the store; free some disk space, then try again.")


def _read_only() -> HubError:
    return StoreFull("The store can only be read; check the rights of the data folder and how its disk is mounted.")


def _damaged() -> HubError:
    return StoreCorrupt("The store's data file is damaged or is no database; restore it from a backup.")


def _unreachable() -> HubError:
    return StoreUnavailable("The store's data file cannot be opened; check that the data folder exists and its rights.")


def _failing() -> HubError:
    return StoreUnavailable("The disk under the store fails to read or write; check the disk and its file system.")


def _exhausted() -> HubError:
    return StoreUnavailable("There is not enough memory for the store to go on; try again.", retry_after=RETRY_AFTER)


def _too_big() -> HubError:
    return TooLarge("One value is larger than the store takes.")


def _bug() -> HubError:
    return InternalError("The store was asked for something it cannot do; this is a bug in the hub.")


_EXTENDED: dict[int, Callable[[], HubError]] = {
    # A quota or a file size limit is reported as a failed write; only a plain full disk comes as SQLITE_FULL.
    sqlite3.SQLITE_IOERR_WRITE: no_room,
    sqlite3.SQLITE_IOERR_SHMSIZE: no_room,
    sqlite3.SQLITE_IOERR_FSYNC: no_room,
    sqlite3.SQLITE_IOERR_SHORT_READ: _damaged,
    sqlite3.SQLITE_IOERR_NOMEM: _exhausted,
}
_PRIMARY: dict[int, Callable[[], HubError]] = {
    sqlite3.SQLITE_BUSY: _locked,
    sqlite3.SQLITE_LOCKED: _locked,
    sqlite3.SQLITE_PROTOCOL: _locked,
    sqlite3.SQLITE_SCHEMA: _locked,
    sqlite3.SQLITE_INTERRUPT: _locked,
    sqlite3.SQLITE_FULL: no_room,
    sqlite3.SQLITE_READONLY: _read_only,
    sqlite3.SQLITE_CORRUPT: _damaged,
    sqlite3.SQLITE_NOTADB: _damaged,
    sqlite3.SQLITE_FORMAT: _damaged,
    sqlite3.SQLITE_CANTOPEN: _unreachable,
    sqlite3.SQLITE_PERM: _unreachable,
    sqlite3.SQLITE_AUTH: _unreachable,
    sqlite3.SQLITE_NOLFS: no_room,
    sqlite3.SQLITE_IOERR: _failing,
    sqlite3.SQLITE_NOMEM: _exhausted,
    sqlite3.SQLITE_TOOBIG: _too_big,
}


def hub_error(error: sqlite3.Error) -> HubError:
    """Return the hub's error for one of SQLite's; an unexpected one is a bug."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return _bug()
    return (_EXTENDED.get(code) or _PRIMARY.get(code & 0xFF) or _bug)()


@contextmanager
def mapped() -> Iterator[None]:
    """Turn any error of SQLite that leaves the block into the hub's own."""
    try:
        yield
    except sqlite3.Error as error:
        raise hub_error(error) from error
